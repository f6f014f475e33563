/*
 * smp: starting the other processors, and what processors ask of one another (docs/smp.md).
 *
 * They are started one by one with INIT and two STARTUPs (Intel SDM 3A 9.4), through a page below 1 MiB that the memory
 * map calls usable, which the page allocator never touches. One that does not answer is put back into INIT, so that
 * it cannot come late, and left out; so is one whose TSC disagrees with the first CPU's, for it is the clock.
 */
#include <kernel/account.h>
#include <kernel/acpi.h>
#include <kernel/cmdline.h>
#include <kernel/cpu.h>
#include <kernel/log.h>
#include <kernel/mm.h>
#include <kernel/plant.h>
#include <kernel/smp.h>
#include <kernel/vmem.h>
#include <kernel/x86.h>

/* ---- requests between CPUs ---- */

/* One at a time: translations of `vm` to be forgotten by the CPUs in `pending`. */
static struct spinlock request_lock;
static struct { struct vmem *vm; uint64_t va, size; volatile uint64_t pending; } request;

static void flush_here(struct vmem *vm, uint64_t va, uint64_t size)
{
	struct percpu *c = this_cpu();
	if (c->vmem != vm || !c->current) {     /* or idle: it need not be asked again */
		arch_leave_vmem(vm);
	} else if (size > 32 * PAGE_SIZE) {
		write_cr3(read_cr3());
	} else {
		for (uint64_t at = va; at < va + size; at += PAGE_SIZE)
			asm volatile("invlpg (%0)" :: "r"(at) : "memory");
	}
}

void cpu_answer(void)
{
	uint64_t me = 1ull << this_cpu()->cpu;
	if (__atomic_load_n(&request.pending, __ATOMIC_ACQUIRE) & me) {
		flush_here(request.vm, request.va, request.size);
		__atomic_fetch_and(&request.pending, ~me, __ATOMIC_SEQ_CST);
	}
}

void cpu_relax(void)
{
	cpu_pause();
	if (unlikely(request.pending))
		cpu_answer();
}

void cpu_kick(struct percpu *c)
{
	apic_ipi(c->apic_id, VECTOR_RESCHED);
}

/*
 * A CPU enters vm->cpus before it loads the tables, and leaves it when it is asked and has loaded others, which without PCID
 * dropped all translations. So whoever is not in it now reads the tables anew.
 */
void tlb_flush(struct vmem *vm, uint64_t va, uint64_t size)
{
	if (!size)
		return;
	flush_here(vm, va, size);
	if (cpu_count == 1)
		return;
	uint64_t others = __atomic_fetch_or(&vm->cpus, 0, __ATOMIC_SEQ_CST) & ~(1ull << this_cpu()->cpu);
	if (!others || PLANTED(no_shootdown))
		return;
	while (!spin_trylock(&request_lock))
		cpu_relax();
	request.vm = vm;
	request.va = va;
	request.size = size;
	__atomic_store_n(&request.pending, others, __ATOMIC_SEQ_CST);
	for (; others; others &= others - 1)
		apic_ipi(percpu_all[__builtin_ctzll(others)]->apic_id, VECTOR_SHOOTDOWN);
	while (request.pending)
		cpu_pause();            /* nobody can ask us: we have the lock */
	spin_unlock(&request_lock);
}

void tlb_leave(struct vmem *vm)
{
	arch_leave_vmem(vm);
	while (__atomic_load_n(&vm->cpus, __ATOMIC_SEQ_CST))
		tlb_flush(vm, 0, USER_TOP);
}

/* ---- who has left the kernel ---- */

void cpus_mark(uint64_t mark[CPUS_MAX])
{
	for (uint32_t i = 0; i < cpu_count; i++) {
		struct percpu *c = percpu_all[i];
		mark[i] = __atomic_load_n(&c->epoch, __ATOMIC_SEQ_CST);
		if (c != this_cpu() && !c->out)
			cpu_kick(c);
	}
}

bool cpus_left(const uint64_t mark[CPUS_MAX])
{
	for (uint32_t i = 0; i < cpu_count; i++) {
		const struct percpu *c = percpu_all[i];
		/* cpus_mark has set as many: CPUs are counted at boot. NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult) */
		if (!__atomic_load_n(&c->out, __ATOMIC_SEQ_CST) && __atomic_load_n(&c->epoch, __ATOMIC_SEQ_CST) == mark[i])
			return false;
	}
	return true;
}

void cpu_out(bool out)
{
	__atomic_store_n(&this_cpu()->out, out, __ATOMIC_SEQ_CST);
}

void cpus_wait_left(void)
{
	uint64_t mark[CPUS_MAX];
	if (cpu_count == 1)
		return;
	debug_waits();
	cpu_out(true);
	cpus_mark(mark);
	while (!cpus_left(mark))
		cpu_relax();
	cpu_out(false);
}

/* ---- starting ---- */

#define PAGES       4                   /* the code, and three levels of tables */
#define ANSWER_NS   (3 * NS_PER_SEC)    /* a host may have run others for long */
#define CLOCKS_NS   1000ull             /* readings of two TSCs may seem to be out of order by this much */
enum { LOOKS = 32, WELCOME };

struct packed ap_start {
	uint32_t cr4, cr3, efer, long_offset;
	uint16_t long_selector, gdt_limit;
	uint32_t gdt_base;
	uint64_t gdt[2], stack, percpu, entry;
};
_Static_assert(sizeof(struct ap_start) == 64 && offsetof(struct ap_start, stack) == 40 && offsetof(struct ap_start, gdt_limit) == 18, "ap.S");
extern const uint8_t ap_code[], ap_start[], ap_long[], ap_code_end[];

/* The first CPU asks for a look at the clock; the other counts after. */
static struct { volatile uint32_t asked, answered; volatile uint64_t tsc; } meeting;

static uint64_t exact_tsc(void)
{
	asm volatile("lfence" ::: "memory");
	uint64_t t = rdtsc();
	asm volatile("lfence" ::: "memory");
	return t;
}

static noreturn void ap_main(struct percpu *c)
{
	cpu_begin(c);
	apic_init();
	meeting.answered = 1;
	for (uint32_t n = 1; n < LOOKS; n++) {
		while (meeting.asked <= n)
			cpu_pause();
		meeting.tsc = exact_tsc();
		meeting.answered = n + 1;
	}
	while (meeting.asked != WELCOME)
		cpu_pause();
	cpu_idle();
}

static bool answered(uint32_t n)
{
	for (uint64_t end = clock_ns() + ANSWER_NS; clock_ns() < end; cpu_pause())
		if (meeting.answered == n)
			return true;
	return false;
}

/* NULL: it runs, and its clock is ours. Else what is wrong. */
static const char *wake(uint32_t apic_id, uint64_t page)
{
	meeting.asked = 1;
	meeting.answered = 0;
	apic_init_cpu(apic_id);
	clock_delay_us(10000);
	for (int i = 0; i < 2 && !meeting.answered; i++) {
		apic_startup_cpu(apic_id, (uint8_t)(page >> PAGE_SHIFT));
		clock_delay_us(200);
	}
	if (!answered(1))
		return "does not start";
	uint64_t slack = clock_ns_to_tsc(CLOCKS_NS);
	bool same = true;
	for (uint32_t n = 2; n <= LOOKS; n++) {
		uint64_t before = exact_tsc();
		meeting.asked = n;
		if (!answered(n))
			return "has stopped";
		uint64_t after = exact_tsc();
		same &= meeting.tsc + slack >= before && meeting.tsc <= after + slack;
	}
	return same ? NULL : "has a clock (TSC) of its own";
}

/* Usable pages below 1 MiB; 0: none. */
static uint64_t low_pages(const struct boot_mem *mem, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		uint64_t base = MAX(mem[i].base, (uint64_t)PAGE_SIZE), end = MIN(mem[i].base + mem[i].pages * PAGE_SIZE, (uint64_t)MiB);
		if (mem[i].type == BOOT_MEM_USABLE && base + PAGES * PAGE_SIZE <= end)
			return base;
	}
	return 0;
}

static struct ap_start *prepare(uint64_t at)
{
	enum { CR4_PAE = 1 << 5, EFER_LME = 1 << 8, EFER_NXE = 1 << 11, ENTRY = 3, LARGE = 0x83 };
	uint64_t *tables = HHDM(at + PAGE_SIZE);
	mem_zero(HHDM(at), PAGES * PAGE_SIZE);
	memcpy(HHDM(at), ap_code, (size_t)(ap_code_end - ap_code));
	memcpy(tables + 256, (uint64_t *)HHDM(paging_kernel_root()) + 256, 2048);
	tables[0] = (at + 2 * PAGE_SIZE) | ENTRY;
	tables[512] = (at + 3 * PAGE_SIZE) | ENTRY;
	tables[1024] = LARGE;
	struct ap_start *s = HHDM(at + (uint64_t)(ap_start - ap_code));
	*s = (struct ap_start){ .cr4 = CR4_PAE, .cr3 = (uint32_t)(at + PAGE_SIZE), .efer = EFER_LME | (cpu_features.nx ? EFER_NXE : 0),
		.long_offset = (uint32_t)(at + (uint64_t)(ap_long - ap_code)), .long_selector = 8, .gdt_limit = 15,
		.gdt_base = (uint32_t)(at + (uint64_t)(ap_start - ap_code) + offsetof(struct ap_start, gdt)),
		.gdt = { 0, 0x00af9b000000ffff }, .entry = (uint64_t)ap_main };
	return s;
}

/* The option cpus=N; without it all. */
static uint32_t wanted(void)
{
	char text[8];
	uint32_t n = 0;
	if (cmdline_get("cpus", text, sizeof(text)))
		for (const char *c = text; *c >= '0' && *c <= '9'; c++)
			n = n * 10 + (uint32_t)(*c - '0');
	return n ? MIN(n, (uint32_t)CPUS_MAX) : CPUS_MAX;
}

void smp_start(const struct boot_mem *mem, uint32_t n_mem)
{
	uint64_t at = low_pages(mem, n_mem);
	uint32_t max = wanted();
	struct ap_start *s = at && max > 1 && acpi.n_cpus > 1 ? prepare(at) : NULL;
	if (!at && acpi.n_cpus > 1)
		klog("cpu: no memory below 1 MiB to start others");
	for (uint32_t i = 0; s && i < acpi.n_cpus && cpu_count < max; i++) {
		uint32_t id = acpi.cpus[i].apic_id;
		if (id == this_cpu()->apic_id || !apic_reaches(id))
			continue;
		struct percpu *c = cpu_create(id);
		if (!c)
			break;
		s->stack = c->kstack_top;
		s->percpu = (uint64_t)c;
		const char *wrong = wake(id, at);
		if (wrong) {
			apic_init_cpu(id);
			klog("cpu: APIC %u %s, left out", id, wrong);
			continue;
		}
		percpu_all[cpu_count] = c;
		__atomic_store_n(&cpu_count, cpu_count + 1, __ATOMIC_SEQ_CST);
		meeting.asked = WELCOME;
	}
	klog("cpu: %u CPU%s of %u", cpu_count, cpu_count == 1 ? "" : "s", acpi.n_cpus ? acpi.n_cpus : 1);
}
