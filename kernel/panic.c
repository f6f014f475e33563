/*
 * panic: the last words. Whatever broke may be what we would like to use, so this file takes no lock,
 * allocates nothing and believes nothing: every address it follows is first looked up in the page
 * tables, every chain has an end.
 *
 * Order: stop the others (an NMI, whose handler asks panic_in_progress), open the consoles by force, say
 * what happened, where, and how we came there; then halt. In test builds QEMU's exit device ends the
 * machine right after the text, so that a failed test takes a second and not a time-out.
 *
 * A second panic of the same CPU, from inside this file, prints one line; a third nothing. A panic of
 * another CPU at the same time just halts: the first one's story is the one to read.
 */
#include <abi/boot.h>
#include <kernel/arch.h>
#include <kernel/log.h>
#include <kernel/panic.h>
#include <kernel/x86.h>

enum {
	FRAMES_MAX = 32,
	STACK_SPAN = 64 * 1024,         /* a backtrace stays so close to where it began */
	LINE = 256,
	EXIT_PORT = 0xf4, EXIT_PANIC = 0x7f,    /* isa-debug-exit: QEMU ends with status 255 */
};
#define PAGE_PRESENT 1ull
#define PAGE_LARGE   (1ull << 7)
#define PAGE_ADDRESS 0x000ffffffffff000ull
#define CR4_LA57     (1ull << 12)
#define NOBODY       UINT64_MAX

extern const uint8_t __text_start[], __text_end[];

static volatile uint64_t panicking_cpu = NOBODY;
static volatile uint32_t depth;

/* By CPUID, for the local APIC may not be mapped yet, or be what broke (Intel SDM vol. 2A, leaves 1 and 0Bh). */
static uint64_t cpu_number(void)
{
	if (cpuid(0, 0).a >= 0xb && cpuid(0xb, 0).b)
		return cpuid(0xb, 0).d;
	return cpuid(1, 0).b >> 24;
}

static noreturn void halt(void)
{
	for (;;)
		asm volatile("cli; hlt");
}

static void say(const char *format, ...) printf_like(1, 2);
static void say(const char *format, ...)
{
	char    text[LINE];
	va_list args;

	va_start(args, format);
	size_t n = kvformat(text, sizeof(text) - 1, format, args);
	va_end(args);
	for (size_t i = 0; i < n; i++)          /* no text may drive the terminal */
		if ((uint8_t)text[i] < 0x20 || text[i] == 0x7f)
			text[i] = '.';
	text[n++] = '\n';
	serial_write(text, n);
	fbcon_write(text, n);
}

/* Do the page tables in CR3 map this kernel address? They lie in memory that the HHDM reaches. */
static bool is_mapped(uint64_t va)
{
	int      levels = read_cr4() & CR4_LA57 ? 5 : 4;
	uint64_t table = read_cr3() & PAGE_ADDRESS;

	if ((int64_t)va >> (12 + 9 * levels - 1) != -1)
		return false;           /* not canonical, or the lower half: user memory is not ours to read */
	for (int level = levels; level > 0; level--) {
		const uint64_t *entries = HHDM(table);
		uint64_t entry = entries[va >> (12 + 9 * (level - 1)) & 511];
		if (!(entry & PAGE_PRESENT))
			return false;
		if (level == 1 || (level <= 3 && entry & PAGE_LARGE))
			return true;
		table = entry & PAGE_ADDRESS;
	}
	return false;
}

static void say_address(const char *what, uint64_t address, uint64_t lookup)
{
	char name[LINE / 2];

	if (symbol_format(lookup, name, sizeof(name)))
		say("%s%016lx %s", what, address, name);
	else
		say("%s%016lx", what, address);
}

/*
 * Follows the chain of frame pointers: [rbp] is the caller's, [rbp + 8] the return address. Frames only
 * go upwards, stay near the first one, and return into kernel text; anything else ends the walk. The
 * name is looked up one byte back, inside the call, for a call may be its function's last instruction.
 */
static void say_backtrace(uint64_t rbp)
{
	uint64_t first = rbp;

	for (int i = 0; i < FRAMES_MAX; i++) {
		if (rbp % 8 || rbp < first || rbp - first > STACK_SPAN || !is_mapped(rbp) || !is_mapped(rbp + 15))
			return;
		const uint64_t *frame = (const uint64_t *)rbp;
		uint64_t back = frame[1];
		if (back <= (uint64_t)__text_start || back > (uint64_t)__text_end)
			return;
		say_address("  from ", back, back - 1);
		if (frame[0] <= rbp)
			return;
		rbp = frame[0];
	}
	say("  and so on");
}

/*
 * A function that calls nothing may keep no frame; if it saved nothing either, its return address is the
 * word on top of the stack. It may also be any old number that looks like one: hence "perhaps".
 */
static void say_leaf_caller(uint64_t rsp)
{
	if (rsp % 8 || !is_mapped(rsp))
		return;
	uint64_t back = *(const uint64_t *)rsp;
	if (back > (uint64_t)__text_start && back <= (uint64_t)__text_end)
		say_address("  perhaps from ", back, back - 1);
}

static void say_regs(const struct regs *r)
{
	say("  rax %016lx  rbx %016lx  rcx %016lx  rdx %016lx", r->rax, r->rbx, r->rcx, r->rdx);
	say("  rsi %016lx  rdi %016lx  rbp %016lx  rsp %016lx", r->rsi, r->rdi, r->rbp, r->rsp);
	say("  r8  %016lx  r9  %016lx  r10 %016lx  r11 %016lx", r->r8, r->r9, r->r10, r->r11);
	say("  r12 %016lx  r13 %016lx  r14 %016lx  r15 %016lx", r->r12, r->r13, r->r14, r->r15);
	say("  cs %04lx  ss %04lx  rflags %08lx  vector %lu  error %lx", r->cs, r->ss, r->rflags, r->vector, r->error);
	say("  cr0 %08lx  cr2 %016lx  cr3 %016lx  cr4 %08lx", read_cr0(), read_cr2(), read_cr3(), read_cr4());
}

/* Whether this CPU may speak. Claims the machine for the first who comes; 0 is full speech, 1 one line. */
static uint32_t claim(void)
{
	uint64_t me = cpu_number(), nobody = NOBODY;

	if (!__atomic_compare_exchange_n(&panicking_cpu, &nobody, me, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST) &&
	    nobody != me)
		halt();
	return depth++;
}

static void last_words(const struct regs *r, uint64_t rbp, const char *format, va_list args)
{
	char text[LINE];
	uint32_t nested = claim();

	if (nested > 1)
		return;
	kvformat(text, sizeof(text), format, args);
	if (nested == 1) {
		say("PANIC: again, while telling the first: %s", text);
		if (r)
			say("  at %016lx, address %016lx", r->rip, read_cr2());
		return;
	}
	apic_broadcast_nmi();
	serial_init();
	serial_write("\n", 1);                  /* a prompt may stand there: PANIC begins its line */
	say("PANIC: %s", text);
	uint64_t ms = clock_tsc_hz ? clock_ns() / NS_PER_MS : 0;
	say("  on CPU with APIC ID %lu, %lu.%03lu s after start", cpu_number(), ms / 1000, ms % 1000);
	if (!r) {
		say_backtrace(rbp);
	} else if (r->cs & 3) {
		say("  in user mode at %016lx", r->rip);
		say_regs(r);
	} else {
		say_address("  at   ", r->rip, r->rip);
		say_leaf_caller(r->rsp);
		say_backtrace(r->rbp);
		say_regs(r);
	}
	say("The machine is stopped.");
}

static noreturn void stop(void)
{
#ifdef TEST_BUILD
	outb(EXIT_PORT, EXIT_PANIC);
#endif
	halt();
}

void panic(const char *format, ...)
{
	va_list args;

	asm volatile("cli");
	va_start(args, format);
	last_words(NULL, (uint64_t)__builtin_frame_address(0), format, args);
	va_end(args);
	stop();
}

void panic_regs(const struct regs *r, const char *format, ...)
{
	va_list args;

	asm volatile("cli");
	va_start(args, format);
	last_words(r, 0, format, args);
	va_end(args);
	stop();
}

bool panic_in_progress(void)
{
	return panicking_cpu != NOBODY && panicking_cpu != cpu_number();
}

void panic_stop_this_cpu(void)
{
	halt();
}
