/*
 * embedded_test: the real ACPICA, machine.c and pci.c over a machine of a few registers, whose tables are written here, and a model of an
 * embedded controller: batteries and lids are seen through it, its events heard, and killing acpid at any access to a port
 * loses none.
 *
 * An instance is a process of this machine: ACPICA cannot be begun twice in one, and a kill is its end. What outlives it is `world`.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "embedded.c"
#include "ec_model.h"
#include "ged.h"
#include "machine.h"
#include "osl.h"
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { GPE = 23, KILLED = 3, PM1 = 0x600, GPE0 = 0x620 };
enum { LID = 0x81, WORK = 0x07, DEADLY = 0x66 };
/* The controller's memory, as the tables lay it out. */
enum { STATE = 0x10, RATE = 0x11, LEFT = 0x13, VOLTAGE = 0x15, FULL = 0x17, OPEN = 0x19, MODEL = 0x20, DONE = 0x50 };

static struct world {
	struct model ec;
	struct machine_gpes kept;
	uint8_t pm1[8], gpe[8];         /* as they lie in the registers: status, then enable */
	bool begun;
	uint32_t left;                  /* accesses to ports until the kill; 0: none comes */
	uint32_t lids, turns;
	char log[64 * 1024], text[4096];
	uint8_t wide[16];
	uint64_t odd, early, connected;
} *world;

/* ---- tables ---- */

static uint8_t aml[4096];
static size_t aml_len;
static struct { struct acpi_table_rsdp rsdp; struct { struct acpi_table_header h; uint64_t at[3]; } packed xsdt; struct acpi_table_fadt fadt;
	struct { struct acpi_table_ecdt t; char rest[32]; } packed ecdt; uint8_t facs[64] aligned(64); } fw;

static void put_bytes(const void *bytes, size_t len)
{
	memcpy(aml + aml_len, bytes, len);
	aml_len += len;
}
#define PUT(literal) put_bytes(literal, sizeof(literal) - 1)

/* A package whose length is filled in at its end (ACPI 6.5 §20.2.4). */
static size_t open_package(const char *op)
{
	put_bytes(op, strlen(op));
	aml_len += 2;
	return aml_len - 2;
}

static void close_package(size_t at)
{
	size_t len = aml_len - at;
	aml[at] = 0x40 | (len & 15);
	aml[at + 1] = (uint8_t)(len >> 4);
}

static size_t open_method(const char *name, uint8_t args)
{
	size_t at = open_package("\x14");
	put_bytes(name, 4);
	put_bytes(&args, 1);
	return at;
}

static void put_field(const char *name, uint8_t bits)
{
	put_bytes(name, name[0] ? 4 : 1);
	uint8_t len[2] = { (uint8_t)(0x40 | (bits & 15)), bits >> 4 };
	put_bytes(len, 2);
}

static void put_device(const char *name, const char *hid)
{
	put_bytes(name, 4);
	PUT("\x08_HID\x0d");
	put_bytes(hid, strlen(hid) + 1);
}

static size_t open_device(const char *name, const char *hid)
{
	size_t at = open_package("\x5b\x82");
	put_device(name, hid);
	return at;
}

static void put_store_index(const char *from, const char *package, uint8_t index)
{
	PUT("\x70");
	put_bytes(from, 4);
	PUT("\x88");
	put_bytes(package, 4);
	PUT("\x0a");
	put_bytes(&index, 1);
	PUT("\0");
}

static uint8_t sum(const void *data, size_t len)
{
	uint8_t s = 0;

	for (size_t i = 0; i < len; i++)
		s = (uint8_t)(s + ((const uint8_t *)data)[i]);
	return s;
}

static void header(void *table, const char *signature, size_t len)
{
	struct acpi_table_header *h = table;

	memcpy(h->signature, signature, 4);
	h->length = (uint32_t)len;
	h->revision = 2;
	memcpy(h->oem_id, "SKERRY", 6);
	memcpy(h->oem_table_id, "EMBEDDED", 8);
	h->checksum = 0;
	h->checksum = (uint8_t)-sum(table, len);
}

enum { DEVICE = 1, ECDT = 2, ECDT_ELSEWHERE = 4, GPE_PACKAGE = 8, GLK = 16, SECOND = 32, DEADLY_METHOD = 64, READING_METHOD = 128 };

static void put_controller(unsigned what)
{
	size_t ec = open_package("\x5b\x82");
	put_device("EC0_", what & DEVICE ? "PNP0C09" : "SKE0001");
	if (what & DEVICE) {
		PUT("\x08_CRS\x11\x15\x0a\x12" "\x47\x01\x62\x00\x62\x00\x00\x01" "\x47\x01\x66\x00\x66\x00\x00\x01" "\x79\x00");
		if (what & GPE_PACKAGE)
			PUT("\x08_GPE\x12\x04\x02\x01\x01");
		else
			PUT("\x08_GPE\x0a\x17");
		if (what & GLK)
			PUT("\x08_GLK\x01");
	}
	PUT("\x5b\x80" "ERAM\x03\x00\x0b\x00\x01");                     /* all 256 bytes */
	size_t field = open_package("\x5b\x81");
	PUT("ERAM\x01");
	put_field("", 8 * STATE);
	put_field("STAT", 8);
	put_field("RATE", 16);
	put_field("LEFT", 16);
	put_field("VOLT", 16);
	put_field("FULL", 16);
	put_field("LIDS", 1);
	put_field("", 7 + 8 * (MODEL - OPEN - 1));
	put_field("WIDE", 128);
	put_field("", 8 * 16);
	put_field("", 8 * (DONE - MODEL - 32) - 60);
	put_field("ODD_", 20);
	put_field("", 40);
	put_field("DONE", 8);
	close_package(field);
	PUT("\x08REGD\x00");
	size_t m = open_method("_REG", 2);
	PUT("\x70\x69REGD");
	close_package(m);
	m = open_method("_Q81", 0);
	PUT("\x70LIDS\x60\x70LEFT\x60\x86LID0\x0a\x80");
	close_package(m);
	m = open_method("_Q07", 0);
	PUT("\x70\x01" "DONE");
	close_package(m);
	if (what & READING_METHOD) {
		/* Of MODEL_ENDLESS: each access shows that there is another event. */
		m = open_method("_Q42", 0);
		PUT("\x70LIDS\x60\x86LID0\x0a\x80");
		close_package(m);
	}
	if (what & DEADLY_METHOD) {
		m = open_method("_Q66", 0);
		PUT("\x5b\x80" "PORT\x01\x0b\x66\x06\x01");             /* a port at which the process ends */
		size_t f = open_package("\x5b\x81");
		PUT("PORT\x01");
		put_field("DIE_", 8);
		close_package(f);
		PUT("\x70\x01" "DIE_");
		close_package(m);
	}
	m = open_method("ALL_", 0);
	PUT("\xa4WIDE");
	close_package(m);
	m = open_method("ODDS", 0);
	PUT("\x70\x0c\x21\x43\x05\x00ODD_\xa4ODD_");
	close_package(m);

	size_t battery = open_device("BAT0", "PNP0C0A");
	PUT("\x08PBST\x12\x06\x04\0\0\0\0");
	PUT("\x08PBIF\x12\x17\x0d\x00\x00\x00\x00\x00\x00\x00\x00\x00\x0d" "Cell\0\x0d\0\x0d\0\x0d\0");
	m = open_method("_BST", 0);
	put_store_index("STAT", "PBST", 0);
	put_store_index("RATE", "PBST", 1);
	put_store_index("LEFT", "PBST", 2);
	put_store_index("VOLT", "PBST", 3);
	PUT("\xa4PBST");
	close_package(m);
	m = open_method("_BIF", 0);
	put_store_index("FULL", "PBIF", 2);
	PUT("\xa4PBIF");
	close_package(m);
	close_package(battery);
	size_t lid = open_device("LID0", "PNP0C0D");
	m = open_method("_LID", 0);
	PUT("\xa4LIDS");
	close_package(m);
	close_package(lid);
	close_package(ec);
}

static void write_tables(unsigned what)
{
	memset(&fw, 0, sizeof(fw));
	memset(aml, 0, sizeof(aml));
	aml_len = sizeof(struct acpi_table_header);
	size_t sb = open_package("\x10");
	PUT("\\_SB_");
	put_controller(what);
	if (what & SECOND) {
		size_t second = open_device("EC1_", "PNP0C09");
		PUT("\x08_CRS\x11\x15\x0a\x12" "\x47\x01\x68\x00\x68\x00\x00\x01" "\x47\x01\x6c\x00\x6c\x00\x00\x01" "\x79\x00");
		PUT("\x5b\x80" "ERAM\x03\x00\x0b\x00\x01");
		size_t f = open_package("\x5b\x81");
		PUT("ERAM\x01");
		put_field("BYTE", 8);
		close_package(f);
		size_t m = open_method("ALL_", 0);
		PUT("\x70\x0a\x77" "BYTE\xa4" "BYTE");
		close_package(m);
		close_package(second);
	}
	/* What AML wants before _REG is had of an ECDT's controller. */
	PUT("\x08" "EARL\x0b\xff\xff");
	if (what & (ECDT | ECDT_ELSEWHERE)) {
		size_t m = open_method("_INI", 0);
		PUT("\x70\x5c\x2f\x03_SB_EC0_VOLT" "EARL");
		close_package(m);
	}
	close_package(sb);
	header(aml, "DSDT", aml_len);

	memcpy(fw.facs, "FACS", 4);
	fw.facs[4] = 64;
	fw.fadt.Xfacs = (uint64_t)fw.facs;
	fw.fadt.Xdsdt = (uint64_t)aml;
	fw.fadt.sci_interrupt = 9;
	fw.fadt.pm1a_event_block = PM1;
	fw.fadt.pm1_event_length = 4;
	fw.fadt.pm1a_control_block = PM1 + 4;
	fw.fadt.pm1_control_length = 2;
	fw.fadt.gpe0_block = GPE0;
	fw.fadt.gpe0_block_length = 8;
	fw.fadt.flags = ACPI_FADT_POWER_BUTTON | ACPI_FADT_SLEEP_BUTTON;
	header(&fw.fadt, "FACP", sizeof(fw.fadt));

	static const char id[] = "\\_SB.EC0";
	uint16_t shift = what & ECDT_ELSEWHERE ? 0x100 : 0;
	fw.ecdt.t.control = (struct acpi_generic_address){ .space_id = ACPI_ADR_SPACE_SYSTEM_IO, .bit_width = 8, .address = 0x66u + shift };
	fw.ecdt.t.data = (struct acpi_generic_address){ .space_id = ACPI_ADR_SPACE_SYSTEM_IO, .bit_width = 8, .address = 0x62u + shift };
	fw.ecdt.t.gpe = GPE;
	memcpy(fw.ecdt.t.id, id, sizeof(id));
	header(&fw.ecdt, "ECDT", offsetof(struct acpi_table_ecdt, id) + sizeof(id));

	bool ecdt = what & (ECDT | ECDT_ELSEWHERE);
	fw.xsdt.at[0] = (uint64_t)&fw.fadt;
	fw.xsdt.at[1] = (uint64_t)&fw.ecdt;
	header(&fw.xsdt, "XSDT", sizeof(struct acpi_table_header) + (ecdt ? 16 : 8));
	memcpy(fw.rsdp.signature, "RSD PTR ", 8);
	fw.rsdp.revision = 2;
	fw.rsdp.length = sizeof(fw.rsdp);
	fw.rsdp.xsdt_physical_address = (uint64_t)&fw.xsdt;
	fw.rsdp.checksum = (uint8_t)-sum(&fw.rsdp, 20);
	fw.rsdp.extended_checksum = (uint8_t)-sum(&fw.rsdp, sizeof(fw.rsdp));
}

/* ---- what ACPICA asks of its host ---- */

static acpi_osd_handler sci;
static void *sci_context;
static struct { acpi_osd_exec_callback run; void *context; } work[64];
static uint32_t work_first, work_n;

acpi_status acpi_os_initialize(void) { return AE_OK; }
acpi_status acpi_os_terminate(void) { return AE_OK; }
acpi_physical_address acpi_os_get_root_pointer(void) { return (uint64_t)&fw.rsdp; }
acpi_status acpi_os_predefined_override(const struct acpi_predefined_names *n unused, acpi_string *v) { *v = NULL; return AE_OK; }
acpi_status acpi_os_table_override(struct acpi_table_header *t unused, struct acpi_table_header **o) { *o = NULL; return AE_OK; }
acpi_status acpi_os_physical_table_override(struct acpi_table_header *t unused, acpi_physical_address *a, u32 *l) { *a = 0; *l = 0; return AE_OK; }
void *acpi_os_allocate(acpi_size n) { return malloc(n); }
void acpi_os_free(void *p) { free(p); }
struct osl_cache { uint32_t size; };
acpi_status acpi_os_create_cache(char *n unused, u16 size, u16 d unused, acpi_cache_t **made)
{
	*made = malloc(sizeof(**made));
	(*made)->size = size;
	return AE_OK;
}
acpi_status acpi_os_delete_cache(acpi_cache_t *c) { free(c); return AE_OK; }
acpi_status acpi_os_purge_cache(acpi_cache_t *c unused) { return AE_OK; }
void *acpi_os_acquire_object(acpi_cache_t *c) { return calloc(1, c->size); }
acpi_status acpi_os_release_object(acpi_cache_t *c unused, void *o) { free(o); return AE_OK; }
void *acpi_os_map_memory(acpi_physical_address at, acpi_size n unused) { return (void *)at; }
void acpi_os_unmap_memory(void *at unused, acpi_size n unused) {}
acpi_status acpi_os_read_memory(acpi_physical_address a unused, u64 *v, u32 w unused) { *v = 0; return AE_OK; }
acpi_status acpi_os_write_memory(acpi_physical_address a unused, u64 v unused, u32 w unused) { return AE_OK; }
acpi_status acpi_os_create_lock(acpi_spinlock *l) { *l = (acpi_spinlock)world; return AE_OK; }
void acpi_os_delete_lock(acpi_spinlock l unused) {}
acpi_cpu_flags acpi_os_acquire_lock(acpi_spinlock l unused) { return 0; }
void acpi_os_release_lock(acpi_spinlock l unused, acpi_cpu_flags f unused) {}
acpi_status acpi_os_create_semaphore(u32 max unused, u32 units, acpi_semaphore *s)
{
	u32 *made = malloc(sizeof(*made));
	*made = units;
	*s = (acpi_semaphore)made;
	return AE_OK;
}
acpi_status acpi_os_delete_semaphore(acpi_semaphore s) { free((void *)s); return AE_OK; }
acpi_status acpi_os_wait_semaphore(acpi_semaphore s, u32 units, u16 t unused)
{
	if (*(u32 *)s < units)
		return AE_TIME;
	*(u32 *)s -= units;
	return AE_OK;
}
acpi_status acpi_os_signal_semaphore(acpi_semaphore s, u32 units) { *(u32 *)s += units; return AE_OK; }
acpi_thread_id acpi_os_get_thread_id(void) { return 1; }
acpi_status acpi_os_execute(acpi_execute_type t unused, acpi_osd_exec_callback run, void *context)
{
	if (work_n == ARRAY_LEN(work))
		return AE_NO_MEMORY;
	uint32_t i = (work_first + work_n++) % ARRAY_LEN(work);
	work[i].run = run;
	work[i].context = context;
	return AE_OK;
}
void acpi_os_wait_events_complete(void) {}
acpi_status acpi_os_install_interrupt_handler(u32 n unused, acpi_osd_handler h, void *c) { sci = h; sci_context = c; return AE_OK; }
acpi_status acpi_os_remove_interrupt_handler(u32 n unused, acpi_osd_handler h unused) { return AE_OK; }
u64 acpi_os_get_timer(void) { return model_now() / 100; }
void acpi_os_sleep(u64 ms) { world->ec.now += ms * NS_PER_MS; }
void acpi_os_stall(u32 us) { model_pause(us); }
acpi_status acpi_os_signal(u32 f unused, void *i unused) { return AE_OK; }
acpi_status acpi_os_enter_sleep(u8 s unused, u32 a unused, u32 b unused) { return AE_OK; }
acpi_status acpi_os_read_pci_configuration(struct acpi_pci_id *id unused, u32 r unused, u64 *v, u32 w unused) { *v = 0xffffffff; return AE_OK; }
acpi_status acpi_os_write_pci_configuration(struct acpi_pci_id *id unused, u32 r unused, u64 v unused, u32 w unused) { return AE_OK; }

static void keep_log(const char *format, va_list args)
{
	size_t used = strlen(world->log);
	vsnprintf(world->log + used, sizeof(world->log) - used, format, args);
}

static bool quiet;

void osl_quiet(bool q) { quiet = q; }
void acpi_os_vprintf(const char *format, va_list args) { if (!quiet) keep_log(format, args); }
void acpi_os_printf(const char *format, ...) { va_list a; va_start(a, format); acpi_os_vprintf(format, a); va_end(a); }
static void say(const char *format, ...) { va_list a; va_start(a, format); keep_log(format, a); va_end(a); }
void log_print(const char *format, ...) { va_list a; va_start(a, format); keep_log(format, a); va_end(a); say("\n"); }
const char *osl_sci(char *text, size_t room) { snprintf(text, room, "SCI"); return text; }
/* A machine with an SCI needs no generic event devices. */
void ged_begin(void) {}
void ged_settled(void) {}
size_t ged_text(char *buf unused, size_t room unused) { return 0; }
uint32_t osl_refused(void) { return 0; }

static void step(void)
{
	if (world->left && --world->left == 0)
		_exit(KILLED);
}

/* Registers of which the first half are bits cleared by writing ones. */
static uint8_t *reg(uint32_t port, bool *status)
{
	*status = port < PM1 + 2 || (port >= GPE0 && port < GPE0 + 4);
	return port >= PM1 && port < PM1 + 8 ? &world->pm1[port - PM1] : port >= GPE0 && port < GPE0 + 8 ? &world->gpe[port - GPE0] : NULL;
}

acpi_status acpi_os_read_port(acpi_io_address port, u32 *value, u32 width)
{
	bool status;

	step();
	*value = UINT32_MAX >> (32 - width);
	if (port == 0x62 || port == 0x66) {
		*value = model_read(port == 0x62 ? EC_DATA : EC_COMMAND);
		return AE_OK;
	}
	for (u32 i = 0; i < width / 8; i++) {
		uint8_t *r = reg((uint32_t)port + i, &status);
		if (r)
			*value = (*value & ~(0xffu << 8 * i)) | (u32)*r << 8 * i;
	}
	return AE_OK;
}

acpi_status acpi_os_write_port(acpi_io_address port, u32 value, u32 width)
{
	bool status;

	step();
	if (port == 0x666)
		_exit(KILLED);
	if (port == 0x62 || port == 0x66)
		model_write(port == 0x62 ? EC_DATA : EC_COMMAND, (uint8_t)value);
	step();
	for (u32 i = 0; i < width / 8; i++) {
		uint8_t *r = reg((uint32_t)port + i, &status), byte = (uint8_t)(value >> 8 * i);
		if (r)
			*r = status ? *r & ~byte : byte;
	}
	return AE_OK;
}

/* ---- instances ---- */

static void on_heard(enum machine_event what)
{
	world->lids += what == MACHINE_LID;
}

/* The service's loop (main.c), until there is nothing to do. */
static void turn(void)
{
	for (int idle = 0; idle < 3 && world->turns < 200; world->turns++) {
		bool asked = false;
		for (int i = 0; i < 4; i++)
			asked = asked || (world->gpe[i] & world->gpe[4 + i]);
		if (asked)
			sci(sci_context);
		bool any = work_n > 0;
		for (int i = 0; work_n > 0 && i < 32; i++) {
			uint32_t at = work_first;
			work_first = (work_first + 1) % ARRAY_LEN(work);
			work_n--;
			work[at].run(work[at].context);
		}
		if (work_n == 0)
			machine_settled();
		embedded_rest();
		idle = any || asked ? 0 : idle + 1;
	}
}

static void raise_event(uint8_t number)
{
	model_event(number);
	world->gpe[GPE / 8] |= 1 << GPE % 8;
}

static void call(const char *name, acpi_object_type type, void (*see)(const union acpi_object *))
{
	struct acpi_buffer buffer = { ACPI_ALLOCATE_BUFFER, NULL };
	char path[32];

	snprintf(path, sizeof(path), "%s", name);
	if (ACPI_FAILURE(acpi_evaluate_object(NULL, path, NULL, &buffer)) || !buffer.pointer)
		return;
	if (((union acpi_object *)buffer.pointer)->type == type)
		see(buffer.pointer);
	free(buffer.pointer);
}

static void see_wide(const union acpi_object *o)
{
	memcpy(world->wide, o->buffer.pointer, MIN(o->buffer.length, sizeof(world->wide)));
}

static void see_odd(const union acpi_object *o)
{
	world->odd = o->integer.value;
}

static void see_early(const union acpi_object *o)
{
	world->early = o->integer.value;
}

static void see_connected(const union acpi_object *o)
{
	world->connected = o->integer.value;
}

/* later: what happens once it listens. Returns how it ended. */
static int instance(void (*later)(void))
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		bool again = world->begun;
		world->begun = true;
		world->turns = 0;
		if (machine_tables(true) != OK || machine_begin(on_heard, again, false, &world->kept) != OK)
			_exit(2);
		turn();
		if (later) {
			later();
			turn();
		}
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != KILLED)
		print_error("%s\n", world->log);
	return WEXITSTATUS(status);
}

static void look(void)
{
	machine_summary(world->text, sizeof(world->text), "running");
	call("\\_SB.EC0.ALL", ACPI_TYPE_BUFFER, see_wide);
	call("\\_SB.EC0.ODDS", ACPI_TYPE_INTEGER, see_odd);
	call("\\_SB.EARL", ACPI_TYPE_INTEGER, see_early);
	call("\\_SB.EC0.REGD", ACPI_TYPE_INTEGER, see_connected);
}

static void fresh(unsigned what)
{
	if (!world)
		world = mmap(NULL, sizeof(*world), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(world, MAP_FAILED);
	memset(world, 0, sizeof(*world));
	model_begin(&world->ec);
	uint8_t *r = world->ec.ram;
	r[STATE] = 2;
	memcpy(r + RATE, "\x10\x27\x39\x30\x4c\x2f\xa8\x61\x01", 9);     /* 10000, 12345, 12108, 25000, open */
	memcpy(r + MODEL, "sixteen letters!", 16);
	write_tables(what);
}

static void has(const char *where, const char *what)
{
	if (!strstr(where, what))
		fail_msg("no \"%s\" in:\n%s\n%s", what, where, world->log);
}

static void has_not(const char *where, const char *what)
{
	if (strstr(where, what))
		fail_msg("\"%s\" in:\n%s", what, where);
}

static void figures(void **unused_state)
{
	static const unsigned machines[] = { DEVICE, ECDT, DEVICE | ECDT, DEVICE | GLK, DEVICE | SECOND };

	(void)unused_state;
	for (size_t i = 0; i < ARRAY_LEN(machines); i++) {
		fresh(machines[i]);
		assert_int_equal(instance(look), 0);
		has(world->text, "battery    charging, 12345 of 25000 mWh, Cell\n");
		has(world->text, "lid        open\n");
		has(world->text, machines[i] & ECDT ? "controller embedded (ECDT), data 0x62 command 0x66, GPE 23, working\n"
		                                    : "controller embedded, data 0x62 command 0x66, GPE 23, working\n");
		assert_memory_equal(world->wide, "sixteen letters!", 16);
		/* 20 bits that begin within a byte, written and read back, and nothing beside them. */
		assert_int_equal(world->odd, 0x54321);
		assert_int_equal(world->early, machines[i] & ECDT ? 12108 : 0xffff);
		assert_int_equal(world->connected, 1);
		assert_int_equal(world->ec.sins, 0);
		assert_int_equal(world->ec.ram[0x77], 0x77 ^ 0x5a);
		has_not(world->log, "rror");
		if (machines[i] & SECOND)
			has(world->log, "more than one embedded controller");
		else
			has_not(world->log, "embedded");
	}
}

static void second(void)
{
	call("\\_SB.EC1.ALL", ACPI_TYPE_INTEGER, see_odd);
}

static void second_is_not_the_first(void **unused_state)
{
	(void)unused_state;
	fresh(DEVICE | SECOND);
	assert_int_equal(instance(second), 0);
	assert_int_equal(world->ec.ram[0], 0x5a);
	assert_int_equal(world->odd, 0);
}

static void lid_and_work(void)
{
	raise_event(LID);
	raise_event(WORK);
	raise_event(0x99);              /* has no method */
}

static void lid_unseen(void)
{
	model_event(LID);
	turn();
	if (world->lids)
		_exit(2);               /* who told? */
	look();
}

static void events(void **unused_state)
{
	static const unsigned machines[] = { DEVICE, ECDT, DEVICE | ECDT, DEVICE | GLK };

	(void)unused_state;
	for (size_t i = 0; i < ARRAY_LEN(machines); i++) {
		fresh(machines[i]);
		assert_int_equal(instance(lid_and_work), 0);
		assert_int_equal(world->lids, 1);
		assert_int_equal(world->ec.ram[DONE], 1);
		assert_int_equal(world->ec.n_events, 0);
		assert_int_equal(world->ec.sins, 0);
		has_not(world->log, "rror");
	}
	/* What was there before anybody listened. */
	fresh(DEVICE);
	model_event(LID);
	assert_int_equal(instance(NULL), 0);
	assert_int_equal(world->lids, 1);
	/* Without a GPE it is seen when something else is asked for. */
	fresh(DEVICE | GPE_PACKAGE);
	assert_int_equal(instance(lid_unseen), 0);
	has(world->text, "no GPE, working");
	has(world->log, "_GPE is no number");
	assert_int_equal(world->lids, 1);
}

static void broken_ecdt(void **unused_state)
{
	(void)unused_state;
	fresh(DEVICE | ECDT_ELSEWHERE);
	assert_int_equal(instance(look), 0);
	has(world->text, "controller embedded, data 0x62 command 0x66, GPE 23, working\n");
	has(world->log, "the ECDT names other ports");
	has(world->text, "12345 of 25000");

	fresh(ECDT);
	fw.ecdt.t.id[0] = 0;
	header(&fw.ecdt, "ECDT", fw.ecdt.t.header.length);
	assert_int_equal(instance(look), 0);
	has(world->text, "controller none\n");
	has(world->log, "it names no device");

	fresh(ECDT);
	memset(fw.ecdt.t.id, 'A', fw.ecdt.t.header.length - offsetof(struct acpi_table_ecdt, id));
	header(&fw.ecdt, "ECDT", fw.ecdt.t.header.length);
	assert_int_equal(instance(look), 0);
	has(world->log, "it names no device");

	fresh(ECDT);
	header(&fw.ecdt, "ECDT", sizeof(struct acpi_table_ecdt) - 1);
	assert_int_equal(instance(look), 0);
	has(world->log, "it is too short");

	fresh(ECDT);
	fw.ecdt.t.data.space_id = ACPI_ADR_SPACE_SYSTEM_MEMORY;
	header(&fw.ecdt, "ECDT", fw.ecdt.t.header.length);
	assert_int_equal(instance(look), 0);
	has(world->log, "not at ports");

	fresh(ECDT);
	fw.ecdt.t.data.address = 0x10062;
	header(&fw.ecdt, "ECDT", fw.ecdt.t.header.length);
	assert_int_equal(instance(look), 0);
	has(world->log, "it names no two ports");
	has(world->text, "lid        unknown\n");
}

static void dies(void)
{
	look();
	world->ec.kind = MODEL_DEAF;
	uint64_t begin = world->ec.now;
	for (int i = 0; i < 12; i++) {
		raise_event(LID);
		look();
		turn();
	}
	world->odd = world->ec.now - begin;
	has(world->text, "does not answer");
	world->ec.kind = MODEL_SOUND;
	world->ec.now += EC_AGAIN_NS;
	look();
	turn();
}

static void out_of_order(void **unused_state)
{
	(void)unused_state;
	fresh(DEVICE);
	assert_int_equal(instance(dies), 0);
	assert_int_equal(world->odd, 0x54321);          /* it answers again */
	assert_in_range(world->ec.now, 0, EC_FAILURES * 2 * EC_WAIT_NS + EC_AGAIN_NS + NS_PER_SEC);
	has(world->log, "does not answer");
	has(world->log, "answers again");
	has(world->text, "12345 of 25000");
	assert_int_not_equal(world->lids, 0);

	fresh(DEVICE);
	world->ec.kind = MODEL_ABSENT;
	assert_int_equal(instance(look), 0);
	has(world->text, "not there\n");
	has(world->text, "battery    unknown\n");
	has(world->log, "there is no embedded controller at the ports 0x62 and 0x66");

	fresh(DEVICE);
	world->ec.kind = MODEL_ENDLESS;
	assert_int_equal(instance(look), 0);
	has(world->log, "without an end");
	has(world->text, "12345 of 25000");
	assert_in_range(world->turns, 1, 100);

	fresh(DEVICE | READING_METHOD);
	world->ec.kind = MODEL_ENDLESS;
	assert_int_equal(instance(look), 0);
	has(world->log, "without an end");
	has(world->text, "12345 of 25000");
	assert_in_range(world->turns, 1, 100);
	assert_int_equal(world->kept.embedded.queries[1], 0);           /* what was handled is settled */

	for (uint64_t seed = 1; seed < 6; seed++) {
		fresh(DEVICE | ECDT);
		world->ec.kind = MODEL_RANDOM;
		world->ec.seed = seed;
		assert_int_equal(instance(look), 0);
	}
}

/* Killed at each access, and the next one at its first ones, too: each event is heard in the end. */
static void kill_anywhere(void **unused_state)
{
	uint32_t at = 0;

	(void)unused_state;
	for (bool more = true; more;) {
		at++;
		fresh(DEVICE);
		world->ec.answer_ns = at % 3 * 40000;
		raise_event(LID);
		raise_event(WORK);
		world->left = at;
		more = instance(NULL) == KILLED;
		if (at % 2) {
			world->left = 1 + at % 40;
			(void)instance(NULL);
		}
		world->left = 0;
		assert_int_equal(instance(look), 0);
		if (!world->lids || world->ec.ram[DONE] != 1)
			fail_msg("killed at access %u: lid heard %u times, done %u\n%s", at, world->lids, world->ec.ram[DONE], world->log);
		assert_int_equal(world->ec.n_events, 0);
		assert_int_equal(world->kept.embedded.queries[0] | world->kept.embedded.queries[2], 0);
		assert_int_equal(world->ec.sins, 0);
		has(world->text, "12345 of 25000");
	}
	assert_true(at > 60);
}

/* A method that ends acpid: its event is given up only when main.c says so, and then all is well. */
static void deadly_method(void **unused_state)
{
	(void)unused_state;
	fresh(DEVICE | DEADLY_METHOD);
	model_event(DEADLY);
	for (int i = 0; i < 3; i++)
		assert_int_equal(instance(NULL), KILLED);
	assert_true(ec_forget(&world->kept.embedded));
	assert_int_equal(instance(look), 0);
	has(world->text, "12345 of 25000");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(figures), cmocka_unit_test(second_is_not_the_first), cmocka_unit_test(events), cmocka_unit_test(broken_ecdt),
		cmocka_unit_test(out_of_order), cmocka_unit_test(kill_anywhere), cmocka_unit_test(deadly_method),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
