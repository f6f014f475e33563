/*
 * socket: unix-domain byte streams and packets, also the pipes of the shell. Data goes from the writer's memory into
 * a ring of pages in the kernel and from there into the reader's: no server, and each side copies by itself.
 *
 * link:   what the two ends of a connection share: two lanes, one for each direction. A listening Socket has a link
 *         of its own in which connections wait for accept and threads wait for room.
 * Life:   an end is open while it has a handle, or waits for accept. When it closes, its reader gets what is in the
 *         lane and then 0, its writer ERR_GONE. The link goes with the memory of its last Socket.
 * Owns:   a lane its pages (charged to whoever made the connection) and, on behalf of messages under way, a
 *         handle count of every object they carry.
 * Waits:  a thread that waits is listed in a lane. It is woken to begin its call again, and stays listed, among
 *         `woken`, until it did. Only the first that can go on is woken; everyone who leaves passes that on, also by
 *         its death, so waking any number takes bounded steps and no wake is lost.
 * Locks:  link.lock covers all but the table of names (namespace.lock) and `flight` (flight_lock, after link.lock).
 */
#pragma once
#include <abi/ipc.h>
#include <kernel/list.h>
#include <kernel/notify.h>
#include <kernel/object.h>
#include <kernel/percpu.h>
#include <kernel/process.h>

struct namespace;
struct thread;

#define SOCKET_PAGES     (SOCKET_BUFFER / PAGE_SIZE)
#define SOCKET_CARGO_MAX 8              /* messages with handles under way in a lane */
#define SOCKET_WATCH_MAX 8              /* bindings to one event: a write tells them all */

/* Handles that go with the byte at `at`. */
struct cargo {
	uint64_t       at;
	uint32_t       n, rights[IPC_HANDLES];
	struct object *object[IPC_HANDLES];     /* a handle count each */
};

struct lane {
	uint64_t     head, tail;        /* bytes ever put in and taken out; both 0 again when it runs empty */
	bool         ended;             /* nothing more is put in */
	bool         refused;           /* nobody takes anything out */
	bool         answer;            /* the writer has read since it last wrote: it will wait for more, so who reads this runs at once */
	uint8_t      n_cargo, first_cargo;
	uint8_t      n_sockets;         /* of the handles under way, those of Sockets; flight_lock */
	struct list  readers, writers;  /* of struct thread: those not woken yet, first come first served */
	char        *page[SOCKET_PAGES];        /* the ring; each is there from its first use on */
	struct cargo cargo[SOCKET_CARGO_MAX];   /* a ring, in the order of `at` */
};

struct link {
	struct spinlock lock;
	uint8_t         type;           /* SOCKET_STREAM, SOCKET_PACKET; fixed */
	uint8_t         n_ends;         /* Sockets whose memory is still there */
	uint32_t        flight[2];      /* handles to each end that are under way in a lane, or 1: it waits for accept; flight_lock */
	struct budget  *payer;          /* counted; fixed */
	struct socket  *end[2];         /* borrowed; NULL: closed */
	struct list     woken;          /* of struct thread, by wait_node */
	struct lane     lane[2];        /* lane i is read by end i */
	/* A listening Socket is end 0. lane[0].readers wait to accept, lane[0].writers to connect. */
	struct list     pending;        /* of struct socket, a reference each */
	uint32_t        n_pending, backlog;
};

struct socket {
	struct object     obj;
	struct link      *link;         /* fixed */
	uint8_t           side;         /* fixed */
	bool              listening;    /* fixed */
	struct watchers   watchers[SOCKET_EVENTS];
	struct list       pending;      /* in the listening Socket's link */
	struct namespace *ns;           /* listening: counted; lists us */
	struct list       in_ns;
	uint32_t          name_len;
	char              name[SOCKET_NAME_MAX];
};

void socket_last_handle(struct object *o);
bool socket_destroy(struct object *o);
/* A thread leaves the Socket it waits in, or was woken for: it goes on with another call, or dies. */
void socket_wait_leave(struct thread *t);
/* The wait ends with an error (deadline, interruption). False: it was woken meanwhile, and nothing happened. */
bool socket_wait_break(struct thread *t, status_t why);

/* ---- among the files of Sockets ---- */
#define PACKET_ROOM(len) (ALIGN_UP((uint64_t)(len), 4) + 4)     /* its length before it; so a length lies in one page */
extern struct spinlock socket_flight_lock;
always_inline uint64_t lane_room(const struct lane *l) { return SOCKET_BUFFER - (l->head - l->tail); }
/* A write of len bytes and n handles need not wait (nor a connect, where connections are accepted). */
bool lane_writable(const struct link *k, const struct lane *l, uint64_t len, uint32_t n);
/* Whoever is done with a lane, or no longer waits there, lets the next go on if it can. */
void lane_pass_on_locked(struct link *k, struct lane *l);
/* STATUS_BLOCKED, ERR_AGAIN if deadline is 0, ERR_INTERRUPTED. queue: of a lane of s, where the next may go on now. */
must_use status_t socket_wait_locked(struct socket *s, struct list *queue, uint64_t deadline);
/* Looks a Socket up. Whatever comes of the call, the thread is not counted on any more for another Socket. */
must_use always_inline status_t socket_find(handle_t h, uint32_t need, struct socket **s)
{
	struct thread *t = current_thread();
	status_t st = handle_lookup(t->table, h, OBJ_SOCKET, need, (struct object **)s, NULL);
	if (unlikely(t->wait_socket && (st < 0 || t->wait_socket != *s)))
		socket_wait_leave(t);
	return st;
}
/* Locks the link; a thread that was woken for this Socket is here now. */
struct link *socket_enter(struct socket *s);
/* The end, counted, if somebody is bound to this event of it; for socket_tell, with the link unlocked. */
struct socket *socket_watched_locked(struct link *k, unsigned side, enum socket_event event);
void socket_tell(struct socket *s, enum socket_event event, bool last);
bool socket_happened_locked(struct link *k, unsigned side, enum socket_event event);
/* The first cargo leaves its lane: its handle counts are the caller's now, to be dropped when the link is unlocked. */
void cargo_unload_locked(struct lane *l, struct cargo *c);
void cargo_drop(const struct cargo *c);
struct link *link_create(uint32_t type, struct budget *payer, status_t *why);
/* An end of k. When the first cannot be made, k goes too. */
struct socket *link_end_create(struct link *k, unsigned side, status_t *why);
must_use status_t link_pair_create(uint32_t type, struct socket *end[2]);
void socket_close_end(struct socket *s);
void socket_close_listening(struct socket *s);
