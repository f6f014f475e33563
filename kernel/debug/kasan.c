/*
 * kasan: every load and store of the kernel's C code asks here whether it may (clang's -fsanitize=kernel-address, all checks
 * as calls). A byte of shadow tells of 8 bytes of memory: 0, all may be touched; 1 to 7, so many of them; negative, none,
 * and why.
 *
 * What has a shadow: memory that the HHDM reaches, and the kernel's image. Variables on the stack have no red zones (the compiler
 * would write to the shadow before there is one), but canaries. The place of the shadow is
 * address / 8 + OFFSET, which the compiler wants: 0xffffec0000000000 and up. Pages for it are taken at boot, an eighth
 * of all memory. Everything else of the kernel's half (page array, devices) is not looked at; the user's half is, for
 * only user_copy may touch it.
 *
 * An object of the allocator ends in a tail inside its slot: who took it, who freed it. What is freed waits in a queue
 * before it can be taken again. This file, slab.c and panic.c are built without the checks.
 */
#include <kernel/debug.h>
#include <kernel/log.h>
#include <kernel/mm.h>
#include <kernel/panic.h>
#include <kernel/percpu.h>
#include <kernel/slab.h>
#include <kernel/spinlock.h>
#include <kernel/usercopy.h>

#define OFFSET       0xdffffc0000000000ull     /* -asan-mapping-offset */
#define SHADOW(a)    ((int8_t *)(((uint64_t)(a) >> 3) + OFFSET))
enum { FREE_PAGE = -1, REDZONE = -4, FREE_SLOT = -5, GLOBAL = -7 };
enum { QUEUE = 512, CALLERS = 3 };

struct tail {
	uint64_t size, live;
	uint64_t taken[CALLERS], freed[CALLERS];
};
_Static_assert(DEBUG_REDZONE == sizeof(struct tail), "a tail is part of the red zone");

extern char __text_start[], __text_end[], __bss_end[];
extern void (*const __ctors_start[])(void), (*const __ctors_end[])(void);
uint64_t __stack_chk_guard = 0x595e9fbd94fda766;

static bool on;
static uint64_t hhdm_end;               /* of what has a shadow */

void kernel_map_page_array(uint64_t va, uint64_t end);
noreturn void __stack_chk_fail(void);

/* usercopy.S has other names in this build. */
void *raw_memcpy(void *dst, const void *src, size_t n);
void *raw_memmove(void *dst, const void *src, size_t n);
void *raw_memset(void *dst, int c, size_t n);
status_t raw_user_copy(void *dst, const void *src, size_t n);

static bool has_shadow(uint64_t a)
{
	return (a >= BOOT_HHDM && a < hhdm_end) || (a >= (uint64_t)__text_start && a < (uint64_t)__bss_end);
}

static void mark(uint64_t a, uint64_t size, int8_t value)
{
	if (on && size && has_shadow(a) && has_shadow(a + size - 1))
		(void)raw_memset(SHADOW(a), value, size >> 3);
}

/* [a, a + size) may be touched, and what is left of its last 8 bytes may not; a: a multiple of 8. */
static void allow(uint64_t a, uint64_t size)
{
	mark(a, size, 0);
	if (on && size % 8 && has_shadow(a))
		*SHADOW(a + size) = (int8_t)(size % 8);
}

/* ---- reports ---- */

bool debug_object_at(const void *p, struct debug_object *o)
{
	if (!on || (uint64_t)p < BOOT_HHDM || (uint64_t)p >= hhdm_end || *SHADOW(ALIGN_DOWN((uint64_t)p, PAGE_SIZE)) == FREE_PAGE)
		return false;
	char *slab = (char *)ALIGN_DOWN((uint64_t)p, PAGE_SIZE);
	const struct slab *s = (const struct slab *)slab;
	if (s->magic != SLAB_MAGIC || s->class_index >= SLAB_CLASSES || (const char *)p < slab + SLAB_HEADER)
		return false;
	uint64_t room = slab_classes[s->class_index];
	o->start = slab + SLAB_HEADER + (uint64_t)((const char *)p - slab - SLAB_HEADER) / room * room;
	if (o->start + room > slab + PAGE_SIZE)
		return false;
	const struct tail *t = (const struct tail *)(o->start + room) - 1;
	o->size = t->size;
	o->live = t->live;
	o->taken_at = t->taken[1] ? t->taken[1] : t->taken[0];
	o->freed_at = t->freed[1] ? t->freed[1] : t->freed[0];
	return true;
}

static const char *what_is(int8_t value)
{
	return value == FREE_PAGE ? "use of a free page" : value == FREE_SLOT ? "use after free" : value == GLOBAL ? "out of a variable" :
		value == REDZONE || value > 0 ? "out of bounds" : "bad access";
}

static noreturn void report(uint64_t a, uint64_t size, const char *verb, uint64_t pc)
{
	char where[96] = "?", who[96] = "?", text[160] = "";
	struct debug_object o;
	uint64_t bad = a;
	while (has_shadow(bad) && bad < a + size - 1 && !(*SHADOW(bad) < 0 || (*SHADOW(bad) && (int8_t)(bad % 8) >= *SHADOW(bad))))
		bad++;
	int8_t value = has_shadow(bad) ? *SHADOW(bad) : 0;
	bool object = debug_object_at((void *)bad, &o);
	on = false;                     /* whoever else is wrong now is not heard */
	(void)symbol_format(pc, where, sizeof(where));
	if (object) {
		(void)symbol_format((o.live ? o.taken_at : o.freed_at) - 1, who, sizeof(who));
		kformat(text, sizeof(text), ", byte %ld of %ld that %s %s", (long)(bad - (uint64_t)o.start), (long)o.size, o.live ? "are for" : "were freed by", who);
	}
	if (value == FREE_SLOT && !object)
		value = REDZONE;
	panic("KASAN: %s: %s of %lu at 0x%lx by %s%s", a < BOOT_HHDM ? "user memory" : what_is(value), verb, (unsigned long)size, (unsigned long)a, where, text);
}

static void check(uint64_t a, uint64_t size, const char *verb, uint64_t pc)
{
	if (!on || !size)
		return;
	if (unlikely(a < BOOT_HHDM || a + size - 1 < a))
		report(a, size, verb, pc);
	if (!has_shadow(a) || !has_shadow(a + size - 1))
		return;
	const int8_t *at = SHADOW(a), *last = SHADOW(a + size - 1);
	for (; at < last; at++)
		if (unlikely(*at))
			report(a, size, verb, pc);
	if (unlikely(*last && (*last < 0 || (int8_t)((a + size - 1) % 8) >= *last)))
		report(a, size, verb, pc);
}

/* ---- what the compiler calls ---- */

#define PC ((uint64_t)__builtin_return_address(0) - 1)
#define CHECKS(size) \
	void __asan_load##size##_noabort(uint64_t a); \
	void __asan_store##size##_noabort(uint64_t a); \
	void __asan_load##size##_noabort(uint64_t a)  { check(a, size, "read", PC); } \
	void __asan_store##size##_noabort(uint64_t a) { check(a, size, "write", PC); }
CHECKS(1) CHECKS(2) CHECKS(4) CHECKS(8) CHECKS(16)

void __asan_loadN_noabort(uint64_t a, uint64_t size);
void __asan_storeN_noabort(uint64_t a, uint64_t size);
void __asan_loadN_noabort(uint64_t a, uint64_t size)  { check(a, size, "read", PC); }
void __asan_storeN_noabort(uint64_t a, uint64_t size) { check(a, size, "write", PC); }

void __asan_handle_no_return(void);
void __asan_handle_no_return(void)
{
	/* The compiler's word that a stack is left. Stacks have no red zones here. */
}

struct global { uint64_t at, size, room; const void *name, *module; uint64_t dynamic; const void *place; uint64_t odr; };
void __asan_register_globals(const struct global *g, uint64_t n);
void __asan_unregister_globals(const struct global *g, uint64_t n);
void __asan_register_globals(const struct global *g, uint64_t n)
{
	for (; n; n--, g++) {
		mark(g->at, g->room, GLOBAL);
		allow(g->at, g->size);
	}
}
void __asan_unregister_globals(const struct global *g, uint64_t n)
{
	(void)g, (void)n;
}

void __stack_chk_fail(void)
{
	panic("STACK: the canary of a stack frame was overwritten");
}

/* ---- copies ---- */

void *memcpy(void *dst, const void *src, size_t n)
{
	check((uint64_t)src, n, "read", PC);
	check((uint64_t)dst, n, "write", PC);
	return raw_memcpy(dst, src, n);
}
void *memmove(void *dst, const void *src, size_t n)
{
	check((uint64_t)src, n, "read", PC);
	check((uint64_t)dst, n, "write", PC);
	return raw_memmove(dst, src, n);
}
void *memset(void *dst, int c, size_t n)
{
	check((uint64_t)dst, n, "write", PC);
	return raw_memset(dst, c, n);
}
/* One side is the user's, whose range the caller has checked. */
status_t user_copy(void *dst, const void *src, size_t n)
{
	debug_user_memory();
	if ((uint64_t)dst >= BOOT_HHDM)
		check((uint64_t)dst, n, "write", PC);
	if ((uint64_t)src >= BOOT_HHDM)
		check((uint64_t)src, n, "read", PC);
	return raw_user_copy(dst, src, n);
}

/* ---- the allocators ---- */

void debug_pages(uint64_t phys, uint64_t pages, bool taken)
{
	mark((uint64_t)HHDM(phys), pages * PAGE_SIZE, taken ? 0 : FREE_PAGE);
}

void debug_slots(void *first, void *end)
{
	mark((uint64_t)first, (uint64_t)((char *)end - (char *)first), FREE_SLOT);
}

/* Return addresses along the frame pointers, which all C code keeps. */
static void callers(uint64_t *to)
{
	const uint64_t *frame = __builtin_frame_address(0);
	for (unsigned i = 0; i <= CALLERS; i++, frame = (const uint64_t *)frame[0]) {
		if (frame[1] <= (uint64_t)__text_start || frame[1] >= (uint64_t)__text_end)
			break;
		if (i)
			to[i - 1] = frame[1];
		if (frame[0] <= (uint64_t)frame || frame[0] - (uint64_t)frame > KSTACK_SPAN)
			break;
	}
}

void debug_taken(void *slot, size_t size, void *end)
{
	struct tail *t = (struct tail *)end - 1;
	*t = (struct tail){ .size = size, .live = true };
	callers(t->taken);
	mark((uint64_t)slot, (uint64_t)((char *)end - (char *)slot), REDZONE);
	allow((uint64_t)slot, size);
}

static struct spinlock queue_lock;
static void *queue[QUEUE];
static uint32_t queue_at;

void *debug_freed(void *slot)
{
	struct debug_object o;
	if (!debug_object_at(slot, &o))
		return slot;            /* from before the shadow */
	char *end = o.start + slab_classes[((struct slab *)ALIGN_DOWN((uint64_t)slot, PAGE_SIZE))->class_index];
	struct tail *t = (struct tail *)end - 1;
	if (o.start != slot || !o.live)
		report((uint64_t)slot, o.size, o.start == slot ? "second free" : "free inside", PC);
	t->live = false;
	callers(t->freed);
	mark((uint64_t)slot, (uint64_t)(end - o.start), FREE_SLOT);
	while (!(spin_trylock)(&queue_lock))
		;
	void *old = queue[queue_at];
	queue[queue_at] = slot;
	queue_at = (queue_at + 1) % QUEUE;
	(spin_unlock)(&queue_lock);
	return old;
}

/* ---- boot ---- */

void debug_begin(const uint8_t *entropy)
{
	(void)raw_memcpy(&__stack_chk_guard, entropy, sizeof(__stack_chk_guard));
	__stack_chk_guard = __stack_chk_guard * 0x9e3779b97f4a7c15ull & ~0xffull;      /* text that is copied too far stops at the 0 */
}

static void map_shadow(uint64_t from, uint64_t end)
{
	kernel_map_page_array((uint64_t)SHADOW(from), (uint64_t)SHADOW(end - 1) + 1);
}

static void mark_free(uint64_t frame, uint64_t end)
{
	for (; frame < end; frame++)
		if (PAGE_ARRAY[frame].free)
			debug_pages(frame << PAGE_SHIFT, 1ull << PAGE_ARRAY[frame].order, false);
}

void debug_memory(const struct boot_mem *mem, uint32_t n)
{
	uint64_t before = page_free_count();
	for (uint32_t i = 0; i < n; i++)
		if (phys_is_mapped(mem[i].base, PAGE_SIZE)) {
			uint64_t end = (uint64_t)HHDM(mem[i].base + mem[i].pages * PAGE_SIZE);
			map_shadow((uint64_t)HHDM(mem[i].base), end);
			hhdm_end = MAX(hhdm_end, end);
		}
	map_shadow(ALIGN_DOWN((uint64_t)__text_start, PAGE_SIZE), ALIGN_UP((uint64_t)__bss_end, PAGE_SIZE));
	on = true;
	for (void (*const *c)(void) = __ctors_start; c < __ctors_end; c++)
		(*c)();
	for (uint32_t i = 0; i < n; i++)
		if (mem[i].type == BOOT_MEM_USABLE && mem[i].base >= MiB)
			mark_free(mem[i].base >> PAGE_SHIFT, (mem[i].base >> PAGE_SHIFT) + mem[i].pages);
	klog("kasan: %lu pages of shadow", (unsigned long)(before - page_free_count()));
}
