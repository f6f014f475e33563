/*
 * setup: see setup.h.
 */
#include "packet.h"
#include "setup.h"

enum { DISABLE = 0xf5, RESET = 0xff, RATE = 0xf3, IDENTIFY = 0xf2, RESOLUTION = 0xe8, REPORT = 0xf4 };
enum { ACK = 0xfa, RESEND = 0xfe, SELF_TEST_GOOD = 0xaa, SELF_TEST_BAD = 0xfc };
enum { TRIES = 3 };
enum setup_wait { FOR_ACK, FOR_PASSED, FOR_PASSED_ID, FOR_ID };

static const uint8_t script[] = {
	DISABLE,                        /* half a command that somebody left takes this for its argument, and not the reset */
	RESET,
	RATE, 200, RATE, 100, RATE, 80, IDENTIFY,
	RATE, 200, RATE, 200, RATE, 80, IDENTIFY,
	RATE, 100, RESOLUTION, 3, REPORT,
};

static enum setup_result send(struct setup *s, uint8_t *byte)
{
	s->wait = FOR_ACK;
	*byte = script[s->step];
	return SETUP_SEND;
}

static enum setup_result again(struct setup *s, uint8_t *byte)
{
	if (++s->tries >= TRIES)
		return SETUP_FAILED;
	/* An argument makes no sense without its command: from there. */
	if (s->step > 0 && (script[s->step - 1] == RATE || script[s->step - 1] == RESOLUTION))
		s->step--;
	return send(s, byte);
}

static enum setup_result next(struct setup *s, uint8_t *byte)
{
	s->tries = 0;
	if (++s->step == sizeof(script))
		return SETUP_DONE;
	return send(s, byte);
}

enum setup_result setup_begin(struct setup *s, uint8_t *byte)
{
	*s = (struct setup){ 0 };
	return send(s, byte);
}

enum setup_result setup_byte(struct setup *s, uint8_t from_mouse, uint8_t *byte)
{
	switch (s->wait) {
	case FOR_ACK:
		if (from_mouse == RESEND)
			return again(s, byte);
		if (from_mouse != ACK)
			return SETUP_WAIT;      /* what it reported before it heard us */
		if (script[s->step] == RESET || script[s->step] == IDENTIFY) {
			s->wait = script[s->step] == RESET ? FOR_PASSED : FOR_ID;
			return SETUP_WAIT;
		}
		return next(s, byte);
	case FOR_PASSED:
		if (from_mouse == SELF_TEST_BAD)
			return SETUP_FAILED;
		/* Anything else was on its way before the reset; from AA and its number on each byte answers one of ours. */
		if (from_mouse == SELF_TEST_GOOD)
			s->wait = FOR_PASSED_ID;
		return SETUP_WAIT;
	case FOR_PASSED_ID:
		if (from_mouse != MOUSE_PLAIN) {
			s->wait = from_mouse == SELF_TEST_GOOD ? FOR_PASSED_ID : FOR_PASSED;
			return SETUP_WAIT;
		}
		s->kind = MOUSE_PLAIN;
		return next(s, byte);
	default:
		s->kind = from_mouse == MOUSE_WHEEL || from_mouse == MOUSE_EXPLORER ? from_mouse : MOUSE_PLAIN;
		return next(s, byte);
	}
}

enum setup_result setup_timeout(struct setup *s, uint8_t *byte)
{
	return again(s, byte);
}

uint64_t setup_patience(const struct setup *s)
{
	return s->wait == FOR_PASSED || s->wait == FOR_PASSED_ID ? SETUP_RESET_NS : SETUP_ANSWER_NS;
}
