/*
 * ipc: commands, Ports, Sessions, Namespaces, Notifies (docs/ipc.md).
 *
 * command: one request from send to return.
 * Life:   IDLE -> QUEUED -> ACCEPTED -> IDLE; back to QUEUED when its server dies. A caller that
 *         leaves early takes a QUEUED command with it; an ACCEPTED one is detached (caller NULL).
 * Owns:   the path copy, its own references to the passed handles, a reference to the Session.
 * Lock:   the Port's lock covers the state of every command queued or accepted there.
 * Order:  port.lock, process.lock, table.lock, vmem.lock, frame.lock; run queues last.
 */
#pragma once
#include <abi/ipc.h>
#include <kernel/list.h>
#include <kernel/object.h>

struct thread;
struct process;
struct port;
struct session;

enum command_state { CMD_IDLE, CMD_QUEUED, CMD_ACCEPTED };

struct command {
	/* fixed while allocated */
	uint32_t        slot;           /* in the command table */
	bool            is_close;       /* a Session's last word */
	struct budget  *payer;          /* counted */
	/* under the port's lock */
	uint8_t         state;
	uint8_t         priority;
	uint8_t         n_handles;
	bool            redelivered;
	uint32_t        generation;     /* of the id given out by the last accept */
	uint64_t        accept_seq;     /* order of first acceptance; 0: never */
	uint64_t        op_id;
	struct list     node;           /* port queue or port accepted list */
	struct list     serving;        /* server process's list (process.lock) */
	struct port    *port;           /* borrowed from session */
	struct session *session;        /* counted while not IDLE */
	struct thread  *caller;         /* borrowed; NULL: detached, or CLOSE */
	struct process *server;         /* borrowed; who accepted */
	struct vmem    *vmem;           /* counted: where the windows are; NULL: none, or revoked */
	uint64_t        badge;
	uint32_t        rights;         /* the Session's at delivery */
	uint32_t        flags;          /* IPC_PATH */
	uint64_t        w[IPC_WORDS];
	uint64_t        in, out;        /* addresses in vmem */
	uint32_t        op, in_len, out_len;
	uint32_t        path_len, path_offset, path_size;
	char           *path;           /* kernel's copy: path_len bytes at path_offset; owned, path_size bytes */
	struct { struct object *object; uint32_t rights; } handles[IPC_HANDLES];  /* a handle count each */
};

struct port {
	struct object   obj;
	uint32_t        flags;          /* PORT_*; fixed */
	struct spinlock lock;           /* covers everything below and the commands */
	bool            dead;           /* no handle left: nobody can ever accept */
	bool            draining;       /* in the reaper's list (its lock) */
	struct port    *drain_next;
	uint32_t        queue_mask;     /* bit per priority with a queue */
	uint32_t        n_queued, n_accepted;
	uint64_t        next_seq;
	struct list     queue[PRIORITY_MAX + 1];    /* of struct command */
	struct list     accepted;                   /* of struct command, in accept_seq order */
	struct list     events;                     /* of struct notify with bits to deliver */
	struct list     waiters;                    /* of struct thread in accept */
};

struct session {
	struct object  obj;
	struct port   *port;            /* counted; fixed */
	uint64_t       badge;           /* fixed */
	uint32_t       rights;          /* fixed */
	bool           close_sent;
	struct command *close;          /* owned: made with the Session, so CLOSE cannot fail */
};

struct ns_binding { char scheme[SCHEME_MAX + 1]; struct session *session; };
struct namespace {
	struct object     obj;
	struct spinlock   lock;
	uint32_t          n;
	struct ns_binding entries[NS_ENTRIES_MAX];   /* session: a handle count each */
};

/* ---- commands (command.c) ---- */
/* From a table whose memory is never given back to other uses, so that a stale id is harmless to look at. */
struct command *command_alloc(struct budget *payer, status_t *why);
void command_free(struct command *c);
/* The accepted command of this id, if the current process serves it, with its Port locked; NULL: no such. */
struct command *command_lock(cmd_id_t id);
/* The caller stops waiting (deadline, death): a queued command is withdrawn, an accepted one detached. */
void command_withdraw(struct thread *caller, status_t why);
/* Puts commands that a dead server had accepted back into their queues; a bounded piece; true: none left. */
bool command_requeue_some(struct process *server);

/* What a command held, to be dropped after the Port is unlocked. */
struct residue {
	struct session *session;
	struct vmem *vmem;
	struct budget *payer;
	char *path;
	uint32_t path_size, n_handles;
	struct object *handles[IPC_HANDLES];
	struct command *dead;           /* detached: to be freed too */
};
void command_finish_locked(struct command *c, struct residue *r);
void residue_drop(struct residue *r);

/* c is filled in: to a waiting thread, or into the queue. ERR_GONE: nobody can accept; c is IDLE. */
must_use status_t port_send(struct port *p, struct command *c, bool direct);

/* ---- ports ---- */
struct port *port_create(uint32_t flags, struct budget *payer, status_t *why);
void port_last_handle(struct object *o);
bool port_destroy(struct object *o);
void port_waiter_remove(struct thread *t, status_t why);    /* accept broken off: deadline, death */
void port_requeue_locked(struct port *p, struct command *c); /* redelivery: before all that was never accepted */
void port_dispatch(struct port *p);                         /* waiting threads take what is there; p unlocked */
void port_drain_some(void);                                 /* reaper: ends waits at Ports that nobody can serve */
bool port_drain_pending(void);
bool session_last_ref(struct object *o);                    /* true: CLOSE is on its way, the Session lives on */

struct session *session_create(struct port *p, uint64_t badge, uint32_t rights, struct budget *payer, status_t *why);
bool session_destroy(struct object *o);

struct namespace *ns_create(struct budget *payer, status_t *why);
bool ns_destroy(struct object *o);
must_use status_t ns_bind(struct namespace *ns, const char *scheme, size_t len, struct session *s);
/* A counted Session. ERR_NOT_FOUND. */
must_use status_t ns_lookup(struct namespace *ns, const char *scheme, size_t len, struct session **s);
