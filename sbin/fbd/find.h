/*
 * find: which function on the PCI buses is the display that we drive, by the first bytes of their configuration spaces (pure).
 */
#pragma once
#include <abi/types.h>

enum { FIND_CONFIG = 64 };

/* All zero to begin with. */
struct find {
	bool     ours;                  /* `at` is a virtio-gpu that will do */
	uint16_t at;
	uint64_t base;                  /* of the BAR that the screen lies in, as far as is known yet */
};

/*
 * Weighs one more function. screen: where the firmware's framebuffer begins. The display with the highest BAR that begins not after it
 * has it, whatever its size: no two overlap. 0: there is none, and the first virtio-gpu will do.
 */
void find_weigh(struct find *f, const uint8_t config[FIND_CONFIG], uint16_t at, uint64_t screen);
