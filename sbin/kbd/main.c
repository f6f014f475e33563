/*
 * kbd: `kbd://events`, the keys of the PS/2 keyboard, and `kbd://aux`, the bytes of the controller's second port, whose owner this is,
 * too (docs/pc.md). Hardware in i8042.c, scan codes in scan.c, the streams in lib/stream. One thread, one loop.
 *
 * Killed at any instant: the kernel stores a byte and counts it in the state Frame as it takes it from the port. How far the bytes are
 * decoded, the decoder, what is down and the numbers of both streams are one head, committed by one store. So the next
 * instance goes on where the last one came to. If that one was in the middle of a command to the keyboard it says it again, from
 * the beginning; it resets the hardware only if that one was about to, or crashed.
 */
#include <abi/boot.h>
#include <abi/file.h>
#include <gen/file.h>
#include <rt/io.h>
#include <rt/start.h>
#include <rt/state.h>
#include <rt/svc.h>
#include <stream/commit.h>
#include <stream/stream.h>
#include "i8042.h"
#include "scan.h"

enum { STATE_VERSION = 1, RAW = 64, BATCH = 16, KEEP = 256 };
enum { FILE_EVENTS = 1, FILE_AUX = 2 };
enum { BADGE_DEVICE = 1, BIT_IRQ_KEYBOARD = 0, BIT_IRQ_AUX = 1, BIT_TIMER = 2 };
enum { AUX_WRITE_MAX = 16, LEDS = 7 };
#define BACKUP_NS  (250 * NS_PER_MS)    /* an interrupt that was lost costs no more than this */
#define POLL_NS    (10 * NS_PER_MS)     /* no interrupt at all */
#define ANSWER_NS  (40 * NS_PER_MS)     /* a keyboard has 20 ms */

enum phase { PHASE_RESET, PHASE_COMMAND, PHASE_READY };        /* RESET: to be done; COMMAND: the keyboard may wait for an argument */

struct head {
	uint64_t seen;              /* bytes decoded */
	uint64_t keys_last, aux_last;
	uint64_t down[5];           /* by key code */
	struct scan scan;
	uint32_t phase;
	uint32_t leds, typematic;
	uint8_t  aux, keyboard, release, plugged;       /* release: what is down is to be let go; plugged: a keyboard was, and is to be told its settings */
};

struct kept {
	uint64_t which;
	struct head head[2];
	uint64_t received;          /* bytes taken from the controller */
	struct io_byte raw[RAW];
	struct input_event keys[KEEP + RING_SPARE], aux[KEEP + RING_SPARE];
};

static struct svc svc;
static struct state state;
static struct kept *kept;
static struct head head;
static struct commit commit;
static struct i8042 device;
static handle_t notify;
static struct ring keys = { .keep = KEEP, .last = &head.keys_last }, aux = { .keep = KEEP, .last = &head.aux_last };
static struct stream_dir dir = { .n = 2, .file = {
	{ .name = "events", .ring = &keys, .writable = true }, { .name = "aux", .ring = &aux, .writable = true },
} };
static bool awaiting;               /* the next acknowledgement is an answer */
static uint8_t answer;              /* 0: none yet */

static void save(void)
{
	commit_save(&commit, &head);
}

/* ---- bytes to events ---- */

static bool is_down(uint16_t code)
{
	return head.down[code / 64] >> code % 64 & 1;
}

static void put_key(uint64_t now, uint16_t code, int32_t value)
{
	uint64_t bit = 1ull << code % 64;

	head.down[code / 64] = value ? head.down[code / 64] | bit : head.down[code / 64] & ~bit;
	ring_put(&keys, now, EV_KEY, code, value);
	ring_put(&keys, now, EV_SYN, SYN_REPORT, 0);
}

/* Lets go what is down, in pieces that fit between two commits. */
static void release_all(uint64_t now)
{
	head.release = 1;
	for (uint32_t code = 0; code < INPUT_CODES; code++)
		if (is_down((uint16_t)code)) {
			put_key(now, (uint16_t)code, KEY_UP);
			save();
		}
	head.release = 0;
	save();
}

static void on_key(uint64_t now, uint16_t code, bool down)
{
	if (down)
		put_key(now, code, is_down(code) ? KEY_REPEAT : KEY_DOWN);
	else if (is_down(code))
		put_key(now, code, KEY_UP);
}

static void on_keyboard_byte(uint64_t now, struct io_byte b)
{
	uint16_t code;
	bool down;

	if (awaiting && (b.byte == KEYBOARD_ACK || b.byte == KEYBOARD_RESEND)) {
		awaiting = false;
		answer = b.byte;
		return;
	}
	/* A byte that the controller itself calls bad reads as one of the keyboard that something is lost. */
	enum scan_result r = scan_byte(&head.scan, b.status & I8042_ERROR ? 0xff : b.byte, &code, &down);
	/* In set 1 a keyboard that was plugged in says what Left Shift says when it is let go. */
	if (r == SCAN_KEY && head.scan.set == 1 && code == KEY_LEFTSHIFT && !down && !is_down(code))
		r = SCAN_PLUGGED;
	switch (r) {
	case SCAN_KEY:
		head.keyboard = 1;
		on_key(now, code, down);
		break;
	case SCAN_PLUGGED:
		head.plugged = 1;
		release_all(now);
		break;
	case SCAN_LOST:
		release_all(now);
		break;
	case SCAN_MORE:
		break;
	}
}

/* Takes and decodes all that is there, and commits it. */
static void receive(void)
{
	uint64_t now;
	size_t at;

	if (clock_now(&now) < 0)
		return;
	do {
		for (; head.seen != kept->received;) {
			struct io_byte b = kept->raw[head.seen++ % RAW];
			if (b.status & I8042_AUX)
				ring_put(&aux, now, EV_MSC, MSC_RAW, b.status & I8042_ERROR ? -1 : b.byte);
			else
				on_keyboard_byte(now, b);
		}
		save();
		at = kept->received % RAW;
	} while (i8042_read(&device, kept->raw + at, MIN((size_t)BATCH, RAW - at), &kept->received));
}

/* ---- talking to the keyboard ---- */

/* One byte and its acknowledgement; keys that come in between are keys. What does not answer is no keyboard, until it says something. */
static bool tell(uint8_t byte)
{
	for (int tries = 0; tries < 3; tries++) {
		uint64_t now, end;
		awaiting = true;
		answer = 0;
		if (i8042_send(&device, false, byte) < 0 || clock_now(&now) < 0)
			break;
		for (end = now + ANSWER_NS; now < end && !answer;) {
			receive();
			if (!answer && (thread_sleep(now + NS_PER_MS / 2) < 0 || clock_now(&now) < 0))
				break;
		}
		if (answer != KEYBOARD_RESEND)
			break;
	}
	awaiting = false;
	if (!answer)
		head.keyboard = 0;
	return answer == KEYBOARD_ACK;
}

static bool command(uint8_t byte, uint8_t argument)
{
	if (!head.keyboard)
		return false;
	head.phase = PHASE_COMMAND;
	save();
	bool done = tell(byte) && tell(argument);
	head.phase = PHASE_READY;
	save();
	return done;
}

static uint8_t led_bits(void)
{
	/* Scroll, Num, Caps, from bit 0 on. */
	return (uint8_t)((head.leds >> LED_SCROLLL & 1) | (head.leds >> LED_NUML & 1) << 1 | (head.leds >> LED_CAPSL & 1) << 2);
}

/* As they were before a reset. A keyboard without lights or rate is one, too. */
static void keyboard_settings(void)
{
	(void)!command(KEYBOARD_SET_RATE, (uint8_t)head.typematic);
	(void)!command(KEYBOARD_SET_LEDS, led_bits());
}

/*
 * The last instance may have left the keyboard waiting for an argument. Some then take the next byte as a command, some as the
 * argument: one that does no harm as either comes first.
 */
static void command_again(void)
{
	(void)!tell(KEYBOARD_ENABLE);
	keyboard_settings();
	head.phase = PHASE_READY;
	save();
}

/* A keyboard that was plugged in: it scans already, in set 2. */
static void keyboard_plugged(void)
{
	head.keyboard = 1;
	log_print("a keyboard was plugged in");
	keyboard_settings();
	head.plugged = 0;
	save();
}

static void run_device(void)
{
	receive();
	if (head.plugged)
		keyboard_plugged();
	stream_serve(&dir);
}

static void on_notify(void *self unused, uint64_t badge unused, uint64_t bits)
{
	if (bits & (1ull << BIT_IRQ_KEYBOARD | 1ull << BIT_IRQ_AUX))
		i8042_ack(&device);
	run_device();
}

/* ---- commands ---- */

static status_t on_read(void *self unused, struct svc_cmd *c, const struct file_read_req *q, struct file_read_rep *p)
{
	state_good(&state);
	return stream_read(&dir, c, q, p);
}

static status_t write_leds(const struct svc_cmd *c)
{
	status_t st = stream_lights(c, &head.leds);

	if (st < 0)
		return st;
	/* Told again even if nothing changed: this may be the same command, delivered again. */
	save();
	(void)!command(KEYBOARD_SET_LEDS, led_bits());
	run_device();
	return OK;
}

static status_t write_aux(const struct svc_cmd *c)
{
	uint8_t bytes[AUX_WRITE_MAX];
	uint64_t now = 0;

	if (c->in_len > sizeof(bytes))
		return ERR_INVALID;
	if (c->redelivered) {
		/* A byte sent twice would be another command. Whether they were sent nobody knows, and their reader is told so. */
		(void)!clock_now(&now);
		ring_put(&aux, now, EV_SYN, SYN_DROPPED, 0);
		save();
		run_device();
		return OK;
	}
	status_t st = svc_read_in(c->cmd, 0, bytes, c->in_len);
	for (size_t i = 0; i < c->in_len && st == OK; i++)
		st = i8042_send(&device, true, bytes[i]);
	run_device();
	return st;
}

static status_t on_write(void *self unused, struct svc_cmd *c, const struct file_write_req *q unused, struct file_write_rep *p)
{
	if (c->badge == 0)
		return ERR_IS_DIRECTORY;
	p->done = c->in_len;
	if (!stream_file(&dir, c->badge))
		return ERR_NOT_FOUND;
	return c->badge == FILE_AUX ? write_aux(c) : write_leds(c);
}

static status_t on_ctl(void *self unused, struct svc_cmd *c, const struct file_ctl_req *q, struct file_ctl_rep *p unused)
{
	if (c->badge != FILE_EVENTS || q->code != CTL_KBD_TYPEMATIC)
		return ERR_NOT_SUPPORTED;
	if (!(c->rights & RIGHT_WRITE))
		return ERR_DENIED;
	if (q->arg0 > 0x7f)
		return ERR_INVALID;
	head.typematic = (uint32_t)q->arg0;
	save();
	bool done = command(KEYBOARD_SET_RATE, (uint8_t)head.typematic);
	run_device();
	return done ? OK : ERR_IO;
}

/* ---- start ---- */

/* What a crash may have left is made harmless; what the numbers say is believed. */
static void state_take(void)
{
	MUST(state_open(&state, STATE_VERSION, sizeof(*kept)));
	kept = state.memory;
	commit = (struct commit){ .copies = kept->head, .which = &kept->which, .size = sizeof(head) };
	keys.slots = kept->keys;
	aux.slots = kept->aux;
	commit_load(&commit, &head);
	if (kept->received - head.seen > BATCH)         /* more was never taken at a time */
		head.seen = kept->received;
	if ((head.scan.set != 1 && head.scan.set != 2) || head.scan.left > 2 || (head.scan.prefix == 0xe1 && !head.scan.left))
		head.scan = (struct scan){ .set = 2 };
	head.leds &= LEDS;
	head.typematic &= 0x7f;
	if (state.fresh)
		head.typematic = 0x20;  /* 500 ms, then 30 a second */
	head.keyboard = head.keyboard != 0;
	head.aux = head.aux != 0;
	head.plugged = head.plugged != 0;
}

/* The FADT may say that there is no such controller, and that its ports are not to be touched (ACPI 6.5, 5.2.9.3). */
static bool firmware_denies(void)
{
	handle_t frame = start_handle("boot");
	struct boot_info info;
	uint64_t done = 0;

	if (!frame || frame_read(frame, 0, &info, sizeof(info), &done) < 0 || done != sizeof(info))
		return false;
	return info.acpi.no_8042;
}

static noreturn void absent(const char *why)
{
	log_print("no PS/2 controller: %s", why);
	exit(0);
}

/* From any state the hardware is in. */
static void device_reset(void)
{
	const char *why;
	uint64_t now = 0;

	head.phase = PHASE_RESET;
	save();
	if (i8042_reset(&device, &why) < 0)
		absent(why);
	head.keyboard = i8042_keyboard_reset(&device);
	head.aux = device.aux;
	head.scan = (struct scan){ .set = device.set };
	head.seen = kept->received;
	(void)!clock_now(&now);
	if (head.aux)           /* what the second port said meanwhile is lost */
		ring_put(&aux, now, EV_SYN, SYN_DROPPED, 0);
	release_all(now);
	i8042_start(&device, start_handle("res:irq"), start_handle("res:irq1"));
	log_print("PS/2 controller: %s, scan codes of set %u; %s", head.keyboard ? "a keyboard" : "no keyboard", device.set,
	          device.aux ? "a second port" : "no second port");
}

static void device_open(void)
{
	bool go_on = !state.fresh && !env_get("FAULTED") && (head.phase == PHASE_READY || head.phase == PHASE_COMMAND);
	uint64_t now;

	status_t st = firmware_denies() ? ERR_NOT_FOUND : i8042_open(&device, start_handle("res:ioports"));
	if (st < 0)
		absent(st == ERR_NOT_FOUND ? "this machine has none" : error_text(st));
	if (go_on) {
		device.set = head.scan.set;
		device.aux = head.aux;
		i8042_resume(&device, start_handle("res:irq"), start_handle("res:irq1"));
	} else {
		device_reset();
	}
	dir.file[FILE_AUX - 1].hidden = !head.aux;
	if (device.irq[0])
		MUST(notify_bind(notify, BIT_IRQ_KEYBOARD, device.irq[0]));
	if (device.irq[1])
		MUST(notify_bind(notify, BIT_IRQ_AUX, device.irq[1]));
	bool polled = !device.irq[0] || (head.aux && !device.irq[1]);
	if (polled)
		log_print("an interrupt of the PS/2 controller cannot be had: looking at it 100 times a second");
	MUST(clock_now(&now));
	MUST(notify_timer(notify, BIT_TIMER, now + BACKUP_NS, polled ? POLL_NS : BACKUP_NS));
	if (!go_on) {
		head.phase = PHASE_READY;
		keyboard_settings();
		save();
	} else if (head.phase == PHASE_COMMAND) {
		command_again();
	}
	if (head.release)
		release_all(now);
	i8042_ack(&device);
	run_device();
}

static const struct file_ops ops = {
	.open = stream_open, .read = on_read, .write = on_write, .stat = stream_stat, .readdir = stream_readdir, .ctl = on_ctl,
};

int main(int argc unused, char **argv unused)
{
	stream_init(&dir);
	state_take();
	MUST(svc_init(&svc, &file_proto, &ops, &dir));
	svc.on_notify = on_notify;
	svc.on_cancel = stream_cancel;
	MUST(svc_notify(&svc, BADGE_DEVICE, &notify));
	device_open();
	return (int)svc_run(&svc);
}
