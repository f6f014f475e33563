/*
 * tty: what a terminal keeps from one instance of outputd to the next.
 *
 * A page of the state Frame for each holds what the device gave, the unread input, the echo to be sent, and two copies of the head that describes all. A
 * change writes its data first, then the older copy of the head with the next sequence number and a
 * checksum; so a kill at any instant leaves one whole head, and a crash that scribbled leaves none,
 * which counts as a fresh terminal. One thread; nothing here needs a lock.
 */
#pragma once
#include <abi/objects.h>

#define TTY_MAGIC   0x59545453u     /* "STTY" */
#define TTY_VERSION 8u

enum {
	TTY_RAW = 16,                   /* bytes as the device gave them; power of two */
	TTY_RING = 1024,                /* cells of finished input; power of two */
	TTY_LINE = 1024,                /* bytes of the line under way */
	TTY_SHOWN = 512,                /* bytes of echo not sent yet; power of two */
	TTY_END  = 0x100,               /* a cell that is no byte: here the user ended the input (^D) */
};

enum tty_missed { TTY_MISSED_INTERRUPT = 1, TTY_MISSED_SUSPEND = 2, TTY_MISSED_SIZE = 4 };

struct tty_head {
	uint32_t magic, version;
	uint64_t seq;                   /* of this copy; the higher valid one counts */
	uint32_t mode;                  /* enum tty_mode bits (abi/file.h) */
	uint32_t put, taken;            /* cells ever put into and taken from the ring */
	uint32_t line_len;              /* < TTY_LINE - 1, and fits into the ring behind what is there */
	/* The READ answered last: its cells stay untaken until its answer is known to have left. */
	uint64_t read_op;               /* its identity */
	uint32_t read_cells;            /* 0: none under way */
	uint16_t again, again_end;      /* of `line`: bytes that are to be typed anew, in a mode that has become canonical */
	/* The WRITE that was begun last: how much of it has reached the device. Told apart by its identity, it may be answered already. */
	uint64_t write_op;              /* identity of the WRITE that was sent last; 0: none */
	uint32_t write_len, write_done; /* write_done 0: nothing of it */
	uint64_t sent;                  /* tty_state.sent when this was saved */
	uint64_t seen;                  /* of tty_state.received: how many are in the line or the ring, or were dropped */
	uint32_t load, echo_load;       /* bytes of the WRITE, or of the echo, that the device is given next: it has them if tty_state.sent has moved on; 0: none */
	uint32_t echo_put, echo_taken;  /* bytes ever echoed, and sent of those */
	uint8_t  literal;               /* ^V came: the next byte is taken as it is */
	uint8_t  had_signal;            /* somebody had asked to be told; a new instance has lost its Notify */
	uint8_t  missed;                /* enum tty_missed: what came while that Notify was lost */
	uint8_t  stopped;               /* ^S came: nothing is sent */
	uint16_t columns, rows;         /* 0: nobody said */
	union {
		/* Of a terminal of the screen: the last event of input:// that was typed here, and bytes of answers (term_reply) ever typed. */
		struct { uint64_t event; uint32_t replies, reserved; };
		/* Of a pseudo-terminal: identity of its master's WRITE that was typed last, and how much of it. */
		struct { uint64_t typed_op; uint32_t typed_done, reserved1; };
	};
	uint64_t check;                 /* over everything above */
};

struct tty_state {
	struct tty_head head[2];
	uint16_t ring[TTY_RING];
	uint8_t  line[TTY_LINE];
	uint8_t  echo[TTY_SHOWN];
	uint64_t sent;                  /* bytes that the device was ever given; counted as they go (uart_write) */
	uint64_t received;              /* bytes that it ever gave, counted as they come (uart_read) */
	struct io_byte raw[TTY_RAW];    /* the last ones; at most TTY_RAW are not seen yet */
};

_Static_assert(sizeof(struct tty_head) == 128, "state format");
_Static_assert(sizeof(struct tty_state) <= PAGE_SIZE, "state format");

/* The newer valid head of s into *h, else a fresh one; false: fresh. */
bool tty_load(const struct tty_state *s, struct tty_head *h);
/* Writes *h over the older copy and counts its seq up. */
void tty_save(struct tty_state *s, struct tty_head *h);
