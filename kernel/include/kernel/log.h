/*
 * log: the kernel's log ring, and where it is shown while it boots. Any context may write,
 * NMI and panic excepted (they use panic.h).
 */
#pragma once
#include <abi/types.h>
#include <stdarg.h>

#define LOG_RING_BYTES (64 * KiB)

/* One line, without the newline. Format: %s %.*s %c %d %i %u %x %X %p with 0, width, l ll z; %% and nothing else. */
void klog(const char *format, ...) printf_like(1, 2);
/* One line of foreign text, cleaned of control bytes (they become '.'); len <= 512. */
void log_append(const char *text, size_t len);
/*
 * Copies log text from byte number *seq on (or from the oldest byte kept if that is later) to buf;
 * returns bytes copied and moves *seq behind them. Byte numbers only grow.
 */
size_t log_copy(uint64_t *seq, char *buf, size_t len);
/* Which consoles show the log. One that is switched on first shows what the ring has so far. */
void log_console(bool serial, bool screen);
void log_loud(void);                    /* all that nobody else has taken show it, whatever `quiet` says */
void log_serial_off(void);              /* COM1 has a driver of its own now; the screen stays as it is */
void log_screen_off(void);              /* so has the screen: only a panic writes there again */

size_t kformat(char *buf, size_t size, const char *format, ...) printf_like(3, 4);
size_t kvformat(char *buf, size_t size, const char *format, va_list args);
