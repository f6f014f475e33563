/*
 * Answers of a virtio-gpu, good and others. Expected: an answer counts only if it is of the type that was asked for and as long as it must be; of the
 * scanouts the first that is on and has a size that could be.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "wire.c"

static void answers(void **s)
{
	static const struct { uint32_t type, len, wanted, size; status_t st; } cases[] = {
		{ GPU_OK, 24, GPU_OK, 24, OK }, { GPU_OK, 25, GPU_OK, 24, OK }, { GPU_OK, 23, GPU_OK, 24, ERR_IO }, { GPU_OK, 0, GPU_OK, 24, ERR_IO },
		{ GPU_OK_EDID, 24, GPU_OK, 24, ERR_IO }, { GPU_OK_DISPLAY_INFO, 408, GPU_OK_DISPLAY_INFO, 408, OK },
		{ GPU_OK_DISPLAY_INFO, 407, GPU_OK_DISPLAY_INFO, 408, ERR_IO }, { GPU_OK, 408, GPU_OK_DISPLAY_INFO, 408, ERR_IO },
		{ GPU_ERR_UNSPECIFIED, 24, GPU_OK, 24, ERR_IO }, { GPU_ERR_NO_MEMORY, 24, GPU_OK_DISPLAY_INFO, 408, ERR_NO_MEMORY },
		{ GPU_ERR_PARAMETER, 24, GPU_OK, 24, ERR_INVALID }, { GPU_ERR_PARAMETER, 8, GPU_OK, 24, ERR_IO }, { 0, 24, GPU_OK, 24, ERR_IO }, { UINT32_MAX, 24, GPU_OK, 24, ERR_IO },
	};

	(void)s;
	assert_int_equal(GPU_GET_EDID, 0x10a);
	assert_int_equal(GPU_DETACH, 0x107);
	assert_int_equal(GPU_ERR_PARAMETER, 0x1205);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(gpu_answer(&(struct gpu_head){ .type = cases[i].type }, cases[i].len, cases[i].wanted, cases[i].size), cases[i].st);
}

static void scanouts(void **s)
{
	struct gpu_display_info info = { .head = { .type = GPU_OK_DISPLAY_INFO } };
	uint32_t scanout = 99, width = 0, height = 0;

	(void)s;
	assert_false(gpu_enabled(&info, 16, 16384, &scanout, &width, &height));
	info.scanout[15].enabled = 1;
	info.scanout[15].rect = (struct gpu_rect){ 5, 6, 800, 600 };
	assert_true(gpu_enabled(&info, 16, 16384, &scanout, &width, &height) && scanout == 15 && width == 800 && height == 600);
	assert_true(gpu_enabled(&info, UINT32_MAX, 16384, &scanout, &width, &height) && scanout == 15);
	assert_false(gpu_enabled(&info, 15, 16384, &scanout, &width, &height));
	info.scanout[1].rect = (struct gpu_rect){ 0, 0, 1024, 768 };    /* off */
	info.scanout[2].enabled = 1;                                    /* without a size */
	info.scanout[3].enabled = 1;
	info.scanout[3].rect = (struct gpu_rect){ 0, 0, 16385, 1 };
	info.scanout[4].enabled = 2;
	info.scanout[4].rect = (struct gpu_rect){ 0, 0, 1, 16384 };
	assert_true(gpu_enabled(&info, 16, 16384, &scanout, &width, &height) && scanout == 4 && width == 1 && height == 16384);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(answers), cmocka_unit_test(scanouts) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
