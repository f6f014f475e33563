/*
 * list: how ls and stat write what a file is (pure).
 */
#pragma once
#include <abi/types.h>

const char *list_type(uint32_t type);                                   /* "regular file" ... */
char *list_mode(char text[static 16], uint32_t type, uint32_t mode);    /* "-rw-r--r--" */
char *list_time(char text[static 24], int64_t seconds);                 /* "2026-11-23 06:30:14", UTC; 0: "-" */
/* A name as it may be shown: control bytes become '?'. Cut to fit. */
char *list_name(char *text, size_t size, const char *name);
