/*
 * socket: see rt/socket.h.
 */
#include <rt/socket.h>
#include <string.h>

#define SCHEME "unix://"

status_t socket_open(const char *uri, uint64_t deadline, handle_t *socket)
{
	size_t prefix = strlen(SCHEME);

	if (strncmp(uri, SCHEME, prefix) != 0)
		return ERR_INVALID;
	return socket_connect(0, uri + prefix, strlen(uri + prefix), deadline, socket);
}

status_t socket_get(handle_t socket, void *buf, size_t len, size_t *done)
{
	uint64_t got, size;
	uint32_t n;
	status_t st = socket_read(socket, buf, len, FOREVER, NULL, 0, &got, &size, &n);

	if (st == OK)
		*done = got;
	return st;
}

status_t socket_put(handle_t socket, const void *buf, size_t len)
{
	for (size_t at = 0; at < len;) {
		uint64_t done;
		status_t st = socket_write(socket, (const char *)buf + at, len - at, FOREVER, NULL, 0, &done);
		if (st < 0)
			return st;
		at += done;
	}
	return OK;
}
