/*
 * backoff: see backoff.h.
 */
#include "backoff.h"

#define MOMENT_NS   (500 * NS_PER_MS)
#define CALM_FAULTS 10

uint64_t backoff_fault(struct backoff *b, uint64_t started, uint64_t now)
{
	bool third = b->known == 2 && now - b->before[1] < BACKOFF_WINDOW_NS;
	bool lived = now - started >= BACKOFF_WINDOW_NS;

	b->before[1] = b->before[0];
	b->before[0] = now;
	b->known = MIN(b->known + 1, 2u);

	/* Once waits are long, three faults no longer fit into the window: only a long life ends the back-off. */
	if (b->wait_ns > 0)
		b->wait_ns = lived ? 0 : MIN(2 * b->wait_ns, BACKOFF_MAX_NS);
	else if (third)
		b->wait_ns = BACKOFF_FIRST_NS;
	return b->wait_ns;
}

uint64_t backoff_calm_fault(struct backoff *b, uint64_t started, uint64_t now)
{
	b->calm = now - started < MOMENT_NS ? b->calm + 1 : 0;
	return b->calm > CALM_FAULTS ? BACKOFF_FIRST_NS : 0;
}
