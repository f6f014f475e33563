/*
 * Expected: keys, movements and positions come out as evdev's events; what cannot be does not come out; two keyboards' keys are two; what a
 * device left in its queue is found, and nothing where the queue cannot be.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>
#include "decode.c"

static struct shape shape;
static struct decoder decoder;
static struct input_event e;

static int setup(void **state unused)
{
	memset(&shape, 0, sizeof(shape));
	memset(&decoder, 0, sizeof(decoder));
	return 0;
}

static enum decoded say(struct decoder *d, uint16_t type, uint16_t code, int32_t value)
{
	return decode_event(&shape, d, &(struct raw_event){ type, code, (uint32_t)value }, &e);
}

static bool gives(uint16_t type, uint16_t code, int32_t value, int32_t wanted)
{
	return say(&decoder, type, code, value) == DECODED_EVENT && e.type == type && e.code == code && e.value == wanted;
}

static bool nothing(uint16_t type, uint16_t code, int32_t value)
{
	return say(&decoder, type, code, value) == DECODED_NOTHING;
}

static void test_keys(void **state unused)
{
	assert_true(gives(EV_KEY, 30, 1, KEY_DOWN));
	assert_true(gives(EV_SYN, SYN_REPORT, 77, 0));
	assert_true(nothing(EV_SYN, SYN_REPORT, 0));            /* a report of nothing */
	assert_true(gives(EV_KEY, 30, 1, KEY_REPEAT));
	assert_true(gives(EV_KEY, 30, 2, KEY_REPEAT));
	assert_true(gives(EV_KEY, 30, 0, KEY_UP));
	assert_true(nothing(EV_KEY, 30, 0));
	assert_true(gives(EV_KEY, 30, 2, KEY_DOWN));            /* its press was lost */
	assert_true(nothing(EV_KEY, 31, 3));
	assert_true(nothing(EV_KEY, 31, -1));
	assert_true(nothing(EV_KEY, 0, 1));
	assert_true(nothing(EV_KEY, INPUT_CODES, 1));
	assert_true(nothing(EV_KEY, 0xffff, 1));
	assert_true(gives(EV_KEY, BTN_LEFT, 1, KEY_DOWN));
	assert_true(nothing(EV_KEY, BTN_LEFT, 1));              /* buttons do not repeat */
	assert_true(gives(EV_KEY, BTN_LEFT, 0, KEY_UP));
	assert_true(nothing(EV_LED, 0, 1) && nothing(EV_MSC, 4, 1) && nothing(EV_TEXT, 0, 65) && nothing(0xffff, 0, 1));
	assert_int_equal(say(&decoder, EV_SYN, SYN_DROPPED, 0), DECODED_LOST);
}

static void test_two_and_release(void **state unused)
{
	struct decoder other = { 0 };
	uint32_t code = 0;

	assert_int_equal(say(&decoder, EV_KEY, 42, 1), DECODED_EVENT);
	assert_int_equal(say(&decoder, EV_KEY, INPUT_CODES - 1, 1), DECODED_EVENT);
	assert_int_equal(say(&other, EV_KEY, 42, 1), DECODED_EVENT);
	assert_int_equal(e.value, KEY_DOWN);
	assert_true(decode_release(&decoder, &code, &e) && e.code == 42 && e.value == KEY_UP && e.type == EV_KEY);
	assert_true(decode_release(&decoder, &code, &e) && e.code == INPUT_CODES - 1);
	assert_false(decode_release(&decoder, &code, &e));
	assert_true(decode_is_down(&other, 42));
	/* Bits beyond the codes, as a damaged Frame may have, are nothing. */
	memset(&decoder, 0xff, sizeof(decoder));
	for (code = 0; decode_release(&decoder, &code, &e);)
		assert_true(e.code < INPUT_CODES);
	assert_int_equal(code, INPUT_CODES);
}

static void axis(uint32_t code, int32_t least, int32_t most)
{
	int32_t info[5] = { least, most };

	decode_axis(&shape, code, (const uint8_t *)info, sizeof(info));
}

static void test_positions(void **state unused)
{
	axis(ABS_X, 0, 0x7fff);
	axis(ABS_Y, -100, 100);
	axis(2, INT32_MIN, INT32_MAX);
	axis(3, 5, 5);
	axis(4, 6, 5);
	axis(ABS_CODES, 0, 1);
	decode_axis(&shape, 5, (const uint8_t *)"12345678", 8);
	for (int32_t v = 0; v <= ABS_MOST; v += 31)
		assert_true(gives(EV_ABS, ABS_X, v, v));
	assert_true(gives(EV_ABS, ABS_X, -1, 0) && gives(EV_ABS, ABS_X, INT32_MAX, ABS_MOST) && gives(EV_ABS, ABS_X, INT32_MIN, 0));
	assert_true(gives(EV_ABS, ABS_Y, -100, 0) && gives(EV_ABS, ABS_Y, 0, ABS_MOST / 2) && gives(EV_ABS, ABS_Y, 100, ABS_MOST));
	assert_true(gives(EV_ABS, 2, INT32_MIN, 0) && gives(EV_ABS, 2, INT32_MAX, ABS_MOST));
	assert_true(nothing(EV_ABS, 3, 5) && nothing(EV_ABS, 4, 5) && nothing(EV_ABS, 5, 1) && nothing(EV_ABS, 63, 1) && nothing(EV_ABS, 64, 1)
	            && nothing(EV_ABS, 0xffff, 1));
	assert_true(gives(EV_REL, REL_X, -5, -5) && gives(EV_REL, REL_WHEEL, 1, 1) && nothing(EV_REL, REL_X, 0) && nothing(EV_REL, REL_CODES, 1));
}

static void test_what_it_is(void **state unused)
{
	uint8_t text[DECODE_CONFIG];

	decode_product(&shape, (const uint8_t *)"A\x1b[31m\xffkeyboard", 15);
	assert_string_equal(shape.product, "A?[31m?keyboard");
	decode_product(&shape, text, 0);
	assert_string_equal(shape.product, "");
	memset(text, 'x', sizeof(text));
	decode_product(&shape, text, sizeof(text));
	assert_int_equal(strlen(shape.product), sizeof(shape.product) - 1);
	assert_true(decode_has((const uint8_t *)"\x02", 1, 1) && !decode_has((const uint8_t *)"\x02", 1, 0) && !decode_has((const uint8_t *)"\xff", 1, 8));
	assert_int_equal(decode_count((const uint8_t *)"\x07\x80", 2), 4);
}

/* A queue of 4 with what a device has written: used index and entries; each descriptor's buffer is another one's. */
static _Alignas(16) uint8_t queue[VIRTQ_BYTES(64)];
static struct raw_event buffers[DECODE_QUEUE], out[DECODE_QUEUE];
enum { ADDRESS = 0x1000 };

static void used(uint16_t index, uint32_t i, uint32_t id, uint32_t length)
{
	memcpy(queue + VIRTQ_USED_AT(4) + 2, &index, sizeof(index));
	memcpy(queue + VIRTQ_USED_AT(4) + 4 + 8 * i, &(struct virtq_used){ id, length }, 8);
}

static void describe(uint32_t id, uint64_t address)
{
	memcpy(queue + 16 * id, &(struct virtq_desc){ .address = address }, 16);
}

static void test_left(void **state unused)
{
	memset(queue, 0, sizeof(queue));
	for (uint16_t i = 0; i < DECODE_QUEUE; i++)
		buffers[i] = (struct raw_event){ EV_KEY, i, 1 };
	for (uint32_t i = 0; i < 4; i++)
		describe(i, ADDRESS + 8 * (10 + i));
	used(0xfffe, 0, 0, 0);
	assert_int_equal(decode_left(queue, 4, buffers, ADDRESS, 0xfffe, out), 0);
	/* The index goes round. */
	used(0, 2, 3, 8);
	used(0, 3, 1, 8);
	used(1, 0, 2, 8);
	assert_int_equal(decode_left(queue, 4, buffers, ADDRESS, 0xfffe, out), 3);
	assert_true(out[0].code == 13 && out[1].code == 11 && out[2].code == 12);
	/* Up to what cannot be. */
	used(1, 3, 4, 8);
	assert_int_equal(decode_left(queue, 4, buffers, ADDRESS, 0xfffe, out), 1);
	used(1, 3, 1, 9);
	assert_int_equal(decode_left(queue, 4, buffers, ADDRESS, 0xfffe, out), 1);
	used(1, 3, 1, 8);
	describe(1, ADDRESS - 8);
	assert_int_equal(decode_left(queue, 4, buffers, ADDRESS, 0xfffe, out), 1);
	describe(1, ADDRESS + 8 * DECODE_QUEUE);
	assert_int_equal(decode_left(queue, 4, buffers, ADDRESS, 0xfffe, out), 1);
	describe(1, UINT64_MAX);
	assert_int_equal(decode_left(queue, 4, buffers, ADDRESS, 0xfffe, out), 1);
	/* More than there are, and queues that are none. */
	assert_int_equal(decode_left(queue, 4, buffers, ADDRESS, 0xfffc, out), 0);
	assert_int_equal(decode_left(queue, 0, buffers, ADDRESS, 0, out), 0);
	assert_int_equal(decode_left(queue, 3, buffers, ADDRESS, 0, out), 0);
	assert_int_equal(decode_left(queue, 128, buffers, ADDRESS, 0, out), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_keys, setup), cmocka_unit_test_setup(test_two_and_release, setup), cmocka_unit_test_setup(test_positions, setup),
		cmocka_unit_test_setup(test_what_it_is, setup), cmocka_unit_test_setup(test_left, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
