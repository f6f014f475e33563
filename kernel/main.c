/*
 * main: from the loader's jump to the first process. Read this file first.
 */
#include <abi/version.h>
#include <kernel/account.h>
#include <kernel/acpi.h>
#include <kernel/arch.h>
#include <kernel/budget.h>
#include <kernel/cmdline.h>
#include <kernel/cpu.h>
#include <kernel/debug.h>
#include <kernel/futex.h>
#include <kernel/log.h>
#include <kernel/mm.h>
#include <kernel/panic.h>
#include <kernel/process.h>
#include <kernel/sched.h>
#include <kernel/smp.h>
#include <kernel/x86.h>

#define BOOT_MEM_MAX 512
#define PHYS_END (1ull << 52)           /* an entry of a page table has no more bits (Intel SDM 3A §4.5) */

static struct boot_info boot;           /* our copy: the loader's memory is given back */
static struct boot_mem mem[BOOT_MEM_MAX];
static uint64_t zero_page;
struct boot_acpi acpi;

void paging_image(const struct boot_image *kernel);
void paging_init(const struct boot_info *boot);
void page_early_init(const struct boot_mem *mem, uint32_t n);

uint64_t zero_page_phys(void)
{
	return zero_page;
}

static void take_acpi(const struct boot_acpi *from)
{
	bool fits = from->n_cpus <= ACPI_CPUS_MAX && from->n_ioapics <= ACPI_IOAPICS_MAX && from->n_isos <= ACPI_ISOS_MAX &&
		from->n_nmis <= ACPI_NMIS_MAX;
	for (uint32_t i = 0; fits && i < from->n_ioapics; i++)
		fits = from->ioapics[i].address && from->ioapics[i].address % 16 == 0 && from->ioapics[i].address < PHYS_END;
	if (!fits)
		panic("boot information: ACPI out of range: %u CPUs, %u IO-APICs, %u overrides, %u NMIs",
			from->n_cpus, from->n_ioapics, from->n_isos, from->n_nmis);
	acpi = *from;
}

static void take_boot_info(const struct boot_info *from)
{
	if (from->magic != BOOT_MAGIC || from->version != BOOT_VERSION || from->size != sizeof(boot))
		panic("boot information is of another version: magic 0x%llx, version %u, size %u",
			(unsigned long long)from->magic, from->version, from->size);
	boot = *from;
	take_acpi(&from->acpi);
	mem_zero((void *)from->entropy, sizeof(from->entropy));
	cmdline_init(HHDM(boot.cmdline), boot.cmdline_len);
	if (boot.n_mem > BOOT_MEM_MAX) {
		klog("memory: map of %u entries cut to %d", boot.n_mem, BOOT_MEM_MAX);
		boot.n_mem = BOOT_MEM_MAX;
	}
	memcpy(mem, HHDM(boot.mem), boot.n_mem * sizeof(mem[0]));
}

static void screen_init(void)
{
	const struct boot_framebuffer *fb = &boot.fb;
	if (!fb->base || !fb->size)
		return;
	void *virt = mmio_map(fb->base, fb->size, CACHE_WRITE_COMBINING);
	if (!virt) {
		klog("screen: no room to map %llu bytes of framebuffer", (unsigned long long)fb->size);
		return;
	}
	fbcon_init(fb, virt);
}

/* The loader's pages are ours now that everything of it was copied. */
static void release_loader_memory(void)
{
	for (uint32_t i = 0; i < boot.n_mem; i++)
		if (mem[i].type == BOOT_MEM_LOADER && mem[i].base >= MiB)
			page_add_range(mem[i].base, mem[i].pages);
}

static void log_machine(void)
{
	static const char *const types[] = { "?", "usable", "loader", "kernel", "initfsd", "initfs", "ACPI", "ACPI NVS", "run-time", "reserved", "MMIO", "bad", "persistent" };
	uint64_t usable = 0;
	for (uint32_t i = 0; i < boot.n_mem; i++) {
		if (mem[i].type == BOOT_MEM_USABLE || mem[i].type == BOOT_MEM_LOADER)
			usable += mem[i].pages;
		if (cmdline_flag("debug", false))
			klog("memory: %llx-%llx %s", (unsigned long long)mem[i].base,
				(unsigned long long)(mem[i].base + mem[i].pages * PAGE_SIZE - 1), types[mem[i].type <= 12 ? mem[i].type : 0]);
	}
	klog("memory: %llu MiB usable", (unsigned long long)(usable >> 8));
	if (boot.fb.base)
		klog("screen: %ux%u, %u bytes per pixel", boot.fb.width, boot.fb.height, boot.fb.bytes_per_pixel);
	if (boot.bus_masters_off)
		klog("loader: bus mastering of %u PCI functions switched off", boot.bus_masters_off);
	const char *notes = HHDM(boot.notes);
	for (uint32_t at = 0, end = 0; end < boot.notes_len; end++)
		if (notes[end] == '\n') {
			log_append(notes + at, end - at);
			at = end + 1;
		}
}

noreturn void kernel_main(const struct boot_info *from)
{
	cpu_early_init();
	bool serial = serial_init();
	debug_begin(from->entropy);
	take_boot_info(from);
	bool quiet = cmdline_flag("quiet", true);
	log_console(serial && !quiet, false);
	klog("Skerry " SKERRY_VERSION);
	klog("command line: %s", cmdline_text());

	paging_image(&boot.kernel);
	cpu_protect_init();
	page_early_init(mem, boot.n_mem);
	paging_init(&boot);
	page_init(mem, boot.n_mem);
	debug_memory(mem, boot.n_mem);
	cpu_stack_init();
	screen_init();
	log_console(serial && !quiet, !quiet);
	if (quiet)
		fbcon_write("Skerry " SKERRY_VERSION "\n", sizeof("Skerry " SKERRY_VERSION));
	cmdline_check();
	log_machine();
	release_loader_memory();
	for (uint32_t i = 0; i < boot.kernel.n_segments; i++)
		account.pages_kernel += boot.kernel.segments[i].size >> PAGE_SHIFT;

	clock_init(boot.tsc_hz);
	apic_init();
	ioapic_init();
	this_cpu()->apic_id = apic_id();

	zero_page = page_alloc_zero();
	ACCOUNT_ADD(pages_kernel, 1);
	ACCOUNT_ADD(objects[OBJ_BUDGET], 1);
	sched_init();
	futex_init();
	smp_start(mem, boot.n_mem);
	if (!boot.initfsd.n_segments)
		panic("the loader brought no first process");
	first_process_start(&boot);
	mem_zero(boot.entropy, sizeof(boot.entropy));
	klog("kernel: ready, %llu pages free", (unsigned long long)page_free_count());
	cpu_idle();
}
