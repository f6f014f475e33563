/*
 * tallyd: `tally://`, the example of docs/ipc.md. Writing "5" adds five, reading gives the sum; kills change nothing.
 */
#include <abi/file.h>
#include <gen/file.h>
#include <rt/intent.h>
#include <rt/start.h>
#include <rt/state.h>
#include <rt/svc.h>
#include <stdio.h>
#include <stdlib.h>

static struct tally { struct intent_record ring[4]; uint64_t total; } *kept;    /* in the state Frame */
static struct intent_log intents;
static struct state state;

static status_t on_open(void *self unused, struct svc_cmd *c, const struct file_open_req *q unused, struct file_open_rep *p)
{
	p->type = FILE_DEVICE;
	c->mint = true, c->mint_rights = c->rights;     /* the answer is a new Session that may do what the one asked may */
	return OK;
}

static status_t on_read(void *self unused, struct svc_cmd *c, const struct file_read_req *q, struct file_read_rep *p)
{
	char text[24];
	int n = snprintf(text, sizeof(text), "%llu\n", (unsigned long long)kept->total);
	state_good(&state);                             /* it has served: what killed the last one was not its state */
	return q->offset ? OK : svc_read_from(c, 0, text, (size_t)n, &p->done);    /* in one piece; then the end */
}

static status_t on_write(void *self unused, struct svc_cmd *c, const struct file_write_req *q unused, struct file_write_rep *p)
{
	char text[24] = { 0 };
	p->done = c->in_len;
	if (c->redelivered && intent_find(&intents, svc_op_id(c)))
		return OK;                              /* an instance before this one added it and did not come to say so */
	intent_settle(&intents);                        /* one command at a time: what came before it is answered */
	if (svc_read_in(c->cmd, 0, text, MIN((size_t)c->in_len, sizeof(text) - 1)) < 0)
		return ERR_GONE;                        /* the caller, or the memory it lent */
	intent_begin(&intents, svc_op_id(c), 0);
	if (!intent_set(&intents, &kept->total, &(uint64_t){ kept->total + strtoul(text, NULL, 10) }, sizeof(uint64_t)))
		return ERR_LIMIT;                       /* up to here nothing has happened */
	intent_commit(&intents, &(struct intent_answer){ .status = OK });
	intent_act(&intents);                           /* it will happen: here, or in the next instance's intent_recover */
	intent_done(&intents);
	state_good(&state);
	return OK;
}

int main(int argc unused, char **argv unused)
{
	static struct svc s;
	MUST(svc_init(&s, &file_proto, &(struct file_ops){ .open = on_open, .read = on_read, .write = on_write }, NULL));
	MUST(state_open(&state, 1, sizeof(*kept)));
	kept = state.memory;
	(void)intent_open(&intents, kept->ring, ARRAY_LEN(kept->ring), kept, sizeof(*kept));
	intent_recover(&intents, NULL, NULL);
	return svc_run(&s) == OK ? 0 : 1;
}
