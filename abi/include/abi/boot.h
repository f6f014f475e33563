/*
 * boot: what the loader hands to the kernel, in RDI, as a pointer into the HHDM.
 *
 * State at the jump: long mode, interrupts off, boot services gone, CR3 = `page_table`, which
 * maps the loader's own identity window, all memory below `hhdm_size` at BOOT_HHDM (writable,
 * not executable) and the kernel's segments with their exact permissions. The kernel replaces
 * these tables and may then reuse everything typed BOOT_MEM_LOADER.
 *
 * Every address here is physical unless its name says virt. All arrays lie in BOOT_MEM_LOADER
 * or in memory of their own type; none is modified by the loader after the jump.
 */
#pragma once
#include <abi/types.h>

#define BOOT_MAGIC    0x3159525245454b53ull    /* "SKEERRY1", little endian */
#define BOOT_VERSION  4
#define BOOT_HHDM     0xffff800000000000ull    /* higher-half direct map: phys + this */
/* The kernel is linked at 0 as a static PIE and placed at a random multiple of 64 KiB in this range. */
#define BOOT_KERNEL_MIN 0xffffffff80000000ull
#define BOOT_KERNEL_MAX 0xffffffffc0000000ull

#define BOOT_TSC_HZ_MIN 100000000ull
#define BOOT_TSC_HZ_MAX 20000000000ull

enum boot_mem_type {
	BOOT_MEM_USABLE = 1,        /* free for the kernel at once */
	BOOT_MEM_LOADER = 2,        /* boot_info, its arrays, loader page tables: free once read */
	BOOT_MEM_KERNEL = 3,        /* kernel segments */
	BOOT_MEM_INITFSD = 4,       /* segments of the first process; the kernel keeps them */
	BOOT_MEM_INITFS = 5,        /* initfs.tar.gz */
	BOOT_MEM_ACPI = 6,          /* ACPI tables (reclaimable) */
	BOOT_MEM_ACPI_NVS = 7,
	BOOT_MEM_RUNTIME = 8,       /* UEFI run-time services code and data */
	BOOT_MEM_RESERVED = 9,
	BOOT_MEM_MMIO = 10,
	BOOT_MEM_BAD = 11,
	BOOT_MEM_PERSISTENT = 12,
};

/* Sorted by base, no overlaps, neighbours of one type merged. */
struct boot_mem {
	uint64_t base;              /* page aligned */
	uint64_t pages;             /* 4 KiB each, > 0 */
	uint32_t type;              /* enum boot_mem_type */
	uint32_t reserved;
};

enum { BOOT_SEG_READ = 1, BOOT_SEG_WRITE = 2, BOOT_SEG_EXEC = 4 };
#define BOOT_SEGMENTS_MAX 8

/* A checked PT_LOAD: page-aligned, zero-filled past the file's bytes, never both W and X. */
struct boot_segment {
	uint64_t virt;              /* final address (kernel: after the slide; program: as mapped) */
	uint64_t phys;              /* contiguous */
	uint64_t size;              /* bytes, multiple of 4096 */
	uint32_t flags;             /* BOOT_SEG_* */
	uint32_t reserved;
};

struct boot_image {
	uint64_t virt_base;         /* where link address 0 went */
	uint64_t virt_entry;
	uint32_t n_segments;
	uint32_t reserved;
	struct boot_segment segments[BOOT_SEGMENTS_MAX];
};

/* Linear framebuffer; base 0: none. Pixel = 32 bits (or 24/16: bytes_per_pixel) with the masks given. */
struct boot_framebuffer {
	uint64_t base;
	uint64_t size;              /* bytes */
	uint32_t width, height;     /* pixels */
	uint32_t stride;            /* bytes from one line to the next */
	uint32_t bytes_per_pixel;
	uint32_t red_mask, green_mask, blue_mask;
	uint32_t reserved;
};

enum { BOOT_VOLUME_UNKNOWN, BOOT_VOLUME_GPT, BOOT_VOLUME_MBR, BOOT_VOLUME_WHOLE_DISK };
struct boot_volume {
	uint32_t kind;
	uint32_t partition_number;  /* 1.. for GPT and MBR */
	uint8_t  partition_guid[16];/* GPT: the partition's unique GUID, as on disk */
	uint32_t mbr_signature;     /* MBR: disk signature */
	uint32_t fat_serial;        /* BS_VolID of the boot volume's FAT; 0: unknown */
};

#define ACPI_CPUS_MAX    256
#define ACPI_IOAPICS_MAX 16
#define ACPI_ISOS_MAX    16             /* one for each interrupt of ISA */
#define ACPI_NMIS_MAX    16
#define ACPI_UID_ALL     0xffffffffu

/* What ACPI's static tables say (ACPI 6.5 section 5.2). The loader checked each; what was wrong is left out. */
struct boot_acpi {
	uint64_t local_apic;        /* MMIO address from MADT (64-bit override applied); 0: no MADT */
	uint64_t hpet;              /* MMIO address or 0 */
	uint64_t mcfg;              /* first segment's ECAM, for bus 0, or 0 */
	uint8_t  mcfg_bus_first, mcfg_bus_last;
	uint8_t  has_8259;          /* this and the three below: 0 or 1 */
	uint8_t  no_vga, no_8042, no_rtc;   /* FADT boot architecture flags (5.2.9.3) */
	uint8_t  rtc_century;       /* the CMOS register with the century (5.2.9), 0: none */
	uint8_t  reserved;
	uint64_t fadt, dsdt;        /* or 0 */
	uint16_t pm1_status[2];     /* ports of status registers, A and B (4.8.4.1.1), or 0: the power button's bit there tells of presses since the loader left */
	uint16_t pm1_enable[2];     /* those that belong to them */
	struct { uint32_t gsi; uint8_t present, level, active_low, reserved; } sci;     /* where ACPI's own interrupt comes in (5.2.9), overrides applied */
	uint32_t n_cpus;            /* usable: Enabled (5.2.12.2) */
	uint32_t n_ioapics;
	uint32_t n_isos;            /* interrupt source overrides */
	uint32_t n_nmis;            /* local APIC pins that carry NMI */
	struct { uint32_t apic_id, acpi_uid; } cpus[ACPI_CPUS_MAX];
	struct { uint32_t id, gsi_base; uint64_t address; } ioapics[ACPI_IOAPICS_MAX];
	struct { uint32_t gsi; uint8_t irq, level, active_low, reserved; } isos[ACPI_ISOS_MAX];
	struct { uint32_t acpi_uid; uint8_t lint, level, active_low, reserved; } nmis[ACPI_NMIS_MAX];   /* uid ACPI_UID_ALL: every CPU's */
};

struct boot_info {
	uint64_t magic;             /* BOOT_MAGIC */
	uint32_t version;           /* BOOT_VERSION */
	uint32_t size;              /* sizeof(struct boot_info) */

	uint64_t hhdm_size;         /* bytes mapped at BOOT_HHDM by the loader's tables */
	uint64_t page_table;        /* the loader's PML4 */

	uint64_t mem;               /* struct boot_mem[n_mem] */
	uint32_t n_mem;
	uint32_t cmdline_len;       /* bytes, without the terminating zero that follows */
	uint64_t cmdline;           /* UTF-8 text */

	struct boot_image kernel;
	struct boot_image initfsd;
	uint64_t initfs;            /* initfs.tar.gz as read; 0: missing (the reason was shown) */
	uint64_t initfs_size;       /* bytes */

	struct boot_framebuffer fb;
	struct boot_volume volume;
	uint64_t rsdp;              /* ACPI 2.0 RSDP, else 1.0, else 0 */
	struct boot_acpi acpi;      /* what it leads to */
	uint64_t smbios;            /* SMBIOS 3 entry point, else 2, else 0 */
	uint64_t efi_system_table;

	int64_t  time_unix;         /* seconds since 1970 by the firmware's clock; 0: unknown */
	int32_t  time_zone_min;     /* minutes local time is ahead of UTC as firmware says; 0x7ff: unspecified */
	uint32_t entropy_len;       /* bytes of `entropy` that EFI_RNG_PROTOCOL filled; 0: none */
	uint8_t  entropy[64];       /* erased by the kernel after it was handed on */

	uint64_t tsc_hz;            /* ticks a second, BOOT_TSC_HZ_MIN..MAX; a guess where nothing could tell */
	uint64_t tsc_loader;        /* TSC at efi_main's first instruction */
	uint64_t tsc_exit;          /* TSC just before the jump */
	uint32_t bus_masters_off;   /* PCI functions whose bus mastering the loader switched off */
	uint32_t notes_len;         /* bytes */
	uint64_t notes;             /* lines for the kernel's log, each with its newline */
	uint64_t pci_roots[4];      /* a bit for each bus of segment 0 that a root bridge of the firmware's leads to; all 0: it did not say */
};

_Static_assert(sizeof(struct boot_mem) == 24, "boot ABI");
_Static_assert(sizeof(struct boot_segment) == 32, "boot ABI");
_Static_assert(sizeof(struct boot_image) == 24 + 8 * 32, "boot ABI");
_Static_assert(sizeof(struct boot_acpi) == 80 + 8 * 256 + 16 * 16 + 8 * 16 + 8 * 16, "boot ABI");
_Static_assert(sizeof(struct boot_info) == 888 + sizeof(struct boot_acpi), "boot ABI");
_Static_assert(sizeof(struct boot_info) <= PAGE_SIZE, "the Frame that shows it is one page");
