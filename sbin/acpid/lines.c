/*
 * lines: see lines.h.
 */
#include "lines.h"
#include <abi/objects.h>

enum line_verdict line_place(const uint64_t kept[LINES_MAX], uint32_t named, uint32_t gsi, uint32_t flags, uint32_t *slot)
{
	uint32_t empty = LINES_MAX, stale = LINES_MAX;

	for (uint32_t i = 0; i < LINES_MAX; i++) {
		bool mine = named >> i & 1;
		if (kept[i] && (uint32_t)kept[i] == gsi) {
			*slot = i;
			if (kept[i] == LINE_WORD(gsi, flags))
				return mine ? LINE_SAME : LINE_KEPT;
			return mine ? LINE_OTHER : LINE_STALE;
		}
		if (!kept[i])
			empty = MIN(empty, i);
		else if (!mine)
			stale = MIN(stale, i);
	}
	if (empty == LINES_MAX && stale == LINES_MAX)
		return LINE_FULL;
	*slot = empty < LINES_MAX ? empty : stale;
	return empty < LINES_MAX ? LINE_NEW : LINE_STALE;
}

bool line_sensible(uint64_t word)
{
	return word & LINE_USED && (word >> 32 & 0x7fffffff) <= (IRQ_LEVEL | IRQ_ACTIVE_LOW);
}

enum storm_verdict storm_ran(struct storm *s, uint64_t began, uint64_t ended, uint64_t *pause_ns)
{
	uint64_t quiet = began - MIN(began, s->at_ns), took = ended - MIN(ended, began), cost;

	if (__builtin_mul_overflow(took, (uint64_t)STORM_SHARE, &cost))
		return STORM_END;
	s->level_ns -= MIN(s->level_ns, quiet);
	if (__builtin_add_overflow(s->level_ns, MAX(cost, (uint64_t)STORM_RING_NS), &s->level_ns))
		return STORM_END;
	s->at_ns = ended;
	*pause_ns = MAX(took, (uint64_t)STORM_PAUSE_NS);
	return s->level_ns > STORM_END_NS ? STORM_END : s->level_ns > STORM_EASY_NS ? STORM_PAUSE : STORM_NONE;
}
