/*
 * crc: the CRC-32 of gzip (RFC 1952 §8) over long data, in a fifth of the instructions that a table takes.
 */
#pragma once
#include <abi/types.h>

/* What zlib's crc32() gives: the sum of what `crc` is the sum of and `len` more bytes; 0 begins. */
uint32_t crc_of(uint32_t crc, const void *data, size_t len);
