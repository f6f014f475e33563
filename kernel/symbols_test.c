/*
 * symbols_test: a small table in the format of tools/mksyms.py, looked up at and around every border;
 * then the same table cut and scrambled, where anything may be found but nothing read outside (ASan).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "format.c"
#include "symbols.c"

const uint8_t __text_start[1];

/*
 * a.c = 1, b.c = 2. first: 0x10..0x20, a.c:10, from 0x14 b.c:300, from 0x18 a.c:9. second: 0x20..0x22, b.c:5,
 * nothing known from 0x22 on. far: 0x1000, 0x80 bytes, no lines.
 */
static const char names[] = "a.c\0b.c\0\0" "\21\20first\0" "\21\2second\0" "\341\37\200\1far\0";
static const char rows[] = "\41\1\12" "\11\2\242\2" "\11\1\335\175" "\21\2\174" "\5\0\0";

static uint8_t *make(size_t *len)
{
	struct symbols_header h = { SYMBOLS_MAGIC, 0, 0, 0 };
	h.lines_at = sizeof(h) + sizeof(names);         /* with the last zero: no more functions */
	h.bytes = h.lines_at + sizeof(rows) - 1;
	uint8_t *table = malloc(h.bytes);
	memcpy(table, &h, sizeof(h));
	memcpy(table + sizeof(h), names, sizeof(names));
	memcpy(table + h.lines_at, rows, sizeof(rows) - 1);
	*len = h.bytes;
	return table;
}

static void test_lookup(void **state)
{
	(void)state;
	static const struct { uint64_t address; const char *want; } cases[] = {
		{ 0, NULL }, { 0xf, NULL },
		{ 0x10, "first+0x0 (a.c:10)" }, { 0x13, "first+0x3 (a.c:10)" }, { 0x14, "first+0x4 (b.c:300)" },
		{ 0x18, "first+0x8 (a.c:9)" }, { 0x1f, "first+0xf (a.c:9)" },
		{ 0x20, "second+0x0 (b.c:5)" }, { 0x21, "second+0x1 (b.c:5)" }, { 0x22, NULL },
		{ 0xfff, NULL }, { 0x1000, "far+0x0" }, { 0x107f, "far+0x7f" }, { 0x1080, NULL }, { UINT64_MAX, NULL },
	};
	size_t   len;
	uint8_t *table = make(&len);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char buf[64];
		bool found = look_up(table, cases[i].address, buf, sizeof(buf));
		assert_int_equal(found, cases[i].want != NULL);
		if (found)
			assert_string_equal(buf, cases[i].want);
	}
	char small[8];
	assert_true(look_up(table, 0x10, small, sizeof(small)));
	assert_string_equal(small, "first+0");
	free(table);
}

static void test_empty(void **state)
{
	(void)state;
	char buf[8];
	assert_false(symbol_format((uint64_t)__text_start, buf, sizeof(buf)));
}

static void test_broken(void **state)
{
	(void)state;
	char buf[64];
	size_t len;
	srand(1);
	for (int round = 0; round < 20000; round++) {
		uint8_t *whole = make(&len);
		size_t keep = sizeof(struct symbols_header) + (size_t)rand() % (len - sizeof(struct symbols_header) + 1);
		uint8_t *table = malloc(keep);
		memcpy(table, whole, keep);
		free(whole);
		struct symbols_header *h = (struct symbols_header *)table;
		h->bytes = (uint32_t)keep;              /* true length; all else may lie */
		if (rand() % 2)
			h->lines_at = (uint32_t)rand() % (uint32_t)(2 * len);
		for (int n = rand() % 4; n > 0 && keep > sizeof(*h); n--)
			table[sizeof(*h) + (size_t)rand() % (keep - sizeof(*h))] = (uint8_t)rand();
		look_up(table, (uint64_t)rand() % 0x1100, buf, sizeof(buf));
		free(table);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lookup), cmocka_unit_test(test_empty), cmocka_unit_test(test_broken),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
