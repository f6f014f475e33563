/*
 * power: see power.h. Power-off is ACPI's S5 by the fixed registers (ACPI 6.5 §4.8.3.2, §7.4.2;
 * hardware-reduced machines: §4.8.3.7). Reset is the FADT's reset register (§4.8.3.6), then what
 * PCs have besides: port CF9 and the keyboard controller. Tables are mapped while they are read;
 * everything else has ended by now, so waiting here keeps nobody from anything.
 */
#include "power.h"
#include "acpi_s5.h"
#include <abi/boot.h>
#include <rt/io.h>
#include <rt/ipc.h>
#include <rt/start.h>
#include <string.h>

#define TABLE_MAX  (4 * MiB)        /* DSDTs of 300 KiB have been seen */
#define TABLES_MAX 256

enum { PM1_SCI_EN = 1, PM1_SLP_TYP_SHIFT = 10, PM1_SLP_TYP = 7 << 10, PM1_SLP_EN = 1 << 13, PM1_WAK_STS = 1 << 15 };
enum { SLEEP_TYP_SHIFT = 2, SLEEP_EN = 1 << 5 };

static handle_t root, boot;

/* ---- memory and ports ---- */

struct mapped { void *at; uint64_t va, size; };

static status_t phys_map(struct mapped *m, uint64_t phys, uint64_t size, uint32_t cache, uint32_t prot)
{
	uint64_t first = ALIGN_DOWN(phys, PAGE_SIZE), end;
	handle_t slice, frame;

	if (phys == 0 || size == 0 || __builtin_add_overflow(phys, size + PAGE_SIZE, &end))
		return ERR_INVALID;
	m->size = ALIGN_UP(phys + size, PAGE_SIZE) - first;
	status_t st = resource_slice(root, RES_PHYS, first, m->size, &slice);
	if (st < 0)
		return st;
	st = frame_device(slice, first, m->size, cache, &frame);
	handle_close(slice);
	if (st < 0)
		return st;
	st = vmem_map(0, frame, 0, 0, m->size, prot, &m->va);
	handle_close(frame);
	m->at = (char *)m->va + (phys - first);
	return st;
}

static void phys_unmap(struct mapped *m)
{
	MUST(vmem_unmap(0, m->va, m->size));
}

static status_t ports_open(uint32_t base, uint32_t count, handle_t *ports)
{
	handle_t slice;

	status_t st = resource_slice(root, RES_IOPORTS, base, count, &slice);
	if (st < 0)
		return st;
	st = ioports_create(slice, base, count, ports);
	handle_close(slice);
	return st;
}

static status_t port_access(uint32_t port, uint32_t width, bool write, uint32_t *value)
{
	handle_t ports;

	if (port > 0x10000 - width)
		return ERR_INVALID;
	status_t st = ports_open(port, width, &ports);
	if (st < 0)
		return st;
	st = write ? io_write(ports, 0, width, *value) : io_read(ports, 0, width, value);
	handle_close(ports);
	return st;
}

static status_t memory_access(uint64_t address, uint32_t width, bool write, uint32_t *value)
{
	struct mapped m;

	status_t st = phys_map(&m, address, width, CACHE_UNCACHED, PROT_READ | PROT_WRITE);
	if (st < 0)
		return st;
	if (width == 1) {
		volatile uint8_t *p = m.at;
		if (write) *p = (uint8_t)*value; else *value = *p;
	} else {
		volatile uint16_t *p = m.at;
		if (write) *p = (uint16_t)*value; else *value = *p;
	}
	phys_unmap(&m);
	return OK;
}

/* Configuration space of a function on bus 0 (§5.2.3.2): only the reset register may be there. */
static status_t pci_access(uint64_t address, bool write, uint32_t *value)
{
	uint32_t device = address >> 32 & 31, function = address >> 16 & 7, offset = address & 0xff;
	uint32_t select = 1u << 31 | device << 11 | function << 8 | (offset & ~3u);

	status_t st = port_access(0xcf8, 4, true, &select);
	return st < 0 ? st : port_access(0xcfc + (offset & 3), 1, write, value);
}

static status_t reg_access(const struct acpi_register *r, bool write, uint32_t *value)
{
	switch (r->space) {
	case ACPI_IO:     return r->address < 0x10000 ? port_access((uint32_t)r->address, r->width, write, value) : ERR_INVALID;
	case ACPI_MEMORY: return r->address % r->width == 0 ? memory_access(r->address, r->width, write, value) : ERR_INVALID;
	default:          return pci_access(r->address, write, value);
	}
}

static bool reg_write(const struct acpi_register *r, uint32_t value)
{
	return r->address && reg_access(r, true, &value) >= 0;
}

static bool reg_read(const struct acpi_register *r, uint32_t *value)
{
	return r->address && reg_access(r, false, value) >= 0;
}

static void wait_ms(uint64_t ms)
{
	uint64_t now;

	MUST(clock_now(&now));
	MUST(thread_sleep(now + ms * NS_PER_MS));
}

/* ---- tables ---- */

static uint64_t number_at(const void *p, size_t bytes)
{
	uint64_t v = 0;
	memcpy(&v, p, bytes);
	return v;
}

/* Maps a table whole. False: not there, not this one, or damaged. */
static bool table_map(struct mapped *m, uint64_t phys, const char signature[4])
{
	struct mapped head;

	if (phys_map(&head, phys, 36, CACHE_WRITE_BACK, PROT_READ) < 0)
		return false;
	bool match = !memcmp(head.at, signature, 4);
	uint32_t len = (uint32_t)number_at((char *)head.at + 4, 4);
	phys_unmap(&head);
	if (!match || len < 36 || len > TABLE_MAX || phys_map(m, phys, len, CACHE_WRITE_BACK, PROT_READ) < 0)
		return false;
	if (acpi_table_ok(m->at, len, signature))
		return true;
	log_print("ACPI: table %.4s at 0x%llx is damaged", signature, (unsigned long long)phys);
	phys_unmap(m);
	return false;
}

static uint32_t table_len(const struct mapped *m)
{
	return (uint32_t)number_at((char *)m->at + 4, 4);
}

/* The list of tables: XSDT (8-byte entries) or RSDT (4). Returns how many, at most `max`. */
static size_t tables_list(uint64_t rsdp, uint64_t *tables, size_t max)
{
	struct mapped m;
	size_t n = 0, entry = 8;

	if (phys_map(&m, rsdp, 36, CACHE_WRITE_BACK, PROT_READ) < 0)
		return 0;
	if (memcmp(m.at, "RSD PTR ", 8)) {
		phys_unmap(&m);
		return 0;
	}
	uint8_t revision = ((uint8_t *)m.at)[15];
	uint64_t xsdt = revision >= 2 ? number_at((char *)m.at + 24, 8) : 0, rsdt = number_at((char *)m.at + 16, 4);
	phys_unmap(&m);
	if (!xsdt || !table_map(&m, xsdt, "XSDT")) {
		entry = 4;
		if (!rsdt || !table_map(&m, rsdt, "RSDT"))
			return 0;
	}
	for (size_t at = 36; at + entry <= table_len(&m) && n < max; at += entry)
		tables[n++] = number_at((char *)m.at + at, entry);
	phys_unmap(&m);
	return n;
}

static bool s5_in(uint64_t phys, const char signature[4], struct acpi_s5 *s5)
{
	struct mapped m;

	if (!table_map(&m, phys, signature))
		return false;
	bool found = acpi_s5_find(m.at, table_len(&m), s5);
	phys_unmap(&m);
	return found;
}

/* Reads what the tables say. False: no usable FADT. *has_s5: the _S5_ package was found. */
static bool tables_read(struct acpi_power *power, struct acpi_s5 *s5, bool *has_s5)
{
	static uint64_t tables[TABLES_MAX];
	struct boot_info info;
	struct mapped m;
	uint64_t done;
	bool found = false;

	*has_s5 = false;
	if (!boot || frame_read(boot, 0, &info, sizeof(info), &done) < 0 || done < sizeof(info) || info.magic != BOOT_MAGIC)
		return false;
	size_t n = info.rsdp ? tables_list(info.rsdp, tables, TABLES_MAX) : 0;
	for (size_t i = 0; i < n && !found; i++) {
		found = table_map(&m, tables[i], "FACP");
		if (found) {
			acpi_fadt_read(m.at, table_len(&m), power);
			phys_unmap(&m);
		}
	}
	if (!found)
		return false;
	*has_s5 = power->dsdt && s5_in(power->dsdt, "DSDT", s5);
	for (size_t i = 0; i < n && !*has_s5; i++)
		*has_s5 = s5_in(tables[i], "SSDT", s5);
	return true;
}

/* ---- off and reset ---- */

/* In all less than initfsd lets pass before it ends an initd that accepts nothing (sbin/initfsd/keeper.c). */
enum { MODE_MS = 1500, OFF_MS = 1000 };

/* The fixed registers answer only in ACPI mode (§4.8.2.5, §16.3.1): firmware may have left legacy mode on. */
static void acpi_mode_enter(const struct acpi_power *p)
{
	uint32_t control;

	if (!p->smi_command || !p->acpi_enable || !reg_read(&p->pm1a_control, &control) || (control & PM1_SCI_EN))
		return;
	uint32_t enable = p->acpi_enable;
	if (port_access(p->smi_command, 1, true, &enable) < 0)
		return;
	for (int i = 0; i < MODE_MS / 10; i++) {
		if (reg_read(&p->pm1a_control, &control) && (control & PM1_SCI_EN))
			return;
		wait_ms(10);
	}
	log_print("ACPI mode could not be switched on; trying all the same");
}

static void pm1_sleep(const struct acpi_register *r, uint32_t type, uint32_t enable)
{
	uint32_t control;

	if (reg_read(r, &control))
		reg_write(r, (control & ~(uint32_t)(PM1_SLP_TYP | PM1_SLP_EN)) | type << PM1_SLP_TYP_SHIFT | enable);
}

void power_off(void)
{
	struct acpi_power p;
	struct acpi_s5 s5;
	bool has_s5;

	if (!tables_read(&p, &s5, &has_s5)) {
		log_print("power off: there are no usable ACPI tables");
		return;
	}
	if (!has_s5) {
		log_print("power off: the ACPI tables name no S5 state");
		return;
	}
	if (p.hardware_reduced) {
		reg_write(&p.sleep_control, (uint32_t)s5.type_a << SLEEP_TYP_SHIFT | SLEEP_EN);
	} else {
		acpi_mode_enter(&p);
		reg_write(&p.pm1a_event, PM1_WAK_STS);      /* write 1 to clear; else some machines wake at once */
		reg_write(&p.pm1b_event, PM1_WAK_STS);
		/* Type first, then the enable bit, as §4.8.3.2.1 allows and old chip sets want. */
		pm1_sleep(&p.pm1a_control, s5.type_a, 0);
		pm1_sleep(&p.pm1b_control, s5.type_b, 0);
		pm1_sleep(&p.pm1a_control, s5.type_a, PM1_SLP_EN);
		pm1_sleep(&p.pm1b_control, s5.type_b, PM1_SLP_EN);
	}
	wait_ms(OFF_MS);
	log_print("power off: the machine did not follow (S5 type %u, PM1a 0x%llx)", s5.type_a,
	          (unsigned long long)p.pm1a_control.address);
}

/* ---- reset: one way after the other; each returns if the machine does not follow ---- */

static void reset_register(void)
{
	struct acpi_power p;
	struct acpi_s5 s5;
	bool has_s5;

	if (tables_read(&p, &s5, &has_s5) && reg_write(&p.reset, p.reset_value))
		wait_ms(200);
}

/* Reset Control Register of Intel's PCHs and of most that imitate them: system reset, then CPU reset. */
static void reset_chipset(void)
{
	uint32_t v = 0x02;

	if (port_access(0xcf9, 1, true, &v) < 0)
		return;
	wait_ms(1);
	v = 0x06;
	if (port_access(0xcf9, 1, true, &v) >= 0)
		wait_ms(200);
}

/* The keyboard controller pulses the reset line once its input buffer is empty. */
static void reset_keyboard(void)
{
	uint32_t status = 0, v = 0xfe;

	for (int i = 0; i < 100 && port_access(0x64, 1, false, &status) >= 0 && (status & 2); i++)
		wait_ms(1);
	if (port_access(0x64, 1, true, &v) >= 0)
		wait_ms(200);
}

static void reset_processor(void)
{
	status_t st = processor_reset(root);

	log_print("reset: by the processor: %s", error_text(st));
}

static const struct { const char *name; void (*run)(void); } resets[] = {
	{ "acpi", reset_register }, { "cf9", reset_chipset }, { "keyboard", reset_keyboard }, { "processor", reset_processor },
};

/* The first one to try: `reset=NAME` on the command line, or all. */
static size_t first_reset(void)
{
	char name[16];

	if (!cmdline_word("reset", name, sizeof(name)))
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(resets); i++)
		if (!strcmp(name, resets[i].name))
			return i;
	return 0;
}

bool power_reset_asks_acpid(void)
{
	return first_reset() == 0;
}

void power_reset(void)
{
	for (size_t i = first_reset(); i < ARRAY_LEN(resets); i++) {
		log_print("reset: by %s", resets[i].name);
		resets[i].run();
	}
}

void power_say(const char *text)
{
	enum { COM1 = 0x3f8, DATA = 0, LINE_STATUS = 5, EMPTY = 0x20, ABSENT = 0xff };
	handle_t ports;
	uint32_t status = ABSENT;

	if (ports_open(COM1, 8, &ports) < 0)
		return;
	for (const char *p = text;; p++) {
		/* A line of text at 115,200 baud takes 10 ms; a dead UART costs a tenth of a second a byte. */
		for (int i = 0; i < 100 && io_read(ports, LINE_STATUS, 1, &status) >= 0 && !(status & EMPTY); i++)
			wait_ms(1);
		if (status == ABSENT || !(status & EMPTY) || io_write(ports, DATA, 1, (uint8_t)(*p ? *p : '\n')) < 0 || !*p)
			break;
	}
	handle_close(ports);
}

#ifdef TEST_BUILD
void power_exit_emulator(uint32_t code)
{
	if (port_access(0xf4, 4, true, &code) >= 0)
		wait_ms(100);
	log_print("there is no isa-debug-exit device at port F4");
}
#endif

void power_init(handle_t root_resource, handle_t boot_frame)
{
	root = root_resource;
	boot = boot_frame;
}
