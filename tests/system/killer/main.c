/*
 * killer: kills a service again and again, at instants that nobody can foresee. It runs above all services, so
 * its timer finds them in the middle of what they do; a shell that kills finds them waiting. Part of test images only.
 *
 *   put killer:// tmpd 100 50 3000      kills tmpd 100 times, each 50 to 3050 us after the next instance is there
 *   put killer:// tmpd 6 50 3000 fault  as if each had been its own fault
 *   cat killer://                       how many are left to do
 */
#include <abi/file.h>
#include <gen/file.h>
#include <rt/io.h>
#include <rt/start.h>
#include <rt/svc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BADGE_TIMER = 1, POLL_US = 100 };

static handle_t info, timer;
static char victim[PROCESS_NAME_MAX];
static uint32_t reason;
static uint64_t left, min_us, spread_us, last_pid, rng = 88172645463325252ull;
static uint64_t aimed;                      /* the instance that has been seen, and whose time is set */

static uint64_t dice(uint64_t n)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng % n;
}

static void wake_in(uint64_t us)
{
	uint64_t now = 0;
	MUST(clock_now(&now));
	MUST(notify_timer(timer, 0, now + us * NS_PER_US, 0));
}

/* The living process of that name, 0: none. */
static uint64_t find_victim(void)
{
	static struct process_info p[64];
	uint32_t got = 0;
	MUST(process_list(info, 1, p, ARRAY_LEN(p), &got));
	for (uint32_t i = 0; i < got; i++)
		if (!strcmp(p[i].name, victim) && p[i].exit_kind == EXIT_RUNNING && p[i].state < PROC_DYING && p[i].pid != last_pid)
			return p[i].pid;
	return 0;
}

static void on_notify(void *self unused, uint64_t badge unused, uint64_t bits unused)
{
	handle_t h;

	if (left == 0)
		return;
	uint64_t pid = find_victim();
	if (!pid || pid != aimed) {
		aimed = pid;
		wake_in(pid ? min_us + dice(spread_us) : POLL_US);
		return;
	}
	if (process_open(info, pid, &h) == OK) {
		if (process_kill(h, reason) == OK) {
			last_pid = pid;
			left--;
		}
		handle_close(h);
	}
	wake_in(POLL_US);
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
	char text[32];
	int n = snprintf(text, sizeof(text), "%llu\n", (unsigned long long)left);
	return svc_read_from(c, q->offset, text, (size_t)n, &p->done);
}

static status_t on_write(void *self unused, struct svc_cmd *c, const struct file_write_req *q unused, struct file_write_rep *p)
{
	char text[128], *at;
	if (c->in_len >= sizeof(text))
		return ERR_TOO_LONG;
	status_t st = svc_read_in(c->cmd, 0, text, c->in_len);
	if (st < 0)
		return st;
	text[c->in_len] = 0;
	size_t name = strcspn(text, " \n");
	if (name == 0 || name >= sizeof(victim) || text[name] != ' ')
		return ERR_INVALID;
	memset(victim, 0, sizeof(victim));
	memcpy(victim, text, name);
	left = strtoul(text + name, &at, 10);
	min_us = strtoul(at, &at, 10);
	spread_us = strtoul(at, &at, 10);
	spread_us += spread_us == 0;
	reason = strstr(at, "fault") ? KILL_HEARTBEAT : KILL_PLAIN;
	p->done = c->in_len;
	wake_in(POLL_US);
	return OK;
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
