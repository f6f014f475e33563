/*
 * Configuration spaces as QEMU's virtio devices have them, then others. Expected: the four register blocks are found where they are; what is
 * too short, in ports, out of range or in a circle is not followed, and nothing beyond the first 256 bytes is read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>
#include "caps.c"

static uint8_t space[256];

static uint32_t read(void *ctx, uint32_t reg, uint32_t width)
{
	uint32_t v = 0;

	assert_null(ctx);
	assert_true((width == 1 || width == 2 || width == 4) && reg % width == 0 && reg <= sizeof(space) - width);
	memcpy(&v, space + reg, width);
	return v;
}

static void put_cap(uint8_t at, uint8_t next, uint8_t len, uint8_t type, uint8_t bar, uint32_t offset, uint32_t length, uint32_t multiplier)
{
	const uint8_t head[5] = { VENDOR_SPECIFIC, next, len, type, bar };

	memcpy(space + at, head, sizeof(head));
	memcpy(space + at + 8, &offset, 4);
	memcpy(space + at + 12, &length, 4);
	if (len >= 20)
		memcpy(space + at + 16, &multiplier, 4);
}

/* As virtio-gpu-pci of QEMU 7.2 has it. */
static void qemu(void)
{
	memset(space, 0, sizeof(space));
	space[STATUS] = STATUS_LIST;
	space[LIST] = 0x98;
	space[0x98] = 0x11;                     /* MSI-X */
	space[0x99] = 0x84;
	put_cap(0x84, 0x70, 20, 5, 0, 0, 0, 0); /* the window for accesses by configuration space */
	put_cap(0x70, 0x60, 20, VIRTIO_NOTIFY, 4, 0x3000, 0x1000, 4);
	put_cap(0x60, 0x50, 16, VIRTIO_CONFIG, 4, 0x2000, 0x1000, 0);
	put_cap(0x50, 0x40, 16, VIRTIO_ISR, 4, 0x1000, 0x1000, 0);
	put_cap(0x40, 0, 16, VIRTIO_COMMON, 4, 0, 0x1000, 0);
}

static void found(void **s)
{
	struct virtio_caps c;

	(void)s;
	qemu();
	assert_true(virtio_caps_find(&c, read, NULL));
	assert_true(c.part[VIRTIO_COMMON].bar == 4 && c.part[VIRTIO_COMMON].offset == 0 && c.part[VIRTIO_COMMON].length == 0x1000);
	assert_true(c.part[VIRTIO_ISR].offset == 0x1000 && c.part[VIRTIO_CONFIG].offset == 0x2000 && c.part[VIRTIO_NOTIFY].offset == 0x3000);
	assert_int_equal(c.notify_multiplier, 4);
	/* Of two the first in the list. */
	put_cap(0x40, 0xb0, 16, VIRTIO_COMMON, 4, 0, 0x1000, 0);
	put_cap(0xb0, 0, 16, VIRTIO_COMMON, 2, 0x100, 0x1000, 0);
	assert_true(virtio_caps_find(&c, read, NULL));
	assert_int_equal(c.part[VIRTIO_COMMON].bar, 4);
	/* But not if that cannot be used: it is in ports. */
	space[BAR0 + 16] = BAR_IO;
	put_cap(0xb0, 0xc0, 16, VIRTIO_COMMON, 2, 0x100, 0x1000, 0);
	put_cap(0xc0, 0xd8, 16, VIRTIO_ISR, 2, 0x101, 1, 0);
	put_cap(0xd8, 0, 20, VIRTIO_NOTIFY, 2, 0x102, 2, 0);
	assert_true(virtio_caps_find(&c, read, NULL));
	assert_true(c.part[VIRTIO_COMMON].bar == 2 && c.part[VIRTIO_ISR].offset == 0x101 && c.part[VIRTIO_NOTIFY].offset == 0x102);
	assert_true(c.part[VIRTIO_CONFIG].length == 0 && c.notify_multiplier == 0);
}

static void refused(void **s)
{
	struct virtio_caps c;

	(void)s;
	qemu();
	space[STATUS] = 0;
	assert_false(virtio_caps_find(&c, read, NULL));
	qemu();
	put_cap(0x40, 0, 15, VIRTIO_COMMON, 4, 0, 0x1000, 0);
	assert_false(virtio_caps_find(&c, read, NULL));
	qemu();
	put_cap(0x40, 0, 16, VIRTIO_COMMON, 6, 0, 0x1000, 0);           /* a BAR that is reserved */
	assert_false(virtio_caps_find(&c, read, NULL));
	qemu();
	put_cap(0x40, 0, 16, VIRTIO_COMMON, 4, 0, 55, 0);
	assert_false(virtio_caps_find(&c, read, NULL));
	qemu();
	put_cap(0x40, 0, 16, VIRTIO_COMMON, 4, 2, 0x1000, 0);
	assert_false(virtio_caps_find(&c, read, NULL));
	qemu();
	put_cap(0x40, 0, 16, VIRTIO_COMMON, 4, 0xfffffffc, 0x1000, 0);
	assert_false(virtio_caps_find(&c, read, NULL));
	qemu();
	put_cap(0x70, 0x60, 16, VIRTIO_NOTIFY, 4, 0x3000, 0x1000, 4);   /* without its last register */
	assert_false(virtio_caps_find(&c, read, NULL));
	qemu();
	put_cap(0x70, 0x60, 20, VIRTIO_NOTIFY, 4, 0x3000, 0x1000, 3);
	assert_false(virtio_caps_find(&c, read, NULL));
	qemu();
	space[0x71] = 0x70;                                             /* a circle */
	assert_false(virtio_caps_find(&c, read, NULL));
	qemu();
	space[0x71] = 0x10;                                             /* into the header */
	assert_false(virtio_caps_find(&c, read, NULL));
	memset(space, 0xff, sizeof(space));
	assert_false(virtio_caps_find(&c, read, NULL));
	/* At the end of the space. */
	qemu();
	space[0x41] = 0xf4;
	memcpy(space + 0xf4, (uint8_t[5]){ VENDOR_SPECIFIC, 0, 20, VIRTIO_CONFIG, 4 }, 5);
	assert_true(virtio_caps_find(&c, read, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(found), cmocka_unit_test(refused) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
