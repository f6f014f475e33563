/*
 * osl: see osl.h. AML decides which addresses are read and written, so every access goes through a Resource of the manifest: ports
 * through IoPorts made for that access, memory through a device Frame, which the kernel refuses where RAM is (it keeps
 * the memory map), and guard.c where interrupt controllers are. What is refused is an error to AML, told once or twice in the log.
 */
#include "osl.h"
#include "guard.h"
#include "lines.h"
#include <acpi/acpi.h>
#include <rt/clock.h>
#include <rt/io.h>
#include <rt/irq.h>
#include <rt/start.h>
#include <stdio.h>
#include <stdlib.h>

#define GRANTS_MAX  16              /* MANIFEST_RESOURCES of initd */
#define PORTS_KEPT  16
#define WORK_MAX    256
#define WORK_AT_ONCE 32
#define REFUSALS_TOLD 16
#define STALL_MAX_US 1000           /* AML may ask for 100 (ACPI 6.5 §19.6.128); what is longer is slept */
#define WORK_PAUSE_NS NS_PER_MS    /* between such parts */
#define SCI_WORK_NS NS_PER_SEC      /* it waits so long for what it caused */
#define SCI_PAUSE_NS (100 * NS_PER_MS)  /* for one that has no end: a press of the power button is heard that late */
#define BUSY_MS     100             /* in all: the Irq of an instance that has just ended, or one that was given up, may not be gone yet */
#define WAIT_STEPS  200             /* ms that a wait for the firmware or for an interrupt of our own may take */

static struct {
	struct svc *svc;                        /* borrowed */
	const struct boot_info *boot;           /* borrowed */
	handle_t phys;                          /* borrowed; 0: not given */
	handle_t port_grants[GRANTS_MAX], line_grants[GRANTS_MAX];      /* borrowed */
	uint32_t n_port_grants, n_line_grants;
	struct { handle_t ports; uint32_t base, width; } kept[PORTS_KEPT];
	uint32_t next_kept;
	handle_t irq, sci, more, pause;         /* owned; sci, more and pause are Notifies */
	bool served;                            /* the SCI's handler has run, and what it put off may not have */
	uint64_t sci_began;
	struct storm storm;
	bool endless;                           /* told */
	acpi_osd_handler handler;
	void *handler_context;
	struct { acpi_osd_exec_callback run; void *context; } work[WORK_MAX];
	uint32_t work_first, work_n;
	uint32_t refused;
	bool quiet;
} os;

static void refuse(const char *what, uint64_t address, uint64_t len)
{
	if (os.refused++ < REFUSALS_TOLD)
		log_print("%s 0x%llx+%llu is refused to AML", what, (unsigned long long)address, (unsigned long long)len);
}

uint32_t osl_refused(void)
{
	return os.refused;
}

/* All Resources of a kind that the manifest names. */
static uint32_t grants(const char *kind, handle_t list[GRANTS_MAX])
{
	char name[24];
	uint32_t n = 0;

	for (; n < GRANTS_MAX; n++) {
		if (n == 0)
			snprintf(name, sizeof(name), "res:%s", kind);
		else
			snprintf(name, sizeof(name), "res:%s%u", kind, n);
		list[n] = start_handle(name);
		if (!list[n])
			break;
	}
	return n;
}

void osl_init(struct svc *svc, const struct boot_info *boot)
{
	os.svc = svc;
	os.boot = boot;
	os.phys = start_handle("res:phys");
	os.n_port_grants = grants("ioports", os.port_grants);
	os.n_line_grants = grants("irq", os.line_grants);
	MUST(svc_notify(svc, OSL_BADGE_SCI, &os.sci));
	MUST(svc_notify(svc, OSL_BADGE_WORK, &os.more));
	MUST(svc_notify(svc, OSL_BADGE_PAUSE, &os.pause));
}

acpi_status acpi_os_initialize(void)
{
	return AE_OK;
}

acpi_status acpi_os_terminate(void)
{
	return AE_OK;
}

/* ---- tables ---- */

acpi_physical_address acpi_os_get_root_pointer(void)
{
	return os.boot->rsdp;
}

acpi_status acpi_os_predefined_override(const struct acpi_predefined_names *name unused, acpi_string *value)
{
	*value = NULL;
	return AE_OK;
}

acpi_status acpi_os_table_override(struct acpi_table_header *table unused, struct acpi_table_header **other)
{
	*other = NULL;
	return AE_OK;
}

acpi_status acpi_os_physical_table_override(struct acpi_table_header *table unused, acpi_physical_address *address, u32 *len)
{
	*address = 0;
	*len = 0;
	return AE_OK;
}

/* ---- memory ---- */

void *acpi_os_allocate(acpi_size size)
{
	return malloc(size);
}

void acpi_os_free(void *memory)
{
	free(memory);
}

/* The heap keeps what is freed by its size, as a cache would; so a cache is no more than a size. */
struct osl_cache { uint32_t size; };

acpi_status acpi_os_create_cache(char *name unused, u16 size, u16 depth unused, acpi_cache_t **made)
{
	acpi_cache_t *c = malloc(sizeof(*c));

	if (!c)
		return AE_NO_MEMORY;
	c->size = size;
	*made = c;
	return AE_OK;
}

acpi_status acpi_os_delete_cache(acpi_cache_t *cache)
{
	free(cache);
	return AE_OK;
}

acpi_status acpi_os_purge_cache(acpi_cache_t *cache unused)
{
	return AE_OK;
}

/* All zero (ACPICA's OSL reference asks for it). */
void *acpi_os_acquire_object(acpi_cache_t *cache)
{
	return calloc(1, cache->size);
}

acpi_status acpi_os_release_object(acpi_cache_t *cache unused, void *object)
{
	free(object);
	return AE_OK;
}

/*
 * Cached, and so as the memory type registers say, which make device memory uncached (Intel SDM 3A, table 11-7): tables in RAM must not
 * be mapped in two ways.
 */
void *acpi_os_map_memory(acpi_physical_address where, acpi_size len)
{
	enum guard may = guard_memory(&os.boot->acpi, where, len);
	handle_t frame;
	uint64_t va = 0;

	if (may == GUARD_DENIED || !os.phys) {
		refuse("memory", where, len);
		return NULL;
	}
	uint64_t first = ALIGN_DOWN(where, PAGE_SIZE), size = ALIGN_UP(where + len, PAGE_SIZE) - first;
	status_t st = frame_device(os.phys, first, size, CACHE_WRITE_BACK, &frame);
	if (st < 0) {
		refuse("memory", where, len);
		return NULL;
	}
	st = vmem_map(0, frame, 0, 0, size, PROT_READ | (may == GUARD_WRITE ? PROT_WRITE : 0), &va);
	handle_close(frame);
	return st < 0 ? NULL : (char *)va + (where - first);
}

void acpi_os_unmap_memory(void *at, acpi_size len)
{
	uint64_t first = ALIGN_DOWN((uint64_t)at, PAGE_SIZE);
	status_t st = vmem_unmap(0, first, ALIGN_UP((uint64_t)at + len, PAGE_SIZE) - first);

	if (st < 0)
		log_print("a mapping of %llu bytes cannot be ended: %s", (unsigned long long)len, error_text(st));
}

static acpi_status memory_access(acpi_physical_address where, u64 *value, u32 width, bool write)
{
	if ((width != 8 && width != 16 && width != 32 && width != 64) || where % (width / 8))
		return AE_BAD_PARAMETER;
	volatile void *at = acpi_os_map_memory(where, width / 8);
	if (!at)
		return AE_NO_MEMORY;
	switch (width) {
	case 8:  if (write) *(volatile uint8_t *)at = (uint8_t)*value; else *value = *(volatile uint8_t *)at; break;
	case 16: if (write) *(volatile uint16_t *)at = (uint16_t)*value; else *value = *(volatile uint16_t *)at; break;
	case 32: if (write) *(volatile uint32_t *)at = (uint32_t)*value; else *value = *(volatile uint32_t *)at; break;
	default: if (write) *(volatile uint64_t *)at = *value; else *value = *(volatile uint64_t *)at; break;
	}
	acpi_os_unmap_memory((void *)(uintptr_t)at, width / 8);
	return AE_OK;
}

acpi_status acpi_os_read_memory(acpi_physical_address where, u64 *value, u32 width)
{
	return memory_access(where, value, width, false);
}

acpi_status acpi_os_write_memory(acpi_physical_address where, u64 value, u32 width)
{
	return memory_access(where, &value, width, true);
}

/* ---- ports ---- */

/* IoPorts for one access. Few registers are used much, so the last ones are kept. 0: no Resource covers them. */
static handle_t ports_for(uint32_t base, uint32_t width)
{
	handle_t h = 0;

	for (uint32_t i = 0; i < PORTS_KEPT; i++)
		if (os.kept[i].ports && os.kept[i].base == base && os.kept[i].width == width)
			return os.kept[i].ports;
	for (uint32_t i = 0; i < os.n_port_grants && !h; i++)
		if (ioports_create(os.port_grants[i], base, width, &h) < 0)
			h = 0;
	if (!h)
		return 0;
	uint32_t slot = os.next_kept++ % PORTS_KEPT;
	if (os.kept[slot].ports)
		handle_close(os.kept[slot].ports);
	os.kept[slot].ports = h;
	os.kept[slot].base = base;
	os.kept[slot].width = width;
	return h;
}

static acpi_status port_access(acpi_io_address address, u32 *value, u32 width, bool write)
{
	if ((width != 8 && width != 16 && width != 32) || address > 0x10000 - width / 8)
		return AE_BAD_PARAMETER;
	handle_t ports = ports_for((uint32_t)address, width / 8);
	if (!ports) {
		refuse("port", address, width / 8);
		/* As an empty bus answers: AML goes on, and learns nothing. */
		if (!write)
			*value = UINT32_MAX >> (32 - width);
		return AE_OK;
	}
	status_t st = write ? io_write(ports, 0, width / 8, *value) : io_read(ports, 0, width / 8, value);
	return st < 0 ? AE_ERROR : AE_OK;
}

acpi_status acpi_os_read_port(acpi_io_address address, u32 *value, u32 width)
{
	return port_access(address, value, width, false);
}

acpi_status acpi_os_write_port(acpi_io_address address, u32 value, u32 width)
{
	return port_access(address, &value, width, true);
}

/* ---- PCI configuration ---- */

/*
 * Through memory where there is a window (PCI Express 5.0 §7.2.2): the two ports are also pcid's, whose address might come between
 * ours and our data. They are for machines without one.
 */
static acpi_status pci_access(const struct acpi_pci_id *id, u32 reg, u64 *value, u32 width, bool write)
{
	const struct boot_acpi *a = &os.boot->acpi;
	u32 v = (u32)*value;

	if ((width != 8 && width != 16 && width != 32) || reg % (width / 8) || id->segment != 0 || id->bus > 255 || id->device > 31
	    || id->function > 7)
		return AE_BAD_PARAMETER;
	if (a->mcfg && id->bus >= a->mcfg_bus_first && id->bus <= a->mcfg_bus_last) {
		if (reg >= PAGE_SIZE)
			return AE_BAD_PARAMETER;
		uint64_t at = a->mcfg + ((uint64_t)id->bus << 20 | (uint64_t)id->device << 15 | (uint64_t)id->function << 12) + reg;
		return memory_access(at, value, width, write);
	}
	if (reg > 255)
		return AE_NOT_EXIST;
	u32 select = 1u << 31 | (u32)id->bus << 16 | (u32)id->device << 11 | (u32)id->function << 8 | (reg & ~3u);
	acpi_status st = acpi_os_write_port(0xcf8, select, 32);
	if (ACPI_SUCCESS(st))
		st = port_access(0xcfc + (reg & 3), &v, width, write);
	if (ACPI_SUCCESS(st) && !write)
		*value = v;
	return st;
}

acpi_status acpi_os_read_pci_configuration(struct acpi_pci_id *id, u32 reg, u64 *value, u32 width)
{
	*value = 0;
	return pci_access(id, reg, value, width, false);
}

acpi_status acpi_os_write_pci_configuration(struct acpi_pci_id *id, u32 reg, u64 value, u32 width)
{
	return pci_access(id, reg, &value, width, true);
}

/* ---- locks: a thread cannot meet itself; a semaphore counts ---- */

struct semaphore { u32 units, max; };

acpi_status acpi_os_create_lock(acpi_spinlock *lock)
{
	*lock = (acpi_spinlock)os.svc;  /* anything but NULL */
	return AE_OK;
}

void acpi_os_delete_lock(acpi_spinlock lock unused)
{
}

acpi_cpu_flags acpi_os_acquire_lock(acpi_spinlock lock unused)
{
	return 0;
}

void acpi_os_release_lock(acpi_spinlock lock unused, acpi_cpu_flags flags unused)
{
}

acpi_status acpi_os_create_semaphore(u32 max, u32 units, acpi_semaphore *made)
{
	struct semaphore *s = malloc(sizeof(*s));

	if (!s)
		return AE_NO_MEMORY;
	*s = (struct semaphore){ .units = units, .max = max };
	*made = (acpi_semaphore)s;
	return AE_OK;
}

acpi_status acpi_os_delete_semaphore(acpi_semaphore h)
{
	free((void *)h);
	return AE_OK;
}

/* Only an interrupt can give what is missing: the firmware lets go of the global lock, a GPE signals an event. */
acpi_status acpi_os_wait_semaphore(acpi_semaphore h, u32 units, u16 timeout)
{
	struct semaphore *s = (struct semaphore *)h;

	for (u32 i = 0; s->units < units && i < timeout && i < WAIT_STEPS; i++) {
		acpi_os_sleep(1);
		if (os.handler)
			os.handler(os.handler_context);
	}
	if (s->units < units)
		return AE_TIME;
	s->units -= units;
	return AE_OK;
}

acpi_status acpi_os_signal_semaphore(acpi_semaphore h, u32 units)
{
	struct semaphore *s = (struct semaphore *)h;

	if (units > s->max - s->units)
		return AE_LIMIT;
	s->units += units;
	return AE_OK;
}

acpi_thread_id acpi_os_get_thread_id(void)
{
	return 1;
}

/* ---- work put off ---- */

acpi_status acpi_os_execute(acpi_execute_type type unused, acpi_osd_exec_callback run, void *context)
{
	if (os.work_n == WORK_MAX)
		return AE_NO_MEMORY;
	uint32_t i = (os.work_first + os.work_n++) % WORK_MAX;
	os.work[i].run = run;
	os.work[i].context = context;
	return AE_OK;
}

static void ring_in(handle_t notify, uint64_t ns)
{
	uint64_t now;

	MUST(clock_now(&now));
	MUST(notify_timer(notify, 0, now + ns, 0));
}

static void sci_served(void);

bool osl_work(void)
{
	for (uint32_t i = 0; os.work_n > 0 && i < WORK_AT_ONCE; i++) {
		acpi_osd_exec_callback run = os.work[os.work_first].run;
		void *context = os.work[os.work_first].context;
		os.work_first = (os.work_first + 1) % WORK_MAX;
		os.work_n--;
		run(context);
	}
	/* Notifications are handed out before commands: work that makes more work leaves time for clients, and does not keep the SCI for good. */
	if (os.work_n > 0)
		ring_in(os.more, WORK_PAUSE_NS);
	if (os.work_n == 0 || clock_value() - os.sci_began > SCI_WORK_NS)
		sci_served();
	return os.work_n == 0;
}

void acpi_os_wait_events_complete(void)
{
	for (uint32_t i = 0; os.work_n > 0 && i < WORK_MAX; i += WORK_AT_ONCE)
		(void)osl_work();
}

/* ---- the SCI, and lines beside it ---- */

static status_t create_line(uint32_t gsi, uint32_t flags, handle_t *irq)
{
	static uint32_t patience = BUSY_MS;
	status_t st = ERR_DENIED;

	for (uint32_t i = 0; i < os.n_line_grants && st == ERR_DENIED; i++)
		st = irq_take(os.line_grants[i], gsi, flags, &patience, irq);
	return st;
}

status_t osl_line(uint32_t gsi, uint32_t flags, handle_t *irq)
{
	if (os.boot->acpi.sci.present && os.boot->acpi.sci.gsi == gsi)
		return ERR_EXISTS;
	return create_line(gsi, flags, irq);
}

/* The FADT's number is not asked: the loader has found out which line that is. */
acpi_status acpi_os_install_interrupt_handler(u32 number unused, acpi_osd_handler handler, void *context)
{
	if (os.handler)
		return AE_ALREADY_EXISTS;
	os.handler = handler;
	os.handler_context = context;
	uint32_t line = os.boot->acpi.sci.gsi;
	status_t st = create_line(line, (os.boot->acpi.sci.level ? IRQ_LEVEL : 0) | (os.boot->acpi.sci.active_low ? IRQ_ACTIVE_LOW : 0), &os.irq);
	if (st >= 0)
		st = notify_bind(os.sci, 0, os.irq);
	if (st >= 0)
		st = irq_ack(os.irq);
	if (st < 0)
		/* Without events there still is everything that is asked for: tables, routing, power off. */
		log_print("the SCI, interrupt %u, cannot be had: %s; buttons and events are not heard of", line, error_text(st));
	return AE_OK;
}

acpi_status acpi_os_remove_interrupt_handler(u32 number unused, acpi_osd_handler handler unused)
{
	if (os.irq)
		handle_close(os.irq);
	os.irq = 0;
	os.handler = NULL;
	return AE_OK;
}

static void let_through(void)
{
	status_t st = irq_ack(os.irq);

	if (st < 0)
		log_print("the SCI cannot be let through again: %s", error_text(st));
}

void osl_interrupt(void)
{
	if (!os.irq)
		return;
	/* What comes while an edge is masked is lost. */
	if (!os.boot->acpi.sci.level)
		let_through();
	if (!os.served)
		os.sci_began = clock_value();
	os.served = true;
	if (os.handler)
		os.handler(os.handler_context);
}

/*
 * A level is let through once what it made us do is done. One that is still there then rings again at once, before any client has its
 * turn: so it has pauses when that goes on, as the lines of ged.c have. It is never given up: the power button is behind it.
 */
static void sci_served(void)
{
	uint64_t pause_ns = 0;

	if (!os.served)
		return;
	os.served = false;
	if (!os.irq || !os.boot->acpi.sci.level)
		return;
	enum storm_verdict v = storm_ran(&os.storm, os.sci_began, clock_value(), &pause_ns);
	if (v == STORM_NONE) {
		let_through();
		return;
	}
	if (v == STORM_END) {
		if (!os.endless)
			log_print("the SCI comes without end: it is heard with pauses");
		os.endless = true;
		os.storm.level_ns = STORM_END_NS;       /* it is forgiven in as long */
		pause_ns = MAX(pause_ns, SCI_PAUSE_NS);
	}
	ring_in(os.pause, pause_ns);
}

void osl_pause_over(void)
{
	if (os.irq)
		let_through();
}

const char *osl_sci(char *text, size_t room)
{
	const struct boot_acpi *a = &os.boot->acpi;

	if (a->sci.present)
		snprintf(text, room, "SCI %u %s %s%s", a->sci.gsi, a->sci.level ? "level" : "edge", a->sci.active_low ? "low" : "high", os.irq ? "" : ", not heard of");
	else
		snprintf(text, room, "no SCI");
	return text;
}

/* ---- time ---- */

u64 acpi_os_get_timer(void)
{
	return clock_value() / 100;
}

void acpi_os_sleep(u64 ms)
{
	uint64_t now;

	MUST(clock_now(&now));
	if (ms > 3600000)
		ms = 3600000;           /* the heartbeat ends it long before */
	MUST(thread_sleep(now + ms * NS_PER_MS));
}

void acpi_os_stall(u32 us)
{
	uint64_t end = clock_value() + us * NS_PER_US;

	if (us > STALL_MAX_US) {
		acpi_os_sleep((us + 999) / 1000);
		return;
	}
	while (clock_value() < end)
		__builtin_ia32_pause();
}

/* ---- the rest ---- */

acpi_status acpi_os_signal(u32 function, void *info)
{
	const struct acpi_signal_fatal_info *f = info;

	if (function == ACPI_SIGNAL_FATAL)
		log_print("AML says that something fatal happened: type %u, code 0x%x, argument 0x%x", f->type, f->code, f->argument);
	return AE_OK;
}

/*
 * The last step of going to sleep. It is done here, and ACPICA told that it is done: after its own write it would look at the wake
 * status for ever, if the machine does not follow (hwsleep.c).
 */
acpi_status acpi_os_enter_sleep(u8 state unused, u32 a, u32 b)
{
	acpi_status st;

	if (acpi_gbl_reduced_hardware) {
		st = acpi_write(a, &acpi_gbl_FADT.sleep_control);
	} else {
		st = acpi_write(a, &acpi_gbl_FADT.xpm1a_control_block);
		if (ACPI_SUCCESS(st) && acpi_gbl_FADT.xpm1b_control_block.address)
			st = acpi_write(b, &acpi_gbl_FADT.xpm1b_control_block);
	}
	if (ACPI_FAILURE(st))
		return st;
	acpi_os_sleep(OSL_OFF_NS / NS_PER_MS);
	return AE_CTRL_TERMINATE;
}

void osl_quiet(bool quiet)
{
	os.quiet = quiet;
}

/* ACPICA prints parts of lines. What is neither an error nor a warning begins so; acpi://tables has it all. */
#define MERE_NEWS "ACPI: "

void acpi_os_vprintf(const char *format, va_list args)
{
	static char line[256];
	static size_t len;
	int n = vsnprintf(line + len, sizeof(line) - len, format, args);

	if (n > 0)
		len = MIN(len + (size_t)n, sizeof(line) - 1);
	for (char *end; (end = memchr(line, '\n', len)) || len == sizeof(line) - 1;) {
		size_t used = end ? (size_t)(end - line) : len;
		if (used > 0 && !os.quiet && strncmp(line, MERE_NEWS, sizeof(MERE_NEWS) - 1))
			log_print("%.*s", (int)used, line);
		used += end != NULL;
		len -= used;
		memmove(line, line + used, len);
	}
}

void acpi_os_printf(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	acpi_os_vprintf(format, args);
	va_end(args);
}
