/*
 * fake: a configuration space in memory for tests: functions with whatever bytes, BARs that answer as hardware does, and
 * a death at any write.
 */
#pragma once
#include "function.h"
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

enum { FAKES_MAX = 64 };

struct fake {
	uint16_t at;
	uint8_t  space[4096];
	uint32_t mask[PCI_BARS];        /* bits of a BAR that can be written */
};

static struct fake fakes[FAKES_MAX];
static size_t n_fakes;
static unsigned writes, die_at;         /* die_at: before that write, counted from 1; 0: never */
static jmp_buf death;

static struct fake *fake_find(uint16_t at)
{
	for (size_t i = 0; i < n_fakes; i++)
		if (fakes[i].at == at)
			return &fakes[i];
	return NULL;
}

static uint32_t fake_read(void *ctx unused, uint16_t at, uint32_t reg, uint32_t width)
{
	const struct fake *f = fake_find(at);
	uint32_t v = 0;

	if ((width != 1 && width != 2 && width != 4) || reg % width || reg > 4096 - width)
		abort();
	if (!f)
		return width == 4 ? UINT32_MAX : (1u << 8 * width) - 1;
	memcpy(&v, f->space + reg, width);
	return v;
}

static void fake_write(void *ctx unused, uint16_t at, uint32_t reg, uint32_t width, uint32_t value)
{
	struct fake *f = fake_find(at);
	uint32_t old = 0;

	if ((width != 1 && width != 2 && width != 4) || reg % width || reg > 4096 - width)
		abort();
	if (++writes == die_at)
		longjmp(death, 1);
	if (!f)
		return;
	memcpy(&old, f->space + reg, width);
	if (reg >= PCI_BAR0 && reg < PCI_BAR0 + 4 * PCI_BARS && width == 4)
		value = (value & f->mask[(reg - PCI_BAR0) / 4]) | (old & ~f->mask[(reg - PCI_BAR0) / 4]);
	memcpy(f->space + reg, &value, width);
}

static struct config fake_config = { fake_read, fake_write, NULL, 4096, 0, 255, { 0 }, 0 };

static void fake_set(uint16_t at, uint32_t reg, uint32_t width, uint32_t value)
{
	memcpy(fake_find(at)->space + reg, &value, width);
}

static struct fake *fake_add(uint16_t at, uint32_t id, uint32_t class, uint8_t header)
{
	struct fake *f = &fakes[n_fakes++];

	memset(f, 0, sizeof(*f));
	f->at = at;
	fake_set(at, PCI_VENDOR, 4, id);
	fake_set(at, PCI_REVISION, 4, class << 8);
	fake_set(at, PCI_HEADER, 1, header);
	return f;
}

static unused void fake_bridge(uint16_t at, uint8_t secondary, uint8_t subordinate)
{
	fake_add(at, 0x00011b36, 0x060400, PCI_HEADER_BRIDGE);
	fake_set(at, PCI_PRIMARY, 1, at >> 8);
	fake_set(at, PCI_SECONDARY, 1, secondary);
	fake_set(at, PCI_SUBORDINATE, 1, subordinate);
}

static unused void fake_bar(uint16_t at, unsigned i, uint32_t value, uint32_t mask)
{
	fake_set(at, PCI_BAR0 + 4 * i, 4, value);
	fake_find(at)->mask[i] = mask;
}
