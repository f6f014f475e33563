/*
 * vinputd: the events of one virtio-input device, for inputd (docs/pc.md). The device in device.c, its events in decode.c, the stream in lib/stream.
 * One thread, one loop.
 *
 * Killed at any instant: how much of the device's queue was acted on, what is down and the number of the last event are one head, committed by
 * one store, and only then a buffer is the device's again. The queue's memory lies on the shelf: what the device had put there comes
 * out of it in the next instance. What it had no queue for until that had started is lost, so all keys are let go then, and
 * EV_SYN SYN_DROPPED says so.
 */
#include <abi/file.h>
#include <gen/file.h>
#include <rt/clock.h>
#include <rt/file.h>
#include <rt/io.h>
#include <rt/start.h>
#include <rt/state.h>
#include <rt/svc.h>
#include <stdio.h>
#include <stdlib.h>
#include <stream/commit.h>
#include <stream/stream.h>
#include <string.h>
#include "device.h"

enum { STATE_VERSION = 1, KEEP = 256, BATCH = 16, ROUNDS = 8, LEDS = 7 };
enum { FILE_EVENTS = 1, BADGE_FILE = 0xff, BADGE_SHIFT = 8 };   /* a badge: the moment, and the file */
enum { BADGE_DEVICE = 1, BIT_IRQ = 0, BIT_LOOK = 1, BIT_AGAIN = 2 };
enum { TOKEN_OPEN = 1, TOKEN_SOURCE = 2 };
#define LOOK_NS  (10 * NS_PER_MS)       /* no interrupt at all */
#define AGAIN_NS (250 * NS_PER_MS)      /* inputd is asked again, doubling */
#define AGAIN_MOST_NS (8 * AGAIN_NS)

struct head {
	uint64_t last;              /* number of our last event */
	uint64_t badge;             /* of the Session that inputd has */
	uint64_t address;           /* the buffers', as the device sees them */
	struct decoder decoder;
	uint32_t leds;
	uint16_t seen;              /* of the queue's used ring: acted on */
	uint8_t  size;              /* of that queue */
	uint8_t  running;           /* a device may have put something there */
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
static struct device device;
static handle_t notify, inputd, ours;   /* ours: on its way to inputd */
static bool asking;                     /* a COMPLETION will come; `source` is lent */
static bool known;                      /* inputd has taken the Session */
static uint64_t wait_ns = AGAIN_NS;
static struct input_source source;
static struct ring ring = { .keep = KEEP, .last = &head.last };
static struct stream_dir dir = { .n = 1, .file = { { .name = "events", .ring = &ring, .writable = true } } };

static void save(void)
{
	commit_save(&commit, &head);
}

/* ---- events ---- */

static void put(uint64_t now, const struct input_event *e)
{
	ring_put(&ring, now, e->type, e->code, e->value);
}

/* Lets go what is down, in pieces that fit between two commits, and says that something is lost. */
static void release_all(uint64_t now)
{
	struct input_event e;

	for (uint32_t code = 0; decode_release(&head.decoder, &code, &e);) {
		put(now, &e);
		put(now, &(struct input_event){ .type = EV_SYN, .code = SYN_REPORT });
		save();
	}
	head.decoder.begun = false;
	put(now, &(struct input_event){ .type = EV_SYN, .code = SYN_DROPPED });
	save();
}

static void act(uint64_t now, const struct raw_event *raw)
{
	struct input_event e;

	switch (decode_event(&device.shape, &head.decoder, raw, &e)) {
	case DECODED_EVENT:
		put(now, &e);
		break;
	case DECODED_LOST:
		release_all(now);
		break;
	case DECODED_NOTHING:
		break;
	}
}

/* The next instance resets it; one that goes on so makes initd wait longer each time. */
static noreturn void failed(const char *what, status_t st)
{
	if (!virtio_alive(&device.virtio)) {
		log_print("the device has left, or wants to be reset");
		exit(1);
	}
	log_print("%s: %s", what, error_text(st));
	exit(1);
}

/* Takes what is there, a bounded piece of it, and commits it before the buffers are given back. */
static void receive(void)
{
	uint64_t now = clock_value();
	status_t st = OK;

	for (uint32_t round = 0; round < ROUNDS && st == OK; round++) {
		struct raw_event raw;
		for (uint32_t n = 0; n < BATCH && (st = device_next(&device, &raw)) == OK; n++) {
			head.seen = device.events.seen;
			act(now, &raw);
		}
		head.seen = device.events.seen;
		save();
		device_give(&device);
	}
	if (st == OK)
		MUST(notify_signal(notify, 1ull << BIT_IRQ));   /* there may be more */
	else if (st != ERR_AGAIN)
		failed("its queue of events", st);
	st = device_lights(&device, head.leds);
	if (st < 0)
		failed("its queue of lights", st);
}

/* ---- inputd ---- */

static void ask_later(void)
{
	MUST(notify_timer(notify, BIT_AGAIN, clock_value() + wait_ns, 0));
	wait_ns = MIN(2 * wait_ns, AGAIN_MOST_NS);
}

/* Says that the device is here, once inputdev:// is open. All is submitted: inputd stands above. */
static void announce(void)
{
	struct msg m = { .op = FILE_OPEN, .flags = IPC_PATH | IPC_URI, .in = "inputdev://", .in_len = strlen("inputdev://") };
	status_t st;

	if (asking || known)
		return;
	if (!inputd) {
		file_open_ask(&m, &(struct file_open_req){ .flags = OPEN_WRITE });
		st = ipc_submit(0, &m, svc.port, TOKEN_OPEN);
	} else {
		/* One of its own each time: so a CLOSE says which of them has gone. */
		head.badge = clock_value() << BADGE_SHIFT | FILE_EVENTS;
		save();
		st = session_create(svc.port, head.badge, RIGHT_READ | RIGHT_WRITE | RIGHT_CALL | RIGHT_DUP | RIGHT_TRANSFER, &ours);
		if (st == OK) {
			m = (struct msg){ .op = FILE_CTL, .in = &source, .in_len = sizeof(source), .handles = { ours } };
			file_ctl_ask(&m, &(struct file_ctl_req){ .code = CTL_INPUT_SOURCE, .arg0 = head.last });
			st = ipc_submit(inputd, &m, svc.port, TOKEN_SOURCE);
		}
		if (st < 0 && ours)
			handle_close(ours), ours = 0;
	}
	asking = st == OK;
	if (st < 0)
		ask_later();
}

static void on_completion(void *self unused, struct event *e)
{
	asking = false;
	if (e->cmd == TOKEN_OPEN && e->status >= 0)
		inputd = e->handles[0];
	if (e->cmd == TOKEN_SOURCE) {
		known = e->status >= 0;
		handle_close(ours);
		ours = 0;
		if (e->status < 0 && wait_ns == AGAIN_NS)
			log_print("inputd does not take the device: %s", error_text(e->status));
		if (known)
			wait_ns = AGAIN_NS;
		if (e->status < 0)
			handle_close(inputd), inputd = 0;
	}
	if (e->status >= 0)
		announce();
	else
		ask_later();
}

/* inputd has lost what it knew of us, if it was the Session that it had last. */
static void on_close(void *self unused, uint64_t badge)
{
	if (badge != head.badge)
		return;
	known = false;
	ask_later();
}

static void on_notify(void *self unused, uint64_t badge unused, uint64_t bits)
{
	if (bits & 1ull << BIT_AGAIN)
		announce();
	if (bits & (1ull << BIT_IRQ | 1ull << BIT_LOOK)) {
		receive();
		stream_serve(&dir);
	}
}

/* ---- commands ---- */

static status_t on_read(void *self unused, struct svc_cmd *c, const struct file_read_req *q, struct file_read_rep *p)
{
	state_good(&state);
	c->badge &= BADGE_FILE;
	return stream_read(&dir, c, q, p);
}

static status_t on_write(void *self unused, struct svc_cmd *c, const struct file_write_req *q unused, struct file_write_rep *p)
{
	status_t st = stream_lights(c, &head.leds);

	if (st < 0)
		return st;
	save();
	p->done = c->in_len;
	st = device_lights(&device, head.leds);
	if (st < 0)
		failed("its queue of lights", st);
	return OK;
}

static status_t on_stat(void *self unused, struct svc_cmd *c, const struct file_stat_req *q, struct file_stat_rep *p)
{
	c->badge &= BADGE_FILE;
	return stream_stat(&dir, c, q, p);
}

/* ---- start ---- */

static void state_take(void)
{
	MUST(state_open(&state, STATE_VERSION, sizeof(*kept)));
	if (!state.shelf)
		rt_panic("its manifest gives it no shelf");
	kept = state.memory;
	commit = (struct commit){ .copies = kept->head, .which = &kept->which, .size = sizeof(head) };
	ring.slots = kept->events;
	commit_load(&commit, &head);
	head.leds &= LEDS;
}

/* The device is not there any more, or is none that can be driven: what has gone is let go by inputd when our Port ends. */
static noreturn void absent(const char *what, status_t st)
{
	log_print("%s: %s", what, error_text(st));
	exit(0);
}

static void device_take(void)
{
	handle_t function;
	status_t st = file_open_at(start_handle("device"), "device", OPEN_READ | OPEN_WRITE, &function);

	if (st == ERR_NOT_FOUND || st == ERR_GONE)
		absent("the function", st);
	if (st == OK)
		st = device_open(&device, function, notify, BIT_IRQ);
	if (st == ERR_NOT_SUPPORTED)
		absent("no virtio-input device of version 1", st);
	if (st < 0)
		failed("the device", st);
}

/* What the device had said when the last instance ended. It is silent since: pcid has stopped it before we could open it. */
static void recover(void)
{
	static struct raw_event raw[DECODE_QUEUE];
	uint64_t now = clock_value();

	if (!head.running)
		return;
	uint32_t n = device_left(state.shelf, head.size, head.address, head.seen, raw);
	for (uint32_t i = 0; i < n; i++) {
		head.seen++;
		act(now, &raw[i]);
		if (i % BATCH == BATCH - 1)
			save();
	}
	save();
	release_all(now);
	head.running = false;
	save();
	log_print("goes on, with %u events that the last instance had not fetched; what was typed until now is lost", n);
}

static void device_run(void)
{
	status_t st = device_queues(&device, state.shelf);

	if (st == OK) {
		head.address = device.buffers.address;
		head.size = (uint8_t)device.events.size;
		head.seen = 0;
		head.running = true;
		save();
		st = device_start(&device);
	}
	if (st < 0)
		failed("the device", st);
	if (!device.has_irq) {
		log_print("an interrupt cannot be had: looking at it 100 times a second");
		MUST(notify_timer(notify, BIT_LOOK, clock_value() + LOOK_NS, LOOK_NS));
	}
	MUST(notify_signal(notify, 1ull << BIT_IRQ));   /* and the lights, as they were */
}

static const struct file_ops ops = { .read = on_read, .write = on_write, .stat = on_stat };

int main(int argc unused, char **argv)
{
	const struct shape *s = &device.shape;

	stream_init(&dir);
	state_take();
	MUST(svc_init(&svc, &file_proto, &ops, &dir));
	svc.on_notify = on_notify;
	svc.on_cancel = stream_cancel;
	svc.on_completion = on_completion;
	svc.on_close = on_close;
	MUST(svc_notify(&svc, BADGE_DEVICE, &notify));
	MUST(port_reserve(svc.port, 1));
	device_take();
	if (state.fresh)
		log_print("%s: %u keys, %u relative and %u absolute axes%s", s->product[0] ? s->product : "a device without a name", s->keys, s->rels, s->axes,
		          s->leds ? ", lights" : "");
	recover();
	snprintf(source.name, sizeof(source.name), "%s", argv[0]);
	memcpy(source.product, s->product, sizeof(source.product));
	source.flags = s->leds ? INPUT_SOURCE_LEDS : 0;
	device_run();
	announce();
	status_t st = svc_run(&svc);
	/* Asked to end: nothing is lost between this instance and a later one but what is typed meanwhile. */
	device_close(&device);
	release_all(clock_value());
	head.running = false;
	save();
	return st == OK ? 0 : 1;
}
