/*
 * trace: a ring of records of what becomes of commands. It exists while tracing is on, and one lock covers all of it,
 * which is taken last of all. Which request a command belongs to is decided when it is sent and kept in a tag: a
 * command without one is not recorded. Two commands under way whose slots share a tag are rare; the later one takes it.
 */
#include <kernel/arch.h>
#include <kernel/budget.h>
#include <kernel/cpu.h>
#include <kernel/mm.h>
#include <kernel/syscall.h>
#include <kernel/trace.h>

enum { TAGS = 1024, ROOM_MAX = 1536, ROOM_MIN = 96, READ_MAX = 64, BATCH = 4 };

struct tag { uint64_t command, request; };      /* op ids; command 0: free */

struct ring {
	struct budget *payer;           /* counted */
	uint64_t owner, pid, next;      /* next: number of the next record; the oldest kept is `room` before it */
	uint32_t what, room;            /* enum trace_what; records */
	struct tag tags[TAGS];          /* by slot */
	struct trace_record records[];
};
_Static_assert(sizeof(struct ring) + ROOM_MAX * sizeof(struct trace_record) <= 256 * KiB + 8 * KiB, "about a quarter of a MiB");

bool trace_on;                          /* written under the lock, read without: a little later is soon enough */
static struct spinlock lock;
static struct ring *ring;               /* NULL: off */
static uint32_t generation;             /* of this ring: processes that it follows carry it */

static struct tag *tag_of(const struct command *c)
{
	return &ring->tags[(uint32_t)c->id % TAGS];
}

static bool wanted(const struct process *p)
{
	return ring->what == TRACE_ALL || p->traced == generation || (ring->what == TRACE_PROCESS && p->pid == ring->pid);
}

static struct trace_record *add(const struct command *c, enum trace_kind kind, const struct port *p, const struct process *who, uint32_t tid)
{
	const struct tag *tag = tag_of(c);
	struct trace_record *r = &ring->records[ring->next++ % ring->room];
	*r = (struct trace_record){
		.time_ns = clock_ns(), .command = tag->command, .request = tag->request, .port = p ? p->obj.id : 0,
		.badge = c->session ? c->session->badge : 0, .pid = who ? (uint32_t)who->pid : 0, .tid = tid, .kind = (uint8_t)kind,
		.flags = (uint8_t)((c->path ? TRACE_PATH : 0) | (c->is_close ? TRACE_CLOSE : 0) | (c->submitted ? TRACE_SUBMITTED : 0) |
			(c->redelivered ? TRACE_AGAIN : 0)),
	};
	if (who)
		memcpy(r->text, who->name, PROCESS_NAME_MAX);
	return r;
}

/* What it asks: operation, words, windows, and the end of its path. */
static void describe(struct trace_record *r, const struct command *c)
{
	bool within = c->submitted || c->is_page;       /* the message is */
	uint64_t meta = c->is_close ? 0 : within ? c->meta : c->caller->regs.r15;
	uint32_t len = c->path ? c->path_offset + c->path_len : 0u, n = MIN(len, TRACE_TEXT - 1u);
	r->op = (uint16_t)IPC_META_OP(meta);
	r->in_len = IPC_META_IN(meta);
	r->out_len = IPC_META_OUT(meta);
	if (within)
		memcpy(r->w, c->w, sizeof(r->w));
	else if (!c->is_close)
		r->w[0] = c->caller->regs.rsi, r->w[1] = c->caller->regs.rdx, r->w[2] = c->caller->regs.r10;
	mem_zero(r->text, sizeof(r->text));
	if (n)
		memcpy(r->text, c->path + len - n, n);
}

void trace_sent(const struct port *p, struct command *c)
{
	struct thread *t = current_thread();
	struct command *parent = t && !c->is_close ? thread_in_hand(t) : NULL;
	bool forwarded = c->hops > 0;
	/* A parent gets its name first, or c's would not be made from it. */
	if (!forwarded) {
		if (parent && !parent->op_id)
			command_name(parent);
		(void)command_op_id(c);
	}
	spin_lock(&lock);
	if (ring && (!forwarded || tag_of(c)->command == c->op_id)) {
		uint64_t above = parent && parent->op_id && tag_of(parent)->command == parent->op_id ? parent->op_id : 0;
		bool follow = above || (c->is_close || !t ? ring->what == TRACE_ALL : wanted(t->process));
		if (!forwarded && follow)
			*tag_of(c) = (struct tag){ c->op_id, above ? tag_of(parent)->request : c->op_id };
		if (forwarded || follow) {
			struct trace_record *r = add(c, forwarded ? TRACE_FORWARDED : TRACE_SENT, p, t && !c->is_close ? t->process : NULL, t ? (uint32_t)t->obj.id : 0);
			describe(r, c);
			r->parent = forwarded ? 0 : above;
		}
	}
	spin_unlock(&lock);
}

void trace_event(const struct command *c, enum trace_kind kind, const struct thread *by, status_t status)
{
	spin_lock(&lock);
	if (ring && c->op_id && tag_of(c)->command == c->op_id) {
		struct trace_record *r = add(c, kind, c->session ? c->session->port : NULL, by ? by->process : c->server, by ? (uint32_t)by->obj.id : 0);
		r->status = (int32_t)MAX(MIN(status, (status_t)INT32_MAX), (status_t)INT32_MIN);
		if (kind == TRACE_RETURNED)
			r->w[0] = by->regs.rsi, r->w[1] = by->regs.rdx, r->w[2] = by->regs.r10;
	}
	spin_unlock(&lock);
}

void trace_process(struct process *p)
{
	const struct thread *t = current_thread();
	spin_lock(&lock);
	if (ring && t && (t->process->traced == generation || (ring->what != TRACE_ALL && t->process->pid == ring->pid)))
		p->traced = generation;
	spin_unlock(&lock);
}

static void free_ring(struct ring *g)
{
	struct budget *payer = g->payer;
	budget_kfree(payer, g, sizeof(*g) + g->room * sizeof(struct trace_record));
	OBJ_PUT(payer);
}

/* As large as there is memory for. */
static struct ring *make_ring(void)
{
	struct budget *payer = CURRENT_PROCESS->budget;
	for (uint32_t room = ROOM_MAX; room >= ROOM_MIN; room /= 2) {
		struct ring *g = budget_kmalloc(payer, sizeof(struct ring) + room * sizeof(struct trace_record));
		if (g) {
			g->payer = OBJ_GET(payer);
			g->room = room;
			return g;
		}
	}
	return NULL;
}

static status_t turn_on(uint32_t what, uint64_t pid, uint64_t owner)
{
	if (ring)
		return ERR_BUSY;
	struct ring *g = make_ring();
	if (!g)
		return ERR_NO_MEMORY;
	g->what = what;
	g->pid = pid;
	g->owner = owner;
	spin_lock(&lock);
	bool busy = ring;
	if (!busy) {
		ring = g;
		generation++;
		trace_on = true;
	}
	spin_unlock(&lock);
	if (busy) {
		free_ring(g);
		return ERR_BUSY;
	}
	arch_short_path(false);
	return OK;
}

status_t sys_trace_control(handle_t resource, uint32_t what, uint64_t pid, uint64_t owner)
{
	status_t st = resource_info(resource, RIGHT_MANAGE);
	if (st < 0)
		return st;
	if (what > TRACE_CHILDREN)
		return ERR_INVALID;
	if (what >= TRACE_PROCESS) {
		struct process *p = process_find(pid);
		if (!p)
			return ERR_NOT_FOUND;
		OBJ_PUT(p);
	}
	if (what >= TRACE_ALL)
		return turn_on(what, pid, owner);
	arch_short_path(true);
	spin_lock(&lock);
	struct ring *g = ring;
	trace_on = false;
	if (what == TRACE_OFF)
		ring = NULL;
	spin_unlock(&lock);
	if (what == TRACE_OFF && g)
		free_ring(g);
	return g || what == TRACE_OFF ? OK : ERR_NOT_FOUND;
}

status_t sys_trace_read(handle_t resource, uint64_t seq, user_out_t buf, uint32_t count, uint32_t *got, uint64_t *first)
{
	struct trace_record batch[BATCH];
	uint32_t n = 0;
	status_t st = resource_info(resource, RIGHT_READ | RIGHT_MANAGE);
	count = MIN(count, (uint32_t)READ_MAX);
	for (uint32_t take = 1; st == OK && take > 0; n += take) {
		spin_lock(&lock);
		take = 0;
		if (!ring) {
			spin_unlock(&lock);
			return ERR_NOT_FOUND;
		}
		uint64_t oldest = ring->next > ring->room ? ring->next - ring->room : 0;
		if (n == 0)
			*first = seq = MAX(seq, oldest);
		/* What was overwritten while the lock was free ends this call: the next one says how much is lost. */
		for (; seq >= oldest && seq < ring->next && take < BATCH && n + take < count; seq++)
			batch[take++] = ring->records[seq % ring->room];
		spin_unlock(&lock);
		st = copy_out(user_out_add(buf, n * sizeof(batch[0])), batch, take * sizeof(batch[0]));
	}
	*got = n;
	return st;
}

status_t sys_trace_info(handle_t resource, struct trace_info *info)
{
	status_t st = resource_info(resource, RIGHT_READ);
	if (st < 0)
		return st;
	spin_lock(&lock);
	if (ring)
		*info = (struct trace_info){ .owner = ring->owner, .pid = ring->pid, .next = ring->next, .what = ring->what, .stopped = !trace_on, .room = ring->room };
	spin_unlock(&lock);
	return OK;
}
