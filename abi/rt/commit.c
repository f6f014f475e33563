/*
 * commit: a service's own memory made present before it serves. Memory that begins as zero is given when first
 * touched; a service that touches some of it only after hours would then need a page just when none is left.
 */
#include <gen/syscalls.h>
#include <rt/svc.h>

/* Touches every page from the mapping at va on, as far as mappings follow one another. */
static void touch_run(uint64_t va)
{
	struct mapping_info m;

	while (vmem_query(0, va, &m) == OK && m.va <= va && (m.prot & PROT_WRITE)) {
		for (uint64_t at = m.va; at < m.va + m.size; at += PAGE_SIZE)
			(void)*(volatile const char *)at;
		va = m.va + m.size;
	}
}

void svc_commit(void)
{
	static char zero_data;          /* lies where the image's own zero memory does */
	char on_stack;

	touch_run((uint64_t)&zero_data);
	touch_run((uint64_t)&on_stack);
}
