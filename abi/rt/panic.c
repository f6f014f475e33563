/*
 * panic: the end of a program that found itself wrong. The text and the way there go to the kernel's log,
 * one line each; addresses are given from the image's base, as "NAME+0x1234", so that
 * llvm-symbolizer on build/user/NAME turns them into lines. Uses no heap and no stdout.
 */
#include <abi/objects.h>
#include <rt/start.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "internal.h"

enum { EXIT_PANIC = 134, LINE = 256, FRAMES_MAX = 24 };

static void log_line(const char *format, ...) printf_like(1, 2);
static void log_line(const char *format, ...)
{
	char line[LINE];
	va_list ap;
	va_start(ap, format);
	int n = vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	log_write(line, (uint64_t)MIN(n, LINE - 1));
}

/* A frame pointer that may be followed: inside our first stack and aligned. */
static bool on_stack(uint64_t frame)
{
	const struct start_info *s = start_info();
	return s && frame % 8 == 0 && frame >= s->stack_low && frame < s->stack_high - 2 * sizeof(uint64_t);
}

static void backtrace(uint64_t frame)
{
	const struct start_info *s = start_info();
	for (int i = 0; i < FRAMES_MAX && on_stack(frame); i++) {
		const uint64_t *f = (const uint64_t *)frame;
		if (f[1] < USER_MIN)
			break;
		/* One back: the call, not the line after it. */
		log_line("%s:   at %s+%#lx", rt_program_name(), rt_program_name(), (unsigned long)(f[1] - 1 - s->image_base));
		if (f[0] <= frame)
			break;
		frame = f[0];
	}
}

noreturn noinline void rt_panic(const char *format, ...)
{
	static int panicking;
	if (__atomic_exchange_n(&panicking, 1, __ATOMIC_RELAXED))
		process_exit(EXIT_PANIC);
	char text[LINE - PROCESS_NAME_MAX];
	va_list ap;
	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	log_line("%s: panic: %s", rt_program_name(), text);
	backtrace((uint64_t)__builtin_frame_address(0));
	process_exit(EXIT_PANIC);
}

/* <assert.h> ends here. */
noreturn void __assert_fail(const char *expression, const char *file, int line, const char *function)
{
	rt_panic("%s:%d: %s: assertion failed: %s", file, line, function, expression);
}

noreturn void abort(void)
{
	rt_panic("abort");
}
