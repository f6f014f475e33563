/*
 * owner: see owner.h.
 */
#include "owner.h"

struct owner *owner_of(struct owner owners[OWNERS_MAX], uint16_t at)
{
	for (size_t i = 0; i < OWNERS_MAX; i++)
		if (owners[i].badge && (uint16_t)owners[i].badge == at)
			return &owners[i];
	return NULL;
}

enum claim_verdict owner_judge(const struct owner *o, const struct claim *c)
{
	if (!o)
		return CLAIM_FREE;
	if (c->redelivered && c->op_id && o->op_id == c->op_id)
		return CLAIM_AGAIN;
	/* Of drivers that initd starts there is one at a time. */
	if (c->offered && o->offered)
		return CLAIM_OVER;
	/* What an earlier life had accepted comes again before anything new: that OPEN was answered and its Session never used, or it comes no more. */
	if (o->unheard && o->unheard != c->life)
		return CLAIM_OVER;
	return CLAIM_BUSY;
}
