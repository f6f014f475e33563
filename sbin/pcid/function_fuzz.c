/*
 * Functions of arbitrary content in arbitrary places: all that is found is in order and told of within bounds, and after
 * asking for sizes every register is as before. Each function: 2 bytes of place, 6 of masks, 256 of its space.
 */
#include "../../abi/rt/sum.c"
#include "function.c"
#include "names.c"
#include "fake.h"
#include "bars.c"
#include "text.c"
#include <pci/name.c>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum { PIECE = 2 + PCI_BARS + 256 };
	static struct pci_function list[FAKES_MAX];
	static struct fake before[FAKES_MAX];
	static struct bar_memo memos[FAKES_MAX];
	static char memory[64 * KiB];
	struct bar_journal journal = { 0 };
	struct text t = { memory, 0, sizeof(memory) };
	bool more;

	n_fakes = 0;
	memory[0] = 0;
	memset(memos, 0, sizeof(memos));
	for (; size >= PIECE && n_fakes < FAKES_MAX; data += PIECE, size -= PIECE) {
		struct fake *f = &fakes[n_fakes++];
		memset(f, 0, sizeof(*f));
		memcpy(&f->at, data, 2);
		for (unsigned i = 0; i < PCI_BARS; i++)
			f->mask[i] = (uint32_t)(UINT64_MAX << (data[2 + i] & 31)) & (data[2 + i] & 0x80 ? ~(1u << (data[2 + i] & 31) << 1) : UINT32_MAX);
		/* The rest of the space is the same again, so that it has extended capabilities. */
		for (unsigned i = 0; i < sizeof(f->space); i += 256)
			memcpy(f->space + i, data + 2 + PCI_BARS, 256);
	}
	memcpy(before, fakes, sizeof(fakes));
	size_t n = pci_scan(&fake_config, list, FAKES_MAX, &more);
	for (size_t i = 1; i < n; i++)
		if (list[i].at <= list[i - 1].at)
			abort();
	bars_find(&fake_config, list, n, true, &journal, memos, FAKES_MAX);
	if (journal.active || memcmp(before, fakes, sizeof(fakes)))
		abort();
	bars_check(list, n, &(struct range){ 0xb0000000, 0x10000000 }, 1);
	for (size_t i = 0; i < n; i++) {
		for (unsigned k = 0; k < PCI_BARS; k++) {
			const struct pci_bar *b = &list[i].bars[k];
			if (b->state == BAR_GOOD && (!b->size || b->base & (b->size - 1) || b->base + b->size <= b->base))
				abort();
		}
		text_details(&t, &fake_config, &list[i]);
	}
	if (t.len >= t.room || memory[t.len])
		abort();
	return 0;
}
