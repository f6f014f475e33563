/*
 * Expected: all keys with their releases in both sets, the keys with prefixes, Pause and PrintScreen, invented shifts left out,
 * and after any nonsense the next whole code is understood.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "scan.c"

static char seen[256];

static void feed(uint8_t set, const char *bytes, size_t n)
{
	struct scan s = { .set = set };
	uint16_t code;
	bool down;

	seen[0] = 0;
	for (size_t i = 0; i < n; i++) {
		enum scan_result r = scan_byte(&s, (uint8_t)bytes[i], &code, &down);
		char text[16] = "";
		if (r == SCAN_KEY)
			snprintf(text, sizeof(text), "%c%u ", down ? '+' : '-', code);
		else if (r != SCAN_MORE)
			snprintf(text, sizeof(text), r == SCAN_LOST ? "lost " : "plugged ");
		strcat(seen, text);
	}
}

#define EXPECT(set, bytes, text) (feed(set, bytes, sizeof(bytes) - 1), assert_string_equal(seen, text))

static void test_set_2(void **state unused)
{
	EXPECT(2, "\x1c\xf0\x1c", "+30 -30 ");                          /* A */
	EXPECT(2, "\x76\x5a\x29\x83\x07", "+1 +28 +57 +65 +88 ");       /* Esc Enter Space F7 F12 */
	EXPECT(2, "\xe0\x75\xe0\xf0\x75", "+103 -103 ");                /* Up */
	EXPECT(2, "\xe0\x14\xe0\x11\xe0\x5a\xe0\x4a", "+97 +100 +96 +98 ");
	EXPECT(2, "\xe0\x1f\xe0\x27\xe0\x2f", "+125 +126 +127 ");
	EXPECT(2, "\x61\xf0\x61", "+86 -86 ");
	EXPECT(2, "\xe0\x12\xe0\x7c\xe0\xf0\x7c\xe0\xf0\x12", "+99 -99 ");      /* PrintScreen */
	EXPECT(2, "\x84\xf0\x84", "+99 -99 ");
	EXPECT(2, "\xe1\x14\x77\xe1\xf0\x14\xf0\x77", "+119 -119 ");    /* Pause */
	EXPECT(2, "\xe0\x7e\xe0\xf0\x7e", "+119 -119 ");                /* Ctrl-Pause */
	EXPECT(2, "\xe0\x21\xe0\x32\xe0\x23", "+114 +115 +113 ");       /* volume */
}

static void test_set_1(void **state unused)
{
	EXPECT(1, "\x1e\x9e", "+30 -30 ");
	EXPECT(1, "\xe0\x48\xe0\xc8", "+103 -103 ");
	EXPECT(1, "\xe0\x2a\xe0\x37\xe0\xb7\xe0\xaa", "+99 -99 ");
	EXPECT(1, "\xe1\x1d\x45\xe1\x9d\xc5", "+119 -119 ");
	EXPECT(1, "\x2a\xaa", "+42 -42 ");                              /* no self-test passed */
	EXPECT(1, "\x57\x58\x56", "+87 +88 +86 ");
}

static void test_nonsense(void **state unused)
{
	EXPECT(2, "\x00\x1c", "lost +30 ");
	EXPECT(2, "\xff\x1c", "lost +30 ");
	EXPECT(2, "\xaa\x1c", "plugged +30 ");
	EXPECT(2, "\xfa\xfe\xee\x1c", "+30 ");
	EXPECT(2, "\xf0\xe0\x75", "+103 ");
	EXPECT(2, "\xe1\xe1\x1c", "");
	EXPECT(2, "\xe1\x14\x1c\x1c", "+30 ");
}

/* Each code of set 1 below 0x54 comes of exactly one of set 2. */
static void test_the_tables_agree(void **state unused)
{
	unsigned count[128] = { 0 };

	for (size_t i = 0; i < sizeof(set1_of); i++)
		count[set1_of[i]]++;
	for (unsigned code = 1; code <= 0x53; code++)
		assert_int_equal(count[code], 1);
	for (unsigned code = 0x54; code < 0x80; code++)
		assert_true(count[code] <= 1);
}

/* No code is both of two keys that a keyboard has, but for SysRq and Pause, which have two codes. */
static void test_no_key_twice(void **state unused)
{
	unsigned count[256] = { 0 };

	for (unsigned code = 1; code < 0x80; code++) {
		count[code <= 0x53 ? code : plain[code]]++;
		count[extended[code]]++;
	}
	for (unsigned code = 1; code < 256; code++)
		assert_true(count[code] <= (code == KEY_SYSRQ ? 2u : 1u));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set_2), cmocka_unit_test(test_set_1), cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_the_tables_agree), cmocka_unit_test(test_no_key_twice),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
