/*
 * Expected: packets of all three kinds with signs, overflow, wheel and five buttons; resynchronisation after any lost byte; a mouse
 * that is plugged in is noticed. The setup brings fake mice of each kind to report, whatever they send in between, asks again where a
 * mouse wants that, and ends when none answers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>
#include <string.h>
#include "packet.c"
#include "setup.c"

static struct movement m;

static enum packet_result feed(struct packet *p, const char *bytes, size_t n)
{
	enum packet_result r = PACKET_MORE;

	for (size_t i = 0; i < n; i++)
		r = packet_byte(p, p->time_ns + NS_PER_MS, (uint8_t)bytes[i], &m);
	return r;
}
#define FEED(p, bytes) feed(p, bytes, sizeof(bytes) - 1)

static void expect(int dx, int dy, int wheel, unsigned buttons)
{
	assert_int_equal(m.dx, dx);
	assert_int_equal(m.dy, dy);
	assert_int_equal(m.wheel, wheel);
	assert_int_equal(m.buttons, buttons);
}

static void test_packets(void **state unused)
{
	struct packet p = { .kind = MOUSE_PLAIN };

	assert_int_equal(FEED(&p, "\x09\x05\x07"), PACKET_DONE);
	expect(5, -7, 0, 1);
	assert_int_equal(FEED(&p, "\x3e\xff\xfe"), PACKET_DONE);
	expect(-1, 2, 0, 6);
	assert_int_equal(FEED(&p, "\xc8\xff\x01"), PACKET_DONE);
	expect(0, 0, 0, 0);
	p = (struct packet){ .kind = MOUSE_WHEEL };
	assert_int_equal(FEED(&p, "\x08\x01\x01\xff"), PACKET_DONE);
	expect(1, -1, 1, 0);
	p = (struct packet){ .kind = MOUSE_EXPLORER };
	assert_int_equal(FEED(&p, "\x08\x00\x00\x31"), PACKET_DONE);
	expect(0, 0, -1, 0x18);
	assert_int_equal(FEED(&p, "\x08\x00\x00\x0f"), PACKET_DONE);
	expect(0, 0, 1, 0);
}

static void test_lost_bytes(void **state unused)
{
	for (size_t lost = 1; lost < 4; lost++) {
		struct packet p = { .kind = MOUSE_WHEEL };
		/* The rest of a packet, then silence: the next is whole. */
		feed(&p, &"\x08\x01\x02\x00"[lost], 4 - lost);
		p.time_ns += PACKET_GAP_NS;
		assert_int_equal(FEED(&p, "\x08\x04\x05\x00"), PACKET_DONE);
		expect(4, -5, 0, 0);
	}
	struct packet p = { .kind = MOUSE_PLAIN };
	assert_int_equal(FEED(&p, "\x00\x01\x02"), PACKET_LOST);
	assert_int_equal(FEED(&p, "\x08\x01\x02"), PACKET_DONE);
	p = (struct packet){ .kind = MOUSE_EXPLORER };
	assert_int_equal(FEED(&p, "\x08\x01\x02\xc8"), PACKET_LOST);
	assert_int_equal(p.n, 0);
}

static void test_plugged_in(void **state unused)
{
	struct packet p = { .kind = MOUSE_WHEEL };

	FEED(&p, "\xaa\x00");
	assert_int_equal(packet_silence(&p, p.time_ns), PACKET_MORE);
	assert_int_equal(packet_silence(&p, p.time_ns + PACKET_GAP_NS), PACKET_PLUGGED);
	assert_int_equal(FEED(&p, "\xaa\x00\x01\x00"), PACKET_DONE);
}

/* ---- a fake mouse ---- */

struct fake { uint8_t can, kind, rates[3]; bool wants_rate, wants_argument, reports; uint8_t out[8]; unsigned n, resends; };

static void fake_gets(struct fake *f, uint8_t byte)
{
	if (f->resends) {
		f->resends--;
		f->out[f->n++] = RESEND;
		return;
	}
	f->out[f->n++] = ACK;
	if (f->wants_rate) {
		memmove(f->rates, f->rates + 1, 2);
		f->rates[2] = byte;
		if (f->can >= 3 && !memcmp(f->rates, "\xc8\x64\x50", 3))
			f->kind = 3;
		if (f->can >= 4 && !memcmp(f->rates, "\xc8\xc8\x50", 3))
			f->kind = 4;
		f->wants_rate = false;
	} else if (f->wants_argument) {
		f->wants_argument = false;
	} else if (byte == RESET) {
		f->kind = 0;
		f->out[f->n++] = PASSED;
		f->out[f->n++] = 0;
	} else if (byte == IDENTIFY) {
		f->out[f->n++] = f->kind;
	} else if (byte == REPORT) {
		f->reports = true;
	}
	f->wants_rate = byte == RATE && f->out[0] == ACK && !f->wants_rate;
	f->wants_argument = byte == RESOLUTION;
}

static enum setup_result converse(struct fake *f, struct setup *s)
{
	uint8_t byte;
	enum setup_result r = setup_begin(s, &byte);

	for (int i = 0; i < 1000 && (r == SETUP_SEND || r == SETUP_WAIT); i++) {
		if (r == SETUP_SEND) {
			f->n = 0;
			fake_gets(f, byte);
		}
		r = SETUP_WAIT;
		for (unsigned k = 0; k < f->n && r == SETUP_WAIT; k++)
			r = setup_byte(s, f->out[k], &byte);
		if (r == SETUP_WAIT)
			r = setup_timeout(s, &byte);
	}
	return r;
}

static void test_setup(void **state unused)
{
	static const uint8_t can[] = { 0, 3, 4 };

	for (size_t i = 0; i < sizeof(can); i++)
		for (unsigned resends = 0; resends < 3; resends++) {
			struct fake f = { .can = can[i], .resends = resends };
			struct setup s;
			assert_int_equal(converse(&f, &s), SETUP_DONE);
			assert_int_equal(s.kind, can[i]);
			assert_true(f.reports);
		}
}

static void test_no_mouse(void **state unused)
{
	struct setup s;
	uint8_t byte;
	int sent = 1;

	assert_int_equal(setup_begin(&s, &byte), SETUP_SEND);
	while (setup_timeout(&s, &byte) == SETUP_SEND)
		assert_true(++sent < 10);
	assert_int_equal(sent, TRIES);
	setup_begin(&s, &byte);
	assert_int_equal(setup_byte(&s, ACK, &byte), SETUP_SEND);
	assert_int_equal(byte, RESET);
	setup_byte(&s, ACK, &byte);
	assert_int_equal(setup_patience(&s), SETUP_RESET_NS);
	assert_int_equal(setup_byte(&s, 0xfc, &byte), SETUP_FAILED);
}

/* What it was reporting goes by before the first acknowledgement. */
static void test_chatter(void **state unused)
{
	struct setup s;
	uint8_t byte;

	setup_begin(&s, &byte);
	for (const char *c = "\x08\x01\x02"; *c; c++)
		assert_int_equal(setup_byte(&s, (uint8_t)*c, &byte), SETUP_WAIT);
	assert_int_equal(setup_byte(&s, ACK, &byte), SETUP_SEND);
	assert_int_equal(byte, RESET);
	assert_int_equal(setup_byte(&s, ACK, &byte), SETUP_WAIT);
	assert_int_equal(setup_byte(&s, PASSED, &byte), SETUP_WAIT);
	assert_int_equal(setup_byte(&s, 0, &byte), SETUP_SEND);
	assert_int_equal(byte, RATE);
}

/* A conversation that another instance began: its answers come late, and its last command still waits for an argument. */
static void test_left_by_another(void **state unused)
{
	for (unsigned late = 0; late < 4; late++) {
		struct setup s;
		uint8_t byte;
		setup_begin(&s, &byte);
		for (unsigned i = 0; i < late; i++)
			setup_byte(&s, "\xfa\x03\xfa\xaa"[i], &byte);
		while (s.wait == FOR_ACK)
			setup_byte(&s, ACK, &byte);
		assert_int_equal(setup_byte(&s, ACK, &byte), SETUP_WAIT);
		assert_int_equal(setup_byte(&s, PASSED, &byte), SETUP_WAIT);
		assert_int_equal(setup_byte(&s, 0, &byte), SETUP_SEND);
		assert_int_equal(byte, RATE);
		assert_int_equal(s.step, 2);
	}
	struct fake f = { .can = 4, .wants_rate = true };
	struct setup s;
	assert_int_equal(converse(&f, &s), SETUP_DONE);
	assert_int_equal(s.kind, 4);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_packets), cmocka_unit_test(test_lost_bytes), cmocka_unit_test(test_plugged_in),
		cmocka_unit_test(test_setup), cmocka_unit_test(test_no_mouse), cmocka_unit_test(test_chatter), cmocka_unit_test(test_left_by_another),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
