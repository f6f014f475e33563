/*
 * internal: what the files of the run-time share among themselves. Programs include <rt/...>.
 */
#pragma once
#include <abi/start.h>
#include <abi/types.h>
#include <stdarg.h>

/* start.c: the program's name, for messages; never NULL. */
const char *rt_program_name(void);
/* start.c: called once by exit, before the process ends; io.c enters its flush here when it is used. */
extern void (*rt_exit_hook)(void);

/* format.c: calls put(ctx, text, n) with the pieces of a formatted text, in order. */
typedef void format_put(void *ctx, const char *text, size_t n);
void format_to(format_put *put, void *ctx, const char *format, va_list ap);

/* syscall.S: loads *r into the registers, enters the kernel and stores them back. */
struct ipc_regs;
void ipc_raw(struct ipc_regs *r);
