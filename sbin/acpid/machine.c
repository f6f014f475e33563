/*
 * machine: see machine.h. ACPI 6.5; ACPICA does the reading.
 */
#include "machine.h"
#include "embedded.h"
#include "ged.h"
#include "inside.h"
#include "osl.h"
#include <acpi/acpi.h>
#include <gen/errors.h>
#include <rt/io.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEVICES_MAX  8              /* batteries, lids, buttons, each */
#define LOOP_MAX_S   1              /* of one While in AML */

enum kind { KIND_POWER_BUTTON, KIND_SLEEP_BUTTON, KIND_LID, KIND_BATTERY, KIND_SUPPLY, KINDS };

static const struct { char id[9]; const char *name; } kinds[KINDS] = {
	[KIND_POWER_BUTTON] = { "PNP0C0C", "power button" }, [KIND_SLEEP_BUTTON] = { "PNP0C0E", "sleep button" },
	[KIND_LID] = { "PNP0C0D", "lid" }, [KIND_BATTERY] = { "PNP0C0A", "battery" }, [KIND_SUPPLY] = { "ACPI0003", "power supply" },
};

static struct { acpi_handle at[DEVICES_MAX]; uint32_t n; } devices[KINDS];
static struct tables tables;
static bool running, fixed_power, fixed_sleep;
static machine_heard *hear;

bool aml_running(void)
{
	return running;
}

bool failed(acpi_status st, const char *what)
{
	if (ACPI_FAILURE(st))
		log_print("%s: %s", what, acpi_format_exception(st));
	return ACPI_FAILURE(st);
}

/* ---- tables ---- */

static void list_tables(void)
{
	struct acpi_table_header *h;

	tables.n = 0;
	for (uint32_t i = 0; i < TABLES_MAX * 2u; i++) {
		acpi_status st = acpi_get_table_by_index(i, &h);
		if (st == AE_BAD_PARAMETER)
			break;
		/* Mapped as long as its header says, and never unmapped: a client may be reading it. */
		if (ACPI_SUCCESS(st) && !tables_add(&tables, h->signature, h, h->length)) {
			log_print("more than %d tables; the rest is not shown", TABLES_MAX);
			break;
		}
	}
}

status_t machine_tables(bool ssdts)
{
	acpi_gbl_disable_ssdt_table_install = !ssdts;
	acpi_gbl_max_loop_iterations = LOOP_MAX_S;
	if (failed(acpi_initialize_subsystem(), "ACPICA does not start"))
		return ERR_NO_MEMORY;
	if (failed(acpi_initialize_tables(NULL, 32, TRUE), "the list of tables"))
		return ERR_BAD_FORMAT;
	list_tables();
	return tables.n ? OK : ERR_NOT_FOUND;
}

const struct tables *machine_table_list(void)
{
	return &tables;
}

/* ---- devices and what they tell ---- */

static acpi_status note_device(acpi_handle h, u32 level unused, void *kind, void **result unused)
{
	uint32_t k = (uint32_t)(uintptr_t)kind;

	if (devices[k].n < DEVICES_MAX)
		devices[k].at[devices[k].n++] = h;
	return AE_OK;
}

/* An integer that a method of h gives. */
bool integer(acpi_handle h, char *name, uint64_t *value)
{
	union acpi_object o;
	struct acpi_buffer buffer = { sizeof(o), &o };

	if (ACPI_FAILURE(acpi_evaluate_object(h, name, NULL, &buffer)) || buffer.length == 0 || o.type != ACPI_TYPE_INTEGER)
		return false;
	*value = o.integer.value;
	return true;
}

/* A package, to be freed with acpi_os_free; NULL: it gives none of so many elements. */
static union acpi_object *package(acpi_handle h, char *name, uint32_t count)
{
	struct acpi_buffer buffer = { ACPI_ALLOCATE_BUFFER, NULL };

	if (ACPI_FAILURE(acpi_evaluate_object(h, name, NULL, &buffer)) || !buffer.pointer)
		return NULL;
	union acpi_object *o = buffer.pointer;
	if (o->type == ACPI_TYPE_PACKAGE && o->package.count >= count)
		return o;
	acpi_os_free(o);
	return NULL;
}

static void on_device(acpi_handle h unused, u32 value, void *kind)
{
	enum { PRESSED = 0x80, CHANGED = 0x80 };        /* §4.8.2.2.1.2, §9.4.1 */

	switch ((enum kind)(uintptr_t)kind) {
	case KIND_POWER_BUTTON: if (value == PRESSED) hear(MACHINE_POWER_BUTTON); break;
	case KIND_SLEEP_BUTTON: if (value == PRESSED) hear(MACHINE_SLEEP_BUTTON); break;
	case KIND_LID:          if (value == CHANGED) hear(MACHINE_LID); break;
	default:                break;
	}
}

static u32 on_fixed(void *event)
{
	hear((enum machine_event)(uintptr_t)event);
	return ACPI_INTERRUPT_HANDLED;
}

static void find_devices(void)
{
	for (uint32_t k = 0; k < KINDS; k++) {
		char id[sizeof(kinds[k].id)];
		memcpy(id, kinds[k].id, sizeof(id));
		(void)failed(acpi_get_devices(id, note_device, (void *)(uintptr_t)k, NULL), kinds[k].name);
		for (uint32_t i = 0; k <= KIND_LID && i < devices[k].n; i++)
			(void)failed(acpi_install_notify_handler(devices[k].at[i], ACPI_DEVICE_NOTIFY, on_device, (void *)(uintptr_t)k), kinds[k].name);
	}
}

/* A button in the fixed registers (§4.8.2.2.1.1), unless the FADT says that there is none there. */
static bool fixed_button(u32 event, u32 absent, enum machine_event heard, acpi_event_handler handler)
{
	if (acpi_gbl_reduced_hardware || (acpi_gbl_FADT.flags & absent))
		return false;
	return !failed(acpi_install_fixed_event_handler(event, handler, (void *)(uintptr_t)heard), "a fixed button");
}

/* ---- beginning ---- */

/* Tells AML that interrupts go to I/O APICs (§5.8.1). */
static void choose_apics(void)
{
	union acpi_object one = { .integer = { .type = ACPI_TYPE_INTEGER, .value = 1 } };
	struct acpi_object_list args = { 1, &one };
	acpi_status st = acpi_evaluate_object(NULL, "\\_PIC", &args, NULL);

	if (st != AE_NOT_FOUND)
		(void)failed(st, "\\_PIC");
}

static struct machine_gpes *gpes;
static acpi_handle gpe_scope;

/* Before the hardware's bit is cleared: from then on nobody else knows of it. */
static void on_any_event(u32 type, acpi_handle block, u32 number, void *context unused)
{
	if (type == ACPI_EVENT_TYPE_GPE && block == gpe_scope && number / 64 < ARRAY_LEN(gpes->bits))
		gpes->bits[number / 64] |= 1ull << (number % 64);
}

void machine_settled(void)
{
	ged_settled();
	for (uint32_t i = 0; gpes && i < ARRAY_LEN(gpes->bits); i++)
		if (gpes->bits[i])
			gpes->bits[i] = 0;
	embedded_settled();
}

static uint64_t gpe_byte(const struct acpi_generic_address *block, uint32_t at)
{
	struct acpi_generic_address one = { .space_id = block->space_id, .bit_width = 8, .access_width = 1, .address = block->address + at };
	u64 value = 0;

	return ACPI_SUCCESS(acpi_read(&value, &one)) ? value & 0xff : 0;
}

/* Status registers, then as many for enabling (§4.8.4.1.1). */
static void look_at_gpes(const struct acpi_generic_address *block, uint32_t bytes, uint32_t first)
{
	for (uint32_t i = 0; block->address && i < bytes / 2; i++) {
		uint32_t n = first + 8 * i;
		if (n / 64 >= ARRAY_LEN(gpes->bits))
			return;
		gpes->enabled[n / 64] |= gpe_byte(block, bytes / 2 + i) << (n % 64);
		gpes->bits[n / 64] |= gpe_byte(block, i) << (n % 64) & gpes->enabled[n / 64];
	}
}

/* ACPICA begins by clearing all that is latched (evgpeblk.c): what was enabled by an instance before, and came since, is written down first. */
static void keep_gpes(void)
{
	if (acpi_gbl_reduced_hardware)
		return;
	look_at_gpes(&acpi_gbl_FADT.xgpe0_block, acpi_gbl_FADT.gpe0_block_length, 0);
	look_at_gpes(&acpi_gbl_FADT.xgpe1_block, acpi_gbl_FADT.gpe1_block_length, 8u * (acpi_gbl_FADT.gpe1_base / 8u));
}

static void run_gpes_again(void)
{
	char name[16];
	acpi_handle method;

	for (uint32_t i = 0; i < 64 * ARRAY_LEN(gpes->bits); i++)
		for (const char *how = "EL"; gpes->bits[i / 64] >> (i % 64) & 1 && *how; how++) {
			snprintf(name, sizeof(name), "\\_GPE._%c%02X", *how, i);
			if (ACPI_SUCCESS(acpi_get_handle(NULL, name, &method)))
				(void)failed(acpi_evaluate_object(method, NULL, NULL, NULL), name);
		}
}

status_t machine_begin(machine_heard *heard, bool again, bool cleared, struct machine_gpes *kept)
{
	u32 pressed = 0;

	hear = heard;
	gpes = kept;
	if (failed(acpi_load_tables(), "the tables do not load"))
		return ERR_BAD_FORMAT;
	if (again)
		keep_gpes();            /* at the last moment: loading takes long */
	if (failed(acpi_enable_subsystem(ACPI_FULL_INITIALIZATION), "ACPI cannot be switched on"))
		return ERR_BAD_FORMAT;
	embedded_begin(&gpes->embedded);
	(void)failed(acpi_initialize_objects(ACPI_FULL_INITIALIZATION), "devices cannot be initialized");
	embedded_find();
	running = true;
	choose_apics();
	list_tables();                          /* AML may have loaded more */
	find_devices();
	pci_begin();
	char scope[] = "\\_GPE";
	if (ACPI_FAILURE(acpi_get_handle(NULL, scope, &gpe_scope)))
		gpe_scope = NULL;
	(void)failed(acpi_install_global_event_handler(on_any_event, NULL), "events cannot be written down");
	run_gpes_again();
	/* Installing a handler clears the status. */
	if ((again || cleared) && !acpi_gbl_reduced_hardware && !(acpi_gbl_FADT.flags & ACPI_FADT_POWER_BUTTON)
	    && ACPI_FAILURE(acpi_read_bit_register(ACPI_BITREG_POWER_BUTTON_STATUS, &pressed)))
		pressed = 0;
	fixed_power = fixed_button(ACPI_EVENT_POWER_BUTTON, ACPI_FADT_POWER_BUTTON, MACHINE_POWER_BUTTON, on_fixed);
	fixed_sleep = fixed_button(ACPI_EVENT_SLEEP_BUTTON, ACPI_FADT_SLEEP_BUTTON, MACHINE_SLEEP_BUTTON, on_fixed);
	if (pressed)
		hear(MACHINE_POWER_BUTTON);
	(void)failed(acpi_update_all_gpes(), "events cannot be switched on");
	embedded_listen();
	keep_gpes();
	ged_begin();
	log_print("%u tables; %s power button, %u batteries, %u lids", tables.n,
	          fixed_power ? "a fixed" : devices[KIND_POWER_BUTTON].n ? "a" : "no", devices[KIND_BATTERY].n, devices[KIND_LID].n);
	return OK;
}

/* ---- text ---- */

struct text { char *at; size_t len, room; };

static void add(struct text *t, const char *format, ...) printf_like(2, 3);
static void add(struct text *t, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int n = vsnprintf(t->at + t->len, t->room - t->len, format, args);
	va_end(args);
	if (n > 0)
		t->len = MIN(t->len + (size_t)n, t->room - 1);
}

/* Firmware's bytes: nothing that a terminal would obey. */
static void add_name(struct text *t, const char *name, size_t len)
{
	while (len > 0 && (name[len - 1] == ' ' || !name[len - 1]))
		len--;
	for (size_t i = 0; i < len; i++)
		add(t, "%c", name[i] >= ' ' && name[i] < 127 ? name[i] : '?');
}

static void add_oem(struct text *t)
{
	const struct table_entry *fadt = tables_find(&tables, "FACP", 4);

	if (!fadt || fadt->size < sizeof(struct acpi_table_header))
		return;
	const struct acpi_table_header *h = fadt->data;
	add(t, "%-10s ", "oem");
	add_name(t, h->oem_id, sizeof(h->oem_id));
	add(t, " ");
	add_name(t, h->oem_table_id, sizeof(h->oem_table_id));
	add(t, " revision %u\n%-10s %u.%u\n", h->oem_revision, "fadt", h->revision, acpi_gbl_FADT.minor_revision & 15);
}

static void add_sleep_states(struct text *t)
{
	u8 a, b;

	add(t, "%-10s", "sleep");
	for (u8 s = 0; running && s <= 5; s++)
		if (ACPI_SUCCESS(acpi_get_sleep_type_data(s, &a, &b)))
			add(t, " S%u", s);
	add(t, "\n");
}

static void add_lids(struct text *t)
{
	uint64_t open;

	for (uint32_t i = 0; i < devices[KIND_LID].n; i++)
		add(t, "%-10s %s\n", "lid", !integer(devices[KIND_LID].at[i], "_LID", &open) ? "unknown" : open ? "open" : "closed");
	if (devices[KIND_LID].n == 0)
		add(t, "%-10s none\n", "lid");
}

/* Rate and charge are in mW and mWh, or in mA and mAh (§10.2.2.2); all ones: unknown. */
static void add_batteries(struct text *t)
{
	enum { PRESENT = 1 << 4, INFO_UNIT = 0, INFO_FULL = 2, INFO_MODEL = 9, STATE = 0, STATE_RATE, STATE_LEFT };

	for (uint32_t i = 0; i < devices[KIND_BATTERY].n; i++) {
		acpi_handle h = devices[KIND_BATTERY].at[i];
		uint64_t status;
		if (integer(h, "_STA", &status) && !(status & PRESENT)) {
			add(t, "%-10s absent\n", "battery");
			continue;
		}
		union acpi_object *info = package(h, "_BIF", 13), *now = package(h, "_BST", 4);
		const union acpi_object *n = now ? now->package.elements : NULL, *f = info ? info->package.elements : NULL;
		add(t, "%-10s", "battery");
		if (n && n[STATE].type == ACPI_TYPE_INTEGER)
			add(t, " %s%s", n[STATE].integer.value & 1 ? "discharging" : n[STATE].integer.value & 2 ? "charging" : "idle",
			    n[STATE].integer.value & 4 ? ", critical" : "");
		if (n && f && n[STATE_LEFT].type == ACPI_TYPE_INTEGER && f[INFO_FULL].type == ACPI_TYPE_INTEGER
		    && f[INFO_UNIT].type == ACPI_TYPE_INTEGER)
			add(t, ", %llu of %llu %s", (unsigned long long)n[STATE_LEFT].integer.value,
			    (unsigned long long)f[INFO_FULL].integer.value, f[INFO_UNIT].integer.value ? "mAh" : "mWh");
		if (f && f[INFO_MODEL].type == ACPI_TYPE_STRING) {
			add(t, ", ");
			add_name(t, f[INFO_MODEL].string.pointer, f[INFO_MODEL].string.length);
		}
		add(t, "%s\n", n || f ? "" : " unknown");
		if (info)
			acpi_os_free(info);
		if (now)
			acpi_os_free(now);
	}
	if (devices[KIND_BATTERY].n == 0)
		add(t, "%-10s none\n", "battery");
}

static void add_supplies(struct text *t)
{
	uint64_t on;

	for (uint32_t i = 0; i < devices[KIND_SUPPLY].n; i++)
		add(t, "%-10s %s\n", "supply", !integer(devices[KIND_SUPPLY].at[i], "_PSR", &on) ? "unknown" : on ? "on line" : "off line");
}

static void add_buttons(struct text *t)
{
	add(t, "%-10s%s%s", "buttons", fixed_power ? " power" : "", fixed_sleep ? " sleep" : "");
	for (uint32_t k = KIND_POWER_BUTTON; k <= KIND_SLEEP_BUTTON; k++)
		for (uint32_t i = 0; i < devices[k].n; i++)
			add(t, " %s (device)", k == KIND_POWER_BUTTON ? "power" : "sleep");
	add(t, "\n");
}

size_t machine_summary(char *buf, size_t room, const char *aml)
{
	struct text t = { buf, 0, room };
	char line[96];

	add_oem(&t);
	add(&t, "%-10s", "tables");
	for (uint32_t i = 0; i < tables.n; i++)
		add(&t, " %s", tables.at[i].name);
	add(&t, "\n%-10s %s\n", "aml", aml);
	add(&t, "%-10s %s, %s\n", "hardware", acpi_gbl_reduced_hardware ? "reduced" : "fixed", osl_sci(line, sizeof(line)));
	if (running) {
		add_sleep_states(&t);
		add_buttons(&t);
		/* Who looks often must not fill the log: that a controller does not answer was told when that began. */
		osl_quiet(embedded_out());
		add_lids(&t);
		add_batteries(&t);
		add_supplies(&t);
		t.len += ged_text(t.at + t.len, t.room - t.len);
		osl_quiet(false);
		add(&t, "%-10s %s\n", "controller", embedded_text(line, sizeof(line)));
	}
	if (osl_refused())
		add(&t, "%-10s %u accesses of AML beyond what it may reach\n", "refused", osl_refused());
	return t.len;
}

/* ---- off and reset ---- */

status_t machine_off(void)
{
	if (!running)
		return ERR_NOT_SUPPORTED;
	if (failed(acpi_enter_sleep_state_prep(ACPI_STATE_S5), "power off cannot be prepared"))
		return ERR_NOT_SUPPORTED;
	if (failed(acpi_enter_sleep_state(ACPI_STATE_S5), "power off"))
		return ERR_IO;
	log_print("power off: the machine did not follow");
	return ERR_IO;
}

static acpi_status reset_write(const struct acpi_generic_address *r, u8 value)
{
	struct acpi_pci_id id = { .device = r->address >> 32 & 31, .function = r->address >> 16 & 7 };

	switch (r->space_id) {                  /* the three that §5.2.3.2 allows; an access is one byte (§4.8.3.6) */
	case ACPI_ADR_SPACE_SYSTEM_IO:     return acpi_os_write_port(r->address, value, 8);
	case ACPI_ADR_SPACE_SYSTEM_MEMORY: return acpi_os_write_memory(r->address, value, 8);
	case ACPI_ADR_SPACE_PCI_CONFIG:    return acpi_os_write_pci_configuration(&id, r->address & 0xffff, value, 8);
	default:                           return AE_SUPPORT;
	}
}

/* The keyboard controller pulses the reset line once its input buffer is empty. */
static void keyboard_reset(void)
{
	enum { COMMAND = 0x64, INPUT_FULL = 2, PULSE = 0xfe };
	u32 status = 0;

	for (int i = 0; i < 100 && ACPI_SUCCESS(acpi_os_read_port(COMMAND, &status, 8)) && (status & INPUT_FULL); i++)
		acpi_os_sleep(1);
	(void)failed(acpi_os_write_port(COMMAND, PULSE, 8), "the keyboard controller");
	acpi_os_sleep(200);
}

status_t machine_reset(void)
{
	const struct acpi_generic_address *r = &acpi_gbl_FADT.reset_register;

	if ((acpi_gbl_FADT.flags & ACPI_FADT_RESET_REGISTER) && r->address) {
		(void)failed(reset_write(r, acpi_gbl_FADT.reset_value), "the reset register");
		acpi_os_sleep(200);
	}
	keyboard_reset();
	log_print("reset: the machine did not follow");
	return ERR_IO;
}
