/*
 * Machines with displays of all kinds. Expected: with a framebuffer of the firmware's, only the virtio-gpu in whose memory it lies; without one the
 * first virtio-gpu.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "find.c"

struct card { uint32_t id; uint8_t class; uint32_t bars[6]; };

static const struct card
	std = { 0x11111234, 3, { 0x80000008, 0, 0x81010000 } },
	vga = { VIRTIO_GPU, 3, { 0xc0000008, 0, 0x0000000c, 0x80, 0x81020000 } },
	pci = { VIRTIO_GPU, 3, { 0, 0x7f000000, 0, 0, 0x0000400c, 0x80 } },
	far = { VIRTIO_GPU, 3, { 0x0000000c, 0x90 } },          /* 64 bits */
	ports = { VIRTIO_GPU, 3, { 0xc0000001 } },
	net = { VIRTIO_GPU, 2, { 0xc0000008 } };

static struct find weigh(uint64_t screen, const struct card *const *cards, size_t n)
{
	struct find f = { 0 };

	for (size_t i = 0; i < n; i++) {
		uint8_t config[FIND_CONFIG] = { 0 };
		memcpy(config, &cards[i]->id, 4);
		config[CLASS] = cards[i]->class;
		memcpy(config + BARS_AT, cards[i]->bars, sizeof(cards[i]->bars));
		find_weigh(&f, config, (uint16_t)(i + 1), screen);
	}
	return f;
}

#define WEIGH(screen, ...) weigh(screen, (const struct card *const[]){ __VA_ARGS__ }, sizeof((const struct card *const[]){ __VA_ARGS__ }) / sizeof(void *))

static void which(void **s)
{
	struct find f;

	(void)s;
	assert_false(WEIGH(0, &std).ours);
	assert_false(WEIGH(0, &net).ours);
	f = WEIGH(0, &std, &pci, &vga);
	assert_true(f.ours && f.at == 2);
	assert_false(WEIGH(0x80000000, &std).ours);
	f = WEIGH(0xc0000000, &vga);
	assert_true(f.ours && f.at == 1);
	f = WEIGH(0xc0100000, &std, &vga);              /* somewhere in it */
	assert_true(f.ours && f.at == 2);
	/* The screen is the other one's, whatever lies below or above it. */
	assert_false(WEIGH(0x80000000, &std, &pci).ours);
	assert_false(WEIGH(0x80000000, &pci, &std, &vga).ours);
	assert_false(WEIGH(0xc0000000, &ports).ours);
	assert_false(WEIGH(0xc0000000, &net).ours);
	f = WEIGH(0x9000000000, &std, &far, &vga);
	assert_true(f.ours && f.at == 2);
	assert_false(WEIGH(0x1000, &vga, &std).ours);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(which) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
