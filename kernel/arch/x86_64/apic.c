/*
 * apic: the local APIC of each CPU: its timer, interrupts between CPUs, and the end of interrupts
 * (Intel SDM vol. 3A chapter 11). Also puts the two 8259s out of action.
 *
 * Registers are reached through a page of memory (xAPIC) or through MSRs (x2APIC). x2APIC is used if
 * the firmware left it on, or if the machine has APIC IDs that xAPIC cannot address; and only if CPUID
 * has it: QEMU 7.2 accepts the MSR writes without, and then nothing happens.
 *
 * The timer is one-shot. With TSC-deadline the hardware compares the clock itself; else a counter is
 * loaded that runs at a rate measured once. Its interrupt may come a little early (the two rates are
 * known to some 100 ppm) or much too early (deadlines behind the counter's range, 10 s at least, are cut
 * to it): whoever handles VECTOR_TIMER looks at the clock and sets the timer again if nothing is due.
 */
#include <abi/mmio.h>
#include <abi/objects.h>
#include <kernel/acpi.h>
#include <kernel/arch.h>
#include <kernel/cmdline.h>
#include <kernel/log.h>
#include <kernel/panic.h>
#include <kernel/x86.h>

enum {
	MSR_APIC_BASE = 0x1b,
	MSR_X2APIC = 0x800,
	MSR_TSC_DEADLINE = 0x6e0,
	BASE_ENABLE = 1 << 11, BASE_X2APIC = 1 << 10,

	REG_ID = 0x020, REG_VERSION = 0x030, REG_TPR = 0x080, REG_EOI = 0x0b0, REG_SVR = 0x0f0, REG_ISR = 0x100,
	REG_ESR = 0x280, REG_LVT_CMCI = 0x2f0, REG_ICR = 0x300, REG_ICR_HIGH = 0x310, REG_LVT_TIMER = 0x320,
	REG_LVT_THERMAL = 0x330, REG_LVT_PMC = 0x340, REG_LVT_LINT0 = 0x350, REG_LVT_ERROR = 0x370,
	REG_TIMER_INITIAL = 0x380, REG_TIMER_CURRENT = 0x390, REG_TIMER_DIVIDE = 0x3e0,

	SVR_ENABLE = 1 << 8,
	LVT_MASKED = 1 << 16, LVT_TSC_DEADLINE = 2 << 17, LVT_NMI = 4 << 8, LVT_ACTIVE_LOW = 1 << 13,
	ICR_NMI = 4 << 8, ICR_INIT = 5 << 8, ICR_STARTUP = 6 << 8, ICR_PENDING = 1 << 12, ICR_ASSERT = 1 << 14, ICR_ALL_OTHERS = 3 << 18,
	DIVIDE_BY_1 = 0xb, DIVIDE_BY_16 = 0x3,

	ICR_POLLS = 100000,
};

#define CALIBRATE_NS  (1 * NS_PER_MS)
#define COUNT_MAX     UINT32_MAX
#define HZ_LEAST      100000ull
#define HZ_UNDIVIDED  400000000ull      /* faster counters are divided by 16, for range */

static volatile uint8_t *xapic;         /* NULL: x2APIC, or not yet */
static bool     x2apic;
static bool     ready;
static bool     tsc_deadline;
static uint32_t divide;
static uint64_t count_mult;             /* timer ticks per ns, 32.32 */

static uint32_t read_reg(uint32_t reg)
{
	if (x2apic)
		return (uint32_t)rdmsr(MSR_X2APIC + (reg >> 4));
	return *(volatile uint32_t *)(xapic + reg);
}

static void write_reg(uint32_t reg, uint32_t v)
{
	if (x2apic)
		wrmsr(MSR_X2APIC + (reg >> 4), v);
	else
		*(volatile uint32_t *)(xapic + reg) = v;
}

/*
 * Moves the 8259s' vectors out of the exceptions and masks all their lines. A spurious irq 7 or 15 can
 * still come through a broken wiring; it finds vectors 0x27 and 0x2f, which nobody uses.
 */
static void silence_8259s(void)
{
	enum { MASTER = 0x20, SLAVE = 0xa0, INIT_ICW4 = 0x11, MODE_8086 = 1, SLAVE_ON_2 = 4, SLAVE_IS_2 = 2 };

	outb(MASTER, INIT_ICW4);
	outb(SLAVE, INIT_ICW4);
	outb(MASTER + 1, 0x20);
	outb(SLAVE + 1, 0x28);
	outb(MASTER + 1, SLAVE_ON_2);
	outb(SLAVE + 1, SLAVE_IS_2);
	outb(MASTER + 1, MODE_8086);
	outb(SLAVE + 1, MODE_8086);
	outb(MASTER + 1, 0xff);
	outb(SLAVE + 1, 0xff);
}

static bool ids_need_x2apic(void)
{
	for (uint32_t i = 0; i < acpi.n_cpus; i++)
		if (acpi.cpus[i].apic_id > 254)
			return true;
	return false;
}

/* Switches this CPU's APIC on, in the mode that the first CPU chose. */
static void enable(void)
{
	uint64_t base = rdmsr(MSR_APIC_BASE);
	bool     has_x2apic = cpuid(1, 0).c & 1 << 21;

	if (!(cpuid(1, 0).d & 1 << 9))
		panic("apic: this processor has none");
	if (!ready)
		x2apic = has_x2apic && (base & BASE_X2APIC || (ids_need_x2apic() && !cmdline_flag("nox2apic", false)));
	if (!(base & BASE_ENABLE))
		wrmsr(MSR_APIC_BASE, base |= BASE_ENABLE);      /* straight to x2APIC is not allowed (11.12.5) */
	if (x2apic) {
		wrmsr(MSR_APIC_BASE, base | BASE_X2APIC);
		return;
	}
	/* The MSR is what the CPU decodes; the MADT only repeats it. The page is the same on every CPU. */
	uint64_t phys = base & 0x000ffffffffff000ull;
	if (!ready) {
		if (acpi.local_apic && acpi.local_apic != phys)
			klog("apic: MADT says 0x%lx, the CPU 0x%lx", acpi.local_apic, phys);
		xapic = mmio_map(phys, PAGE_SIZE, CACHE_UNCACHED);
		if (!xapic)
			panic("apic: no room to map 0x%lx", phys);
	}
}

/* LINT0 and LINT1: NMI where MADT says so for this CPU, else masked: the 8259 has nothing to say. */
static void set_lints(void)
{
	uint32_t id = apic_id(), uid = ACPI_UID_ALL;

	for (uint32_t i = 0; i < acpi.n_cpus; i++)
		if (acpi.cpus[i].apic_id == id)
			uid = acpi.cpus[i].acpi_uid;
	for (uint32_t lint = 0; lint < 2; lint++) {
		uint32_t lvt = LVT_MASKED;
		for (uint32_t i = 0; i < acpi.n_nmis; i++)
			if (acpi.nmis[i].lint == lint && (acpi.nmis[i].acpi_uid == ACPI_UID_ALL || acpi.nmis[i].acpi_uid == uid))
				lvt = LVT_NMI | (acpi.nmis[i].active_low ? LVT_ACTIVE_LOW : 0);   /* NMI is always edge (11.5.1) */
		write_reg(REG_LVT_LINT0 + 0x10 * lint, lvt);
	}
}

static void mask_all(void)
{
	uint32_t lvts = (read_reg(REG_VERSION) >> 16 & 0xff) + 1;

	write_reg(REG_LVT_TIMER, LVT_MASKED | VECTOR_TIMER);
	write_reg(REG_LVT_ERROR, LVT_MASKED | VECTOR_SPURIOUS);
	if (lvts > 4)
		write_reg(REG_LVT_PMC, LVT_MASKED | VECTOR_SPURIOUS);
	if (lvts > 5)
		write_reg(REG_LVT_THERMAL, LVT_MASKED | VECTOR_SPURIOUS);
	if (lvts > 6)
		write_reg(REG_LVT_CMCI, LVT_MASKED | VECTOR_SPURIOUS);
	write_reg(REG_TIMER_INITIAL, 0);
	write_reg(REG_TPR, 0);
}

/* An interrupt that the firmware took and never ended would hold back all below it. */
static void end_leftovers(void)
{
	for (int round = 0; round < 256; round++) {
		uint32_t busy = 0;
		for (uint32_t i = 0; i < 8; i++)
			busy |= read_reg(REG_ISR + 0x10 * i);
		if (!busy)
			return;
		apic_eoi();
	}
}

/* One look at the timer's counter with the TSC at its middle; the quickest of a few, not unrolled, as in clock.c. */
static void look(uint64_t *tsc, uint32_t *count)
{
	uint64_t best = UINT64_MAX;

#pragma clang loop unroll(disable)
	for (int i = 0; i < 8; i++) {
		uint64_t before = rdtsc();
		uint32_t c = read_reg(REG_TIMER_CURRENT);
		uint64_t gap = rdtsc() - before;
		if (gap < best) {
			best = gap;
			*tsc = before + gap / 2;
			*count = c;
		}
	}
}

static void calibrate(void)
{
	uint64_t tsc_start = 0, tsc_end = 0, ns = 0;
	uint32_t start = 0, end = 0;

	/* A host may stop us for so long that the counter runs out: then once more. */
	for (int i = 0; i < 5 && (end == 0 || ns == 0); i++) {
		write_reg(REG_TIMER_DIVIDE, DIVIDE_BY_1);
		write_reg(REG_TIMER_INITIAL, COUNT_MAX);
		look(&tsc_start, &start);
		clock_delay_us(CALIBRATE_NS / NS_PER_US);
		look(&tsc_end, &end);
		write_reg(REG_TIMER_INITIAL, 0);
		ns = clock_tsc_to_ns(tsc_end - tsc_start);
	}
	uint64_t ticks = start > end ? start - end : 0;
	uint64_t hz = ns ? ticks * NS_PER_SEC / ns : 0;
	if (end == 0 || hz < HZ_LEAST)
		panic("apic: the timer does not count: %u, then %u after %lu ns", start, end, ns);
	divide = hz > HZ_UNDIVIDED ? DIVIDE_BY_16 : DIVIDE_BY_1;
	count_mult = (ticks << 32) / ns / (divide == DIVIDE_BY_16 ? 16 : 1);
	klog("apic: timer %lu.%02lu MHz%s", hz / 1000000, hz % 1000000 / 10000,
	     tsc_deadline ? ", unused: TSC-deadline" : "");
}

void apic_init(void)
{
	if (!ready && (acpi.has_8259 || !acpi.local_apic))
		silence_8259s();
	enable();
	mask_all();
	write_reg(REG_SVR, SVR_ENABLE | VECTOR_SPURIOUS);
	set_lints();
	end_leftovers();
	write_reg(REG_ESR, 0);
	if (!ready) {
		tsc_deadline = cpuid(1, 0).c & 1 << 24;
		calibrate();
		klog("apic: %s, ID %u", x2apic ? "x2APIC" : "xAPIC", apic_id());
		ready = true;
	}
	write_reg(REG_TIMER_DIVIDE, divide);
	if (tsc_deadline) {
		write_reg(REG_LVT_TIMER, LVT_TSC_DEADLINE | VECTOR_TIMER);
		asm volatile("mfence" ::: "memory");    /* the LVT write goes before deadlines (11.5.4.1) */
	} else {
		write_reg(REG_LVT_TIMER, VECTOR_TIMER);
	}
}

bool apic_reaches(uint32_t id)
{
	return x2apic || id < 255;
}

uint32_t apic_id(void)
{
	return x2apic ? read_reg(REG_ID) : read_reg(REG_ID) >> 24;
}

void apic_eoi(void)
{
	write_reg(REG_EOI, 0);
}

void apic_timer(uint64_t deadline_ns)
{
	uint64_t now, left;

	if (deadline_ns == FOREVER) {
		if (tsc_deadline)
			wrmsr(MSR_TSC_DEADLINE, 0);
		else
			write_reg(REG_TIMER_INITIAL, 0);
		return;
	}
	now = clock_ns();
	left = deadline_ns > now ? deadline_ns - now : 0;
	if (tsc_deadline) {
		/* A deadline gone by fires at once; zero would mean none. */
		uint64_t tsc = rdtsc(), ticks = clock_ns_to_tsc(left);
		wrmsr(MSR_TSC_DEADLINE, ticks > UINT64_MAX - tsc ? UINT64_MAX : tsc + ticks);
		return;
	}
	unsigned __int128 count = ((unsigned __int128)left * count_mult >> 32) + 1;
	write_reg(REG_TIMER_INITIAL, count > COUNT_MAX ? COUNT_MAX : (uint32_t)count);
}

static void send(uint32_t target, uint32_t command)
{
	if (x2apic) {
		/* WRMSR to x2APIC registers orders nothing: what was written before must be seen by the target (11.12.3). */
		asm volatile("mfence; lfence" ::: "memory");
		wrmsr(MSR_X2APIC + (REG_ICR >> 4), (uint64_t)target << 32 | command);
		return;
	}
	for (uint32_t i = 0; i < ICR_POLLS && read_reg(REG_ICR) & ICR_PENDING; i++)
		cpu_pause();
	write_reg(REG_ICR_HIGH, target << 24);
	mmio_apart();
	write_reg(REG_ICR, command);
}

void apic_ipi(uint32_t target_apic_id, uint8_t vector)
{
	send(target_apic_id, ICR_ASSERT | vector);
}

void apic_init_cpu(uint32_t target_apic_id)
{
	send(target_apic_id, ICR_ASSERT | ICR_INIT);
}

void apic_startup_cpu(uint32_t target_apic_id, uint8_t page)
{
	send(target_apic_id, ICR_ASSERT | ICR_STARTUP | page);
}

void apic_broadcast_nmi(void)
{
	if (ready)
		send(0, ICR_ALL_OTHERS | ICR_ASSERT | ICR_NMI);
}
