/*
 * initd: the supervisor. It reads a manifest for each service, makes its Port, its state Frame and
 * its view of the schemes, starts it with exactly the authority named there, and starts it
 * again when it dies. `svc://` shows and steers all that.
 *
 * It stands between initfsd, which it may call, and everything else, which it may not: a service
 * that hangs must not take its supervisor with it. One thread, one loop.
 *
 * It may end at any instant itself: initfsd executes it again on the same handle table, and it goes on from the
 * tags of its handles and the records beside them.
 *
 * Files: manifest.c (what a service is), service.c (its life), instance.c (what it is given), record.c (what is kept),
 * driver.c (services for devices), story.c, console.c and lines.c
 * (what people see of it), shutdown.c and power.c (the end), details.c (what it does and how it died), acpi_s5.c (ACPI tables), request.c (words); here is the protocol
 * of svc://.
 */
#include "heartbeat.h"
#include "power.h"
#include "details.h"
#include "driver.h"
#include "request.h"
#include "service.h"
#include "takeover.h"
#include "shutdown.h"
#include "step.h"
#include "story.h"
#include <abi/file.h>
#include <gen/file.h>
#include <rt/io.h>
#include <rt/start.h>
#include <rt/svc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Badges of Sessions: 0 is svc:// itself, a service is BADGE_FIRST + its owner number, the same in every life. */
#define BADGE_FIRST 0x100
#define SESSION_RIGHTS (RIGHT_READ | RIGHT_WRITE | RIGHT_CALL | RIGHT_DUP | RIGHT_TRANSFER)
#define TEXT_MAX (16 * KiB)         /* 60 lines of a table, or the details of one service */

/* Commands kept until their service has settled. */
#define WAITING_MAX 32
static struct waiting { cmd_id_t cmd; uint32_t index; uint64_t word; } waiting[WAITING_MAX];

static struct svc svc;
static struct records *records;     /* the Frame that every instance maps */

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
		if (s->state == SERVICE_FREE)
			continue;
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
	t->len += details_death(s, t->at + t->len, sizeof(t->at) - t->len);
	if (s->state == SERVICE_BROKEN)
		return;
	add(t, "%-10s %s\n", "exec", s->m.exec);
	for (uint32_t i = 0; i < s->m.n_pci; i++)
		add(t, s->m.pci[i].by_id ? "%-10s id:%04x:%04x\n" : "%-10s class:%06x, mask %06x\n", "pci",
		    s->m.pci[i].by_id ? s->m.pci[i].value >> 16 : s->m.pci[i].value, s->m.pci[i].by_id ? s->m.pci[i].value & 0xffff : s->m.pci[i].mask);
	if (s->where)
		add(t, "%-10s %04x:%04x class %06x\n", "device", s->where->vendor, s->where->device, s->where->class);
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
	t->len += details_live(s, t->at + t->len, sizeof(t->at) - t->len);
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

/* A command's number, the same when it is delivered again to the next instance. Never 0. */
static uint32_t number_of(cmd_id_t cmd)
{
	return (uint32_t)cmd + 1;
}

static void intent_end(cmd_id_t cmd)
{
	struct intent *i = intent_find(records, number_of(cmd));

	if (i)
		__atomic_store_n(&i->command, 0, __ATOMIC_RELEASE);
}

/*
 * Ending an instance must not be done twice: which one was meant is written down first. False: the command comes again,
 * and that instance has ended.
 */
static bool still_meant(const struct svc_cmd *c, const struct service *s, int action)
{
	const struct intent *i = intent_find(records, number_of(c->cmd));

	if (c->redelivered && i && i->owner == s->owner && i->action == (uint32_t)action && i->pid != (uint32_t)s->pid)
		return false;
	step();
	(void)intent_put(records, number_of(c->cmd), s->owner, (uint32_t)action, (uint32_t)s->pid);
	step();
	return true;
}

static void answer(struct waiting *w, status_t st)
{
	const struct reply r = { .status = st, .w = { st < 0 ? 0 : w->word } };
	cmd_id_t cmd = w->cmd;

	w->cmd = 0;
	step();
	svc_reply(cmd, &r);
	step();
	intent_end(cmd);
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
		records->down = action == ACTION_REBOOT ? DOWN_REBOOT : DOWN_OFF;
		shutdown_request(action == ACTION_REBOOT);
		return OK;
	}
#ifdef TEST_BUILD
	if (action == ACTION_EXIT) {
		power_exit_emulator((uint32_t)value);
		return ERR_NOT_SUPPORTED;
	}
	if (action == ACTION_DIE) {
		records->steps = value;
		return OK;
	}
#endif
	(void)value;
	if (!s)
		return ERR_INVALID;
	if ((action == ACTION_KILL || action == ACTION_RESTART) && !still_meant(c, s, action)) {
		intent_end(c->cmd);
		return OK;
	}
	switch (action) {
	case ACTION_START:   st = service_start(s); break;
	case ACTION_STOP:    st = service_stop(s); break;
	case ACTION_RESTART: st = service_restart(s); break;
	case ACTION_KILL:    st = service_kill(s); break;
	default:             return ERR_NOT_SUPPORTED;
	}
	step();
	if (st == SVC_LATER)
		st = keep(c, s, word);
	if (st != SVC_LATER)
		intent_end(c->cmd);
	return st;
}

/* ---- the protocol ---- */

/* What a badge and a path name: *s = NULL for svc:// itself. */
static status_t find(const struct svc_cmd *c, struct service **s)
{
	const char *p = c->path ? c->path : "";

	*s = NULL;
	if (c->badge) {
		*s = service_of(c->badge - BADGE_FIRST);
		if (!*s)
			return ERR_INVALID;
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
	c->mint_badge = s ? BADGE_FIRST + s->owner : 0;
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
	p->ino = s ? BADGE_FIRST + s->owner : 0;
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
		const struct service *s = service_at((uint32_t)i);
		if (s->state == SERVICE_FREE)
			continue;
		size_t size = dirent_put(buf + done, room - done, BADGE_FIRST + s->owner, 0, FILE_REGULAR, s->m.name);
		if (size == 0)
			break;
		done += size;
	}
	p->done = done;
	p->next = i;
	return done ? svc_write_out(c->cmd, 0, buf, done) : OK;
}

/* From who finds devices. */
static status_t on_device(struct svc_cmd *c, const struct file_ctl_req *q)
{
	struct service *s;

	if (q->code == CTL_SVC_DEVICE_GONE) {
		status_t st = q->arg0 > UINT16_MAX ? ERR_INVALID : driver_gone((uint16_t)q->arg0, &s);
		return st == SVC_LATER ? keep(c, s, 0) : st;
	}
	if (q->code != CTL_SVC_DEVICE)
		return ERR_NOT_SUPPORTED;
	if (!c->handles[0] || q->arg0 >> 48 || q->arg1 >> 24)
		return ERR_INVALID;
	return driver_arrived((uint16_t)q->arg0, (uint16_t)(q->arg0 >> 16), (uint16_t)(q->arg0 >> 32), (uint32_t)q->arg1, &c->handles[0]);
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
	if (c->badge == BADGE_DEVICES && !c->path_len)
		return on_device(c, q);
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
	else if (badge >= BADGE_WANTED)
		service_wanted((uint32_t)(badge - BADGE_WANTED));
	else if (badge >= BADGE_EXIT)
		service_ended((uint32_t)(badge - BADGE_EXIT));
	else if (badge == BADGE_TIMERS)
		for (uint32_t i = 0; i < SERVICES_MAX; i++)
			if (bits & 1ull << i)
				service_timer(i);
}

static void on_completion(void *self, struct event *e)
{
	(void)self;
	if (e->cmd == SHUTDOWN_TOKEN)
		shutdown_answered(e->status);
	else
		(void)story_completed(e);
	for (uint32_t i = 0; i < e->n_handles; i++)
		if (e->handles[i])
			handle_close(e->handles[i]);
}

static void on_idle(void *self)
{
	(void)self;
	shutdown_idle();
	story_idle();
}

static const struct file_ops ops = {
	.open = on_open, .read = on_read, .write = on_write, .stat = on_stat, .readdir = on_readdir,
	.truncate = on_truncate, .poll = on_poll, .ctl = on_ctl,
};

/* ---- beginning, and beginning again ---- */

/* The Port of svc://, our records: what of our own outlives us. */
static handle_t take_or_make_port(struct legacy *left)
{
	handle_t port = legacy_take(left, OBJ_PORT, TAG(0, KIND_SVC_PORT));

	if (!port) {
		MUST(port_create(0, &port));
		MUST(handle_tag(port, TAG(0, KIND_SVC_PORT)));
	}
	return port;
}

static struct records *take_or_make_records(struct legacy *left)
{
	const size_t size = ALIGN_UP(sizeof(struct records), PAGE_SIZE);
	handle_t frame = legacy_take(left, OBJ_FRAME, TAG(0, KIND_RECORDS));
	uint64_t va;

	if (!frame) {
		MUST(frame_create(size, 0, &frame));
		MUST(handle_tag(frame, TAG(0, KIND_RECORDS)));
	}
	MUST(vmem_map(0, frame, 0, 0, size, PROT_READ | PROT_WRITE, &va));
	(void)records_check((struct records *)va);
	return (struct records *)va;
}

/* What each instance makes anew, and what had no tag yet; a process without one may have just been started. */
static bool useless(const struct handle_info *h)
{
	switch (TAG_KIND(h->tag)) {
	case 0:          return h->type != OBJ_PROCESS;
	case KIND_IMAGE:
	case KIND_EXIT:
	case KIND_STOP:
	case KIND_GRANT: return true;
	default:         return false;
	}
}

int main(int argc, char **argv)
{
	const char *instance = env_get("INSTANCE");
	struct legacy left;
	handle_t info;

	(void)argc;
	(void)argv;
	/* Above all programs, which it may have to end, but not above who asks for that. */
	MUST(thread_set_priority(0, PRIORITY_SUPERVISOR));
	svc_commit();
	MUST(legacy_read(&left));
	legacy_discard(&left, useless);
	handle_t root = legacy_take(&left, OBJ_RESOURCE, TAG(0, KIND_START_ROOT));
	handle_t boot = legacy_take(&left, OBJ_FRAME, TAG(0, KIND_START_BOOT));
	handle_t ns = legacy_take(&left, OBJ_NAMESPACE, TAG(0, KIND_START_NS));
	if (!root || !ns)
		rt_panic("the root Resource or the Namespace was not handed over");
	/* Without the Port that every instance keeps, nothing was handed down, and what still runs belongs to nobody. */
	bool alone = instance && strtoul(instance, NULL, 10) > 1 && !legacy_find(&left, OBJ_PORT, TAG(0, KIND_SVC_PORT));

	svc = (struct svc){
		.proto = &file_proto, .ops = &ops, .on_notify = on_notify, .on_cancel = on_cancel, .on_idle = on_idle,
		.on_completion = on_completion, .port = take_or_make_port(&left),
	};
	records = take_or_make_records(&left);
	/* Bound anew by each instance: the last may have ended just before it. Clients that opened it keep their Sessions. */
	MUST(proto_create(ns, "svc", 3, svc.port, 0, SESSION_RIGHTS));
	MUST(resource_slice(root, RES_INFO, 0, 1, &info));

	step_begin(records, info);
	power_init(root, boot);
	shutdown_init(&svc, info);
	drivers_init(records);
	story_init(&svc, records);
	services_init(&svc, root, boot, ns, records, on_settled);
	if (alone)
		shutdown_leftovers();
	heartbeat_begin(info);
	step();
	services_begin(&left, records);
	step();
	if (records->down != DOWN_NO) {
		shutdown_request(records->down == DOWN_REBOOT);
		shutdown_idle();
	}
	story_idle();
	status_t st = svc_run(&svc);
	rt_panic("the Port failed: %s", error_text(st));
}
