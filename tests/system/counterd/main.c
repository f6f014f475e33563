/*
 * counterd: numbered counters, `count://N`. Adding to one must happen exactly once however often this dies, and is
 * done as docs/services.md says: intent, act, done. Part of test images only.
 *
 *   cat count://3         its value
 *   put count://3 5       adds 5
 *   CTL COUNT_ADD n       adds n, and tells the sum: who adds knows whether each of his additions counted once
 *   CTL COUNT_WAIT v      answers when the counter has reached v; until then the command is parked, and nothing else keeps it
 *   CTL COUNT_DIE how     dies of this command, each time it is delivered (enum count_death)
 */
#include "count.h"
#include <abi/file.h>
#include <gen/file.h>
#include <rt/intent.h>
#include <rt/io.h>
#include <rt/start.h>
#include <rt/state.h>
#include <rt/svc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VERSION = 1, RECORDS = 16, WAITERS = 64, LINGER = 20000, SESSION_RIGHTS = RIGHT_CALL | RIGHT_DUP | RIGHT_TRANSFER };

struct kept { struct intent_record ring[RECORDS]; uint64_t count[COUNTERS]; };

static struct state state;
static struct kept *kept;
static struct intent_log intents;
static struct waiter { cmd_id_t cmd; uint64_t *at, value; } waiters[WAITERS];

/* The counter of a Session: badge 0 is the directory, N + 1 counter N. */
static uint64_t *counter(const struct svc_cmd *c)
{
	return c->badge >= 1 && c->badge <= COUNTERS ? &kept->count[c->badge - 1] : NULL;
}

static void wake(const uint64_t *at)
{
	for (size_t i = 0; i < WAITERS; i++)
		if (waiters[i].cmd && waiters[i].at == at && *at >= waiters[i].value) {
			svc_reply(waiters[i].cmd, &(struct reply){ .status = OK, .w = { *at } });
			waiters[i].cmd = 0;
		}
}

static status_t add(struct svc_cmd *c, uint64_t n, uint64_t *sum)
{
	uint64_t *at = counter(c);

	if (!at)
		return ERR_IS_DIRECTORY;
	if (!c->redelivered)
		intent_settle(&intents);
	const struct intent_answer *done = c->redelivered ? intent_find(&intents, svc_op_id(c)) : NULL;
	if (done) {
		*sum = done->w[0];
	} else {
		*sum = *at + n;
		intent_begin(&intents, svc_op_id(c), 0);
		if (!intent_set(&intents, at, sum, sizeof(*sum)))
			rt_panic("a record has no room for one word");
		intent_commit(&intents, &(struct intent_answer){ .w = { *sum } });
		intent_act(&intents);
		intent_done(&intents);
		/* Done and not yet answered: some time, so that kills at random find it here. Without intents the tests then fail. */
		for (volatile int i = 0; i < LINGER; i++)
			;
	}
	state_good(&state);
	wake(at);
	return OK;
}

static status_t park(struct svc_cmd *c, uint64_t value, uint64_t *sum)
{
	uint64_t *at = counter(c);

	if (!at)
		return ERR_IS_DIRECTORY;
	*sum = *at;
	for (size_t i = 0; *at < value && i < WAITERS; i++)
		if (!waiters[i].cmd) {
			waiters[i] = (struct waiter){ c->cmd, at, value };
			return SVC_LATER;
		}
	return *at < value ? ERR_BUSY : OK;
}

static void die(uint64_t how)
{
	if (how == COUNT_DIE_STORE)
		*(volatile int *)8 = 1;
	if (how == COUNT_DIE_ASSERT)
		rt_panic("asked to");
	while (how == COUNT_DIE_LOOP)
		__asm__ volatile("" ::: "memory");
}

static status_t on_ctl(void *self unused, struct svc_cmd *c, const struct file_ctl_req *q, struct file_ctl_rep *p)
{
	switch (q->code) {
	case COUNT_ADD:
		return add(c, q->arg0, &p->value0);
	case COUNT_WAIT:
		return park(c, q->arg0, &p->value0);
	case COUNT_DIE:
		die(q->arg0);
		return ERR_INVALID;
	default:
		return ERR_NOT_SUPPORTED;
	}
}

static status_t on_open(void *self unused, struct svc_cmd *c, const struct file_open_req *q unused, struct file_open_rep *p)
{
	char *end;
	uint64_t n = strtoul(c->path, &end, 10);

	if (*end || n >= COUNTERS)
		return ERR_NOT_FOUND;
	p->type = FILE_DEVICE;
	c->mint = true;
	c->mint_badge = c->path_len ? n + 1 : 0;
	c->mint_rights = SESSION_RIGHTS | (c->rights & (RIGHT_READ | RIGHT_WRITE));
	return OK;
}

static status_t on_read(void *self unused, struct svc_cmd *c, const struct file_read_req *q, struct file_read_rep *p)
{
	char text[24];

	if (!counter(c))
		return ERR_IS_DIRECTORY;
	return svc_read_from(c, q->offset, text, (size_t)snprintf(text, sizeof(text), "%lu\n", (unsigned long)*counter(c)), &p->done);
}

static status_t on_write(void *self unused, struct svc_cmd *c, const struct file_write_req *q unused, struct file_write_rep *p)
{
	char text[24] = "";
	uint64_t sum;

	status_t st = c->in_len < sizeof(text) ? svc_read_in(c->cmd, 0, text, c->in_len) : ERR_TOO_LONG;
	p->done = c->in_len;
	return st < 0 ? st : add(c, strtoul(text, NULL, 10), &sum);
}

static status_t on_truncate(void *self unused, struct svc_cmd *c unused, const struct file_truncate_req *q unused, struct file_truncate_rep *p unused)
{
	return OK;
}

static void on_cancel(void *self unused, cmd_id_t cmd)
{
	for (size_t i = 0; i < WAITERS; i++)
		if (waiters[i].cmd == cmd)
			waiters[i].cmd = 0;
	svc_reply(cmd, &(struct reply){ .status = ERR_CANCELLED });
}

static const struct file_ops ops = { .open = on_open, .read = on_read, .write = on_write, .ctl = on_ctl, .truncate = on_truncate };

int main(int argc unused, char **argv unused)
{
	static struct svc svc;

	MUST(state_open(&state, VERSION, sizeof(struct kept)));
	kept = state.memory;
	uint32_t damaged = intent_open(&intents, kept->ring, RECORDS, kept->count, sizeof(kept->count));
	if (damaged)
		log_print("%u damaged intents are dropped", damaged);
	intent_recover(&intents, NULL, NULL);
	MUST(svc_init(&svc, &file_proto, &ops, NULL));
	svc.on_cancel = on_cancel;
	return svc_run(&svc) == OK ? 0 : 1;
}
