/*
 * uri: "scheme://rest" or "/rest" -> scheme and path, both inside `text` (or constant). Pure.
 */
#pragma once
#include <abi/types.h>

/* ERR_INVALID: no scheme of 1..15 bytes [a-z][a-z0-9+.-]*, or no "://". */
must_use status_t uri_split(const char *text, size_t len, const char **scheme, size_t *scheme_len, const char **path, size_t *path_len);
bool scheme_valid(const char *scheme, size_t len);
