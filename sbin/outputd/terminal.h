/*
 * terminal: what all terminals share: READs and WRITEs that wait, the line discipline, modes and signals. What bytes go to and
 * come from is a device: the serial line (serial.c), cells on the screen (vt.c), or a program (pty.c).
 *
 * READ waits in order of arrival and gets at most one line. WRITE is answered when its last byte is with the device. SYNC: when
 * everything before it is.
 */
#pragma once
#include <abi/file.h>
#include <gen/file.h>
#include <rt/svc.h>
#include "ldisc.h"
#include "tty.h"

#define PIECE_MAX 2048                  /* bytes fetched from a writer at once */

/* A command that waits. A SYNC is a WRITE of nothing. */
struct parked {
	struct parked *next;
	cmd_id_t cmd;
	uint64_t badge;                 /* of an OPEN */
	uint32_t len, done;             /* len: of an OPEN: rights of its Session */
};
/*
 * In order of arrival. After a fault the command that may be to blame is delivered again out of turn: what comes again before `begun`, which the last
 * instance was at, is held until that is here, or all are.
 */
struct queue {
	struct parked *first, **last;
	struct parked *held, **held_last;
	uint64_t begun;                 /* its identity; 0: none, or it is known where it is */
};

struct terminal;
struct device {
	/* Everything that can move, moves: input, READs, echo, WRITEs. */
	void (*run)(struct terminal *t);
	/* The first writer's turn begins. */
	void (*begin)(struct terminal *t, const struct parked *w);
	/* How much of a WRITE that is delivered again an earlier instance had done. */
	uint32_t (*resume)(const struct terminal *t, const struct svc_cmd *c);
	/* Writes vanish: there is nobody to show them to. */
	bool (*absent)(const struct terminal *t);
	/* Of one that takes bytes (terminal_send): takes n, and adds n to state->sent in the same instant. */
	void (*put)(struct terminal *t, const uint8_t *bytes, size_t n);
	unsigned (*column)(const struct terminal *t);   /* of the cursor; NULL: not known */
	void (*reset)(struct terminal *t);      /* CTL_TTY_RESET; NULL: what it shows is not known here */
	bool fixed_size;                /* CTL_TTY_SET_SIZE is refused */
};

struct terminal {
	const struct device *device;
	struct tty_state *state;        /* borrowed */
	struct tty_head head;
	struct ldisc ldisc;
	struct queue readers, writers;
	handle_t signal_notify;         /* who wants to know of ^C, ^Z, a new size and the end; 0: nobody */
	uint64_t interrupt_bits, suspend_bits, size_bits, hangup_bits;  /* of that Notify; 0: not this */
	struct { uint8_t bytes[PIECE_MAX]; uint32_t at, len; } stage;   /* what comes next of the first writer */
};

void queue_init(struct queue *q);
/* again: it is delivered again. ERR_NO_MEMORY. */
must_use status_t queue_put(struct queue *q, const struct parked *w, bool again);
/* `begun` does not come any more: what was held is in turn. */
void queue_release(struct queue *q);
void queue_drop(struct queue *q, struct parked **link);
/* The one that waits with this command, or is held; NULL: none. */
struct parked **queue_find(struct queue *q, cmd_id_t cmd);

/* Takes up what an earlier instance left. state: borrowed for good. */
void terminal_init(struct terminal *t, const struct device *device, struct tty_state *state);
/* What an earlier instance had begun to type again, by a change of mode: after terminal_init, before anything comes in. */
void terminal_type_again(struct terminal *t);
void terminal_save(struct terminal *t);
/* The same when a command is delivered again; 0: its caller has left. */
uint64_t terminal_identity(cmd_id_t cmd);

must_use status_t terminal_read(struct terminal *t, const struct svc_cmd *c, uint64_t *done);
must_use status_t terminal_write(struct terminal *t, const struct svc_cmd *c, uint64_t *done);
must_use status_t terminal_sync(struct terminal *t, const struct svc_cmd *c);
must_use status_t terminal_ctl(struct terminal *t, struct svc_cmd *c, const struct file_ctl_req *q, struct file_ctl_rep *p);
/* All that the last instance had accepted has been delivered again. */
void terminal_recovered(struct terminal *t);
/* False: no command of this terminal. */
bool terminal_cancel(struct terminal *t, cmd_id_t cmd);

/* For devices. One byte comes in; see ldisc_input. */
void terminal_input(struct terminal *t, uint8_t byte);
void terminal_serve_readers(struct terminal *t);
bool terminal_echoes(const struct terminal *t);
/* Fetches what comes next of w, the first writer, into the empty stage. */
must_use status_t terminal_fetch(struct terminal *t, const struct parked *w);
/* The first writer is answered: with what it has done, else with st. */
void terminal_written(struct terminal *t, status_t st);
/* A new size, from the device; a resize that is delivered again changes nothing, and says nothing. */
void terminal_sized(struct terminal *t, uint16_t columns, uint16_t rows);
/* Nobody is behind it any more: READs end, WRITEs fail with ERR_GONE, and who asked is told. */
void terminal_hang_up(struct terminal *t);

/*
 * For devices with `put`: exactly once, whenever an instance ends. Echo goes first, then the first writer's bytes, at most about `room` (>= 1; a
 * device that takes one byte at once may be given CR and NL). Returns how many were put; *st < 0: the writer cannot be read any more.
 */
must_use size_t terminal_send(struct terminal *t, uint8_t *buf, size_t room, status_t *st);
void terminal_send_begin(struct terminal *t, const struct parked *w);           /* is their device.begin */
uint32_t terminal_send_resume(const struct terminal *t, const struct svc_cmd *c);       /* and device.resume */
