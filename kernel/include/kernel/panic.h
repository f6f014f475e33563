/*
 * panic: our own bugs. Prints the text, the registers and a symbolized backtrace with file and line
 * on serial and screen, whatever state the machine is in, and stops it. Never reached from user arguments.
 */
#pragma once
#include <abi/types.h>
#include <kernel/regs.h>

noreturn void panic(const char *format, ...) printf_like(1, 2);
noreturn void panic_regs(const struct regs *r, const char *format, ...) printf_like(2, 3);
/* For the NMI handler: did another CPU panic? Then it wants this one to stop. */
bool panic_in_progress(void);
noreturn void panic_stop_this_cpu(void);
#define ASSERT(x) do { if (unlikely(!(x))) panic("%s:%d: assertion failed: %s", __FILE__, __LINE__, #x); } while (0)

/* symbols: kernel address -> "function+offset (file:line)". Returns false when unknown. */
bool symbol_format(uint64_t address, char *buf, size_t size);
