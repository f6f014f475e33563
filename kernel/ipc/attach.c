/*
 * attach: who serves a Port. Whoever accepts, until a supervisor attaches a process: from then on that one alone, and
 * only when nothing that an earlier server had sent is still under way, so that no late write overtakes a new one.
 * Threads that accept too early wait as strangers, also those that come while the last server is being torn down.
 *
 * Locks: the Port's covers its fields; attach_lock, taken after it, the lists between Ports and processes and a
 * process's account of late commands. Stateless Ports know no server.
 */
#include <kernel/budget.h>
#include <kernel/handle.h>
#include <kernel/ipc.h>
#include <kernel/process.h>
#include <kernel/sched.h>
#include <kernel/syscall.h>

#define LEVEL_PROGRAMS 100              /* programs may serve one another as they like */

static struct spinlock attach_lock;
static struct list held_ports = { &held_ports, &held_ports };
static uint32_t n_held, n_to_check;
static bool check_wanted;

bool port_admits_locked(const struct port *p, const struct process *server)
{
	return !p->exclusive || (p->server == server && !p->n_before);
}

void port_serve_locked(struct port *p, struct process *server)
{
	if (p->flags & PORT_STATELESS)
		return;
	spin_lock(&attach_lock);
	if (server && server->buried)
		server = NULL;          /* it ended just now */
	list_remove(&p->by_server);
	p->server = server;
	if (server)
		list_push_back(&server->serves, &p->by_server);
	spin_unlock(&attach_lock);
	p->level = server && server->level < LEVEL_PROGRAMS ? server->level : 0;
}

/* Until all that `old` has sent is answered, nobody accepts. There is room: see sys_port_attach. */
static void hold_locked(struct port *p, struct process *old)
{
	p->before[p->n_before++] = OBJ_GET(old);
	spin_lock(&attach_lock);
	if (list_empty(&p->held)) {
		list_push_back(&held_ports, &p->held);
		n_held++;
	}
	spin_unlock(&attach_lock);
}

static void unhold_locked(struct port *p)
{
	spin_lock(&attach_lock);
	if (!list_empty(&p->held)) {
		list_remove(&p->held);
		n_held--;
	}
	spin_unlock(&attach_lock);
}

/* The server's threads that came too early wait with the others now. */
static void admit_locked(struct port *p)
{
	LIST_EACH_SAFE(node, next, &p->strangers) {
		struct thread *t = CONTAINER_OF(node, struct thread, run);
		if (!port_admits_locked(p, t->process))
			continue;
		list_remove(&t->run);
		t->stranger = false;
		p->n_strangers--;
		if (p->acceptor != t->process->pid)
			port_acceptor_locked(p, t->process);
		list_push_back(&p->waiters, &t->run);
	}
}

/* ---- what a dead server had sent ---- */

/* A process is through with: every held Port is looked at once more, by the reaper. */
static void check_held_locked(void)
{
	n_to_check = n_held;
	if (n_to_check && !check_wanted) {
		check_wanted = true;
		reap_wanted(REAP_URGENT);
	}
}

void attach_late(struct process *sender)
{
	object_get(&sender->obj);
	spin_lock(&attach_lock);
	sender->late++;
	spin_unlock(&attach_lock);
}

void attach_answered(struct process *sender)
{
	spin_lock(&attach_lock);
	if (--sender->late == 0 && sender->buried)
		check_held_locked();
	spin_unlock(&attach_lock);
	OBJ_PUT(sender);
}

static bool settled(struct process *p)
{
	spin_lock(&attach_lock);
	bool is = p->buried && !p->late;
	spin_unlock(&attach_lock);
	return is;
}

static struct port *first_served(struct process *dead)
{
	spin_lock(&attach_lock);
	struct port *p = list_empty(&dead->serves) ? NULL : LIST_FIRST(&dead->serves, struct port, by_server);
	if (p && !object_try_get(&p->obj)) {
		list_remove(&p->by_server);     /* it is being destroyed */
		p->server = NULL;
		p = NULL;
	}
	spin_unlock(&attach_lock);
	return p;
}

bool attach_bury_some(struct process *dead)
{
	for (unsigned work = 0; !list_empty(&dead->serves); work++) {
		if (work == 32)
			return false;
		struct port *p = first_served(dead);
		if (!p)
			continue;
		spin_lock(&p->lock);
		if (p->server == dead) {
			port_serve_locked(p, NULL);
			if (p->exclusive && dead->late && p->n_before < BEFORE_MAX)
				hold_locked(p, dead);
			admit_locked(p);
		}
		spin_unlock(&p->lock);
		port_dispatch(p);
		OBJ_PUT(p);
	}
	spin_lock(&attach_lock);
	dead->buried = list_empty(&dead->serves);
	if (dead->buried && !dead->late)
		check_held_locked();
	spin_unlock(&attach_lock);
	return dead->buried;
}

/* Forgets the earlier servers that are through with; true: none is left, and the Port is open. */
static bool release_locked(struct port *p, struct process *gone[BEFORE_MAX], unsigned *n_gone)
{
	for (unsigned i = p->n_before; i-- > 0;)
		if (settled(p->before[i])) {
			gone[(*n_gone)++] = p->before[i];
			p->before[i] = p->before[--p->n_before];
		}
	if (p->n_before)
		return false;
	unhold_locked(p);
	return true;
}

static void look_at(struct port *p)
{
	struct process *gone[BEFORE_MAX];
	unsigned n_gone = 0;
	spin_lock(&p->lock);
	bool open = release_locked(p, gone, &n_gone);
	if (open)
		admit_locked(p);
	spin_unlock(&p->lock);
	if (open)
		port_dispatch(p);
	for (unsigned i = 0; i < n_gone; i++)
		OBJ_PUT(gone[i]);
}

bool port_admit_some(void)
{
	if (!__atomic_load_n(&check_wanted, __ATOMIC_RELAXED))
		return false;
	for (unsigned work = 0; ; work++) {
		spin_lock(&attach_lock);
		struct port *p = NULL;
		bool more = n_to_check && !list_empty(&held_ports), done = !more && check_wanted;
		if (done)
			check_wanted = false;
		if (more && work < 16) {
			n_to_check--;
			p = LIST_FIRST(&held_ports, struct port, held);
			list_remove(&p->held);
			list_push_back(&held_ports, &p->held);
			if (!object_try_get(&p->obj))
				p = NULL;
		}
		spin_unlock(&attach_lock);
		if (done)
			reap_done(REAP_URGENT);
		if (!more || work == 16)
			return work || done;
		if (p) {
			look_at(p);
			OBJ_PUT(p);
		}
	}
}

void port_unattach(struct port *p)
{
	spin_lock(&attach_lock);
	list_remove(&p->by_server);
	p->server = NULL;
	spin_unlock(&attach_lock);
	unhold_locked(p);
	while (p->n_before)
		OBJ_PUT(p->before[--p->n_before]);
}

/* ---- system calls ---- */

status_t sys_port_attach(handle_t port, handle_t process)
{
	struct port *p;
	struct process *next = NULL;
	status_t st = LOOKUP(port, OBJ_PORT, RIGHT_MANAGE, &p);
	if (st == OK && process)
		st = LOOKUP(process, OBJ_PROCESS, RIGHT_MANAGE, &next);
	if (st < 0)
		return st;
	if (p->flags & PORT_STATELESS)
		return ERR_INVALID;
	if (next && next->dying)
		return ERR_GONE;
	spin_lock(&p->lock);
	struct process *old = p->server == next ? NULL : p->server;
	/* One place is kept for the death of the next one. */
	if (p->n_before + (old != NULL) >= BEFORE_MAX) {
		st = ERR_BUSY;
	} else {
		if (old) {
			object_get(&old->obj);
			hold_locked(p, old);
		}
		if (p->server != next)
			port_serve_locked(p, next);
		p->exclusive = true;
		admit_locked(p);
	}
	spin_unlock(&p->lock);
	if (st < 0)
		return st;
	if (old) {
		process_end(old, EXIT_KILLED, KILL_PLAIN, 0, 0);
		OBJ_PUT(old);
	}
	port_dispatch(p);
	return OK;
}
