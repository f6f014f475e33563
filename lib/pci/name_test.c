/*
 * name_test: names of places. Expected: every place has a name that leads back to it; whatever is not written just so names none,
 * and changes nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "name.c"

/* From memory of just that size, so that a read beyond it is seen. */
static bool parse(const char *text, size_t len, uint16_t *at)
{
	char *copy = malloc(len ? len : 1);

	memcpy(copy, text, len);
	bool good = pci_parse(copy, len, at);
	free(copy);
	return good;
}

static void there_and_back(void **s unused)
{
	char name[PCI_NAME_SIZE];
	uint16_t back = 0;

	pci_name(name, PCI_AT(0, 31, 2));
	assert_string_equal(name, "00:1f.2");
	pci_name(name, PCI_AT(0xff, 0, 7));
	assert_string_equal(name, "ff:00.7");
	for (uint32_t at = 0; at < 0x10000; at++) {
		pci_name(name, (uint16_t)at);
		assert_true(parse(name, strlen(name), &back));
		assert_int_equal(back, at);
	}
}

static void no_place(void **s unused)
{
	static const char *const bad[] = {
		"", "00:1f", "00:1f.", "00:1f.8", "00:20.0", "0:1f.2", "00-1f.2", "00:1f-2", "00:1F.2", "00:1f.22", "g0:00.0", "00:1f.2 ", "00:1f.2x", "/0:00.0", "00::0.0", "00:0`.0",
	};
	uint16_t at = 0x1234;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(parse(bad[i], strlen(bad[i]), &at));
	assert_false(parse("00:1f.2", 8, &at));         /* its zero is not part of it */
	assert_int_equal(at, 0x1234);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(there_and_back), cmocka_unit_test(no_place) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
