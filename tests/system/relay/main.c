/*
 * relay: a service between a client and tmp://, for tests/boot/test_trace.py.
 *
 *   relay://fwd/NAME     the open is forwarded to tmpd
 *   relay://via/NAME     relay opens and closes tmp://NAME itself, then answers
 *   relay://crash        dies of a wild store the first time it is asked, and answers when asked again
 *   relay://panic        the same by rt_panic
 */
#include <abi/file.h>
#include <gen/file.h>
#include <rt/file.h>
#include <rt/start.h>
#include <rt/svc.h>
#include <stdio.h>
#include <string.h>

static handle_t tmp;

static noinline void relay_stores_wildly(volatile int *at)
{
	*at = 1;
	__asm__ volatile("" ::: "memory");
}

static noinline void relay_goes_wrong(int how)
{
	if (how == 0)
		relay_stores_wildly((volatile int *)16);
	else
		rt_panic("asked to");
	__asm__ volatile("" ::: "memory");      /* no tail call: this function is to be seen */
}

static status_t on_open(void *self unused, struct svc_cmd *c, const struct file_open_req *q, struct file_open_rep *p)
{
	char uri[64];
	handle_t file;

	if (!strncmp(c->path, "fwd/", 4)) {
		status_t st = forward(c->cmd, tmp, 4, RIGHT_ALL);
		return st == OK ? SVC_LATER : st;
	}
	if (!strncmp(c->path, "via/", 4)) {
		snprintf(uri, sizeof(uri), "tmp://%s", c->path + 4);
		status_t st = file_open(uri, q->flags, &file);
		if (st < 0)
			return st;
		file_close(file);
	} else if (!c->redelivered) {
		relay_goes_wrong(strcmp(c->path, "crash") != 0);
	}
	p->type = FILE_REGULAR;
	c->mint = true;
	c->mint_rights = RIGHT_READ | RIGHT_CALL | RIGHT_DUP | RIGHT_TRANSFER;
	return OK;
}

static status_t on_read(void *self unused, struct svc_cmd *c, const struct file_read_req *q, struct file_read_rep *p)
{
	return svc_read_from(c, q->offset, "relayed\n", 8, &p->done);
}

int main(int argc unused, char **argv unused)
{
	static struct svc svc;
	static const struct file_ops ops = { .open = on_open, .read = on_read };

	MUST(svc_init(&svc, &file_proto, &ops, NULL));
	MUST(file_open("tmp://", OPEN_READ | OPEN_WRITE | OPEN_DIRECTORY, &tmp));
	return svc_run(&svc) == OK ? 0 : 1;
}
