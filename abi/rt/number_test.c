/* number: strtol and its family agree with the host's, in value, end and errno. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>

/* Ours get other names; the host's stay for comparison. */
static int our_errno;
static int *our_location(void) { return &our_errno; }
#define strtoul our_strtoul
#define strtol our_strtol
#define strtoull our_strtoull
#define strtoll our_strtoll
#define __errno_location unused_location
#undef errno
#define errno (*our_location())
#include "number.c"
#undef strtoul
#undef strtol
#undef errno
#undef __errno_location
#define errno (*__errno_location())
extern int *__errno_location(void);

static const char *const texts[] = {
	"", " ", "0", "1", "-1", "+1", "  \t\n42xyz", "0x", "0x10", "0X1f", "0xg", "010", "08", "-0x8", "z", "--1", "+-1",
	"9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809",
	"18446744073709551615", "18446744073709551616", "-18446744073709551615", "99999999999999999999999999", "zzz", "7fffffff", "-",
};

static void same_as_host(void **state)
{
	(void)state;
	static const int bases[] = { 0, 2, 8, 10, 16, 36 };
	for (size_t t = 0; t < sizeof(texts) / sizeof(*texts); t++)
		for (size_t b = 0; b < 6; b++) {
			char *end, *our_end;
			errno = our_errno = 0;
			unsigned long u = strtoul(texts[t], &end, bases[b]);
			assert_int_equal(our_strtoul(texts[t], &our_end, bases[b]), u);
			assert_ptr_equal(end, our_end);
			assert_int_equal(our_errno == ERANGE, errno == ERANGE);
			errno = our_errno = 0;
			long l = strtol(texts[t], &end, bases[b]);
			assert_int_equal(our_strtol(texts[t], &our_end, bases[b]), l);
			assert_ptr_equal(end, our_end);
			assert_int_equal(our_errno == ERANGE, errno == ERANGE);
			assert_int_equal(our_strtoull(texts[t], NULL, bases[b]), u);
			assert_int_equal(our_strtoll(texts[t], NULL, bases[b]), l);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(same_as_host) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
