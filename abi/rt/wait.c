/*
 * wait: for the end of a process. The end sets a bit of a Notify, which arrives at a Port. Making the two costs more than
 * waiting, so one pair is kept for the next wait.
 */
#include <rt/start.h>

enum { BIT_END = 0 };

struct pair {
	handle_t port, notify;
	uint64_t id;                    /* of the Notify; 0: there is none */
};

static struct pair kept;

/*
 * Only the first thread keeps a pair, told by its stack, and writes to it once: no two threads wait at one Port, and a copy-on-write
 * clone of this memory costs its maker no page at the next wait.
 */
static bool keeps(void)
{
	const struct start_info *info = start_info();
	uint64_t here = (uint64_t)__builtin_frame_address(0);
	return info && here >= info->stack_low && here < info->stack_high;
}

/* In a copy of the memory of the process that kept it, its handles are something else, or nothing. */
static bool kept_is_ours(void)
{
	struct handle_info info;
	return kept.id && handle_info(kept.notify, &info) == OK && info.object_id == kept.id;
}

static status_t pair_make(struct pair *p)
{
	struct handle_info info;
	status_t st = port_create(0, &p->port);
	if (st < 0)
		return st;
	st = notify_create(&p->notify);
	if (st >= 0) {
		st = notify_port(p->notify, p->port, 0);
		if (st == OK)
			st = handle_info(p->notify, &info);
		if (st == OK)
			p->id = info.object_id;
		else
			handle_close(p->notify);
	}
	if (st < 0)
		handle_close(p->port);
	return st;
}

status_t process_wait(handle_t process, uint64_t deadline, struct process_info *info)
{
	struct pair p = kept;
	struct event e;
	bool keep = keeps(), again = keep && kept_is_ours();
	status_t st = again ? OK : pair_make(&p);
	if (st < 0)
		return st;
	st = notify_bind(p.notify, BIT_END, process);
	if (st >= 0)
		st = ipc_accept(p.port, deadline, &e);
	/* Only what has seen the end is bound to nothing any more. */
	if (st >= 0 && keep) {
		if (!again)
			kept = p;
	} else {
		if (again)
			kept.id = 0;
		handle_close(p.notify);
		handle_close(p.port);
	}
	return st < 0 ? st : process_info(process, info);
}
