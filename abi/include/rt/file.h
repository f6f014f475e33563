/*
 * file: what a client does with URIs and Sessions.
 */
#pragma once
#include <abi/file.h>
#include <rt/ipc.h>

struct stat { uint32_t type, mode; uint64_t size, ino, blocks; int64_t mtime; };

must_use status_t file_open(const char *uri, uint32_t flags, handle_t *file);
/* The same; ERR_TIMED_OUT: no answer came until `deadline`. */
must_use status_t file_open_until(const char *uri, uint32_t flags, uint64_t deadline, handle_t *file);
/* The same below a directory Session. */
must_use status_t file_open_at(handle_t dir, const char *path, uint32_t flags, handle_t *file);
must_use status_t file_read(handle_t file, uint64_t offset, void *buf, size_t len, size_t *done);
must_use status_t file_write(handle_t file, uint64_t offset, const void *buf, size_t len, size_t *done);
/* Loops until all is written or an error. */
must_use status_t file_write_all(handle_t file, uint64_t offset, const void *buf, size_t len);
/* The same at the end of the file, whoever else writes there; streams just take it. */
must_use status_t file_append_all(handle_t file, const void *buf, size_t len);
must_use status_t file_stat(handle_t file, struct stat *st);
must_use status_t file_stat_uri(const char *uri, struct stat *st);
must_use status_t file_readdir(handle_t dir, uint64_t *cookie, void *buf, size_t len, size_t *done);
must_use status_t file_unlink(const char *uri, uint32_t flags);
must_use status_t file_mkdir(const char *uri);
/* Both in one scheme, or ERR_NOT_SUPPORTED. */
must_use status_t file_rename(const char *from, const char *to);
/* A Frame with the content (read and, if the file's rights allow, execute); its file size in *size. */
must_use status_t file_map(handle_t file, handle_t *frame, uint64_t *size);
must_use status_t file_map_uri(const char *uri, handle_t *frame, uint64_t *size);
must_use status_t file_ctl(handle_t file, uint32_t code, const uint64_t args[4], handle_t h, uint64_t values[3]);
/* Reads a whole small file (at most `max` bytes); *data is heap memory with a zero byte after it, freed by the caller. */
must_use status_t file_slurp(const char *uri, size_t max, char **data, size_t *size);
void file_close(handle_t h);
