/*
 * beat: see beat.h.
 */
#include "beat.h"

bool beat_missed(struct beat *b, uint64_t pid, const struct process_beat *now, uint64_t at_ns, uint64_t limit_ns)
{
	if (b->pid != pid || b->progress != now->progress || now->accepting)
		b->silent_ns = 0;
	else if (now->ready)
		b->silent_ns += now->cpu_time_ns - b->cpu_time_ns;
	else if (!now->calling && now->waiting)
		b->silent_ns += MIN(at_ns - b->at_ns, 2 * BEAT_LOOK_NS);
	b->pid = pid;
	b->progress = now->progress;
	b->cpu_time_ns = now->cpu_time_ns;
	b->at_ns = at_ns;
	return b->silent_ns >= limit_ns;
}
