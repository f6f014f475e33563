/*
 * sysd: what the kernel knows, as files. log:// is its log, proc:// its processes and figures; null:// and
 * zero:// are here because they need a home. One thread, one loop, and no state that would outlive an
 * instance: badges say everything (node.h).
 *
 * A text is made when it is read from the start and kept until it is closed, so that a reader in
 * pieces sees one moment; after a restart, or with too many files open, it is simply made again.
 */
#include <abi/file.h>
#include <gen/file.h>
#include <rt/clock.h>
#include <rt/io.h>
#include <rt/start.h>
#include <rt/svc.h>
#include <stdlib.h>
#include <string.h>
#include <tracing/tracing.h>
#include "node.h"
#include "text.h"

#define FOLLOW_NS (200 * NS_PER_MS)     /* how often the log is looked at while somebody follows it */
enum { SESSION_RIGHTS = RIGHT_CALL | RIGHT_DUP | RIGHT_TRANSFER };
enum { BADGE_TIMER = 4, BIT_TIMER = 0 };
enum { SNAPSHOTS = 16, PIECE = 16 * KiB, CTL_TEXT_MAX = 16 };

struct follower {
	struct follower *next;
	cmd_id_t cmd;
	uint64_t seq;               /* log byte it waits for */
	uint32_t len;
};

static struct svc svc;
static handle_t info;           /* the RES_INFO that everything here rests on */
static handle_t timer;
static bool timer_armed;
static struct follower *followers;
static uint16_t next_serial;
static struct { uint64_t badge; struct text text; } snapshots[SNAPSHOTS];   /* badge 0: free */
static unsigned next_snapshot;
static uint8_t piece[PIECE] aligned(8);

/* ---- the log ---- */

static status_t log_oldest(uint64_t *seq)
{
	uint64_t done, next;
	char byte;
	status_t st = log_read(info, 0, &byte, 1, &done, &next);

	if (st == OK)
		*seq = next - done;
	return st;
}

/*
 * Copies the log from byte `seq` on into a command's window. Bytes that were overwritten before they could
 * be read are zeros, as in the hole of a file: places keep their meaning.
 */
static status_t log_copy_out(cmd_id_t cmd, uint64_t seq, uint32_t len, uint64_t *done)
{
	uint64_t total = 0;

	while (total < len) {
		uint64_t got, next, want = MIN(len - total, (uint64_t)PIECE);
		status_t st = log_read(info, seq + total, piece, want, &got, &next);
		if (st < 0)
			return st;
		uint64_t start = next - got;
		if (start > seq + total) {
			got = MIN(want, start - (seq + total));
			memset(piece, 0, got);
		}
		if (got == 0)
			break;
		st = svc_write_out(cmd, total, piece, got);
		if (st < 0)
			return st;
		total += got;
	}
	*done = total;
	return OK;
}

static void timer_arm(bool on)
{
	uint64_t now;

	if (on == timer_armed || clock_now(&now) < 0)
		return;
	if (notify_timer(timer, BIT_TIMER, on ? now + FOLLOW_NS : FOREVER, on ? FOLLOW_NS : 0) == OK)
		timer_armed = on;
}

static void answer(cmd_id_t cmd, status_t st, uint64_t done)
{
	struct reply r = { .status = st };

	r.w[0] = done;
	svc_reply(cmd, &r);
}

static void on_notify(void *self unused, uint64_t badge unused, uint64_t bits unused)
{
	for (struct follower **link = &followers; *link;) {
		struct follower *f = *link;
		uint64_t done = 0;
		status_t st = log_copy_out(f->cmd, f->seq, f->len, &done);
		if (st == OK && done == 0) {
			link = &f->next;
			continue;
		}
		answer(f->cmd, st, done);
		*link = f->next;
		free(f);
	}
	timer_arm(followers != NULL);
}

static void on_cancel(void *self unused, cmd_id_t cmd)
{
	for (struct follower **link = &followers; *link; link = &(*link)->next) {
		struct follower *f = *link;
		if (f->cmd != cmd)
			continue;
		answer(cmd, ERR_CANCELLED, 0);
		*link = f->next;
		free(f);
		break;
	}
	timer_arm(followers != NULL);
}

static status_t log_follow(struct svc_cmd *c, uint64_t seq, uint64_t *done)
{
	status_t st = log_copy_out(c->cmd, seq, c->out_len, done);
	if (st < 0 || *done > 0 || c->out_len == 0)
		return st;
	struct follower *f = malloc(sizeof(*f));
	if (!f)
		return ERR_NO_MEMORY;
	*f = (struct follower){ followers, c->cmd, seq, c->out_len };
	followers = f;
	timer_arm(true);
	return SVC_LATER;
}

/* ---- texts ---- */

static status_t make_table(struct text *t)
{
	struct process_info batch[16];
	uint64_t first = 0;
	uint32_t got;

	text_process_head(t);
	do {
		status_t st = process_list(info, first, batch, ARRAY_LEN(batch), &got);
		if (st < 0)
			return st;
		for (uint32_t i = 0; i < got; i++)
			text_process_row(t, &batch[i]);
		if (got)
			first = batch[got - 1].pid + 1;
	} while (got > 0);              /* fewer than asked for does not mean the end */
	return OK;
}

static status_t make_kstat(struct text *t)
{
	struct kstat k;
	status_t st = kstat(info, &k);

	if (st == OK)
		text_kstat(t, &k);
	return st;
}

static status_t make_trace(struct text *t)
{
	static struct trace_record batch[32];
	char line[TRACE_LINE];
	uint64_t first = 0, seq = 0;
	uint32_t got = 0;

	do {
		status_t st = trace_read(info, seq, batch, ARRAY_LEN(batch), &got, &first);
		if (st < 0)
			return st == ERR_NOT_FOUND ? OK : st;   /* off: nothing to tell */
		if (first > seq)
			text_add(t, "%llu records were lost\n", (unsigned long long)(first - seq));
		for (uint32_t i = 0; i < got; i++) {
			trace_line(line, sizeof(line), &batch[i]);
			text_add(t, "%s\n", line);
		}
		seq = first + got;
	} while (got > 0 && !t->failed && seq < first + TRACE_NODES_MAX);
	return OK;
}

static status_t make_handles(struct text *t, handle_t process)
{
	struct handle_info batch[32];
	uint32_t got, next = 0;

	do {
		status_t st = handle_list(process, next, batch, ARRAY_LEN(batch), &got, &next);
		if (st < 0)
			return st;
		for (uint32_t i = 0; i < got; i++)
			text_handle_row(t, &batch[i]);
	} while (next);
	return OK;
}

static status_t make_namespace(struct text *t, handle_t process)
{
	struct ns_entry entries[NS_ENTRIES_MAX];
	uint32_t got;
	status_t st = process_namespace(process, entries, ARRAY_LEN(entries), &got);

	for (uint32_t i = 0; st == OK && i < got; i++)
		text_add(t, "%.*s\n", SCHEME_MAX, entries[i].scheme);
	return st;
}

static status_t make_process_text(struct text *t, const struct node *n, handle_t process)
{
	struct process_info p;
	char name[PROCESS_NAME_MAX];

	if (n->kind == NODE_HANDLES)
		return make_handles(t, process);
	if (n->kind == NODE_NAMESPACE)
		return make_namespace(t, process);
	status_t st = process_info(process, &p);
	if (st < 0)
		return st;
	switch (n->kind) {
	case NODE_NAME:
		text_name(name, p.name);
		text_add(t, "%s\n", name);
		return OK;
	case NODE_STATE:
		text_add(t, "%s\n", state_name(&p));
		return OK;
	case NODE_CPU:
		text_add(t, "%llu\n", (unsigned long long)p.cpu_time_ns);
		return OK;
	case NODE_MEMORY:
		text_add(t, "memory_pages %llu\nmapped_pages %llu\n", (unsigned long long)p.memory_pages, (unsigned long long)p.mapped_pages);
		return OK;
	case NODE_INFO:
		text_process_info(t, &p);
		return OK;
	case NODE_CTL:
		return OK;              /* reads as nothing; writing is what it is for */
	default:
		return ERR_INVALID;
	}
}

static status_t make_text(struct text *t, const struct node *n)
{
	handle_t process;
	status_t st;

	if (n->kind == NODE_PROC || n->kind == NODE_TABLE) {
		st = make_table(t);
	} else if (n->kind == NODE_KSTAT) {
		st = make_kstat(t);
	} else if (n->kind == NODE_TRACE) {
		st = make_trace(t);
	} else {
		st = process_open(info, n->arg, &process);
		if (st < 0)
			return st;
		st = make_process_text(t, n, process);
		handle_close(process);
	}
	return st < 0 ? st : t->failed ? ERR_NO_MEMORY : OK;
}

static void snapshot_drop(uint64_t badge)
{
	for (size_t i = 0; i < SNAPSHOTS; i++)
		if (snapshots[i].badge == badge) {
			text_free(&snapshots[i].text);
			snapshots[i].badge = 0;
		}
}

/* The text of an open file: made anew at offset 0, else the one that an earlier READ was given. */
static status_t snapshot_get(uint64_t badge, const struct node *n, uint64_t offset, const struct text **out)
{
	struct text t = { 0 };

	for (size_t i = 0; offset > 0 && i < SNAPSHOTS; i++)
		if (snapshots[i].badge == badge) {
			*out = &snapshots[i].text;
			return OK;
		}
	status_t st = make_text(&t, n);
	if (st < 0) {
		text_free(&t);
		return st;
	}
	snapshot_drop(badge);
	size_t slot = next_snapshot++ % SNAPSHOTS;
	for (size_t i = 0; i < SNAPSHOTS; i++)
		if (!snapshots[i].badge)
			slot = i;
	text_free(&snapshots[slot].text);
	snapshots[slot].badge = badge;
	snapshots[slot].text = t;
	*out = &snapshots[slot].text;
	return OK;
}

/* ---- commands ---- */

static status_t alive(uint64_t pid)
{
	handle_t process;
	status_t st = process_open(info, pid, &process);

	if (st == OK)
		handle_close(process);
	return st;
}

/* Where a command's path leads, checked to be there. */
static status_t find(const struct svc_cmd *c, struct node *n)
{
	struct node from;

	if (!node_from_badge(c->badge, &from))
		return ERR_INVALID;
	status_t st = node_walk(from, c->path ? c->path : "", n);
	if (st == OK && n->kind >= NODE_PROCESS)
		st = alive(n->arg);
	return st;
}

static uint32_t node_type(enum node_kind kind, bool as_directory)
{
	if (kind == NODE_PROCESS || (kind == NODE_PROC && as_directory))
		return FILE_DIRECTORY;
	return kind == NODE_NULL || kind == NODE_ZERO ? FILE_DEVICE : kind == NODE_LOG_FOLLOW ? FILE_STREAM : FILE_REGULAR;
}

static bool node_writable(enum node_kind kind)
{
	return kind == NODE_NULL || kind == NODE_ZERO || kind == NODE_CTL || kind == NODE_TRACE || kind == NODE_PROCESS;
}

static status_t on_open(void *self unused, struct svc_cmd *c, const struct file_open_req *q, struct file_open_rep *p)
{
	struct node n;
	status_t st = find(c, &n);

	if (st < 0)
		return st;
	if (q->flags & OPEN_DIRECTORY && !node_is_directory(n.kind))
		return ERR_NOT_DIRECTORY;
	if (q->flags & OPEN_EXCL)
		return ERR_EXISTS;
	if (q->flags & OPEN_WRITE && !node_writable(n.kind))
		return ERR_READ_ONLY;
	p->type = node_type(n.kind, q->flags & OPEN_DIRECTORY);
	p->size = 0;
	/* Opened for its text, a root becomes a file of its own; its log begins at what is oldest now. */
	if (n.kind == NODE_PROC && !(q->flags & OPEN_DIRECTORY))
		n.kind = NODE_TABLE;
	if (n.kind == NODE_LOG || (n.kind == NODE_LOG_FOLLOW && !n.arg)) {
		if (n.kind == NODE_LOG)
			n.kind = NODE_LOG_TEXT;
		st = log_oldest(&n.arg);
		if (st < 0)
			return st;
	}
	n.serial = ++next_serial;
	/* Whose tracing ends with its Session. */
	if (n.kind == NODE_TRACE)
		n.arg = clock_value();
	c->mint = true;
	c->mint_badge = node_badge(n);
	c->mint_rights = SESSION_RIGHTS | (q->flags & OPEN_READ ? RIGHT_READ : 0) | (q->flags & OPEN_WRITE ? RIGHT_WRITE : 0);
	return OK;
}

static status_t read_zeros(struct svc_cmd *c, uint64_t *done)
{
	memset(piece, 0, sizeof(piece));
	for (*done = 0; *done < c->out_len;) {
		uint64_t n = MIN((uint64_t)PIECE, c->out_len - *done);
		status_t st = svc_write_out(c->cmd, *done, piece, n);
		if (st < 0)
			return st;
		*done += n;
	}
	return OK;
}

static status_t on_read(void *self unused, struct svc_cmd *c, const struct file_read_req *q, struct file_read_rep *p)
{
	const struct text *t;
	struct node n;

	p->done = 0;
	if (!node_from_badge(c->badge, &n))
		return ERR_INVALID;
	switch (n.kind) {
	case NODE_NULL:
		return OK;
	case NODE_ZERO:
		return read_zeros(c, &p->done);
	case NODE_PROCESS:
		return ERR_IS_DIRECTORY;
	case NODE_LOG:
		return ERR_INVALID;     /* a root is opened first, so that its places mean something */
	case NODE_LOG_TEXT:
	case NODE_LOG_FOLLOW:
		if (q->offset > UINT64_MAX - n.arg)
			return ERR_INVALID;
		return n.kind == NODE_LOG_FOLLOW ? log_follow(c, n.arg + q->offset, &p->done)
			: log_copy_out(c->cmd, n.arg + q->offset, c->out_len, &p->done);
	default:
		break;
	}
	status_t st = snapshot_get(c->badge, &n, q->offset, &t);
	return st < 0 ? st : svc_read_from(c, q->offset, t->data, t->len, &p->done);
}

static status_t process_end(uint64_t pid)
{
	handle_t process;
	status_t st = process_open(info, pid, &process);

	if (st < 0)
		return st;
	st = process_kill(process, KILL_PLAIN);
	handle_close(process);
	return st;
}

static status_t write_ctl(struct svc_cmd *c, const struct node *n, uint64_t *done)
{
	char text[CTL_TEXT_MAX + 1];
	uint64_t pid;
	uint32_t what;

	if (c->in_len > CTL_TEXT_MAX)
		return ERR_INVALID;
	status_t st = svc_read_in(c->cmd, 0, text, c->in_len);
	if (st < 0)
		return st;
	size_t len = c->in_len;
	if (n->kind == NODE_TRACE) {
		*done = len;
		return trace_parse(text, len, &what, &pid) ? trace_control(info, what, pid, 0) : ERR_INVALID;
	}
	if (len && text[len - 1] == '\n')
		len--;
	if (len != 4 || memcmp(text, "kill", 4) != 0)
		return ERR_INVALID;
	*done = c->in_len;
	return process_end(n->arg);
}

static status_t on_write(void *self unused, struct svc_cmd *c, const struct file_write_req *q unused, struct file_write_rep *p)
{
	struct node n;

	if (!node_from_badge(c->badge, &n))
		return ERR_INVALID;
	p->done = c->in_len;
	if (n.kind == NODE_NULL || n.kind == NODE_ZERO)
		return OK;
	if (n.kind == NODE_CTL || n.kind == NODE_TRACE)
		return write_ctl(c, &n, &p->done);
	return node_is_directory(n.kind) ? ERR_IS_DIRECTORY : ERR_READ_ONLY;
}

static status_t on_stat(void *self unused, struct svc_cmd *c, const struct file_stat_req *q unused, struct file_stat_rep *p)
{
	struct node n;
	status_t st = find(c, &n);

	if (st < 0)
		return st;
	bool directory = node_is_directory(n.kind);
	*p = (struct file_stat_rep){
		.type = node_type(n.kind, true), .ino = node_badge((struct node){ n.kind, 0, n.arg }),
		.mode = directory ? 0555 : n.kind == NODE_CTL ? 0200 : node_writable(n.kind) ? 0666 : 0444,
	};
	return OK;
}

/* Entries of proc://: cookie 0 is kstat, then the next pid to look at. */
static status_t list_processes(uint64_t *cookie, uint32_t room, uint64_t *done)
{
	struct process_info batch[16];
	char name[24];
	uint32_t got;

	if (*cookie == 0) {
		*done += dirent_put(piece, room, node_badge((struct node){ .kind = NODE_KSTAT }), 0, FILE_REGULAR, "kstat");
		*done += dirent_put(piece + *done, room - *done, node_badge((struct node){ .kind = NODE_TRACE }), 0, FILE_REGULAR, "trace");
		*cookie = 1;
	}
	for (;;) {
		status_t st = process_list(info, *cookie, batch, ARRAY_LEN(batch), &got);
		if (st < 0 || got == 0)
			return st;
		for (uint32_t i = 0; i < got; i++) {
			char *p = name + sizeof(name) - 1;
			*p = 0;
			for (uint64_t v = batch[i].pid; v; v /= 10)
				*--p = (char)('0' + v % 10);
			uint64_t ino = node_badge((struct node){ .kind = NODE_PROCESS, .arg = batch[i].pid });
			size_t n = dirent_put(piece + *done, room - *done, ino, 0, FILE_DIRECTORY, p);
			if (n == 0)
				return OK;
			*done += n;
			*cookie = batch[i].pid + 1;
		}
	}
}

static void list_files(uint64_t pid, uint64_t *cookie, uint32_t room, uint64_t *done)
{
	for (; *cookie < NODE_FILES; ++*cookie) {
		enum node_kind kind = NODE_FIRST_FILE + (enum node_kind)*cookie;
		uint64_t ino = node_badge((struct node){ .kind = kind, .arg = pid });
		size_t n = dirent_put(piece + *done, room - *done, ino, 0, FILE_REGULAR, node_file_name(kind));
		if (n == 0)
			return;
		*done += n;
	}
}

static status_t on_readdir(void *self unused, struct svc_cmd *c, const struct file_readdir_req *q, struct file_readdir_rep *p)
{
	struct node n;
	status_t st = find(c, &n);

	if (st < 0)
		return st;
	uint32_t room = MIN(c->out_len, (uint32_t)PIECE);
	p->done = 0;
	p->next = q->cookie;
	if (n.kind == NODE_PROC)
		st = list_processes(&p->next, room, &p->done);
	else if (n.kind == NODE_PROCESS)
		list_files(n.arg, &p->next, room, &p->done);
	else
		st = ERR_NOT_DIRECTORY;
	return st < 0 ? st : svc_write_out(c->cmd, 0, piece, p->done);
}

static status_t on_trace_ctl(struct svc_cmd *c, const struct file_ctl_req *q, struct file_ctl_rep *p)
{
	struct trace_record *records = (struct trace_record *)piece;
	uint32_t got = 0, room = MIN(c->out_len, (uint32_t)PIECE) / sizeof(*records);

	if (q->code == CTL_TRACE)
		return !(c->rights & RIGHT_WRITE) ? ERR_DENIED
			: q->arg0 > TRACE_CHILDREN ? ERR_INVALID : trace_control(info, (uint32_t)q->arg0, q->arg1, c->badge);
	if (q->code != CTL_TRACE_READ)
		return ERR_NOT_SUPPORTED;
	if (!(c->rights & RIGHT_READ))
		return ERR_DENIED;
	status_t st = trace_read(info, q->arg0, records, room, &got, &p->value1);
	p->value0 = got;
	return st < 0 || !got ? st : svc_write_out(c->cmd, 0, records, got * sizeof(*records));
}

static status_t on_ctl(void *self unused, struct svc_cmd *c, const struct file_ctl_req *q, struct file_ctl_rep *p)
{
	struct node n;

	if (!node_from_badge(c->badge, &n))
		return ERR_INVALID;
	if (n.kind == NODE_TRACE)
		return on_trace_ctl(c, q, p);
	if (q->code != CTL_PROC_KILL || (n.kind != NODE_PROCESS && n.kind != NODE_CTL))
		return ERR_NOT_SUPPORTED;
	return c->rights & RIGHT_WRITE ? process_end(n.arg) : ERR_DENIED;
}

static void on_close(void *self unused, uint64_t badge)
{
	struct trace_info t;

	if (!badge)
		return;
	snapshot_drop(badge);
	/* Whoever turned tracing on through this Session is gone. */
	if (trace_info(info, &t) == OK && t.what != TRACE_OFF && t.owner == badge)
		(void)!trace_control(info, TRACE_OFF, 0, 0);
}

static const struct file_ops ops = {
	.open = on_open, .read = on_read, .write = on_write, .stat = on_stat, .readdir = on_readdir, .ctl = on_ctl,
};

int main(int argc unused, char **argv unused)
{
	info = start_handle("res:info");
	if (!info)
		rt_panic("no res:info was given: nothing to tell");
	MUST(svc_init(&svc, &file_proto, &ops, NULL));
	svc.on_notify = on_notify;
	svc.on_cancel = on_cancel;
	svc.on_close = on_close;
	MUST(svc_notify(&svc, BADGE_TIMER, &timer));
	/* Sessions of the instance before us live on under its numbers. */
	next_serial = (uint16_t)(clock_value() >> 10);
	return (int)svc_run(&svc);
}
