/*
 * reason: how a process ended, in words.
 */
#pragma once
#include <abi/objects.h>

/* "page fault (14) at 0x10, rip 0x100001234", "killed", "exited with status 1": cut to fit, zero-terminated. */
void reason_text(char *buf, size_t size, const struct process_info *info);
/* Whether the end counts as the program's own fault: anything but being killed on purpose. */
bool reason_is_fault(const struct process_info *info);
