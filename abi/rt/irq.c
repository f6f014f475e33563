/*
 * irq: see rt/irq.h.
 */
#include <rt/irq.h>

status_t irq_take(handle_t resource, uint32_t line, uint32_t flags, uint32_t *patience, handle_t *irq)
{
	status_t st;
	uint64_t now;

	while ((st = irq_create(resource, line, flags, irq)) == ERR_BUSY && *patience > 0 && clock_now(&now) == OK) {
		(void)!thread_sleep(now + NS_PER_MS);
		*patience -= 1;
	}
	return st;
}
