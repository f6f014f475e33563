/*
 * mmio: accesses to registers of devices that lie in memory.
 */
#pragma once
#include <abi/types.h>

/*
 * Stands between two such accesses. In QEMU before 8.2, with several CPUs, an access waits while another CPU moves a device (its BAR, or
 * a bit of its command register), and the next one of the same translation block goes by a map that is gone: to nobody, or to another
 * device. A jump ends the block.
 */
always_inline void mmio_apart(void)
{
	__asm__ volatile("jmp 1f\n1:" ::: "memory");
}

/* One register, apart from what comes before: MMIO(uint32_t, base + 4) = value. */
#define MMIO(type, at) (*({ mmio_apart(); (volatile type *)(at); }))
