/*
 * initd: the supervisor. It reads a manifest for each service, makes its Port, its state Frame and
 * its view of the schemes, starts it with exactly the authority named there, and starts it
 * again when it dies. `svc://` shows and steers all that.
 *
 * It stands between initfsd, which it may call, and everything else, which it may not: a service
 * that hangs must not take its supervisor with it. One thread, one loop.
 *
 * Files: manifest.c (what a service is), service.c (its life), instance.c (what it is given),
 * shutdown.c and power.c (the end), acpi_s5.c (ACPI tables), request.c (words); here is the protocol
 * of svc://.
 */
#include "power.h"
#include "request.h"
#include "service.h"
#include "shutdown.h"
#include <abi/file.h>
#include <gen/file.h>
#include <rt/io.h>
#include <rt/start.h>
#include <rt/svc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Badges of Sessions: 0 is svc:// itself, service i is BADGE_FIRST + i. */
#define BADGE_FIRST 0x100
#define SESSION_RIGHTS (RIGHT_READ | RIGHT_WRITE | RIGHT_CALL | RIGHT_DUP | RIGHT_TRANSFER)
#define TEXT_MAX (16 * KiB)         /* 60 lines of a table, or the details of one service */

/* Commands kept until their service has settled. */
#define WAITING_MAX 32
static struct waiting { cmd_id_t cmd; uint32_t index; uint64_t word; } waiting[WAITING_MAX];

static struct svc svc;

/* ---- text ---- */

struct text { char at[TEXT_MAX]; size_t len; };

static void add(struct text *t, const char *format, ...) printf_like(2, 3);
static void add(struct text *t, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int n = vsnprintf(t->at + t->len, sizeof(t->at) - t->len, format, args);
	va_end(args);
	if (n > 0)
		t->len = MIN(t->len + (size_t)n, sizeof(t->at) - 1);
}

static void write_table(struct text *t)
{
	add(t, "%-12s %6s %-9s %8s  %s\n", "SERVICE", "PID", "STATE", "RESTARTS", "LAST END");
	for (uint32_t i = 0; i < services_count(); i++) {
		const struct service *s = service_at(i);
		char pid[24] = "-";
		if (s->pid)
			snprintf(pid, sizeof(pid), "%llu", (unsigned long long)s->pid);
		add(t, "%-12s %6s %-9s %8u  %s\n", s->m.name, pid, service_state_name(s), service_restarts(s),
		    s->reason[0] ? s->reason : "-");
	}
}

static void add_list(struct text *t, const char *key, const char (*list)[MANIFEST_SCHEME_MAX + 1], uint32_t n, bool all)
{
	add(t, "%-10s", key);
	for (uint32_t i = 0; i < n; i++)
		add(t, " %s", list[i]);
	add(t, "%s\n", all ? " *" : n ? "" : " -");
}

static void write_details(struct text *t, const struct service *s)
{
	static const char *const starts[] = { "boot", "first-use" }, *const restarts[] = { "always", "on-fault", "never" };
	struct budget_info b;
	struct process_info p;
	uint64_t now = 0;

	add(t, "%-10s %s\n%-10s %s\n", "name", s->m.name, "state", service_state_name(s));
	if (s->pid)
		add(t, "%-10s %llu\n", "pid", (unsigned long long)s->pid);
	add(t, "%-10s %u\n%-10s %u\n", "starts", s->instances, "restarts", service_restarts(s));
	add(t, "%-10s %s\n", "last-end", s->reason[0] ? s->reason : "-");
	if (s->state == SERVICE_BROKEN)
		return;
	add(t, "%-10s %s\n", "exec", s->m.exec);
	add_list(t, "provides", s->m.provides, s->m.n_provides, false);
	add_list(t, "opens", s->m.opens, s->m.n_opens, s->m.opens_all);
	add(t, "%-10s %u\n%-10s %u\n", "level", s->m.level, "priority", s->m.priority);
	add(t, "%-10s %s\n%-10s %s\n", "start", starts[s->m.start], "restart", restarts[s->m.restart]);
	if (s->process && process_info(s->process, &p) >= 0 && clock_now(&now) >= 0)
		add(t, "%-10s %llu.%03llu s\n%-10s %llu.%06llu s\n", "uptime", (unsigned long long)((now - s->started_ns) / NS_PER_SEC),
		    (unsigned long long)((now - s->started_ns) % NS_PER_SEC / NS_PER_MS), "cpu",
		    (unsigned long long)(p.cpu_time_ns / NS_PER_SEC), (unsigned long long)(p.cpu_time_ns % NS_PER_SEC / NS_PER_US));
	if (s->budget && budget_info(s->budget, &b) >= 0) {
		add(t, "%-10s %llu KiB", "memory", (unsigned long long)(b.used.pages * PAGE_SIZE / KiB));
		if (b.limit.pages < UINT64_MAX / PAGE_SIZE)
			add(t, " of %llu KiB", (unsigned long long)(b.limit.pages * PAGE_SIZE / KiB));
		add(t, "\n%-10s %u", "handles", b.used.handles);
		if (b.limit.handles != UINT32_MAX)
			add(t, " of %u", b.limit.handles);
		add(t, "\n%-10s %u", "threads", b.used.threads);
		if (b.limit.threads != UINT32_MAX)
			add(t, " of %u", b.limit.threads);
		add(t, "\n");
	}
}

/* ---- waiting for a service to settle ---- */

static status_t keep(const struct svc_cmd *c, const struct service *s, uint64_t word)
{
	for (size_t i = 0; i < WAITING_MAX; i++) {
		if (waiting[i].cmd)
			continue;
		waiting[i] = (struct waiting){ c->cmd, s->index, word };
		return SVC_LATER;
	}
	return OK;      /* it is under way; this caller does not get to wait for it */
}

static void answer(struct waiting *w, status_t st)
{
	const struct reply r = { .status = st, .w = { st < 0 ? 0 : w->word } };
	cmd_id_t cmd = w->cmd;

	w->cmd = 0;
	svc_reply(cmd, &r);
}

static void on_settled(const struct service *s, status_t st)
{
	for (size_t i = 0; i < WAITING_MAX; i++)
		if (waiting[i].cmd && waiting[i].index == s->index)
			answer(&waiting[i], st);
}

static void on_cancel(void *self, cmd_id_t cmd)
{
	(void)self;
	for (size_t i = 0; i < WAITING_MAX; i++)
		if (waiting[i].cmd == cmd)
			answer(&waiting[i], ERR_CANCELLED);
}

/* Does what was asked of s (NULL: of the whole machine). `word`: word 0 of a good answer. */
static status_t act(const struct svc_cmd *c, struct service *s, int action, uint64_t value, uint64_t word)
{
	status_t st;

	if (action == ACTION_POWEROFF || action == ACTION_REBOOT) {
		if (s)
			return ERR_INVALID;
#ifdef TEST_BUILD
		if (value)
			power_exit_emulator((uint32_t)value);
#endif
		shutdown_request(action == ACTION_REBOOT);
		return OK;
	}
#ifdef TEST_BUILD
	if (action == ACTION_EXIT) {
		power_exit_emulator((uint32_t)value);
		return ERR_NOT_SUPPORTED;
	}
#endif
	(void)value;
	if (!s)
		return ERR_INVALID;
	switch (action) {
	case ACTION_START:   st = service_start(s); break;
	case ACTION_STOP:    st = service_stop(s); break;
	case ACTION_RESTART: st = service_restart(s); break;
	case ACTION_KILL:    st = service_kill(s); break;
	default:             return ERR_NOT_SUPPORTED;
	}
	return st == SVC_LATER ? keep(c, s, word) : st;
}

/* ---- the protocol ---- */

/* What a badge and a path name: *s = NULL for svc:// itself. */
static status_t find(const struct svc_cmd *c, struct service **s)
{
	const char *p = c->path ? c->path : "";

	*s = NULL;
	if (c->badge) {
		uint64_t index = c->badge - BADGE_FIRST;
		if (index >= services_count())
			return ERR_INVALID;
		*s = service_at((uint32_t)index);
	}
	while (*p) {
		char name[MANIFEST_NAME_MAX + 1];
		size_t n = strcspn(p, "/");
		if (*s && n > 0)
			return ERR_NOT_DIRECTORY;
		if (n > 0 && !(n == 1 && p[0] == '.') && !(n == 2 && p[0] == '.' && p[1] == '.')) {
			if (n > MANIFEST_NAME_MAX)
				return ERR_NOT_FOUND;
			memcpy(name, p, n);
			name[n] = 0;
			*s = service_find(name);
			if (!*s)
				return ERR_NOT_FOUND;
			if (p[n] == '/')
				return ERR_NOT_DIRECTORY;
		}
		p += n + (p[n] == '/');
	}
	return OK;
}

static struct text *render(const struct service *s)
{
	static struct text t;

	t.len = 0;
	if (s)
		write_details(&t, s);
	else
		write_table(&t);
	return &t;
}

static status_t on_open(void *self, struct svc_cmd *c, const struct file_open_req *q, struct file_open_rep *p)
{
	struct service *s;

	(void)self;
	status_t st = find(c, &s);
	if (st < 0)
		return st;
	if (s && (q->flags & OPEN_DIRECTORY))
		return ERR_NOT_DIRECTORY;
	if ((q->flags & OPEN_CREATE) && (q->flags & OPEN_EXCL))
		return ERR_EXISTS;
	p->type = s ? FILE_REGULAR : FILE_DIRECTORY;
	p->size = render(s)->len;
	c->mint = true;
	c->mint_badge = s ? BADGE_FIRST + s->index : 0;
	/* Looking needs no more than looking: steering only for who asked to write. */
	c->mint_rights = SESSION_RIGHTS & (c->rights | ~(uint32_t)(RIGHT_READ | RIGHT_WRITE));
	if (!(q->flags & (OPEN_WRITE | OPEN_APPEND | OPEN_TRUNC | OPEN_CREATE)))
		c->mint_rights &= ~(uint32_t)RIGHT_WRITE;
	return OK;
}

/* Also svc:// itself, a directory, can be read: it is a table for people. */
static status_t on_read(void *self, struct svc_cmd *c, const struct file_read_req *q, struct file_read_rep *p)
{
	struct service *s;

	(void)self;
	status_t st = find(c, &s);
	if (st < 0)
		return st;
	const struct text *t = render(s);
	return svc_read_from(c, q->offset, t->at, t->len, &p->done);
}

static status_t on_write(void *self, struct svc_cmd *c, const struct file_write_req *q, struct file_write_rep *p)
{
	struct request r;
	struct service *s;
	char line[REQUEST_MAX];

	(void)self;
	(void)q;
	status_t st = find(c, &s);
	if (st < 0)
		return st;
	if (c->in_len > sizeof(line))
		return ERR_TOO_LONG;
	st = svc_read_in(c->cmd, 0, line, c->in_len);
	if (st < 0)
		return st;
	if (!request_parse(&r, line, c->in_len))
		return ERR_INVALID;
	if (r.name[0]) {
		if (s)
			return ERR_INVALID;
		s = service_find(r.name);
		if (!s)
			return ERR_NOT_FOUND;
	}
	p->done = c->in_len;
	return act(c, s, r.action, r.value, c->in_len);
}

static status_t on_stat(void *self, struct svc_cmd *c, const struct file_stat_req *q, struct file_stat_rep *p)
{
	struct service *s;

	(void)self;
	(void)q;
	status_t st = find(c, &s);
	if (st < 0)
		return st;
	p->type = s ? FILE_REGULAR : FILE_DIRECTORY;
	p->size = render(s)->len;
	p->mode = s ? 0644 : 0755;
	p->ino = s ? BADGE_FIRST + s->index : 0;
	return OK;
}

static status_t on_readdir(void *self, struct svc_cmd *c, const struct file_readdir_req *q, struct file_readdir_rep *p)
{
	static char buf[4 * KiB] aligned(8);
	size_t room = MIN((size_t)c->out_len, sizeof(buf)), done = 0;
	uint64_t i = q->cookie;

	(void)self;
	if (c->badge)
		return ERR_NOT_DIRECTORY;
	for (; i < services_count(); i++) {
		size_t size = dirent_put(buf + done, room - done, BADGE_FIRST + i, 0, FILE_REGULAR, service_at((uint32_t)i)->m.name);
		if (size == 0)
			break;
		done += size;
	}
	p->done = done;
	p->next = i;
	return done ? svc_write_out(c->cmd, 0, buf, done) : OK;
}

static status_t on_ctl(void *self, struct svc_cmd *c, const struct file_ctl_req *q, struct file_ctl_rep *p)
{
	static const struct { uint32_t code; int action; } codes[] = {
		{ CTL_SVC_STOP, ACTION_STOP }, { CTL_SVC_START, ACTION_START }, { CTL_SVC_RESTART, ACTION_RESTART },
		{ CTL_SVC_KILL, ACTION_KILL }, { CTL_SVC_POWEROFF, ACTION_POWEROFF }, { CTL_SVC_REBOOT, ACTION_REBOOT },
	};
	struct service *s;

	(void)self;
	(void)p;
	status_t st = find(c, &s);
	if (st < 0)
		return st;
	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		if (codes[i].code == q->code)
			return c->rights & RIGHT_WRITE ? act(c, s, codes[i].action, q->arg0, 0) : ERR_DENIED;
	return ERR_NOT_SUPPORTED;
}

static status_t on_truncate(void *self, struct svc_cmd *c, const struct file_truncate_req *q, struct file_truncate_rep *p)
{
	(void)self;
	(void)c;
	(void)q;
	(void)p;
	return OK;      /* "echo stop >svc://x" truncates before it writes: there is nothing to cut */
}

static status_t on_poll(void *self, struct svc_cmd *c, const struct file_poll_req *q, struct file_poll_rep *p)
{
	(void)self;
	(void)c;
	p->ready = q->events & (POLL_IN | POLL_OUT);
	return OK;
}

static void on_notify(void *self, uint64_t badge, uint64_t bits)
{
	(void)self;
	if (badge == BADGE_POWER)
		shutdown_timer();
	else if (badge >= BADGE_EXIT)
		service_ended((uint32_t)(badge - BADGE_EXIT));
	else if (badge == BADGE_TIMERS)
		for (uint32_t i = 0; i < SERVICES_MAX; i++)
			if (bits & 1ull << i)
				service_timer(i);
}

static void on_idle(void *self)
{
	(void)self;
	shutdown_idle();
}

static const struct file_ops ops = {
	.open = on_open, .read = on_read, .write = on_write, .stat = on_stat, .readdir = on_readdir,
	.truncate = on_truncate, .poll = on_poll, .ctl = on_ctl,
};

int main(int argc, char **argv)
{
	handle_t root = start_handle("root"), boot = start_handle("boot"), ns = start_handle("ns"), info;
	const char *instance = env_get("INSTANCE");

	(void)argc;
	(void)argv;
	if (!root || !ns)
		rt_panic("the root Resource or the Namespace was not handed over");
	svc = (struct svc){
		.proto = &file_proto, .ops = &ops, .on_notify = on_notify, .on_cancel = on_cancel, .on_idle = on_idle,
	};
	MUST(port_create(0, &svc.port));
	MUST(proto_create(ns, "svc", 3, svc.port, 0, SESSION_RIGHTS));
	MUST(resource_slice(root, RES_INFO, 0, 1, &info));

	power_init(root, boot);
	shutdown_init(&svc, info);
	services_init(&svc, root, boot, ns, on_settled);
	/* A follower knows nothing of the services that its predecessor left, and their Ports died with it: start afresh. */
	if (instance && strtoul(instance, NULL, 10) > 1)
		shutdown_leftovers();
	services_begin();
	status_t st = svc_run(&svc);
	rt_panic("the Port failed: %s", error_text(st));
}
