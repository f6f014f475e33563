/*
 * manifest_test: a whole manifest comes out as written; each kind of mistake is refused with the
 * number of its line and a reason.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "manifest.c"

static struct manifest m;
static struct manifest_error e;

static bool parse(const char *text)
{
	return manifest_parse(&m, "test", text, strlen(text), &e);
}

static void whole(void **state)
{
	(void)state;
	assert_true(parse(
		"# rngd: random bytes\n"
		"exec = initfs:///sbin/rngd   # the program\n"
		"args = -v  --seed=3\n"
		"provides = rng random\r\n"
		"\topens=log null\n"
		"level = 20\n\n"
		"priority = driver\n"
		"start = first-use\n"
		"restart = on-fault\n"
		"budget.memory = 2M\n"
		"budget.handles = 256\n"
		"resource = ioports:3f8+8\n"
		"resource = irq:4\n"
		"resource = phys:fee00000+1000\n"
		"resource = info\n"
		"resource = boot\n"
		"resource = irq:sci\n"
		"resource = framebuffer\n"
		"state = 64K\n"
		"shelf = yes\n"
		"tty = tty://serial"));
	assert_string_equal(m.name, "test");
	assert_string_equal(m.exec, "initfs:///sbin/rngd");
	assert_int_equal(m.n_args, 2);
	assert_string_equal(m.args, "-v");
	assert_string_equal(m.args + 3, "--seed=3");
	assert_int_equal(m.n_provides, 2);
	assert_string_equal(m.provides[1], "random");
	assert_int_equal(m.n_opens, 2);
	assert_string_equal(m.opens[0], "log");
	assert_false(m.opens_all);
	assert_int_equal(m.level, 20);
	assert_int_equal(m.priority, PRIORITY_DRIVER);
	assert_int_equal(m.start, START_FIRST_USE);
	assert_int_equal(m.restart, RESTART_ON_FAULT);
	assert_int_equal(m.budget.memory, 2 * MiB);
	assert_int_equal(m.budget.handles, 256);
	assert_int_equal(m.budget.threads, UINT64_MAX);
	assert_int_equal(m.state, 64 * KiB);
	assert_true(m.shelf);
	assert_int_equal(m.n_resources, 7);
	assert_int_equal(m.resources[0].base, 0x3f8);
	assert_int_equal(m.resources[0].count, 8);
	assert_int_equal(m.resources[1].base, 4);
	assert_int_equal(m.resources[2].base, 0xfee00000);
	assert_int_equal(m.resources[2].count, 0x1000);
	assert_int_equal(m.resources[3].kind, GRANT_INFO);
	assert_int_equal(m.resources[5].kind, GRANT_SCI);
	assert_int_equal(m.resources[6].kind, GRANT_FRAMEBUFFER);
	assert_string_equal(m.tty, "tty://serial");
}

static void defaults(void **state)
{
	(void)state;
	assert_true(parse("exec = initfs:///bin/sh\nopens = a b\nsubmits = c d\n"));
	assert_true(m.n_opens == 4 && m.submits == 0xc && !strcmp(m.opens[3], "d"));
	assert_true(parse("submits = c\nexec = initfs:///bin/sh\nopens = a\n"));
	assert_true(m.n_opens == 2 && m.submits == 1 && !strcmp(m.opens[1], "a"));
	assert_true(parse("exec = initfs:///bin/sh\nopens = *\n"));
	assert_true(m.opens_all);
	assert_int_equal(m.level, 100);
	assert_int_equal(m.restart, RESTART_ALWAYS);
	assert_int_equal(m.start, START_BOOT);
}

static void templates(void **state)
{
	(void)state;
	assert_true(parse("exec = initfs:///sbin/xhcid\npci = class:0c0330\npci = id:1b36:000D\npci = class:01\nresource = devices"));
	assert_int_equal(m.n_pci, 3);
	assert_int_equal(m.resources[0].kind, GRANT_DEVICES);
	assert_int_equal(manifest_fits(&m, 0x8086, 0x1234, 0x0c0330), 1);
	assert_int_equal(manifest_fits(&m, 0x8086, 0x1234, 0x0c0320), 0);
	assert_int_equal(manifest_fits(&m, 0x1b36, 0x000d, 0x0c0330), 2);
	assert_int_equal(manifest_fits(&m, 0x000d, 0x1b36, 0), 0);
	assert_int_equal(manifest_fits(&m, 0x8086, 0x1234, 0x010802), 1);
	assert_int_equal(manifest_fits(&m, 0x8086, 0x1234, 0x000001), 0);
	assert_true(parse("exec = initfs:///sbin/x\npci = class:0c03"));
	assert_int_equal(manifest_fits(&m, 1, 2, 0x0c03ff), 1);
	assert_int_equal(manifest_fits(&m, 1, 2, 0x0c0403), 0);
	assert_true(parse("exec = initfs:///sbin/x"));
	assert_int_equal(manifest_fits(&m, 0, 0, 0), 0);
	assert_true(manifest_parse(&m, "twenty-three-characters", "exec = initfs:///x\npci = class:01", 33, &e));
	assert_false(manifest_parse(&m, "twenty-three-characters-", "exec = initfs:///x\npci = class:01", 33, &e));
	assert_string_equal(e.reason, "the name leaves no room for a device's place (at most 23 bytes)");
	assert_true(parse("exec = initfs:///sbin/x\nresource = irq:0+1024"));
	assert_true(m.resources[0].kind == GRANT_IRQ && m.resources[0].base == 0 && m.resources[0].count == 1024);
	char many[1000] = "exec = initfs:///x\n";
	for (int i = 0; i < MANIFEST_PCI; i++)
		strcat(many, "pci = class:01\n");
	assert_true(parse(many));
	assert_false(parse(strcat(many, "pci = class:01\n")));
}

static void mistakes(void **state)
{
	(void)state;
	static const struct { const char *text; uint32_t line; const char *reason; } cases[] = {
		{ "", 0, "exec is missing" },
		{ "exec = fs:///x", 1, "exec must begin with initfs:///" },
		{ "exec = initfs:///", 1, "exec must begin with initfs:///" },
		{ "\n\nnonsense", 3, "it is not \"key = value\"" },
		{ "# ok\ncolour = red", 2, "unknown key \"colour\"" },
		{ "= x", 1, "unknown key \"\"" },
		{ "level = 20\nlevel = 30", 2, "level is set twice" },
		{ "level = 0", 1, "level must be 1 to 100" },
		{ "level = 101", 1, "level must be 1 to 100" },
		{ "level = 99999999999999999999999", 1, "level must be 1 to 100" },
		{ "level =", 1, "level has no value" },
		{ "priority = high", 1, "priority must be idle, normal, interactive, service or driver" },
		{ "start = soon", 1, "start must be boot or first-use" },
		{ "restart = maybe", 1, "restart must be always, on-fault or never" },
		{ "budget.memory = 2T", 1, "\"2T\" is not a number (K, M and G may follow it)" },
		{ "budget.memory = 99999999999G", 1, "\"99999999999G\" is not a number (K, M and G may follow it)" },
		{ "provides = Rng", 1, "\"Rng\" is not a scheme name" },
		{ "provides = *", 1, "\"*\" is not a scheme name" },
		{ "opens = abcdefghijklmnop", 1, "\"abcdefghijklmnop\" is not a scheme name" },
		{ "opens = a a", 1, "scheme \"a\" is named twice" },
		{ "opens = a b\nsubmits = b", 2, "scheme \"b\" is named twice" },
		{ "submits = *", 1, "\"*\" is not a scheme name" },
		{ "submits =", 1, "submits has no value" },
		{ "provides = a b c d e f g h i", 1, "more than 8 schemes" },
		{ "args = 1 2 3 4 5 6 7 8 9 a b c d e f g h", 1, "more than 16 arguments" },
		{ "resource = ioports:3f8", 1, "ioports wants HEX+COUNT below 10000" },
		{ "resource = ioports:fff8+9", 1, "ioports wants HEX+COUNT below 10000" },
		{ "resource = ioports:3f8+0", 1, "ioports wants HEX+COUNT below 10000" },
		{ "resource = irq:x", 1, "irq wants a number, FIRST+COUNT, or sci" },
		{ "resource = irq:4+", 1, "irq wants a number, FIRST+COUNT, or sci" },
		{ "resource = irq:4+0", 1, "irq wants a number, FIRST+COUNT, or sci" },
		{ "resource = irq:4+1x", 1, "irq wants a number, FIRST+COUNT, or sci" },
		{ "resource = phys:ffffffffffffffff+2", 1, "phys wants HEX+HEX below 2^52" },
		{ "resource = dma:ffffffff+2", 1, "dma wants HEX+HEX below 2^32" },
		{ "resource = gold", 1, "unknown resource \"gold\"" },
		{ "pci = class:1", 1, "pci wants class:CC, class:CCSS, class:CCSSPP or id:VVVV:DDDD" },
		{ "pci = class:0c03300", 1, "pci wants class:CC, class:CCSS, class:CCSSPP or id:VVVV:DDDD" },
		{ "pci = class:", 1, "pci wants class:CC, class:CCSS, class:CCSSPP or id:VVVV:DDDD" },
		{ "pci = id:1af4", 1, "pci wants class:CC, class:CCSS, class:CCSSPP or id:VVVV:DDDD" },
		{ "pci = id:1af4:105", 1, "pci wants class:CC, class:CCSS, class:CCSSPP or id:VVVV:DDDD" },
		{ "pci = id:1af4:10500", 1, "pci wants class:CC, class:CCSS, class:CCSSPP or id:VVVV:DDDD" },
		{ "pci = i", 1, "pci wants class:CC, class:CCSS, class:CCSSPP or id:VVVV:DDDD" },
		{ "pci = class:01\nexec = initfs:///x\nprovides = x", 0, "what is started for each device cannot provide a scheme" },
		{ "pci = class:01\nexec = initfs:///x\nstart = boot", 0, "what is started for each device starts with it" },
		{ "tty = serial", 1, "tty wants a URI" },
		{ "exec = initfs:///\001", 1, "it holds a control character" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_false(parse(cases[i].text));
		assert_int_equal(e.line, cases[i].line);
		assert_string_equal(e.reason, cases[i].reason);
	}
	assert_false(manifest_parse(&m, "../x", "", 0, &e));
	assert_false(manifest_parse(&m, "a-name-that-is-longer-than-31-bytes", "", 0, &e));
	static char longer[400] = "args = ";
	memset(longer + 7, 'x', 300);
	assert_false(parse(longer));
	assert_string_equal(e.reason, "the value is longer than 255 bytes");
	longer[7 + 255] = 0;
	strcat(longer, "\nexec = initfs:///x");
	assert_true(parse(longer));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(whole), cmocka_unit_test(defaults), cmocka_unit_test(templates), cmocka_unit_test(mistakes) };
	return cmocka_run_group_tests_name("manifest", tests, NULL, NULL);
}
