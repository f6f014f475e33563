/*
 * cmdline: the words after the kernel's name in boot.cfg: `quiet root=nvme0 init="/sbin/initd -v"`.
 * Pure text; set once while booting, read from anywhere after that. The last of two equal keys wins.
 */
#pragma once
#include <abi/types.h>

#define CMDLINE_MAX 1024                /* bytes kept; the rest is cut and reported */

void cmdline_init(const char *text, size_t len);
/* The whole line as given (cut), without quotes undone. */
const char *cmdline_text(void);
/* The value of `key`, cut to size - 1 bytes, "" for a key without one. NULL: not given. */
const char *cmdline_get(const char *key, char *buf, size_t size);
/* key alone, =1, =yes, =on, =true: true. =0, =no, =off, =false: false. Absent or anything else: fallback. */
bool cmdline_flag(const char *key, bool fallback);
/* Names in the log every option the kernel does not know. One with a dot (rngd.seed=1) is a service's own. */
void cmdline_check(void);
