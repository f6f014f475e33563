/*
 * svc: the one loop that every service shares. It accepts commands and events on the service's
 * Port, lets the generated dispatcher check a command against its table (abi/proto), calls
 * the handler, and returns the answer. A missing handler answers ERR_NOT_SUPPORTED.
 *
 * A handler has three ways out: a status < 0 (the error), OK (the reply struct is the answer), or
 * SVC_LATER: it keeps `c->cmd` and somebody calls svc_reply later, exactly once.
 * Handles received (c->handles) are closed by the loop unless the handler sets the slot to 0.
 * Reply handles are duplicated to the caller; with `c->reply_close` the loop closes ours after.
 */
#pragma once
#include <rt/ipc.h>

#define SVC_LATER ((status_t)0x7fffffff)
/* A Notify that whoever started the service binds to its Port under this badge asks it to end in order. */
#define SVC_BADGE_STOP UINT64_MAX

/* abi/rt/serve.S knows the offsets. */
struct svc_cmd {
	cmd_id_t cmd;
	uint64_t badge;                 /* of the Session; 0 is by convention the root directory */
	uint32_t rights;                /* of the Session: RIGHT_READ and RIGHT_WRITE count */
	uint32_t n_handles;
	uint32_t op, flags;             /* flags: IPC_PATH, IPC_REDELIVERED */
	uint32_t in_len, out_len;
	handle_t handles[IPC_HANDLES];
	const char *path;               /* zero-terminated copy, or NULL; may hold no zero byte except RENAME's middle one */
	size_t   path_len;
	/* filled by the handler; the first three share 8 bytes that serve.S looks at */
	handle_t reply_handle;          /* handle[0] of the answer */
	bool     reply_close;           /* close reply_handle after the return */
	bool     mint;                  /* answer with a Session (mint_badge, mint_rights) */
	uint64_t mint_badge;
	uint32_t mint_rights;
	/* an earlier instance may have begun this */
	bool     redelivered;
	bool     path_plain;            /* no zero byte in the path */
};

struct svc;

/*
 * Made by abigen for each protocol: for every operation below `n` a function that checks the command and its words w, and
 * goes on into the handler in `ops`. r: zero before, the answer's words after. Request and reply structs are laid
 * out as these words, so that nothing is copied on the way.
 */
typedef status_t svc_handler(void *self, struct svc_cmd *c, const uint64_t w[IPC_WORDS], uint64_t r[IPC_WORDS], const void *ops);
#define SVC_OPS_MAX 64
struct svc_proto {
	const char *name;
	uint64_t n;
	svc_handler *const *on;
};

struct svc {
	handle_t port;
	const struct svc_proto *proto;
	const void *ops;                /* struct file_ops * or the like */
	void *self;
	void (*on_close)(void *self, uint64_t badge);                   /* last handle of a badge is gone */
	void (*on_closing)(void *self, const struct svc_cmd *c);        /* instead of on_close, for who must know redelivered and svc_op_id */
	void (*on_unminted)(void *self, uint64_t badge);                /* an answer with this Session could not be sent: there will be no CLOSE.
	                                                                   NULL: on_close is called */
	void (*on_notify)(void *self, uint64_t badge, uint64_t bits);   /* interrupts, timers, exits */
	void (*on_cancel)(void *self, cmd_id_t cmd);                    /* answer it now, with ERR_CANCELLED if not done; also straight after
	                                                                   a handler kept one that comes again with IPC_CANCELLED */
	void (*on_completion)(void *self, struct event *e);             /* of what we submitted: e->cmd: its token, e->status; handles are ours */
	void (*on_recovered)(void *self);                               /* all that a dead instance had accepted has been delivered again */
	void (*on_stop)(void *self);                                    /* initd asks for an orderly end; svc_run returns OK after it */
	void (*on_begin)(void *self);                                   /* before each command's handler; may be NULL */
	void (*on_idle)(void *self);                                    /* after each event; may be NULL */
};

/* Makes all of the service's variables and stack present, so that it never runs short of them; svc_init calls it. */
void svc_commit(void);
/* Fills in the Port handed over at the start ("port"); ops, self and hooks are the caller's to set. */
must_use status_t svc_init(struct svc *s, const struct svc_proto *proto, const void *ops, void *self);
/* Serves until asked to stop (OK) or the Port is lost (the error). */
status_t svc_run(struct svc *s);
/* Answers a command that a handler kept with SVC_LATER. */
void svc_reply(cmd_id_t cmd, const struct reply *r);
/* A command's windows: copies exactly `len` bytes at `offset` or fails. ERR_GONE: the caller has left. */
must_use status_t svc_read_in(cmd_id_t cmd, uint64_t offset, void *buf, size_t len);
must_use status_t svc_write_out(cmd_id_t cmd, uint64_t offset, const void *buf, size_t len);
/* A Notify bound to the service's Port under `badge` (events reach on_notify). */
must_use status_t svc_notify(struct svc *s, uint64_t badge, handle_t *notify);

/*
 * Which operation this is: unique, and the same each time the command is delivered; for rt/intent.h. It costs a system
 * call, so ask only for what must not be done twice. 0: there is no such command.
 */
uint64_t svc_op_id(const struct svc_cmd *c);

/* Appends one directory entry to buf; returns its size or 0 if it does not fit. */
size_t dirent_put(void *buf, size_t room, uint64_t ino, uint64_t size, int type, const char *name);
/* Serves a READ at `offset` from a block of memory: copies into the out window, result = bytes. */
status_t svc_read_from(const struct svc_cmd *c, uint64_t offset, const void *data, size_t size, uint64_t *done);
