/*
 * keys: see keys.h.
 *
 * Killed at any instant: an event is typed and saved in its terminal first, under its number, and counts as seen after that; should it
 * come again it changes what is held and locked again, and types nothing (vts_type).
 */
#include "keys.h"
#include <abi/file.h>
#include <rt/io.h>
#include <rt/start.h>
#include <stream/commit.h>
#include "screen.h"
#include "shells.h"
#include "vt.h"

#define KEY_F1   59u
#define RETRY_NS (1000 * NS_PER_MS)

static struct keys_head head;
static struct commit kept_heads;
static handle_t port, retry;
static uint32_t retry_bit;
static struct source source = { .uri = "input://events", .flags = OPEN_READ };

static void save(void)
{
	commit_save(&kept_heads, &head);
}

uint32_t keys_front(void)
{
	return head.front;
}

/* ---- events ---- */

/* A program that asked is told that its terminal has come to the front, or left it. */
static void tell_focus(uint32_t i, uint64_t event, bool in)
{
	uint8_t bytes[TERM_KEY_BYTES];

	if (vts_opened(i))
		vts_type(i, event, bytes, term_focus(vts_term(i), in, bytes));
}

static void bring_to_front(uint32_t i, uint64_t event)
{
	struct terminal *t;
	status_t st = vts_open(i, &t);

	if (st < 0) {
		log_print("terminal %u cannot be shown: %s", i + 1, error_text(st));
		return;
	}
	shells_want(i);
	if (i == head.front)
		return;
	tell_focus(head.front, event, false);
	head.front = (uint8_t)i;
	screen_show(vts_term(i));
	tell_focus(i, event, true);
}

/* Whether it chooses a terminal, and so is not for any. */
static bool chooses(const struct input_event *e)
{
	if (e->type == EV_SYN && e->code == SYN_DROPPED)
		head.alt = 0;           /* what was released meanwhile nobody knows */
	if (e->type != EV_KEY)
		return false;
	/* Either: function keys have no other meaning with AltGr. */
	uint8_t alt = e->code == KEY_LEFTALT ? 1 : e->code == KEY_RIGHTALT ? 2 : 0;
	head.alt = (uint8_t)(e->value == KEY_UP ? head.alt & ~alt : head.alt | alt);
	return head.alt && e->value != KEY_UP && e->code >= KEY_F1 && e->code < KEY_F1 + VTS;
}

static void on_event(const struct input_event *e)
{
	uint8_t bytes[TERM_KEY_BYTES];

	if (chooses(e))
		bring_to_front((uint32_t)e->code - KEY_F1, e->seq);
	else if (vts_opened(head.front))
		vts_type(head.front, e->seq, bytes, term_event(vts_term(head.front), &head.keyboard, e->type, e->code, e->value, bytes));
	head.seen = e->seq;
	save();
}

/* ---- the stream ---- */

static void later(void)
{
	uint64_t now = 0;

	(void)!clock_now(&now);
	(void)!notify_timer(retry, retry_bit, now + RETRY_NS, 0);
}

/* Keys that were down may be released where nobody hears it, and locks are off. */
static void let_go(void)
{
	head.keyboard.held = head.keyboard.numlock = 0;
	head.alt = 0;
}

void keys_go(void)
{
	if (source_ask(&source, port, head.seen) < 0)
		later();
}

void keys_done(struct event *e)
{
	size_t n;
	status_t st = source_done(&source, e, head.seen, &n);

	if (st == ERR_INVALID) {        /* inputd lost its state, and began to count anew */
		let_go();
		vts_forget_events();
		head.seen = 0;
	}
	if (st == SOURCE_OPENED && !head.begun) {
		head.seen = source.newest;
		head.begun = 1;
	}
	if (st != OK)
		save();
	for (size_t i = 0; i < n && st == OK; i++)
		on_event(&source.events[i]);
	if (st < 0 && st != ERR_INVALID)
		later();
	else
		keys_go();
}

void keys_init(struct keys_kept *kept, handle_t to, uint64_t token, handle_t timer, uint32_t bit)
{
	kept_heads = (struct commit){ .copies = kept->head, .which = &kept->which, .size = sizeof(head) };
	commit_load(&kept_heads, &head);
	head.front = head.front < VTS ? head.front : 0;
	port = to;
	source.token = token;
	retry = timer;
	retry_bit = bit;
}
