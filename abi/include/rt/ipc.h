/*
 * ipc: commands from C. A message struct is filled, sent, and comes back with the answer.
 */
#pragma once
#include <abi/ipc.h>
#include <abi/objects.h>
#include <abi/rights.h>
#include <gen/errors.h>
#include <gen/syscalls.h>

struct msg {
	uint32_t    op;
	uint32_t    flags;              /* IPC_PATH, IPC_URI */
	uint64_t    w[IPC_WORDS];       /* request; on return the answer */
	const void *in;                 /* lent for reading */
	size_t      in_len;
	void       *out;                /* lent for writing */
	size_t      out_len;
	handle_t    handles[IPC_HANDLES]; /* request: duplicated to the server, 0 = none; on return: received, ours */
	uint64_t    deadline;           /* ns; 0 means FOREVER */
};

/* Sends and waits. Returns the server's status (>= 0: done) or the kernel's error. */
status_t ipc_call(handle_t session, struct msg *m);
/* Words only: the short path. w: six words, replaced by the answer's. */
status_t ipc_call_words(handle_t session, uint32_t op, uint64_t w[IPC_WORDS]);

/*
 * Sends and goes on; m stays as it is, and its windows lent, until the COMPLETION with `token` arrives at `port` (one's own, with
 * commands from port_reserve). At most three handles; the deadline does not count. ERR_AGAIN: the reserve is used up.
 */
must_use status_t ipc_submit(handle_t session, const struct msg *m, handle_t port, uint64_t token);

/* What accept gave. */
struct event {
	int      kind;                  /* enum accept_kind */
	cmd_id_t cmd;                   /* COMMAND, CLOSE, CANCEL; COMPLETION: the token */
	uint64_t badge;
	uint64_t w[IPC_WORDS];          /* NOTIFY: w[0] = bits */
	status_t status;                /* COMPLETION: what the server answered */
	uint32_t op, flags, rights;
	uint32_t in_len, out_len;
	uint32_t n_handles;
	handle_t handles[IPC_HANDLES];  /* received, ours to close */
};

struct reply {
	status_t status;
	uint64_t w[IPC_WORDS];
	handle_t handles[IPC_HANDLES];  /* duplicated to the caller; still ours */
	bool     mint;                  /* make a Session (badge, rights): the caller's handle[0] */
	bool     mint_silent;           /* ... without a CLOSE at its end */
	uint64_t mint_badge;
	uint32_t mint_rights;
};

status_t ipc_accept(handle_t port, uint64_t deadline, struct event *e);
status_t ipc_return(cmd_id_t cmd, const struct reply *r);
status_t ipc_return_accept(cmd_id_t cmd, const struct reply *r, handle_t port, struct event *e);
