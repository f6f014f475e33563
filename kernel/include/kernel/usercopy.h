/*
 * usercopy: the only way to user memory. A pointer from user mode is a struct of its own and
 * cannot be dereferenced; each copy checks the range, reads once, and ends in ERR_FAULT
 * when the memory is not there.
 */
#pragma once
#include <abi/objects.h>
#include <abi/types.h>
#include <gen/syscall_handlers.h>

must_use status_t copy_in(void *dst, user_in_t src, size_t size);
must_use status_t copy_out(user_out_t dst, const void *src, size_t size);
always_inline user_out_t user_out_add(user_out_t p, uint64_t n) { p.va += n; return p; }
always_inline bool user_range_ok(uint64_t va, uint64_t size)
{
	return size <= USER_TOP && va <= USER_TOP - size;
}
/* The copy itself, one side of it user memory whose range was checked. OK or ERR_FAULT. [usercopy.S] */
must_use status_t user_copy(void *dst, const void *src, size_t n);
/* The word at va, whose range was checked; or ERR_FAULT. [usercopy.S] */
must_use keeps_registers int64_t user_word(uint64_t va);
