/*
 * pty: pseudo-terminals: a terminal whose other side is a program (docs/pc.md). An OPEN of `tty://pty` is that side, the master: what it writes is typed,
 * what it reads is what programs wrote, and the echo. The master's Session stands for nothing until CTL_TTY_PTY gives it a place; so an
 * OPEN that is delivered again leaves nothing behind, as with fbd's surfaces.
 *
 * Programs have the other side, the slave: by an OPEN of `slave` below the master's Session, or, if the master said so, of `tty://pty/N`.
 * It hangs up when the master is closed, for good: the place may be another's a moment later, and badges tell them apart.
 */
#pragma once
#include "terminal.h"

enum {
	PTYS = 16,
	PTY_SLAVES = 16,                /* Sessions to one slave */
	PTY_HEAD = 256,
	PTY_RING = 2 * PAGE_SIZE - PTY_HEAD,    /* bytes written that the master has not read */
};

/* Of one, in the state Frame; all zero at first. */
struct pty_kept {
	union { struct tty_state tty; uint8_t page[PAGE_SIZE]; };       /* tty.sent: bytes ever put into the ring */
	union {
		struct {
			uint64_t id;            /* as in `ids` */
			uint64_t taken;         /* bytes ever taken from the ring */
			/* The READ of the master that is being answered: it gets the bytes from `taken` to `next`. */
			uint64_t next, read_op; /* its identity; 0: none */
			uint64_t slave[PTY_SLAVES];     /* badges of Sessions that were given away and are not closed; 0: none */
			uint64_t open_op, open_badge;   /* the last OPEN that was given one, and which */
			uint32_t left;          /* a slave was closed: without another the master's READ ends */
			uint32_t named;         /* enum tty_pty */
			uint32_t opens;
		};
		uint8_t head[PTY_HEAD];
	};
	uint8_t ring[PTY_RING];
};
_Static_assert(sizeof(struct pty_kept) == 3 * PAGE_SIZE, "state format");

/*
 * ids: PTYS of them, of the state Frame; kept: PTYS, of it as well, at `offset` of `frame`, not committed yet; borrowed for good. notify: its bit `bit` is set
 * when ptys_work is due.
 */
void ptys_init(uint64_t *ids, struct pty_kept *kept, handle_t frame, uint64_t offset, handle_t notify, uint32_t bit);
void ptys_work(void);
bool ptys_there(void);

uint64_t pty_master_badge(void);                /* a fresh one */
bool pty_is_master(uint64_t badge);
bool pty_is_slave(uint64_t badge);
/* The badge for the Session to the slave that this OPEN makes, by a badge of either side. ERR_GONE, ERR_LIMIT, ERR_NO_MEMORY. */
must_use status_t pty_open_slave(const struct svc_cmd *c, uint64_t badge, uint64_t *slave);
/* The master's badge by its number. ERR_NOT_FOUND (also: it has no name), ERR_NO_MEMORY. */
must_use status_t pty_find(const char *number, uint64_t *master);
/* The terminal of a slave's Session. ERR_GONE: it has hung up. ERR_NO_MEMORY. */
must_use status_t pty_slave(uint64_t badge, struct terminal **t);

/* Of the master. ERR_INVALID: it has no place (any more). */
must_use status_t pty_read(const struct svc_cmd *c, uint64_t *done);
must_use status_t pty_write(const struct svc_cmd *c, uint64_t *done);
must_use status_t pty_sync(const struct svc_cmd *c);
must_use status_t pty_ctl(struct svc_cmd *c, const struct file_ctl_req *q, struct file_ctl_rep *p);
/* The last handle to a Session of either side went. */
void pty_close(uint64_t badge);
/* A slave's Session could not be made. */
void pty_unopened(uint64_t badge);
/* All that the last instance had accepted has been delivered again. */
void ptys_recovered(void);
/* False: no command of any of them. */
bool ptys_cancel(cmd_id_t cmd);
