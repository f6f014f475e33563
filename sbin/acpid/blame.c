/*
 * blame: see blame.h.
 */
#include "blame.h"

static bool proven(const struct blame *b, uint64_t now)
{
	uint64_t end = b->busy_ns ? b->busy_ns : now;

	return b->through_ns && end > b->through_ns && end - b->through_ns >= BLAME_PROVEN_NS;
}

void blame_begin(struct blame *b, bool faulted, uint64_t now)
{
	uint32_t ends = MIN(b->ends, (uint32_t)BLAME_AML);

	/* One that lives without SSDTs says nothing for them: they stay away when it ends for another reason. */
	if (proven(b, now))
		ends = ends < BLAME_SSDTS ? 0 : BLAME_SSDTS - 1;
	if (faulted)
		ends = MIN(ends + 1, (uint32_t)BLAME_AML);
	else if (ends >= BLAME_SSDTS)
		ends = BLAME_SSDTS - 1;
	*b = (struct blame){ .ends = ends, .busy_ns = now };
}

void blame_busy(struct blame *b, uint64_t now)
{
	if (!b->busy_ns)
		b->busy_ns = now;
}

void blame_idle(struct blame *b, bool aml, uint64_t now)
{
	if (aml && !b->through_ns)
		b->through_ns = now;
	b->busy_ns = 0;
}
