/*
 * queue: the order in which commands that wait at a Port are taken: what a dead server had accepted first; then by
 * priority, in turn of who pays for them, and of one payer's the oldest.
 *
 * A payer's oldest command of a priority stands in the Port's ring and leads the payer's others. When it is
 * taken the next one of that payer goes to the ring's end. Every function here has the Port locked.
 */
#include <kernel/account.h>
#include <kernel/ipc.h>
#include <kernel/plant.h>
#include <kernel/sched.h>

#define PAYERS_TOLD_APART 64    /* with more of them at once, the rest go one by one, first come first served */
#define THREADS_RAISED    16    /* of one service */
#define CALLS_FOLLOWED    8     /* from a server that waits for another to that one, and so on */

static void count_in(struct port *p, struct command *c)
{
	c->state = CMD_QUEUED;
	p->pending++;
	ACCOUNT_ADD(commands_queued, 1);
}

void queue_add(struct port *p, struct command *c)
{
	struct list *ring = &p->queue[c->priority];
	struct command *lead = NULL;
	unsigned looked = 0;
	LIST_EACH(node, ring) {
		struct command *other = CONTAINER_OF(node, struct command, node);
		if (other->payer == c->payer)
			lead = other;
		if (lead || ++looked == PAYERS_TOLD_APART)
			break;
	}
	c->lead = !lead;
	if (lead) {
		list_push_back(&lead->peers, &c->node);
	} else {
		list_init(&c->peers);
		list_push_back(ring, &c->node);
		p->queue_mask |= 1u << c->priority;
	}
	if (!c->is_close)
		c->session->queued++;
	count_in(p, c);
}

unsigned queue_add_again(struct port *p, struct command *c)
{
	struct list *at = p->again.next;
	unsigned steps = 0;
	if (!c->faults)                         /* the suspect comes first */
		for (; at != &p->again; at = at->next, steps++) {
			struct command *other = CONTAINER_OF(at, struct command, node);
			if (!other->faults && other->accept_seq > c->accept_seq)
				break;
		}
	c->redelivered = true;
	list_insert_before(at, &c->node);
	count_in(p, c);
	return steps;
}

/* The next of its payer leads what is left: from the same place, or from the end of the ring. */
static void hand_lead_on(struct list *ring, struct command *c, bool taken)
{
	struct command *next = LIST_FIRST(&c->peers, struct command, node);
	list_remove(&next->node);
	next->lead = true;
	list_init(&next->peers);
	if (!list_empty(&c->peers)) {
		list_insert_before(&c->peers, &next->peers);
		list_remove(&c->peers);
	}
	list_insert_before(taken ? ring : c->node.next, &next->node);
}

void queue_remove(struct port *p, struct command *c, bool taken)
{
	struct list *ring = &p->queue[c->priority];
	if (!c->redelivered && c->lead && !list_empty(&c->peers))
		hand_lead_on(ring, c, taken);
	list_remove(&c->node);
	if (!c->redelivered) {
		if (list_empty(ring))
			p->queue_mask &= ~(1u << c->priority);
		if (!c->is_close)
			c->session->queued--;
	}
	p->pending--;
	ACCOUNT_SUB(commands_queued, 1);
}

struct command *queue_first(struct port *p)
{
	if (unlikely(!list_empty(&p->again)))
		return LIST_FIRST(&p->again, struct command, node);
	return p->queue_mask ? LIST_FIRST(&p->queue[31 - __builtin_clz(p->queue_mask)], struct command, node) : NULL;
}

/* ---- priorities ---- */

uint8_t command_priority(const struct command *c)
{
	uint8_t now = c->submitted || !c->caller ? 0 : c->caller->priority;
	return MAX(c->priority, now);
}

/* The highest of its own, of the command that it accepted last, and of the head of the queue. */
static uint8_t serving_priority(struct port *p, const struct thread *t)
{
	const struct command *c = thread_in_hand(t), *first = queue_first(p);
	const struct session *s = c ? c->session : NULL;
	uint8_t priority = t->base_priority;
	if (s && s->port == p)
		priority = MAX(priority, command_priority(c));
	return first ? MAX(priority, command_priority(first)) : priority;
}

static void lend(struct port *p, unsigned calls);

/*
 * t waits for an answer and has another priority now: so has its command, and who serves that. The Port may be in other
 * hands, or be one of those that this began with: then it is left to the next that happens there.
 */
static void lend_on(struct thread *t, unsigned calls)
{
	struct command *c = t->command;
	struct port *p = t->wait == WAIT_CALL && c ? command_port(c) : NULL;
	if (!p || !spin_trylock(&p->lock))
		return;
	if (t->wait == WAIT_CALL && c->caller == t && command_port(c) == p && !c->submitted) {
		bool queued = c->state == CMD_QUEUED && !c->redelivered;
		if (queued)
			queue_remove(p, c, false);
		c->priority = t->priority;
		if (queued)
			queue_add(p, c);
		lend(p, calls);
	}
	spin_unlock(&p->lock);
}

static void lend(struct port *p, unsigned calls)
{
	struct process *server = p->server;
	struct thread *changed[THREADS_RAISED];
	unsigned looked = 0, n = 0;
	if (!server || PLANTED(no_lend))
		return;
	spin_lock(&server->lock);
	LIST_EACH(node, &server->threads) {
		struct thread *t = CONTAINER_OF(node, struct thread, in_process);
		if (t->wait_port == p && t->wait != WAIT_ACCEPT && t->state != THREAD_DEAD) {
			uint8_t priority = serving_priority(p, t);
			if (priority != t->priority) {
				sched_set_priority(t, priority);
				changed[n++] = t;
			}
		}
		if (++looked == THREADS_RAISED)
			break;
	}
	spin_unlock(&server->lock);
	/* Threads live until every CPU has left the kernel. */
	for (unsigned i = 0; i < n && calls < CALLS_FOLLOWED; i++)
		lend_on(changed[i], calls + 1);
}

void queue_priorities(struct port *p)
{
	lend(p, 0);
}
