/*
 * clock: the kernel's clock, read where the kernel reads it: the time stamp counter and one multiplication.
 */
#include <rt/clock.h>
#include <rt/start.h>

static const struct clock_page none;            /* only clock_now knows */
static const struct clock_page *page;           /* NULL: not asked yet */

static const struct clock_page *find(void)
{
	const struct clock_page *found = &none, *other = NULL;
	uint64_t va = 0;
	handle_t h;
	if (clock_page(&h) >= 0) {
		/* Present from the start, so that no later look needs memory. */
		if (vmem_map(0, h, 0, 0, PAGE_SIZE, PROT_READ, &va) >= 0 && vmem_commit(0, va, PAGE_SIZE) >= 0)
			found = (const struct clock_page *)va;
		handle_close(h);
	}
	bool ours = __atomic_compare_exchange_n(&page, &other, found, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
	if (va && !(ours && found != &none))
		(void)vmem_unmap(0, va, PAGE_SIZE);     /* another thread was quicker, or there is no memory */
	return ours ? found : other;
}

uint64_t clock_value(void)
{
	const struct clock_page *p = __atomic_load_n(&page, __ATOMIC_ACQUIRE);
	uint32_t low, high;
	if (!p)
		p = find();
	if (!p->mult) {
		uint64_t ns = 0;
		(void)clock_now(&ns);
		return ns;
	}
	/* Not before what the program did before it. */
	asm volatile("lfence; rdtsc" : "=a"(low), "=d"(high) :: "memory");
	return (uint64_t)((unsigned __int128)(((uint64_t)high << 32 | low) - p->base) * p->mult >> 32);
}
