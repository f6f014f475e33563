/*
 * killer: kills services again and again, at instants that nobody can foresee. It runs above all services, so
 * its timer finds them in the middle of what they do; a shell that kills finds them waiting. Part of test images only.
 *
 *   put killer:// tmpd 100 50 3000              kills tmpd 100 times, each 50 to 3050 us after the next instance is there
 *   put killer:// tmpd 6 50 3000 fault          as if each had been its own fault
 *   put killer:// initd,sysd,tmpd 100 50 3000 seed=7   each time one of them, at random. One time in eight a second one dies
 *                                               less than a millisecond after it; now and then one dies again while it recovers
 *   put killer:// initd,sysd,tmpd 100 50 3000 crash seed=7   they crash instead (KILL_CRASH_...), where they are: a wild store, a failed
 *                                               assertion, an endless loop that is ended as by a missed heartbeat
 *   put killer:// turn                          every client has got something done since the last time: it can be bad luck no more
 *   cat killer://                               how many are left to do, and when the last one was (ns)
 */
#include <abi/file.h>
#include <gen/file.h>
#include <rt/io.h>
#include <rt/start.h>
#include <rt/svc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BADGE_TIMER = 1, POLL_US = 100, VICTIMS_MAX = 16, BATCH = 16, SOON_US = 1000, PAIR_IN = 8, REST = 8 };
/*
 * Crashes: a second one may come before the first is overcome. A third would be a poisonous request's (ERR_POISONED), or that of a state
 * that kills (rt/state.h): not before every client has had its turn.
 */
enum { AGAIN_IN = 4, IN_ROW_MAX = 2, TRIES_MAX = 100, TRY_US = 100, LOOP_US = 3000 };

static handle_t info, timer;
static struct victim {
	char     name[PROCESS_NAME_MAX];
	uint64_t last_pid;                      /* who died last */
	uint64_t turn;                          /* and in which of the clients' turns */
	unsigned in_row;                        /* crashes since it was calm */
} victims[VICTIMS_MAX];
static unsigned n_victims;
static uint32_t reason;                     /* enum kill_reason; KILL_CRASH_STORE: any crash */
static uint64_t left, min_us, spread_us, rng, last_ns;
static uint64_t turns;                      /* told by the clients: each of them has got something done since the last */
static struct victim *next;                 /* whose turn it is */
static uint64_t aimed;                      /* one victim: the instance that has been seen, and whose time is set */
static unsigned tries;                      /* in vain, at this victim */
static handle_t looping;                    /* a process in an endless loop; 0: none */
static bool struck_alone = true;            /* the next one may come right behind the last */
static uint64_t woken_ns;                   /* when the timer rang */

static uint64_t dice(uint64_t n)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng % n;
}

/*
 * Not before it has rested REST times as long as it was at work: where the host is short of processors a look at all processes takes longer than
 * 100 us, and who looks that often, above all others, keeps them from the turn that it waits for.
 */
static void wake_in(uint64_t us)
{
	uint64_t now = 0;
	MUST(clock_now(&now));
	MUST(notify_timer(timer, 0, now + MAX(us * NS_PER_US, REST * (now - woken_ns)), 0));
}

/* The living process of that name which has not been killed yet; NULL: none. */
static const struct process_info *find_info(const struct victim *v)
{
	static struct process_info p[BATCH];
	uint64_t from = v->last_pid + 1;
	uint32_t got = 0;

	for (;;) {
		MUST(process_list(info, from, p, BATCH, &got));
		if (!got)
			return NULL;
		for (uint32_t i = 0; i < got; i++)
			if (!strcmp(p[i].name, v->name) && p[i].exit_kind == EXIT_RUNNING && p[i].state < PROC_DYING)
				return &p[i];
		from = p[got - 1].pid + 1;
	}
}

static uint64_t find(const struct victim *v)
{
	const struct process_info *p = find_info(v);
	return p ? p->pid : 0;
}

/* False: it cannot be had now. */
static bool strike(struct victim *v, uint64_t pid)
{
	uint32_t how = reason == KILL_CRASH_STORE ? KILL_CRASH_STORE + (uint32_t)dice(KILL_CRASH_END - KILL_CRASH_STORE) : reason;
	handle_t h;

	if (process_open(info, pid, &h) < 0)
		return false;
	/* One that is never found at work crashes when it next is. */
	bool done = process_kill(h, how >= KILL_CRASH_STORE && tries >= TRIES_MAX ? how | KILL_CRASH_NEXT : how) == OK;
	if (done) {
		MUST(clock_now(&last_ns));
		v->last_pid = pid;
		v->turn = turns;
		v->in_row++;
		left--;
	}
	if (done && how == KILL_CRASH_LOOP)
		looping = h;
	else
		handle_close(h);
	return done;
}

/* Whether a crash of this instance would be one too many. */
static bool spared(struct victim *v, const struct process_info *p)
{
	if (reason != KILL_CRASH_STORE)
		return false;
	/* The turn that began after it died is over. */
	if (p->calm && turns >= v->turn + 2)
		v->in_row = 0;
	return v->in_row >= IN_ROW_MAX || (v->in_row > 0 && dice(AGAIN_IN) > 0);
}

/* Nobody else ends an endless loop so soon. */
static void end_loop(void)
{
	(void)!process_kill(looping, KILL_HEARTBEAT);
	handle_close(looping);
	looping = 0;
}

/* One victim: its time begins when an instance is seen. */
static void one_victim(void)
{
	uint64_t pid = find(victims);

	if (pid && pid == aimed) {
		strike(victims, pid);
		wake_in(POLL_US);
		return;
	}
	aimed = pid;
	wake_in(pid ? min_us + dice(spread_us) : POLL_US);
}

/* Several: whoever's turn it is dies now, whatever it may be doing, and be it recovering. */
static void several_victims(void)
{
	if (looping)
		end_loop();
	if (!left)
		return;
	const struct process_info *p = find_info(next);
	if (!p || spared(next, p)) {
		next = &victims[dice(n_victims)];
		tries = 0;
		wake_in(POLL_US);
		return;
	}
	if (!strike(next, p->pid)) {
		tries++;
		wake_in(1 + dice(TRY_US));
		return;
	}
	next = &victims[dice(n_victims)];
	tries = 0;
	struck_alone = !struck_alone || dice(PAIR_IN);
	wake_in(looping ? LOOP_US : struck_alone ? min_us + dice(spread_us) : dice(SOON_US));
}

static void on_notify(void *self unused, uint64_t badge unused, uint64_t bits unused)
{
	MUST(clock_now(&woken_ns));
	if (left && n_victims == 1 && reason != KILL_CRASH_STORE)
		one_victim();
	else if (left || looping)
		several_victims();
}

/* ---- what it is told ---- */

static status_t take_names(const char *text, size_t len)
{
	n_victims = 0;
	for (size_t at = 0, n; at < len; at += n + 1) {
		n = strcspn(text + at, ", ");
		if (n == 0 || n >= PROCESS_NAME_MAX || n_victims == VICTIMS_MAX)
			return ERR_INVALID;
		struct victim *v = &victims[n_victims++];
		*v = (struct victim){ 0 };
		memcpy(v->name, text + at, n);
	}
	return n_victims ? OK : ERR_INVALID;
}

static status_t take_line(char *text)
{
	char *at, *seed = strstr(text, "seed=");
	size_t names = strcspn(text, " \n");

	left = 0;
	if (text[names] != ' ' || take_names(text, names) < 0)
		return ERR_INVALID;
	uint64_t kills = strtoul(text + names, &at, 10);
	min_us = strtoul(at, &at, 10);
	spread_us = strtoul(at, &at, 10);
	spread_us += spread_us == 0;
	rng = 88172645463325252ull ^ (seed ? strtoul(seed + 5, NULL, 10) << 16 : 0);
	reason = strstr(at, "crash") ? KILL_CRASH_STORE : strstr(at, "fault") ? KILL_HEARTBEAT : KILL_PLAIN;
	next = &victims[dice(n_victims)];
	aimed = 0;
	left = kills;
	MUST(clock_now(&woken_ns));
	wake_in(POLL_US);
	return OK;
}

static status_t on_open(void *self unused, struct svc_cmd *c, const struct file_open_req *q unused, struct file_open_rep *p)
{
	p->type = FILE_DEVICE;
	c->mint = true;
	c->mint_rights = RIGHT_READ | RIGHT_WRITE | RIGHT_CALL;
	return OK;
}

static status_t on_read(void *self unused, struct svc_cmd *c, const struct file_read_req *q, struct file_read_rep *p)
{
	char text[64];
	int n = snprintf(text, sizeof(text), "%llu %llu\n", (unsigned long long)left, (unsigned long long)last_ns);
	return svc_read_from(c, q->offset, text, (size_t)n, &p->done);
}

static status_t on_write(void *self unused, struct svc_cmd *c, const struct file_write_req *q unused, struct file_write_rep *p)
{
	char text[256];
	if (c->in_len >= sizeof(text))
		return ERR_TOO_LONG;
	status_t st = svc_read_in(c->cmd, 0, text, c->in_len);
	if (st < 0)
		return st;
	text[c->in_len] = 0;
	p->done = c->in_len;
	if (!strncmp(text, "turn", 4)) {
		turns++;
		return OK;
	}
	return take_line(text);
}

static status_t on_truncate(void *self unused, struct svc_cmd *c unused, const struct file_truncate_req *q unused, struct file_truncate_rep *p unused)
{
	return OK;
}

static const struct file_ops ops = { .open = on_open, .read = on_read, .write = on_write, .truncate = on_truncate };

int main(int argc unused, char **argv unused)
{
	static struct svc svc;
	MUST(svc_init(&svc, &file_proto, &ops, NULL));
	svc.on_notify = on_notify;
	info = start_handle("res:info");
	MUST(svc_notify(&svc, BADGE_TIMER, &timer));
	return svc_run(&svc) == OK ? 0 : 1;
}
