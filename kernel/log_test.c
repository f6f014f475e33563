/* log_test: prefixes, cleaning of foreign text, byte numbers across the ring's end, console switches. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "format.c"
#include "log.c"

static char     serial_text[4096], screen_text[4096];
static size_t   serial_len, screen_len;
static unsigned resets;
static uint64_t now;
uint64_t clock_tsc_hz;

uint64_t clock_ns(void) { return now; }
keeps_registers void spin_wait(struct spinlock *l) { (void)l; abort(); }        /* one thread: nothing may be held */
void fbcon_reset(void) { resets++; }
void serial_write(const char *t, size_t n) { memcpy(serial_text + serial_len, t, n); serial_len += n; }
void fbcon_write(const char *t, size_t n) { memcpy(screen_text + screen_len, t, n); screen_len += n; }

/* What the ring says after byte *seq, as a string. */
static const char *rest(uint64_t *seq)
{
	static char buf[LOG_RING_BYTES + 1];
	buf[log_copy(seq, buf, LOG_RING_BYTES)] = 0;
	return buf;
}

static int fresh(void **state)
{
	(void)state;
	ring_end = 0;
	serial_len = screen_len = resets = 0;
	to_serial = to_screen = serial_taken = screen_taken = false;
	clock_tsc_hz = now = 0;
	return 0;
}

static void test_prefix(void **state)
{
	(void)state;
	uint64_t seq = 0;
	now = 5 * NS_PER_SEC;
	klog("early %d", 1);
	clock_tsc_hz = 1;
	now = 61 * NS_PER_SEC + 7 * NS_PER_MS + 999;
	klog("late");
	assert_string_equal(rest(&seq), "[0.000] early 1\n[61.007] late\n");
	assert_int_equal(seq, ring_end);
	assert_string_equal(rest(&seq), "");
}

static void test_cleaning(void **state)
{
	(void)state;
	static const struct { const char *in, *out; } cases[] = {
		{ "tab\tesc\33[2J", "tab.esc.[2J" },
		{ "two\nlines\n", "two.lines" },
		{ "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8c\x8a", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8c\x8a" },
		{ "c1 \xc2\x9b", "c1 .." },
		{ "cut \xe2\x82", "cut .." },
		{ "overlong \xc0\xaf \xe0\x80\xaf", "overlong .. ..." },
		{ "surrogate \xed\xa0\x80", "surrogate ..." },
		{ "past \xf4\x90\x80\x80 \xff", "past .... ." },
		{ "del\x7f", "del." },
		{ "", "" },
	};
	uint64_t seq = 0;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char want[128];
		snprintf(want, sizeof(want), "[0.000] %s\n", cases[i].out);
		log_append(cases[i].in, strlen(cases[i].in));
		assert_string_equal(rest(&seq), want);
	}
}

static void test_too_long(void **state)
{
	(void)state;
	char text[2000];
	uint64_t seq = 0;
	memset(text, 'a', sizeof(text));
	log_append(text, sizeof(text));
	assert_int_equal(strlen(rest(&seq)), 8 + TEXT_MAX + 1);
	klog("%.*s", (int)sizeof(text), text);
	assert_int_equal(strlen(rest(&seq)), 8 + TEXT_MAX + 1);
}

static void test_wrap(void **state)
{
	(void)state;
	uint64_t seq = 0;
	while (ring_end < 3 * LOG_RING_BYTES)
		klog("%lu", ring_end);                  /* each line tells the number of its first byte */
	uint64_t from = seq;
	const char *text = rest(&seq);
	from = seq - strlen(text);
	assert_int_equal(strlen(text), LOG_RING_BYTES);
	assert_int_equal(from, ring_end - LOG_RING_BYTES);
	const char *line = strchr(text, '\n') + 1;
	assert_int_equal(strtoull(line + 8, NULL, 10), from + (uint64_t)(line - text));

	/* In small steps the same bytes come out. */
	uint64_t step = from;
	char piece[7];
	for (size_t at = 0, n; (n = log_copy(&step, piece, sizeof(piece))) > 0; at += n)
		assert_memory_equal(piece, text + at, n);
	assert_int_equal(step, ring_end);

	uint64_t future = UINT64_MAX;
	assert_int_equal(log_copy(&future, piece, sizeof(piece)), 0);
	assert_int_equal(future, ring_end);
}

static void test_consoles(void **state)
{
	(void)state;
	klog("early");
	log_console(true, false);
	klog("serial");
	log_console(true, true);
	klog("both");
	log_serial_off();
	klog("screen");
	assert_int_equal(resets, 0);
	log_console(false, false);
	assert_int_equal(resets, 1);
	klog("nobody");
	log_serial_off();
	serial_text[serial_len] = screen_text[screen_len] = 0;
	assert_string_equal(serial_text, "[0.000] early\n[0.000] serial\n[0.000] both\n");
	assert_string_equal(screen_text, "[0.000] early\n[0.000] serial\n[0.000] both\n[0.000] screen\n");
}

/* In a quiet boot somebody had to speak after all. */
static void test_loud(void **state)
{
	(void)state;
	klog("early");
	log_loud();
	klog("both");
	log_serial_off();
	log_screen_off();
	klog("nobody");
	log_loud();
	klog("still nobody");
	serial_text[serial_len] = screen_text[screen_len] = 0;
	assert_string_equal(serial_text, "[0.000] early\n[0.000] both\n");
	assert_string_equal(screen_text, "[0.000] early\n[0.000] both\n");
}

static void test_screen_taken(void **state)
{
	(void)state;
	log_console(true, true);
	klog("both");
	log_screen_off();
	klog("serial");
	assert_int_equal(resets, 1);
	serial_text[serial_len] = screen_text[screen_len] = 0;
	assert_string_equal(serial_text, "[0.000] both\n[0.000] serial\n");
	assert_string_equal(screen_text, "[0.000] both\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_prefix, fresh), cmocka_unit_test_setup(test_cleaning, fresh),
		cmocka_unit_test_setup(test_too_long, fresh), cmocka_unit_test_setup(test_wrap, fresh),
		cmocka_unit_test_setup(test_consoles, fresh), cmocka_unit_test_setup(test_screen_taken, fresh),
		cmocka_unit_test_setup(test_loud, fresh),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
