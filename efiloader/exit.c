/*
 * exit: leaves the firmware and enters the kernel. After a first ExitBootServices, even a failed one, only memory
 * services may be called (UEFI 2.10 §7.4.6): the loop does nothing else, and everything it needs was allocated
 * before. The firmware's console is gone then; only COM1 can still be told.
 */
#include "loader.h"
#include "cpu.h"
#include "levels.h"
#include "memmap.h"

enum { EXIT_TRIES = 8, MAP_SLACK = 64 };
#define STACK_BYTES (64 * KiB)

struct map_buffer {
	uint8_t *efi;
	UINTN    efi_size;
	struct boot_mem *boot;
	uint32_t boot_max;
};

noreturn static void stop(const char *why)
{
	com1_set_up();
	com1_write(why, strlen(why));
	for (;;)
		__asm__ volatile("cli\n\thlt");
}

/* Room for the final map, with slack for what changes until then. */
static struct map_buffer buffers_alloc(void)
{
	struct map_buffer b;
	UINTN size = 0, key, descriptor = 0;
	UINT32 version;
	BS->GetMemoryMap(&size, NULL, &key, &descriptor, &version);
	if (descriptor < sizeof(EFI_MEMORY_DESCRIPTOR))
		fail("the firmware gives no memory map");
	b.efi_size = ALIGN_UP(size + MAP_SLACK * descriptor, PAGE_SIZE);
	b.efi = pages_alloc(b.efi_size, BOOT_MEM_LOADER, "memory map");
	/* Each range added can split one entry and fill one gap; twice the entries, and our own. */
	b.boot_max = (uint32_t)(2 * (b.efi_size / descriptor) + 4 * 64);
	b.boot = pages_alloc(b.boot_max * sizeof(struct boot_mem), BOOT_MEM_LOADER, "memory map");
	return b;
}

static void leave_firmware(struct map_buffer *b, UINTN *map_size, UINTN *descriptor)
{
	for (int tries = 0; tries < EXIT_TRIES; tries++) {
		UINTN key = 0;
		UINT32 version;
		*map_size = b->efi_size;
		EFI_MEMORY_DESCRIPTOR *map = (EFI_MEMORY_DESCRIPTOR *)b->efi;
		if (EFI_ERROR(BS->GetMemoryMap(map_size, map, &key, descriptor, &version))) {
			if (tries == 0)
				fail("the firmware gives no memory map");
			stop("\r\nSkerry cannot start: the memory map outgrew its buffer\r\n");
		}
		/* The key is stale where the call itself changed the map: once more from GetMemoryMap on. */
		if (!EFI_ERROR(BS->ExitBootServices(loader_image, key)))
			return;
	}
	stop("\r\nSkerry cannot start: the firmware does not let go (ExitBootServices)\r\n");
}

/* Fills b->boot; 0 when the firmware's map is too ragged for it. */
static uint32_t convert_map(const struct map_buffer *b, UINTN map_size, UINTN descriptor)
{
	struct boot_mem *map = b->boot;
	uint32_t n = 0, n_ranges;
	bool room = true;
	for (UINTN at = 0; at + descriptor <= map_size; at += descriptor) {
		const EFI_MEMORY_DESCRIPTOR *d = (const EFI_MEMORY_DESCRIPTOR *)(b->efi + at);
		struct mem_range range = { d->PhysicalStart, d->NumberOfPages, memmap_type(d->Type) };
		room = room && memmap_add(map, &n, b->boot_max, &range, false);
	}
	const struct mem_range *ranges = pages_ranges(&n_ranges);
	for (uint32_t i = 0; i < n_ranges; i++)
		room = room && memmap_add(map, &n, b->boot_max, &ranges[i], true);
	return room ? n : 0;
}

struct boot_mem *memory_map_now(uint32_t *n)
{
	struct map_buffer b = buffers_alloc();
	UINTN size = b.efi_size, key = 0, descriptor = 0;
	UINT32 version;
	if (EFI_ERROR(BS->GetMemoryMap(&size, (EFI_MEMORY_DESCRIPTOR *)b.efi, &key, &descriptor, &version)))
		fail("the firmware gives no memory map");
	*n = convert_map(&b, size, descriptor);
	pages_free(b.efi);
	return b.boot;
}

/*
 * The press that switched the machine on, or that the firmware has not acted upon, is still in the status register, where writing the bit
 * clears it. A press from here on is meant for us: acpid finds it when it comes up. Enabled, for not all hardware notes what nobody wants
 * to hear of (QEMU); nobody is interrupted yet (ACPI 6.5 §4.8.4.1.1, §4.8.4.1.2).
 */
static void listen_to_power_button(const struct boot_acpi *acpi)
{
	enum { POWER_BUTTON = 1 << 8 };

	for (uint32_t i = 0; i < ARRAY_LEN(acpi->pm1_status); i++) {
		uint16_t on;
		if (!acpi->pm1_status[i])
			continue;
		__asm__ volatile("outw %0, %1" : : "a"((uint16_t)POWER_BUTTON), "Nd"(acpi->pm1_status[i]));
		__asm__ volatile("inw %1, %0" : "=a"(on) : "Nd"(acpi->pm1_enable[i]));
		__asm__ volatile("outw %0, %1" : : "a"((uint16_t)(on | POWER_BUTTON)), "Nd"(acpi->pm1_enable[i]));
	}
}

void exit_to_kernel(struct boot_info *info)
{
	uint8_t *stack = pages_alloc(STACK_BYTES, BOOT_MEM_LOADER, "stack");
	struct map_buffer buffers = buffers_alloc();
	UINTN map_size, descriptor = 0;

	levels_prepare();
	pci_list_roots(info->pci_roots);
	pci_list_masters();
	graphics_set(&info->fb);
	leave_firmware(&buffers, &map_size, &descriptor);
	__asm__ volatile("cli");
	info->bus_masters_off = pci_masters_off();
	listen_to_power_button(&info->acpi);
	clock_measure(info);
	info->notes = (uint64_t)notes(&info->notes_len);
	info->mem = (uint64_t)buffers.boot;
	info->n_mem = convert_map(&buffers, map_size, descriptor);
	if (!info->n_mem)
		stop("\r\nSkerry cannot start: the firmware's memory map is too ragged\r\n");

	if (cpuid(0x80000000, 0).a >= 0x80000001 && (cpuid(0x80000001, 0).d & CPUID_NX))
		wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_NXE);
	info->tsc_exit = rdtsc();
	uint64_t top = BOOT_HHDM + (uint64_t)stack + STACK_BYTES - 16, argument = BOOT_HHDM + (uint64_t)info;
	if (levels_page_table()) {
		memcpy(levels_page_table(), (void *)info->page_table, PAGE_SIZE);
		info->page_table = (uint64_t)levels_page_table();
		levels_change(&(struct levels_target){ info->page_table, top, argument, info->kernel.virt_entry });
	}
	/* The zero at the top ends every walk up the stack. */
	__asm__ volatile(
		"movq %0, %%cr3\n\t"
		"movq %1, %%rsp\n\t"
		"xorl %%ebp, %%ebp\n\t"
		"pushq $0\n\t"
		"jmpq *%2"
		: : "a"(info->page_table), "c"(top), "d"(info->kernel.virt_entry), "D"(argument) : "memory");
	__builtin_unreachable();
}
