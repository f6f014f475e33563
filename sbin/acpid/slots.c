/*
 * slots: see slots.h.
 */
#include "slots.h"

void slots_note(struct slot_log *log, uint16_t at, enum slot_kind kind)
{
	log->events[(log->last + 1) % SLOT_EVENTS].at = at;
	log->events[(log->last + 1) % SLOT_EVENTS].kind = (uint16_t)kind;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	*(volatile uint64_t *)&log->last = log->last + 1;
}

bool slots_next(const struct slot_log *log, uint64_t seen, uint64_t *number, uint16_t *at, enum slot_kind *kind)
{
	if (seen == log->last)
		return false;
	*number = log->last;
	*at = SLOT_ANYWHERE;
	*kind = SLOT_BUS_CHECK;
	if (seen > log->last || log->last - seen >= SLOT_EVENTS)
		return true;
	uint16_t k = log->events[(seen + 1) % SLOT_EVENTS].kind;
	*number = seen + 1;
	if (k != SLOT_BUS_CHECK && k != SLOT_DEVICE_CHECK && k != SLOT_EJECT_REQUEST)
		return true;            /* a stray store */
	*at = log->events[(seen + 1) % SLOT_EVENTS].at;
	*kind = (enum slot_kind)k;
	return true;
}
