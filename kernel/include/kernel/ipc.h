/*
 * ipc: commands, Ports, Sessions, Namespaces (docs/ipc.md).
 *
 * command: one request from send to return.
 * Life:   IDLE -> QUEUED -> ACCEPTED -> IDLE; back to QUEUED when its server dies. A caller that
 *         leaves early takes a QUEUED command with it; an ACCEPTED one is detached (caller NULL).
 * Owns:   the path copy and its own references to the passed handles (`extra` says that it has any).
 *         Words, operation and windows lie in the caller's saved registers while it waits; words and operation in `w`
 *         and `op` once it is detached. The Session is kept by its count of commands in flight.
 * Lock:   the Port's lock covers the state of every command queued or accepted there.
 * Order:  docs/invariants.md.
 */
#pragma once
#include <abi/ipc.h>
#include <kernel/list.h>
#include <kernel/notify.h>
#include <kernel/object.h>
#include <kernel/timer.h>

struct thread;
struct process;
struct port;
struct session;
struct vmem;
struct frame;

enum command_state { CMD_IDLE, CMD_QUEUED, CMD_ACCEPTED, CMD_DONE /* submitted, answered, not yet told */,
	CMD_MOVING /* between two Ports, by forward */ };
#define BEFORE_MAX 4
enum command_cancel { CANCEL_NONE, CANCEL_QUEUED /* in port->cancels */, CANCEL_TOLD };

/* fastpath.S knows the fields marked (f). */
struct command {
	uint64_t        id;             /* (f) generation << 32 | slot; each acceptance raises the generation */
	uint8_t         state;          /* (f) enum command_state */
	uint8_t         extra;          /* (f) has a path or handles, or was submitted */
	uint8_t         priority;       /* (f) this and all up to `session`: 0 on the short path */
	uint8_t         cancel;         /* enum command_cancel */
	bool            is_close : 1;   /* a Session's last word; fixed */
	bool            redelivered : 1; /* while QUEUED: in port->again */
	bool            lead : 1;       /* while QUEUED: the first of its payer, and leads `peers` */
	bool            is_page : 1;    /* READ of a paged Frame, which nobody in particular sent (pager.c) */
	bool            lent : 1;       /* its caller is in vmem->lenders */
	bool            overdue : 1;    /* submitted: wanted back since the last look (grace_fire) */
	uint8_t         faults;         /* servers that died of it in a row */
	uint8_t         hops;           /* forwards so far */
	bool            submitted;      /* by submit: `sender` counts, not `caller` */
	struct session *session;        /* (f) borrowed: it counts us in flight; says which Port */
	union {
		struct thread  *caller; /* (f) borrowed; NULL: detached, or CLOSE */
		struct process *sender; /* submitted: borrowed; NULL: detached */
	};
	struct process *server;         /* (f) borrowed; who accepted */
	uint64_t        op_id;          /* (f) 0: nobody asked yet (command_op_id) */
	uint64_t        accept_seq;     /* (f) order of first acceptance; 0: never */
	struct list     node;           /* (f) port queue, or its list of redelivered ones; reserve of a completion Port */
	struct budget  *payer;          /* counted; fixed while allocated */
	uint64_t        w[IPC_WORDS];   /* submitted or detached: the words; DONE: the answer's */
	uint32_t        op;             /* detached: the operation; submitted: pid of the sender, low half */
	uint32_t        rights;         /* (f) the Session's, as far as the handle has them */
	uint16_t        path_len, path_offset, path_size;
	uint8_t         n_handles;
	uint32_t        handle_rights[IPC_HANDLES];
	char           *path;           /* kernel's copy: path_len bytes at path_offset; owned if path_size > 0, else in the caller */
	union {
		struct object  *handles[IPC_HANDLES];   /* a handle count each */
		struct { struct list page_waiters /* of struct thread (run) */, in_frame /* frame->coming */; };     /* is_page: frame->lock */
	};
	union {
		struct list event;      /* port->cancels of the server's Port; port->completions of the sender's */
		struct list peers;      /* while QUEUED: of struct command, its payer's others of this priority */
	};
	union {
		struct port    *completion;     /* (f) submitted: counted; where COMPLETION goes */
		struct frame   *paging;         /* is_page: counted */
	};
	union {
		uint64_t        token;  /* (f) submitted: the sender's name for it; is_page: how many wait */
		struct process *late;   /* detached: counted; who sent it, and may be gone */
	};
	/* submitted: windows in the sender's memory, and r15; DONE: meta = status. is_page: in = index, out = physical address, the same */
	uint64_t        in, out, meta;
} aligned(64);
#define COMMAND_SIZE 256                /* aligned: a slot is found by shifts */
_Static_assert(sizeof(struct command) == COMMAND_SIZE, "fastpath.S");

struct port {
	struct object   obj;
	struct spinlock lock;           /* (f) covers everything below and the commands */
	bool            dead;           /* (f) no handle left: nobody can ever accept */
	bool            draining;       /* in the reaper's list (its lock) */
	uint32_t        flags;          /* PORT_*; fixed */
	uint32_t        pending;        /* (f) queued commands, events, and the suspect: 0 means that accept would take nothing */
	uint32_t        queue_mask;     /* bit per priority with a queue */
	uint64_t        next_seq;       /* (f) */
	struct list     waiters;        /* (f) of struct thread in accept, last come first served: its cache is warm */
	uint32_t        level;          /* (f) of the server, if it is a service; else 0 */
	struct list     events;         /* of struct notify with bits to deliver */
	struct list     cancels;        /* of struct command: accepted ones whose caller wants them back, or has left */
	struct list     completions;    /* of struct command: submitted by who serves here, and answered */
	struct list     reserve;        /* (f) of struct command: for submit */
	struct list     again;          /* of struct command: had been accepted by a server that died; in that order */
	struct command *suspect;        /* borrowed: may have killed its server; delivered alone */
	uint64_t        acceptor;       /* (f) pid of who accepted last */
	bool            recovered;      /* a new instance is to hear RECOVERED once `again` is empty */
	bool            exclusive;      /* (f) attached: `server` alone accepts, and only when `before` is empty */
	bool            grace_on;       /* the timer is armed, or fires */
	struct process *server;         /* (f) borrowed while it lives: attached, or accepted last; NULL: nobody */
	struct list     by_server;      /* server->serves; attach_lock */
	struct list     strangers;      /* of struct thread in accept that have to wait until their process may */
	uint32_t        n_strangers, n_before;  /* (f) */
	struct process *before[BEFORE_MAX];     /* counted: earlier servers; what they sent is not all answered yet */
	struct list     held;           /* of Ports with `before`; attach_lock */
	struct timer    grace;          /* for commands submitted here and wanted back in vain */
	bool            grace_again;    /* this look found what the next one is to end */
	uint32_t        grace_next;     /* slot of the command table */
	uint32_t        n_sessions;     /* that lead here; atomic */
	uint32_t        n_reserve;      /* commands made for submit, free or in use */
	struct watchers watchers;       /* "wanted": a command came, and nobody ever accepted here */
	struct port    *drain_next;
	struct list     queue[PRIORITY_MAX + 1];    /* of struct command that lead those of their payer; queue.c */
};
#define SESSION_QUEUED_MAX 1024         /* commands that wait at a Port by one Session */

struct session {
	struct object   obj;
	struct port    *port;           /* (f) counted; fixed */
	uint64_t        badge;          /* (f) fixed */
	uint32_t        rights;         /* (f) fixed */
	uint32_t        in_flight;      /* (f) its commands queued or accepted; port.lock */
	uint8_t         closing;        /* (f) enum session_closing; port.lock */
	uint32_t        queued;         /* of those in flight: never accepted yet; port.lock */
	struct command *close;          /* owned: made with the Session, so CLOSE cannot fail; NULL: it ends in silence */
};
/* What a server can give a Session; the rest of a handle's rights is the kernel's. */
#define SESSION_RIGHTS (RIGHT_READ | RIGHT_WRITE | RIGHT_EXEC | RIGHT_MANAGE)
/* PENDING: the last handle went while commands were in flight. In both later states the reference count is
   held at 1 by the CLOSE to come, or under way. fastpath.S looks at this and thread.special in one go: no bit is in both. */
enum session_closing { SESSION_OPEN, SESSION_CLOSE_PENDING = 16, SESSION_CLOSE_SENT = 32 };

struct ns_binding { char scheme[SCHEME_MAX + 1]; struct session *session; uint32_t rights; };
struct namespace {
	struct object     obj;
	struct spinlock   lock;
	uint32_t          n;
	struct ns_binding entries[NS_ENTRIES_MAX];   /* session: a handle count each */
	struct list       sockets;      /* unix://: listening struct socket, borrowed */
	uint32_t          n_sockets;
};

/* A window of c: its length, its address and in whose Vmem (NULL: the path, in the kernel); 0 if nobody waits for it. */
uint64_t command_window(const struct command *c, bool out, uint64_t *base, struct vmem **vm);
always_inline bool command_detached(const struct command *c) { return !c->caller && !c->is_close && !c->is_page; }
/* The identity of the request, unchanged by forward and redelivery; c is accepted, its Port locked. */
uint64_t command_op_id(struct command *c);
/* The caller of an accepted command wants it back: tells its server, once. The Port is locked; dispatch it after. */
void command_cancel_locked(struct command *c);
void grace_fire(struct timer *t);       /* port->grace */
/* A submitted command takes its identity from what its sender serves, if anything. */
void command_derive(struct command *c);
/* A submitted command is over: COMPLETION to its sender. No lock held. */
void command_complete(struct command *c, bool tell);

/* ---- commands (command.c) ---- */
/* From a table whose memory is never given back to other uses, so that a stale id is harmless to look at. */
struct command *command_alloc(struct budget *payer, status_t *why);
void command_free(struct command *c);
/* c, IDLE, back to the reserve of q that it came from; or away with it, if q is dead. */
void submitted_release(struct command *c, struct port *q);
struct command *command_none(void);     /* one that never is anybody's */
/* The accepted command of this id, if the current process serves it, with its Port locked; NULL: no such. */
struct command *command_lock(cmd_id_t id);
/* The caller stops waiting (deadline, death): a queued command is withdrawn, an accepted one detached. */
bool command_withdraw(struct thread *caller, status_t why);     /* false: it was answered meanwhile */
/* The same on purpose, but an accepted one is only asked for: its server answers. */
bool command_interrupt(struct thread *caller);
/* The process is dead: what it had accepted goes back to be delivered again, what it had submitted is withdrawn. A
   bounded piece; true: none left. */
bool command_bury_some(struct process *dead);

/* What a finished command leaves to be dropped after its Port is unlocked. */
struct residue {
	struct session *close;          /* its CLOSE is due now */
	struct session *closed;         /* its CLOSE is answered */
	struct command *dead;           /* was detached: to be freed */
	struct command *done;           /* was submitted: its COMPLETION is due, if `tell` */
	bool tell;
	struct port *dispatch;          /* counted: its suspect is off, or a CANCEL came */
	struct port *done_port;         /* counted: of a COMPLETION that was accepted */
	struct command *page;           /* the page is there, or does not come */
	struct process *late;           /* counted: the sender of a detached command, which is over now */
	struct budget *payer;
	char *path;
	uint32_t path_size, n_handles;
	struct object *handles[IPC_HANDLES];
};
void command_fresh(struct command *c);                      /* before it is sent */
uint64_t command_op_id(struct command *c);                  /* its identity, made now if it has none */
/* Adds up commands queued and accepted at p, from slot `first` on, a bounded piece. 0: that was all; else where to go on. */
uint32_t command_count_some(struct port *p, uint32_t first, uint32_t *queued, uint32_t *accepted);
void command_name(struct command *c);                       /* an accepted one's, made as if its server had asked; no lock held */
void command_finish_locked(struct command *c, struct residue *r);
void residue_drop(struct residue *r);

/* c is filled in: to a waiting thread, or into the queue. An error: c is IDLE, as if it had never been sent. */
must_use status_t port_send(struct port *p, struct command *c, bool direct);
void command_page_left(struct command *c, struct frame *f);  /* the last who waited for a page of f has left */
void command_unlend(struct command *c, struct thread *caller);  /* its windows in paged memory may go, if it lent any */
must_use status_t own_command(struct thread *t);             /* t has one: ERR_LIMIT, ERR_NO_MEMORY */

/* ---- ports ---- */
struct port *port_create(uint32_t flags, struct budget *payer, status_t *why);
void port_last_handle(struct object *o);
bool port_destroy(struct object *o);
bool port_waiter_remove(struct thread *t, status_t why);    /* accept broken off: deadline, death. False: it was given something */
unsigned port_requeue_locked(struct port *p, struct command *c); /* redelivery: before all that was never accepted; steps taken */
void port_suspect_locked(struct port *p, struct command *c);  /* NULL: none any more */
/* The first to accept after another process did will hear RECOVERED. */
void port_acceptor_locked(struct port *p, struct process *server);

/* ---- the queue of a Port (queue.c); the Port is locked ---- */
void queue_add(struct port *p, struct command *c);
unsigned queue_add_again(struct port *p, struct command *c);    /* had been accepted before; steps taken */
/* taken: by a server, so that its payer's next one comes when others had their turn. */
void queue_remove(struct port *p, struct command *c, bool taken);
struct command *queue_first(struct port *p);                    /* NULL: none */
uint8_t command_priority(const struct command *c);
/* NULL: it is nowhere. The Session, and with it its Port, lives until every CPU has left the kernel. */
struct port *command_port(const struct command *c);
/* Threads that serve here work at least at the priority of what waits here and of what they have in hand. */
void queue_priorities(struct port *p);

/* ---- who serves a Port (attach.c) ---- */
bool port_admits_locked(const struct port *p, const struct process *server);
void port_serve_locked(struct port *p, struct process *server);     /* NULL: nobody */
void port_unattach(struct port *p);                     /* it is being destroyed */
bool attach_bury_some(struct process *dead);            /* its Ports have no server now. A bounded piece; true: all done */
void attach_late(struct process *sender);               /* one more of its commands goes on without it */
void attach_answered(struct process *sender);           /* one fewer; drops the reference */
bool port_admit_some(void);                             /* reaper */
void port_dispatch(struct port *p);                         /* waiting threads take what is there; p unlocked */
bool port_wanted(struct port *p);                           /* something waits, and nobody serves */
bool port_drain_some(void);                                 /* reaper: ends waits at Ports that nobody can serve */
bool session_last_ref(struct object *o);                    /* true: CLOSE is on its way, the Session lives on */
void session_send_close(struct session *s);

/* flags: RETURN_SILENT, no CLOSE. */
struct session *session_create(struct port *p, uint64_t badge, uint32_t rights, uint32_t flags, struct budget *payer, status_t *why);
bool session_destroy(struct object *o);

struct namespace *ns_create(struct budget *payer, status_t *why);
bool ns_destroy(struct object *o);
must_use status_t ns_bind(struct namespace *ns, const char *scheme, size_t len, struct session *s, uint32_t rights);
/* A counted Session, and what the handle it was bound with allowed. ERR_NOT_FOUND. */
must_use status_t ns_lookup(struct namespace *ns, const char *scheme, size_t len, struct session **s, uint32_t *rights);
