/*
 * socket: Sockets from a program's side. file_read and file_write (rt/file.h) take them too, and so does everything
 * that goes through stdin, stdout and stderr: a program need not know what it was given.
 */
#pragma once
#include <rt/ipc.h>

/* "unix://NAME" in our Namespace. */
must_use status_t socket_open(const char *uri, uint64_t deadline, handle_t *socket);
/* Waits for data; *done = 0: the other side has ended. Handles that come along are closed. */
must_use status_t socket_get(handle_t socket, void *buf, size_t len, size_t *done);
/* Waits until all of it is under way. */
must_use status_t socket_put(handle_t socket, const void *buf, size_t len);
