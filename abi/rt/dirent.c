/*
 * dirent: writing READDIR's records (abi/file.h). Pure.
 */
#include <abi/file.h>
#include <rt/svc.h>
#include <string.h>

size_t dirent_put(void *buf, size_t room, uint64_t ino, uint64_t size, int type, const char *name)
{
	size_t len = strnlen(name, NAME_MAX_BYTES + 1);
	if (len == 0 || len > NAME_MAX_BYTES)
		return 0;
	size_t need = ALIGN_UP(sizeof(struct dirent) + len + 1, 8);
	if (need > room)
		return 0;
	memset(buf, 0, need);           /* the padding crosses to another process too */
	struct dirent *d = buf;
	d->ino = ino;
	d->file_size = size;
	d->size = (uint16_t)need;
	d->type = (uint8_t)type;
	d->name_len = (uint8_t)len;
	memcpy(d->name, name, len);
	return need;
}
