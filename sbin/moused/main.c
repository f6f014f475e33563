/*
 * moused: `mouse://events`, the PS/2 mouse behind kbd://aux (docs/pc.md). Bytes in packet.c, the conversation that sets the mouse up in
 * setup.c; here their stream, the clock and the state. One thread, one loop; it submits to kbd and waits for nobody.
 *
 * Killed at any instant: the number of the last byte acted on, the decoder, the buttons and the number of the last event are one head,
 * committed by one store.
 */
#include <abi/file.h>
#include <gen/file.h>
#include <rt/file.h>
#include <rt/io.h>
#include <rt/start.h>
#include <rt/state.h>
#include <rt/svc.h>
#include <stream/commit.h>
#include <stream/source.h>
#include <stream/stream.h>
#include "packet.h"
#include "setup.h"

enum { STATE_VERSION = 1, KEEP = 256, BUTTONS = 5 };
enum { BADGE_TIMER = 1, TOKEN_READ = 1, TOKEN_WRITE = 2, SUBMITTED = 2 };
#define RETRY_NS (500 * NS_PER_MS)      /* after an error */

enum phase { PHASE_SETUP, PHASE_REPORTS, PHASE_ABSENT };        /* ABSENT: until somebody plugs a mouse in */

struct head {
	uint64_t taken;             /* number of the last byte acted on */
	uint64_t last;              /* number of our last event */
	struct packet packet;
	uint32_t phase;
	uint32_t buttons;           /* down */
};

struct kept {
	uint64_t which;
	struct head head[2];
	struct input_event events[KEEP + RING_SPARE];
};

static struct svc svc;
static struct state state;
static struct kept *kept;
static struct head head;
static struct commit commit;
static struct setup setup;
static handle_t timer;
static struct ring ring = { .keep = KEEP, .last = &head.last };
static struct stream_dir dir = { .n = 1, .file = { { .name = "events", .ring = &ring } } };
static struct source aux = { .uri = "kbd://aux", .flags = OPEN_READ | OPEN_WRITE, .token = TOKEN_READ };
static uint8_t byte_out;            /* lent to a WRITE */
static uint8_t byte_next;           /* what is sent then */
static bool writing, next_wanted, begin_wanted;         /* next, begin: once the WRITE under way is answered */

static void save(void)
{
	commit_save(&commit, &head);
}

static uint64_t now_ns(void)
{
	uint64_t now = 0;

	(void)!clock_now(&now);
	return now;
}

static void alarm_in(uint64_t ns)
{
	(void)!notify_timer(timer, 0, now_ns() + ns, 0);
}

/* ---- events ---- */

static void put_buttons(uint64_t time_ns, uint32_t buttons)
{
	for (uint32_t i = 0; i < BUTTONS; i++)
		if ((head.buttons ^ buttons) >> i & 1)
			ring_put(&ring, time_ns, EV_KEY, (uint16_t)(BTN_LEFT + i), buttons >> i & 1);
	head.buttons = buttons;
}

static void put_movement(uint64_t time_ns, const struct movement *m)
{
	uint64_t before = head.last;

	if (m->dx)
		ring_put(&ring, time_ns, EV_REL, REL_X, m->dx);
	if (m->dy)
		ring_put(&ring, time_ns, EV_REL, REL_Y, m->dy);
	if (m->wheel)
		ring_put(&ring, time_ns, EV_REL, REL_WHEEL, m->wheel);
	put_buttons(time_ns, m->buttons);
	if (head.last != before)
		ring_put(&ring, time_ns, EV_SYN, SYN_REPORT, 0);
}

static void release_buttons(void)
{
	uint64_t now = now_ns(), before = head.last;

	put_buttons(now, 0);
	if (head.last != before)
		ring_put(&ring, now, EV_SYN, SYN_REPORT, 0);
}

/* ---- setting up ---- */

static void send(uint8_t byte)
{
	struct msg m = { .op = FILE_WRITE, .in = &byte_out, .in_len = 1 };

	/* The mouse may have answered before kbd says that it was told. */
	if (writing) {
		byte_next = byte;
		next_wanted = true;
		return;
	}
	byte_out = byte;
	writing = aux.file && ipc_submit(aux.file, &m, svc.port, TOKEN_WRITE) == OK;
	alarm_in(writing ? setup_patience(&setup) : RETRY_NS);
}

static void setup_start(void)
{
	uint8_t byte = 0;

	release_buttons();
	head.phase = PHASE_SETUP;
	head.packet = (struct packet){ 0 };
	save();
	begin_wanted = writing;
	next_wanted = false;
	enum setup_result r = setup_begin(&setup, &byte);
	if (!writing && r == SETUP_SEND)
		send(byte);
}

static void conclude(enum setup_result r)
{
	static const char *const kinds[] = { [MOUSE_PLAIN] = "three buttons", [MOUSE_WHEEL] = "a wheel", [MOUSE_EXPLORER] = "a wheel and five buttons" };

	if (r == SETUP_DONE) {
		head.phase = PHASE_REPORTS;
		head.packet = (struct packet){ .kind = setup.kind };
		log_print("a mouse with %s", kinds[setup.kind]);
	} else if (r == SETUP_FAILED) {
		head.phase = PHASE_ABSENT;
		head.packet = (struct packet){ 0 };
		log_print("no mouse answers at the second PS/2 port");
	}
	if (r == SETUP_DONE || r == SETUP_FAILED)
		(void)!notify_timer(timer, 0, FOREVER, 0);      /* nothing is waited for any more */
}

/* ---- bytes ---- */

static void on_packet(enum packet_result r, uint64_t time_ns, const struct movement *m, bool *anew)
{
	if (r == PACKET_DONE && head.phase == PHASE_REPORTS)
		put_movement(time_ns, m);
	if (r == PACKET_PLUGGED)
		*anew = true;
}

/* A byte of the mouse, or a gap in them. *anew: it is to be set up. */
static void on_event(const struct input_event *e, bool *anew)
{
	struct movement m;
	uint8_t byte;

	head.taken = e->seq;
	if (e->type != EV_MSC || e->code != MSC_RAW || e->value < 0 || e->value > 0xff) {
		head.packet.n = 0;      /* lost: the next byte begins a packet */
		/* Whether it got what it was told last, and what it said, is not known. */
		if (head.phase == PHASE_SETUP && e->type == EV_SYN && e->code == SYN_DROPPED)
			*anew = true;
		return;
	}
	if (head.phase != PHASE_SETUP) {
		on_packet(packet_byte(&head.packet, e->time_ns, (uint8_t)e->value, &m), e->time_ns, &m, anew);
		return;
	}
	if (begin_wanted)
		return;
	uint64_t patience = setup_patience(&setup);
	enum setup_result r = setup_byte(&setup, (uint8_t)e->value, &byte);
	if (r == SETUP_SEND)
		send(byte);
	else if (r == SETUP_WAIT && setup_patience(&setup) != patience)
		alarm_in(setup_patience(&setup));       /* a reset has been heard, and takes longer than an answer */
	conclude(r);
}

/* ---- the stream from kbd ---- */

/* kbd has ended: this machine has no such controller, or it was stopped. */
static noreturn void no_port(void)
{
	log_print("there is no second PS/2 port");
	exit(0);
}

static void read_more(void)
{
	status_t st = source_ask(&aux, svc.port, head.taken);

	if (st == ERR_NOT_FOUND || st == ERR_GONE)
		no_port();
	if (st < 0)
		alarm_in(RETRY_NS);
}

static void on_completion(void *self unused, struct event *e)
{
	bool anew = false;
	size_t n;

	if (e->cmd == TOKEN_WRITE) {
		bool next = next_wanted;
		writing = next_wanted = false;
		if (begin_wanted)
			setup_start();
		else if (next)
			send(byte_next);
		return;
	}
	status_t st = source_done(&aux, e, head.taken, &n);
	if (st == ERR_INVALID) {
		head.taken = 0;         /* kbd lost its state, and began to count anew */
		head.packet.n = 0;
		anew = head.phase == PHASE_SETUP;
	} else if (st == ERR_GONE || st == ERR_NOT_FOUND) {
		no_port();
	} else if (st == SOURCE_OPENED && head.phase == PHASE_SETUP) {
		head.taken = aux.newest;        /* what came before the first byte that we send answers somebody else */
		anew = true;
	}
	for (size_t i = 0; i < n && st == OK; i++)
		on_event(&aux.events[i], &anew);
	save();
	stream_serve(&dir);
	if (anew)
		setup_start();
	if (head.packet.n)
		alarm_in(PACKET_GAP_NS);
	if (st >= 0 || st == ERR_INVALID)
		read_more();
	else
		alarm_in(RETRY_NS);
}

static void on_notify(void *self unused, uint64_t badge unused, uint64_t bits unused)
{
	uint8_t byte;

	if (!aux.asked) {
		read_more();
		if (aux.asked && aux.file && head.phase == PHASE_SETUP)
			alarm_in(setup_patience(&setup));
		else if (aux.asked && head.packet.n)
			alarm_in(PACKET_GAP_NS);
	} else if (head.phase == PHASE_SETUP && aux.file && !writing && !begin_wanted) {
		enum setup_result r = setup_timeout(&setup, &byte);
		if (r == SETUP_SEND)
			send(byte);
		conclude(r);
	} else if (head.phase == PHASE_SETUP && writing) {
		alarm_in(RETRY_NS);
	} else if (packet_silence(&head.packet, now_ns()) == PACKET_PLUGGED) {
		setup_start();
	}
	save();
	stream_serve(&dir);
}

/* ---- commands ---- */

static status_t on_read(void *self unused, struct svc_cmd *c, const struct file_read_req *q, struct file_read_rep *p)
{
	state_good(&state);
	return stream_read(&dir, c, q, p);
}

/* ---- start ---- */

static void state_take(void)
{
	MUST(state_open(&state, STATE_VERSION, sizeof(*kept)));
	kept = state.memory;
	commit = (struct commit){ .copies = kept->head, .which = &kept->which, .size = sizeof(head) };
	ring.slots = kept->events;
	commit_load(&commit, &head);
	/* Half a conversation is none, and what a crash left is not believed. */
	if (head.phase > PHASE_ABSENT || env_get("FAULTED") || head.packet.n > 3 ||
	    (head.packet.kind != MOUSE_PLAIN && head.packet.kind != MOUSE_WHEEL && head.packet.kind != MOUSE_EXPLORER))
		head.phase = PHASE_SETUP;
	if (head.phase == PHASE_SETUP)
		head.packet = (struct packet){ 0 };
	head.buttons &= (1u << BUTTONS) - 1;
}

static const struct file_ops ops = { .open = stream_open, .read = on_read, .stat = stream_stat, .readdir = stream_readdir };

int main(int argc unused, char **argv unused)
{
	stream_init(&dir);
	state_take();
	MUST(svc_init(&svc, &file_proto, &ops, &dir));
	svc.on_notify = on_notify;
	svc.on_cancel = stream_cancel;
	svc.on_completion = on_completion;
	MUST(svc_notify(&svc, BADGE_TIMER, &timer));
	MUST(port_reserve(svc.port, SUBMITTED));
	/* Opens kbd://aux. What an alarm needs is there from now on, so setting it again cannot fail. */
	MUST(notify_timer(timer, 0, now_ns(), 0));
	return (int)svc_run(&svc);
}
