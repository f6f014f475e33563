/*
 * inputd: `input://events`, what all input devices say, and the characters that keys mean (docs/pc.md). Key maps in keymap.c, streams in
 * lib/stream. One thread, one loop; it reads its sources by submitted READs, so none of them holds up another.
 *
 * Killed at any instant: for each source the number of the last event acted on, what is down, locks and begun combinations, and the
 * number of the last event of our own are one head, committed by one store. A source that goes lets go of what it held.
 *
 * Sources 0 and 1 are always asked for. The others come and go: a driver brings a Session by CTL_INPUT_SOURCE (abi/input.h), which lies in
 * the shelf's slot of the source's number; the head says which of them count.
 */
#include <abi/file.h>
#include <abi/objects.h>
#include <gen/file.h>
#include <rt/file.h>
#include <rt/io.h>
#include <rt/start.h>
#include <rt/state.h>
#include <rt/svc.h>
#include <stdio.h>
#include <stdlib.h>
#include <stream/commit.h>
#include <stream/source.h>
#include <stream/stream.h>
#include <string.h>
#include "keymap.h"

enum { STATE_VERSION = 2, KEEP = 1024, SOURCES = 16, FIXED = 2, NAME_SIZE = 32, LEDS = 7, LEDS_UNKNOWN = 0xff };
enum { FILE_SOURCES = 1, FILE_EVENTS = 2, FILE_KEYMAP = 3, FILE_DEVICES = 4 };  /* FILE_SOURCES: inputdev://, the second scheme's root */
enum { BADGE_TIMER = 1, TOKEN_READ = 1, TOKEN_LEDS = 0x100, TOKEN_REBOOT = 0x200 };
#define RETRY_NS (1000 * NS_PER_MS)     /* a source that is away is asked for again */

struct head {
	uint64_t last;              /* number of our last event */
	uint64_t taken[SOURCES];    /* of the last event of each that was acted on */
	uint64_t down[SOURCES][5];  /* by key code */
	uint32_t there;             /* of the sources from FIXED on, by bit */
	struct keymap_state keys;
	char     map[NAME_SIZE];    /* chosen at run time; "": as the command line says */
};

struct kept {
	uint64_t which;
	struct head head[2];
	struct input_source what[SOURCES];      /* whole before `there` says so */
	struct input_event events[KEEP + RING_SPARE];
};

static struct svc svc;
static struct state state;
static struct kept *kept;
static struct head head;
static struct commit commit;
static struct keymap map, map_new;
static char map_name[NAME_SIZE];        /* what `map` was read from; "": nothing */
static char *map_text;
static handle_t timer, initd;
static bool rebooting;
static struct ring ring = { .keep = KEEP, .last = &head.last };
static struct stream_dir dir = { .n = 4, .file = {
	{ .name = "", .hidden = true }, { .name = "events", .ring = &ring }, { .name = "keymap", .writable = true }, { .name = "devices" },
} };
static struct device {
	struct source source;
	bool from_now;              /* what it said before we were there is nothing to us */
	bool has_leds;
	bool replaced;              /* the READ that is under way went to the Session before */
	bool telling;               /* `leds` is lent to a WRITE */
	uint8_t told;               /* which lights it was told */
	struct input_event leds[LED_SCROLLL + 1];
} devices[SOURCES] = {
	{ .source = { .uri = "kbd://events", .flags = OPEN_READ | OPEN_WRITE, .token = TOKEN_READ }, .has_leds = true, .told = LEDS_UNKNOWN },
	{ .source = { .uri = "mouse://events", .flags = OPEN_READ, .token = TOKEN_READ + 1 } },
};

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

/* ---- key maps ---- */

static bool load_file(void *ctx unused, const char *name, const char **text, size_t *len)
{
	char uri[64];

	free(map_text);
	map_text = NULL;
	snprintf(uri, sizeof(uri), "initfs:///etc/keymaps/%s", name);
	if (file_slurp(uri, KEYMAP_TEXT_MAX, &map_text, len) < 0) {
		map_text = NULL;
		return false;
	}
	*text = map_text;
	return true;
}

static status_t use_map(const char *name)
{
	char why[KEYMAP_ERROR];
	struct stat st;
	char uri[64];

	if (!keymap_name_good(name))
		return ERR_INVALID;
	snprintf(uri, sizeof(uri), "initfs:///etc/keymaps/%s", name);
	status_t found = file_stat_uri(uri, &st);
	if (found < 0)
		return found;
	bool good = keymap_read(&map_new, name, load_file, NULL, why);
	free(map_text);
	map_text = NULL;
	if (!good) {
		log_print("key map %s", why);
		return ERR_BAD_FORMAT;
	}
	map = map_new;
	snprintf(map_name, sizeof(map_name), "%s", name);
	return OK;
}

static void choose_map(void)
{
	char name[NAME_SIZE] = "us";

	(void)cmdline_word("keymap", name, sizeof(name));
	if (head.map[0] && use_map(head.map) == OK)
		return;
	status_t st = use_map(name);
	if (st == OK)
		return;
	log_print("key map %s: %s; taking us instead", name, error_text(st));
	st = use_map("us");
	if (st < 0)
		log_print("key map us: %s: keys mean no characters", error_text(st));
}

/* ---- events ---- */

static bool is_down(size_t source, uint16_t code)
{
	return head.down[source][code / 64] >> code % 64 & 1;
}

/* In order, by way of the supervisor. Asked before the key is committed: asking twice is no harm, not asking would be. */
static void reboot(void)
{
	struct msg m = { .op = FILE_CTL, .w = { CTL_SVC_REBOOT } };

	if (rebooting || !initd)
		return;
	log_print("Ctrl-Alt-Del");
	status_t st = ipc_submit(initd, &m, svc.port, TOKEN_REBOOT);
	if (st < 0)
		log_print("the supervisor cannot be asked to reboot: %s", error_text(st));
	rebooting = st == OK;
}

static bool is_down_elsewhere(size_t source, uint16_t code)
{
	for (size_t i = 0; i < SOURCES; i++)
		if (i != source && is_down(i, code))
			return true;
	return false;
}

/* Whoever reads the stream cannot ask for the lights. */
static void put_locks(uint64_t time_ns, uint8_t before)
{
	for (uint32_t i = 0; i <= LED_SCROLLL; i++)
		if ((head.keys.locks ^ before) >> i & 1)
			ring_put(&ring, time_ns, EV_LED, (uint16_t)i, head.keys.locks >> i & 1);
}

/* The right Alt key is an Alt key where it chooses no characters. */
static bool alt_held(void)
{
	return head.keys.held & (HELD_LEFT_ALT | (map.altgr ? 0 : HELD_RIGHT_ALT));
}

static void put_key(size_t source, uint64_t time_ns, uint16_t code, int32_t value)
{
	uint64_t bit = 1ull << code % 64, *down = &head.down[source][code / 64];
	uint32_t text[KEYMAP_TEXTS];
	uint8_t locks = head.keys.locks;

	*down = value ? *down | bit : *down & ~bit;
	/* What another keyboard holds, too, is still down. */
	if (value == KEY_UP && is_down_elsewhere(source, code))
		return;
	ring_put(&ring, time_ns, EV_KEY, code, value);
	size_t n = keymap_key(&map, &head.keys, code, value, text);
	put_locks(time_ns, locks);
	for (size_t i = 0; i < n; i++)
		ring_put(&ring, time_ns, EV_TEXT, alt_held() ? TEXT_ALT : 0, (int32_t)text[i]);
	if (code == KEY_DELETE && value == KEY_DOWN && head.keys.held & HELD_CTRL && head.keys.held & HELD_ALT)
		reboot();
}

/* Lets go what a source holds, in pieces that fit between two commits. */
static void release_all(size_t source)
{
	uint64_t now = now_ns();

	for (uint32_t code = 0; code < INPUT_CODES; code++)
		if (is_down(source, (uint16_t)code)) {
			put_key(source, now, (uint16_t)code, KEY_UP);
			ring_put(&ring, now, EV_SYN, SYN_REPORT, 0);
			save();
		}
}

/* Sources are believed as far as they make sense. */
static void on_event(size_t source, const struct input_event *e)
{
	/* Of our own events none is lost by that: whoever reads them goes by the releases. */
	bool lost = e->type == EV_SYN && e->code == SYN_DROPPED;

	if (lost)
		release_all(source);
	head.taken[source] = e->seq;
	if (lost)
		return;
	switch (e->type) {
	case EV_KEY:
		if (e->code < INPUT_CODES && e->value >= KEY_UP && e->value <= KEY_REPEAT && (e->value || is_down(source, e->code)))
			put_key(source, e->time_ns, e->code, e->value);
		break;
	case EV_SYN: case EV_REL: case EV_ABS:
		ring_put(&ring, e->time_ns, e->type, e->code, e->value);
		break;
	default:
		break;
	}
}

/* ---- sources ---- */

static void tell_leds(struct device *d)
{
	struct msg m = { .op = FILE_WRITE, .in = d->leds, .in_len = sizeof(d->leds) };

	if (!d->has_leds || d->telling || !d->source.file || d->told == head.keys.locks)
		return;
	for (uint32_t i = 0; i <= LED_SCROLLL; i++)
		d->leds[i] = (struct input_event){ .type = EV_LED, .code = (uint16_t)i, .value = head.keys.locks >> i & 1 };
	if (ipc_submit(d->source.file, &m, svc.port, TOKEN_LEDS + (uint64_t)(d - devices)) < 0)
		return;
	d->telling = true;
	d->told = head.keys.locks;
}

static bool is_there(size_t source)
{
	return source < FIXED || head.there >> source & 1;
}

/* One of those that come and go has gone. */
static void leave(size_t source)
{
	struct device *d = &devices[source];

	release_all(source);
	head.there &= ~(1u << source);
	head.taken[source] = 0;
	save();
	(void)!shelf_clear(state.shelf, (uint32_t)source);
	if (d->source.file)
		file_close(d->source.file);
	d->source.file = 0;
}

static void read_more(size_t source)
{
	struct device *d = &devices[source];

	if (!is_there(source))
		return;
	status_t st = source_ask(&d->source, svc.port, head.taken[source]);
	if (st == OK) {
		tell_leds(d);
		return;
	}
	if (source >= FIXED && !d->source.file) {
		leave(source);
		return;
	}
	if (st == ERR_NOT_FOUND || st == ERR_GONE)
		release_all(source);
	(void)!notify_timer(timer, 0, now_ns() + RETRY_NS, 0);
}

static void on_read_done(size_t source, struct event *e)
{
	struct device *d = &devices[source];
	size_t n;

	if (d->replaced && e->status < 0) {
		/* What has become of the Session before says nothing of this one. */
		d->replaced = d->source.asked = false;
		read_more(source);
		return;
	}
	d->replaced = false;
	status_t st = source_done(&d->source, e, head.taken[source], &n);
	if (st == OK && n == 0)
		st = ERR_BAD_FORMAT;    /* asked again at once it might say so for ever */
	if (st == ERR_INVALID || st == ERR_GONE || st == ERR_NOT_FOUND)
		release_all(source);
	if (st == ERR_INVALID)
		head.taken[source] = 0; /* its maker lost its state, and began to count anew */
	if (st == SOURCE_OPENED)
		d->told = LEDS_UNKNOWN;
	if (st == SOURCE_OPENED && d->from_now) {
		head.taken[source] = d->source.newest;
		d->from_now = false;
	}
	for (size_t i = 0; i < n && st == OK; i++)
		on_event(source, &d->source.events[i]);
	save();
	if (source >= FIXED && !d->source.file)
		leave(source);
	else if (st < 0 && st != ERR_INVALID)
		(void)!notify_timer(timer, 0, now_ns() + RETRY_NS, 0);
	else
		read_more(source);
	stream_serve(&dir);
}

static void on_completion(void *self unused, struct event *e)
{
	if (e->cmd == TOKEN_REBOOT) {
		if (e->status < 0)
			log_print("the supervisor does not reboot: %s", error_text(e->status));
		rebooting = e->status >= 0;
	} else if (e->cmd >= TOKEN_LEDS && e->cmd < TOKEN_LEDS + SOURCES) {
		struct device *d = &devices[e->cmd - TOKEN_LEDS];
		d->telling = false;
		tell_leds(d);           /* they may have changed meanwhile */
	} else if (e->cmd >= TOKEN_READ && e->cmd < TOKEN_READ + SOURCES) {
		on_read_done(e->cmd - TOKEN_READ, e);
	}
}

static void on_notify(void *self unused, uint64_t badge unused, uint64_t bits unused)
{
	for (size_t i = 0; i < SOURCES; i++)
		read_more(i);
	stream_serve(&dir);
}

/* ---- sources that come and go ---- */

/* What a driver says of a device is shown to people: letters and nothing else, and a name that is one word. */
static bool good_text(const char *text, size_t size, char least)
{
	size_t n = strnlen(text, size);

	for (size_t i = 0; i < n; i++)
		if (text[i] < least || text[i] > '~')
			return false;
	return n < size;
}

static bool good_source(const struct input_source *w)
{
	return w->name[0] && good_text(w->name, sizeof(w->name), '!') && good_text(w->product, sizeof(w->product), ' ')
	       && !(w->flags & ~(uint32_t)INPUT_SOURCE_LEDS) && !w->reserved;
}

/* The one with that name, or else the first that is free; SOURCES: none. */
static size_t place_for(const char *name)
{
	size_t place = SOURCES;

	for (size_t i = FIXED; i < SOURCES; i++) {
		if (!is_there(i))
			place = MIN(place, i);
		else if (!strcmp(kept->what[i].name, name))
			return i;
	}
	return place;
}

static void use_source(size_t i, handle_t session)
{
	struct device *d = &devices[i];

	if (d->source.file)
		file_close(d->source.file);
	d->source.file = session;
	d->source.token = TOKEN_READ + i;
	d->replaced = d->source.asked;
	d->has_leds = kept->what[i].flags & INPUT_SOURCE_LEDS;
	d->told = LEDS_UNKNOWN;
	read_more(i);
}

static status_t announce(struct svc_cmd *c, uint64_t newest)
{
	struct input_source what;

	if (c->in_len != sizeof(what) || !c->handles[0])
		return ERR_INVALID;
	status_t st = svc_read_in(c->cmd, 0, &what, sizeof(what));
	if (st < 0)
		return st;
	if (!good_source(&what))
		return ERR_INVALID;
	size_t i = place_for(what.name);
	if (i == SOURCES)
		return ERR_NO_SPACE;
	st = shelf_put(state.shelf, (uint32_t)i, c->handles[0]);
	if (st < 0)
		return st;
	kept->what[i] = what;
	if (!is_there(i)) {
		head.there |= 1u << i;
		head.taken[i] = newest;
		save();
	}
	use_source(i, c->handles[0]);
	c->handles[0] = 0;
	stream_serve(&dir);
	return OK;
}

static bool is_recorded(void *ctx unused, uint32_t slot)
{
	return slot < SOURCES && is_there(slot);
}

/* Those that an instance before us knew. */
static void sources_take(void)
{
	head.there &= (1u << SOURCES) - (1u << FIXED);
	for (size_t i = FIXED; i < SOURCES; i++) {
		handle_t session;
		if (!is_there(i))
			continue;
		if (good_source(&kept->what[i]) && shelf_get(state.shelf, (uint32_t)i, &session) == OK)
			use_source(i, session);
		else
			leave(i);
	}
	MUST(state_sweep(&state, is_recorded, NULL));
}

/* ---- commands ---- */

static status_t on_open(void *self unused, struct svc_cmd *c, const struct file_open_req *q, struct file_open_rep *p)
{
	if (c->badge == FILE_SOURCES && (!c->path || !c->path[strspn(c->path, "/")])) {
		p->type = FILE_DEVICE;
		c->mint = true;
		c->mint_badge = FILE_SOURCES;
		c->mint_rights = RIGHT_CALL | RIGHT_DUP | RIGHT_TRANSFER | (q->flags & OPEN_WRITE ? c->rights & RIGHT_WRITE : 0);
		return OK;
	}
	status_t st = stream_open(&dir, c, q, p);
	/* For whoever begins to read here, and cannot ask. */
	if (st == OK && c->mint_badge == FILE_EVENTS && head.keys.locks) {
		put_locks(now_ns(), 0);
		ring_put(&ring, now_ns(), EV_SYN, SYN_REPORT, 0);
		save();
		stream_serve(&dir);
	}
	return st;
}

static status_t read_devices(struct svc_cmd *c, uint64_t offset, uint64_t *done)
{
	char text[SOURCES * (INPUT_SOURCE_NAME + INPUT_SOURCE_PRODUCT + 16)];
	size_t n = 0;

	for (size_t i = 0; i < SOURCES; i++) {
		const char *name = i < FIXED ? devices[i].source.uri : kept->what[i].name, *product = i < FIXED ? "" : kept->what[i].product;
		if (is_there(i))
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%-15s %s%s%s\n", name, devices[i].source.file ? "present" : "absent",
			                      product[0] ? " " : "", product);
	}
	return svc_read_from(c, offset, text, n, done);
}

static status_t on_read(void *self unused, struct svc_cmd *c, const struct file_read_req *q, struct file_read_rep *p)
{
	char text[NAME_SIZE + 1];

	state_good(&state);
	switch (c->badge) {
	case FILE_KEYMAP:
		return svc_read_from(c, q->offset, text, (size_t)snprintf(text, sizeof(text), "%s\n", map_name), &p->done);
	case FILE_DEVICES:
		return read_devices(c, q->offset, &p->done);
	default:
		return stream_read(&dir, c, q, p);
	}
}

static status_t on_write(void *self unused, struct svc_cmd *c, const struct file_write_req *q unused, struct file_write_rep *p)
{
	char name[NAME_SIZE] = { 0 };

	if (c->badge == 0)
		return ERR_IS_DIRECTORY;
	if (c->badge != FILE_KEYMAP)
		return ERR_NOT_SUPPORTED;
	if (c->in_len >= sizeof(name))
		return ERR_TOO_LONG;
	status_t st = svc_read_in(c->cmd, 0, name, c->in_len);
	if (st < 0)
		return st;
	if (memchr(name, 0, c->in_len))
		return ERR_INVALID;
	name[strcspn(name, " \t\r\n")] = 0;
	st = use_map(name);
	if (st < 0)
		return st;
	memcpy(head.map, name, sizeof(name));
	head.keys.dead = 0;
	head.keys.compose = 0;
	save();
	p->done = c->in_len;
	return OK;
}

static status_t on_ctl(void *self unused, struct svc_cmd *c, const struct file_ctl_req *q, struct file_ctl_rep *p unused)
{
	if (c->badge != FILE_SOURCES || q->code != CTL_INPUT_SOURCE)
		return ERR_NOT_SUPPORTED;
	return c->rights & RIGHT_WRITE ? announce(c, q->arg0) : ERR_DENIED;
}

/* ---- start ---- */

static void state_take(void)
{
	MUST(state_open(&state, STATE_VERSION, sizeof(*kept)));
	kept = state.memory;
	commit = (struct commit){ .copies = kept->head, .which = &kept->which, .size = sizeof(head) };
	ring.slots = kept->events;
	commit_load(&commit, &head);
	head.map[NAME_SIZE - 1] = 0;
	head.keys.locks &= LEDS;
	if (!state.shelf)
		rt_panic("its manifest gives it no shelf");
	for (size_t i = 0; i < FIXED; i++)
		devices[i].from_now = state.fresh;
}

static const struct file_ops ops = {
	.open = on_open, .read = on_read, .write = on_write, .stat = stream_stat, .readdir = stream_readdir, .ctl = on_ctl,
};

int main(int argc unused, char **argv unused)
{
	stream_init(&dir);
	state_take();
	MUST(svc_init(&svc, &file_proto, &ops, &dir));
	svc.on_notify = on_notify;
	svc.on_cancel = stream_cancel;
	svc.on_completion = on_completion;
	MUST(svc_notify(&svc, BADGE_TIMER, &timer));
	MUST(port_reserve(svc.port, 2 * SOURCES + 1));
	choose_map();
	sources_take();
	status_t st = file_open("svc://", OPEN_READ | OPEN_WRITE, &initd);
	if (st < 0)
		log_print("svc://: %s: Ctrl-Alt-Del will do nothing", error_text(st));
	/* Opens the sources. What an alarm needs is there from now on, so setting it again cannot fail. */
	MUST(notify_timer(timer, 0, now_ns(), 0));
	return (int)svc_run(&svc);
}
