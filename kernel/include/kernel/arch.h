/*
 * arch: what portable kernel code asks of the machine; arch/x86_64 defines it all.
 */
#pragma once
#include <abi/boot.h>
#include <abi/types.h>

/* ---- memory as the kernel sees it ---- */
#define HHDM(phys)      ((void *)((uint64_t)(phys) + BOOT_HHDM))
#define HHDM_PHYS(virt) ((uint64_t)(virt) - BOOT_HHDM)
/*
 * Maps device memory into the kernel for good (never unmapped). cache: CACHE_* of abi/objects.h.
 * Works from early boot on (a fixed virtual range is set aside, tables come from the page allocator).
 * NULL: no room. [paging.c]
 */
uint64_t kernel_phys_of(const void *virt);    /* of the kernel image */
void *mmio_map(uint64_t phys, uint64_t size, int cache);
/* Kernel stacks, each with unmapped pages below: one that overflows faults. [paging.c] */
#define STACKS_BASE 0xffffd00040000000ull
#define KSTACK_SPAN  (64 * KiB)
uint64_t stack_map(uint32_t cpu, uint64_t phys, uint64_t size);         /* its top */

/* Whether plain commands take it (fastpath.S), on every CPU; a call under way on another one may still. [cpu.c] */
void arch_short_path(bool on);

/* ---- clocks [clock.c] ---- */
/* hz: the TSC's rate; the clock starts at 0. */
void clock_init(uint64_t hz);
uint64_t clock_ns(void);                    /* since clock_init; monotonic */
uint64_t clock_at(uint64_t tsc);            /* what clock_ns said, or would have said, then */
uint64_t clock_tsc_at(uint64_t ns);         /* the other way round; FOREVER stays FOREVER */
uint64_t clock_ns_to_tsc(uint64_t ns);
extern uint64_t clock_tsc_hz;
uint64_t clock_page_phys(void);             /* of the struct clock_page that programs see */
void clock_delay_us(uint32_t us);           /* busy wait, boot and panic only */
uint64_t clock_tsc_to_ns(uint64_t delta);

/* ---- local APIC and IO-APICs [apic.c, ioapic.c] ---- */
enum {
	VECTOR_IRQ_FIRST = 0x30,            /* device interrupts: VECTOR_IRQ_FIRST .. VECTOR_IRQ_LAST */
	VECTOR_IRQ_LAST  = 0xdf,
	VECTOR_TIMER     = 0xe0,
	VECTOR_RESCHED   = 0xe1,
	VECTOR_SHOOTDOWN = 0xe2,
	VECTOR_SPURIOUS  = 0xff,
};
/* This CPU's local APIC, xAPIC or x2APIC (x2APIC if firmware left it on or CPUID has it and the machine has IDs > 254). Masks the 8259s. Calibrates the timer. */
void apic_init(void);
uint32_t apic_id(void);
bool apic_reaches(uint32_t id);             /* xAPIC has no way to IDs above 254 */
void apic_eoi(void);
/* One-shot: VECTOR_TIMER at clock_ns() >= deadline_ns (TSC-deadline where CPUID has it); FOREVER stops it. In the past: at once. */
void apic_timer(uint64_t deadline_ns);
void apic_ipi(uint32_t target_apic_id, uint8_t vector);
void apic_init_cpu(uint32_t target_apic_id);    /* INIT: it stops and waits for STARTUP, at 4 KiB * page */
void apic_startup_cpu(uint32_t target_apic_id, uint8_t page);
void apic_broadcast_nmi(void);              /* panic: stop the others */

struct irq_pin { uint32_t gsi; bool level, active_low; };
void ioapic_init(void);                     /* all pins masked */
/* An ISA irq number through MADT's overrides. */
struct irq_pin ioapic_isa(uint32_t isa_irq);
bool ioapic_route(struct irq_pin pin, uint8_t vector, uint32_t target_apic_id);    /* stays masked; false: no such GSI */
void ioapic_mask(uint32_t gsi, bool masked);
uint32_t ioapic_gsi_count(void);            /* highest GSI + 1 */

/* ---- consoles [serial.c, fbcon.c] ---- */
bool serial_init(void);                     /* COM1, 115200 8N1; false: nothing there (loopback test) */
void serial_write(const char *text, size_t len);        /* polled, bounded wait; \n becomes \r\n */
/* fb: copied; virt: its mapping. Draws with the built-in 8x16 font, scaled on very large screens. */
void fbcon_init(const struct boot_framebuffer *fb, void *virt);
void fbcon_write(const char *text, size_t len);
/* Forgets what is on the screen: somebody else drew there. The next write clears it and starts at the top. */
void fbcon_reset(void);
bool fbcon_at(uint64_t phys, uint64_t size);            /* this memory is at least a part of the framebuffer */
