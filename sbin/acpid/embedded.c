/*
 * embedded: see embedded.h. ACPI 6.5 §12.11, §12.12, §5.2.16.
 *
 * Where it is: the ECDT says it before any AML runs, for AML that wants it so early; the device PNP0C09 in the namespace says it for all. Of what
 * contradicts, the device's ports and the ECDT's event are taken, as Linux takes them: an ECDT that names other ports is left over from
 * another machine, and of _GPE and ECDT that agree on the ports the ECDT was found to be right. An ECDT without a name in it is no ECDT.
 *
 * Its address space is had by the whole namespace, not only below the device: there are machines that use it from elsewhere. _REG runs below the
 * device and at the root only, for the firmware of some describes other controllers that are not there; and after _INI, on which it may rely.
 *
 * Events: its GPE says that something was, the status whether it is an event, a query which one; then _Qxx runs. It is put off, as all AML
 * is that events cause, and so never comes in the middle of a transaction.
 */
#include "embedded.h"
#include "inside.h"
#include <gen/errors.h>
#include <rt/clock.h>
#include <rt/io.h>
#include <stdio.h>
#include <string.h>

#define QUERIES_MAX 64              /* without an end; then it waits for the next GPE, or an access after all that came of these */
#define LOCK_MS     1000            /* for the firmware to let the global lock go */

static struct {
	struct ec ec;
	struct ec_kept *kept;           /* borrowed */
	bool found, from_ecdt;
	acpi_handle device;             /* NULL: it has none */
	uint16_t ports[2];              /* by enum ec_port */
	bool has_gpe, heard;            /* its event, and whether that reaches us */
	uint32_t gpe;
	bool locked;                    /* the firmware uses it, too (_GLK) */
	bool listening;
	bool queued;                    /* answer_events is on its way */
	uint32_t in_a_row;
	bool enough;                    /* QUERIES_MAX were, and what came of them is not done yet: what AML reads meanwhile queues no more */
	bool endless;                   /* told */
	enum ec_state told;
} e;

/* ---- ports and time ---- */

static uint8_t port_read(enum ec_port port)
{
	u32 value = 0xff;

	if (ACPI_FAILURE(acpi_os_read_port(e.ports[port], &value, 8)))
		return 0xff;
	return (uint8_t)value;
}

static void port_write(enum ec_port port, uint8_t value)
{
	(void)failed(acpi_os_write_port(e.ports[port], value, 8), "a port of the embedded controller");
}

static void pause_us(uint32_t us)
{
	if (us < 1000)
		acpi_os_stall(us);
	else
		acpi_os_sleep(us / 1000);
}

static uint64_t now_ns(void)
{
	return acpi_os_get_timer() * 100;
}

static const struct ec_hooks hooks = { .read = port_read, .write = port_write, .pause = pause_us, .now = now_ns };

/* ---- transactions ---- */

static void tell(void)
{
	if (e.ec.state == e.told)
		return;
	if (e.ec.state == EC_ABSENT)
		log_print("there is no embedded controller at the ports 0x%x and 0x%x", e.ports[EC_DATA], e.ports[EC_COMMAND]);
	else if (e.ec.state == EC_SILENT)
		log_print("the embedded controller does not answer; it is asked again now and then");
	else if (e.told != EC_UNTRIED)
		log_print("the embedded controller answers again");
	e.told = e.ec.state;
}

static bool lock(u32 *lock)
{
	return !e.locked || !failed(acpi_acquire_global_lock(LOCK_MS, lock), "the global lock");
}

static void unlock(u32 lock)
{
	if (e.locked)
		(void)failed(acpi_release_global_lock(lock), "the global lock");
}

static void answer_events(void *context);

/* An event that cannot be queued stays where it is, and is seen at the next GPE or access. */
static void queue(void)
{
	if (!e.queued && e.listening)
		e.queued = ACPI_SUCCESS(acpi_os_execute(OSL_GPE_HANDLER, answer_events, NULL));
}

/* ACPICA gives at least 8 bytes, or as many as there are. */
static acpi_status on_access(u32 function, acpi_physical_address address, u32 bits, u64 *value, void *context unused, void *region unused)
{
	bool write = (function & ACPI_IO_MASK) == ACPI_WRITE;
	u32 held = 0;

	if (bits == 0 || bits % 8 || address >= EC_SIZE || bits / 8 > EC_SIZE - address) {
		log_print("AML wants %u bits at 0x%llx of the embedded controller's 256 bytes", bits, (unsigned long long)address);
		return AE_BAD_PARAMETER;
	}
	if (!lock(&held))
		return AE_TIME;
	if (!write && bits < 64)
		*value = 0;
	status_t st = write ? ec_write(&e.ec, (uint32_t)address, (const uint8_t *)value, bits / 8)
	                    : ec_read(&e.ec, (uint32_t)address, (uint8_t *)value, bits / 8);
	unlock(held);
	tell();
	if (ec_pending(&e.ec) && !e.enough)
		queue();
	return st < 0 ? AE_TIME : AE_OK;
}

/* ---- events ---- */

static void run_query(uint8_t number)
{
	char name[8];
	acpi_handle method;

	snprintf(name, sizeof(name), "_Q%02X", number);
	if (e.device && ACPI_SUCCESS(acpi_get_handle(e.device, name, &method)))
		(void)failed(acpi_evaluate_object(method, NULL, NULL, NULL), name);
}

/* One event, and itself again as long as there was one: clients come in between (osl_work). */
static void answer_events(void *context unused)
{
	uint8_t number = 0;
	u32 held = 0;

	e.queued = false;
	if (!lock(&held))
		return;
	status_t st = ec_query(&e.ec, &number);
	unlock(held);
	tell();
	if (st < 0) {
		e.in_a_row = 0;
		return;
	}
	e.enough = ++e.in_a_row >= QUERIES_MAX;
	run_query(number);
	if (!e.enough) {
		queue();
		return;
	}
	e.in_a_row = 0;
	if (!e.endless)
		log_print("the embedded controller tells of events without an end; they are heard bit by bit");
	e.endless = true;
}

static u32 on_gpe(acpi_handle block unused, u32 number unused, void *context unused)
{
	if (ec_look(&e.ec))
		queue();
	return ACPI_INTERRUPT_HANDLED | ACPI_REENABLE_GPE;
}

/* ---- where it is ---- */

static bool usable(uint64_t data, uint64_t command)
{
	return data && command && data != command && data <= 0xffff && command <= 0xffff;
}

/* Data first, then command (§12.11). */
static acpi_status see_port(struct acpi_resource *r, void *context)
{
	uint16_t *ports = context;
	uint16_t port = r->type == ACPI_RESOURCE_TYPE_IO ? r->data.io.minimum : r->type == ACPI_RESOURCE_TYPE_FIXED_IO ? r->data.fixed_io.address : 0;

	if (port)
		ports[ports[EC_DATA] ? EC_COMMAND : EC_DATA] = port;
	return ports[EC_COMMAND] ? AE_CTRL_TERMINATE : AE_OK;
}

static void take_over(void)
{
	if (!ec_begin(&e.ec, &hooks, e.kept))
		log_print("an instance before this one asked the embedded controller for an event; if there was one it may be lost");
	tell();
}

static acpi_status refuse(u32 function unused, acpi_physical_address address unused, u32 bits unused, u64 *value unused, void *context unused, void *region unused)
{
	return AE_NOT_EXIST;
}

/* An integer, or of another block of GPEs a package (§12.11); those are not driven. */
static void see_gpe(acpi_handle h)
{
	struct acpi_buffer buffer = { ACPI_ALLOCATE_BUFFER, NULL };

	if (ACPI_FAILURE(acpi_evaluate_object(h, "_GPE", NULL, &buffer)) || !buffer.pointer)
		return;
	const union acpi_object *o = buffer.pointer;
	e.has_gpe = o->type == ACPI_TYPE_INTEGER && o->integer.value <= 0xff;
	if (e.has_gpe)
		e.gpe = (uint32_t)o->integer.value;
	else
		log_print("the embedded controller's _GPE is no number of an event that is driven");
	acpi_os_free(buffer.pointer);
}

static acpi_status see_device(acpi_handle h, u32 level unused, void *context unused, void **result unused)
{
	uint16_t ports[2] = { 0 };
	uint64_t glk = 0;

	if (e.device) {
		/* The first one's registers are not for its AML. */
		log_print("there is more than one embedded controller; only the first is driven");
		(void)failed(acpi_install_address_space_handler_no_reg(h, ACPI_ADR_SPACE_EC, refuse, NULL, NULL), "a second embedded controller");
		return AE_OK;
	}
	(void)failed(acpi_walk_resources(h, "_CRS", see_port, ports), "the embedded controller's _CRS");
	bool named = usable(ports[EC_DATA], ports[EC_COMMAND]);
	if (!named && !e.found) {
		log_print("the tables name no ports of the embedded controller");
		return AE_OK;
	}
	e.device = h;
	e.locked = integer(h, "_GLK", &glk) && glk;
	bool other = named && (!e.found || memcmp(ports, e.ports, sizeof(ports)));
	if (e.found && other)
		log_print("the ECDT names other ports than the embedded controller's _CRS, which is believed");
	e.from_ecdt = e.found && !other;
	if (other) {
		memcpy(e.ports, ports, sizeof(ports));
		see_gpe(h);
		take_over();
	}
	e.found = true;
	return AE_OK;
}

/* Why an ECDT cannot be used; NULL: it can, and was. */
static const char *see_ecdt(struct acpi_table_ecdt *t)
{
	if (t->header.length < sizeof(*t))
		return "it is too short";
	size_t room = t->header.length - offsetof(struct acpi_table_ecdt, id);
	char *id = (char *)t->id;
	if (!id[0] || strnlen(id, room) == room)
		return "it names no device";
	if (t->control.space_id != ACPI_ADR_SPACE_SYSTEM_IO || t->data.space_id != ACPI_ADR_SPACE_SYSTEM_IO)
		return "its registers are not at ports";
	if (!usable(t->data.address, t->control.address))
		return "it names no two ports";
	e.ports[EC_DATA] = (uint16_t)t->data.address;
	e.ports[EC_COMMAND] = (uint16_t)t->control.address;
	e.has_gpe = true;
	e.gpe = t->gpe;
	if (ACPI_FAILURE(acpi_get_handle(ACPI_ROOT_OBJECT, id, &e.device)))
		e.device = NULL;
	return NULL;
}

static void install(void)
{
	(void)failed(acpi_install_address_space_handler_no_reg(ACPI_ROOT_OBJECT, ACPI_ADR_SPACE_EC, on_access, NULL, NULL), "the embedded controller");
}

void embedded_begin(struct ec_kept *kept)
{
	struct acpi_table_header *h;

	e.kept = kept;
	if (ACPI_FAILURE(acpi_get_table(ACPI_SIG_ECDT, 1, &h)))
		return;
	const char *why = see_ecdt((struct acpi_table_ecdt *)h);
	acpi_put_table(h);
	if (why) {
		log_print("the ECDT is left out: %s", why);
		return;
	}
	e.found = e.from_ecdt = true;
	take_over();
	install();
}

void embedded_find(void)
{
	acpi_handle named = e.device;
	bool early = e.found;

	e.device = NULL;
	(void)failed(acpi_get_devices("PNP0C09", see_device, NULL, NULL), "the embedded controller");
	if (!e.device)
		e.device = named;
	if (!e.found)
		return;
	if (!early)
		install();
	if (e.device)
		(void)failed(acpi_execute_reg_methods(e.device, ACPI_UINT32_MAX, ACPI_ADR_SPACE_EC), "_REG");
	(void)failed(acpi_execute_reg_methods(ACPI_ROOT_OBJECT, 1, ACPI_ADR_SPACE_EC), "_REG");
}

void embedded_listen(void)
{
	if (!e.found)
		return;
	e.listening = true;
	if (!e.has_gpe || acpi_gbl_reduced_hardware)
		log_print("the embedded controller has no GPE; its events are seen when it is asked for something else");
	else
		e.heard = !failed(acpi_install_gpe_handler(NULL, e.gpe, ACPI_GPE_EDGE_TRIGGERED, on_gpe, NULL), "the embedded controller's GPE")
		       && !failed(acpi_enable_gpe(NULL, e.gpe), "the embedded controller's GPE");
	/* What was before makes no GPE any more. */
	if (ec_look(&e.ec))
		queue();
}

void embedded_settled(void)
{
	e.enough = false;
	if (e.found)
		ec_settled(&e.ec);
}

void embedded_rest(void)
{
	if (e.found)
		ec_rest(&e.ec);
}

bool embedded_out(void)
{
	return e.told == EC_SILENT || e.told == EC_ABSENT;
}

const char *embedded_text(char *text, size_t room)
{
	static const char *const how[] = {
		[EC_UNTRIED] = "not asked yet", [EC_WORKING] = "working", [EC_SILENT] = "does not answer", [EC_ABSENT] = "not there",
	};
	char gpe[32] = "no GPE";

	if (!e.found)
		return "none";
	if (e.heard)
		snprintf(gpe, sizeof(gpe), "GPE %u", e.gpe);
	snprintf(text, room, "embedded%s, data 0x%x command 0x%x, %s, %s", e.from_ecdt ? " (ECDT)" : "", e.ports[EC_DATA], e.ports[EC_COMMAND], gpe, how[e.ec.state]);
	return text;
}
