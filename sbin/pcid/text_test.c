/*
 * text_test: what is told of a function, and of one whose every byte is wrong; names of nodes and ways to them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "function.c"
#include "names.c"
#include "text.c"
#include "node.c"
#include <pci/name.c>
#include "fake.h"

enum { AT = PCI_AT(0, 31, 2) };

static char memory[4096];

static void line(void **s)
{
	struct text t = { memory, 0, sizeof(memory) };
	struct pci_function f = { .at = AT, .vendor = 0x8086, .device = 0x2922, .class = 0x010601, .revision = 2 };
	(void)s;
	text_line(&t, &f);
	f = (struct pci_function){ .at = 0xffff, .vendor = 0x4711, .device = 1, .class = 0xfe0100 };
	text_line(&t, &f);
	assert_string_equal(memory, "00:1f.2 SATA controller [0106]: Intel [8086:2922] (rev 02) (prog-if 01)\nff:1f.7 Device [fe01]: [4711:0001]\n");
}

static void details(void **s)
{
	struct text t = { memory, 0, sizeof(memory) };
	struct pci_function f;
	(void)s;
	n_fakes = 0;
	fake_add(AT, 0x29228086, 0x010601, 0);
	fake_set(AT, PCI_STATUS, 2, PCI_STATUS_CAPABILITIES);
	fake_set(AT, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	fake_set(AT, PCI_CAPABILITIES, 1, 0x40);
	fake_set(AT, 0x40, 4, 0x01865005);
	fake_set(AT, 0x50, 4, 0x80076011);
	fake_set(AT, 0x60, 4, 0x00404077);
	fake_set(AT, PCI_SUB_VENDOR, 4, 0x11001af4);
	assert_true(pci_look(&fake_config, AT, &f));
	f.bars[0] = (struct pci_bar){ .kind = BAR_IO, .base = 0xc0, .size = 32, .state = BAR_GOOD };
	f.bars[1] = (struct pci_bar){ .kind = BAR_MEMORY_64, .base = 1ull << 33, .size = 3ull << 20, .state = BAR_OVERLAPS, .prefetchable = true };
	f.bars[2] = (struct pci_bar){ .kind = BAR_UPPER };
	f.bars[3] = (struct pci_bar){ .kind = BAR_ODD, .base = 16 };
	f.bars[4] = (struct pci_bar){ .kind = BAR_MEMORY, .base = 4096 };
	text_details(&t, &fake_config, &f);
	assert_string_equal(memory, "00:1f.2 SATA controller [0106]: Intel [8086:2922] (prog-if 01)\n\tSubsystem: [1af4:1100]\n"
		"\tFlags: I/O- Mem+ BusMaster+ INTx+\n"
		"\tRegion 0: I/O ports at 00c0 [size=32] [off]\n\tRegion 1: Memory at 200000000 (64-bit, prefetchable) [size=3M] [overlaps]\n"
		"\tRegion 3: unusable [10]\n\tRegion 4: Memory at 00001000 (32-bit, non-prefetchable) [size not asked]\n"
		"\tCapabilities: [40] MSI: off, 8 vectors, 64-bit, maskable\n\tCapabilities: [50] MSI-X: on, 8 vectors\n\tCapabilities: [60] 77\n"
		"\tCapabilities: the rest of the list is broken\n");
	/* Without room it ends, and is a string still. */
	for (size_t room = 1; room < 200; room++) {
		t = (struct text){ memory, 0, room };
		text_details(&t, &fake_config, &f);
		assert_int_equal(t.len, room - 1);
		assert_int_equal(memory[t.len], 0);
	}
}

static void nodes(void **s)
{
	static const struct { const char *path; status_t st; enum node_kind kind; } ways[] = {
		{ "", OK, NODE_ROOT }, { "/", OK, NODE_ROOT }, { ".", OK, NODE_ROOT }, { "..", OK, NODE_ROOT },
		{ "00:1f.2", OK, NODE_FUNCTION }, { "/00:1f.2//", OK, NODE_FUNCTION }, { "00:1f.2/config", OK, NODE_CONFIG }, { "00:1f.2/../00:1f.2/./config", OK, NODE_CONFIG },
		{ "00:1f.2/device", OK, NODE_DEVICE }, { "00:1f.2/config/x", ERR_NOT_DIRECTORY, 0 }, { "00:1f.2/confi", ERR_NOT_FOUND, 0 }, { "config", ERR_NOT_FOUND, 0 }, { "00:20.0", ERR_NOT_FOUND, 0 },
		{ "00:1f.8", ERR_NOT_FOUND, 0 }, { "00:1F.2", ERR_NOT_FOUND, 0 }, { "0:1f.2", ERR_NOT_FOUND, 0 }, { "00:1f.2x", ERR_NOT_FOUND, 0 }, { "00:1f.2/00:1f.2", ERR_NOT_FOUND, 0 },
	};
	struct node n = { 0 };
	(void)s;
	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		assert_int_equal(node_walk((struct node){ .kind = NODE_ROOT }, ways[i].path, strlen(ways[i].path), &n), ways[i].st);
		if (ways[i].st < 0)
			continue;
		assert_int_equal(n.kind, ways[i].kind);
		assert_int_equal(n.kind == NODE_ROOT ? AT : n.at, AT);
	}
	assert_int_equal(node_walk((struct node){ .kind = NODE_FUNCTION, .at = AT }, "..", 2, &n), OK);
	assert_int_equal(n.kind, NODE_FUNCTION);        /* no way above where a Session begins */
	assert_int_equal(node_walk((struct node){ .kind = NODE_OFFER, .at = AT }, "device", 6, &n), OK);
	assert_int_equal(n.kind, NODE_DEVICE);
	assert_int_equal(node_walk((struct node){ .kind = NODE_OFFER, .at = AT }, "config/../..", 12, &n), ERR_NOT_DIRECTORY);
	assert_int_equal(node_walk((struct node){ .kind = NODE_OFFER, .at = AT }, "../..", 5, &n), OK);
	assert_int_equal(n.kind, NODE_OFFER);
	assert_true(node_from_badge(node_badge(n), &n));
	for (uint32_t at = 0; at < 0x10000; at++) {
		char name[PCI_NAME_SIZE];
		pci_name(name, (uint16_t)at);
		assert_int_equal(node_walk((struct node){ .kind = NODE_ROOT }, name, strlen(name), &n), OK);
		assert_int_equal(n.at, at);
		assert_true(node_from_badge(node_badge(n), &n));
		assert_int_equal(n.at, at);
	}
	assert_true(node_from_badge(node_badge((struct node){ NODE_DEVICE, AT, 7 }), &n));
	assert_int_equal(n.serial, 7);
	assert_false(node_from_badge(1ull << 32, &n));
	assert_true(node_from_badge(0, &n));
	assert_int_equal(n.kind, NODE_ROOT);
	assert_false(node_from_badge(1, &n));
	assert_false(node_from_badge((uint64_t)NODE_KINDS << 16, &n));
	assert_false(node_from_badge(UINT64_MAX, &n));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(line), cmocka_unit_test(details), cmocka_unit_test(nodes) };
	return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
