/*
 * grant: gives test programs what otherwise only a manifest could: MAP of grant://NAME answers with a
 * handle to the Resource that this service holds as "res:NAME". Part of test images only.
 */
#include <abi/file.h>
#include <gen/file.h>
#include <rt/start.h>
#include <rt/svc.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const names[] = { "info", "ioports", "irq", "phys", "ioports1", "irq1", "dma" };
enum { BADGE_FIRST = 0x100 };

static status_t on_open(void *self unused, struct svc_cmd *c, const struct file_open_req *q unused, struct file_open_rep *p)
{
	const char *path = c->path;
	while (*path == '/')
		path++;
	/* Once; delivered again it is answered. */
	while (!__builtin_strcmp(path, "hang") && !c->redelivered)
		__builtin_ia32_pause();
	/* In order, before the answer or after it. */
	if (!__builtin_strcmp(path, "end") && !c->redelivered)
		exit(0);
	if (!__builtin_strcmp(path, "leave")) {
		svc_reply(c->cmd, &(struct reply){ .status = ERR_NOT_FOUND });
		exit(0);
	}
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (!__builtin_strcmp(path, names[i])) {
			p->type = FILE_DEVICE;
			p->size = 0;
			c->mint = true;
			c->mint_badge = BADGE_FIRST + i;
			c->mint_rights = RIGHT_READ;
			return OK;
		}
	return ERR_NOT_FOUND;
}

static status_t on_map(void *self unused, struct svc_cmd *c, const struct file_map_req *q unused, struct file_map_rep *p)
{
	char name[START_HANDLE_NAME];
	if (c->badge < BADGE_FIRST || c->badge - BADGE_FIRST >= ARRAY_LEN(names))
		return ERR_INVALID;
	snprintf(name, sizeof(name), "res:%s", names[c->badge - BADGE_FIRST]);
	c->reply_handle = start_handle(name);
	*p = (struct file_map_rep){ 0 };
	return c->reply_handle ? OK : ERR_NOT_FOUND;
}

static const struct file_ops ops = { .open = on_open, .map = on_map };

int main(int argc unused, char **argv unused)
{
	struct svc svc;
	MUST(svc_init(&svc, &file_proto, &ops, NULL));
	return (int)svc_run(&svc);
}
