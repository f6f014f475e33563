/*
 * io: formatted text to stdout, stderr and the log; the heap; small text helpers. String and memory
 * functions are <string.h>, <stdlib.h> (strtoul, qsort, malloc, free, realloc, calloc), <stdio.h> (snprintf), <ctype.h>.
 */
#pragma once
#include <abi/types.h>
#include <stdarg.h>

void print(const char *format, ...) printf_like(1, 2);          /* stdout, buffered until newline, exit or flush */
void print_bytes(const void *data, size_t len);                 /* stdout, as they are */
void print_flush(void);
void print_error(const char *format, ...) printf_like(1, 2);    /* stderr: "PROGRAM: text\n" */
bool print_failed(void);                                        /* a write to stdout failed: nothing is printed any more */
bool print_gone(void);                                          /* ... because nobody reads it: no reason to complain */
void log_print(const char *format, ...) printf_like(1, 2);      /* the kernel's log: "PROGRAM: text" */

/* Data of stdin; *done = 0 at the end. */
must_use status_t input_read(void *buf, size_t len, size_t *done);
