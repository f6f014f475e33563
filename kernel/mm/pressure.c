/*
 * pressure: tells Notifys that free memory runs short while there is still some, so that caches shrink before anything fails.
 * A level i is reached when less than 1/2^i of the machine's memory is free, and is over when a sixty-fourth more is; its bits
 * are set each time it is reached.
 */
#include <kernel/budget.h>
#include <kernel/mm.h>
#include <kernel/notify.h>
#include <kernel/syscall.h>

static struct spinlock lock;            /* one CPU looks at a time */
static struct watchers levels[PRESSURE_MAX + 1];    /* fired: it is reached */

/* Beyond what programs can have; so it comes before their first ERR_NO_MEMORY. */
static uint64_t edge(unsigned level)
{
	return PROGRAMS_LEAVE + (page_total >> level);
}

void pressure_look(void)
{
	if (!spin_trylock(&lock))
		return;
	uint64_t free = page_watch(0, UINT64_MAX), low = 0, high = UINT64_MAX;
	for (unsigned i = PRESSURE_MIN; i <= PRESSURE_MAX; i++) {
		struct watchers *w = &levels[i];
		uint64_t over = edge(i) + page_total / 64;
		if (!w->list.next)
			watchers_init(w);
		if (!w->fired && free < edge(i)) {
			watchers_fire(w, true);
		} else if (w->fired && free > over) {
			spin_lock(&w->lock);
			w->fired = false;
			spin_unlock(&w->lock);
		}
		if (w->fired)
			high = MIN(high, over);
		else
			low = MAX(low, edge(i));
	}
	(void)page_watch(low, high);
	spin_unlock(&lock);
}

status_t sys_notify_pressure(handle_t h, uint32_t bit, uint32_t level)
{
	struct notify *n;
	status_t st = LOOKUP(h, OBJ_NOTIFY, RIGHT_WAIT, &n);
	if (st < 0)
		return st;
	if (bit > 63 || level < PRESSURE_MIN || level > PRESSURE_MAX)
		return ERR_INVALID;
	pressure_look();
	spin_lock(&lock);               /* whoever looked instead has made the lists by now */
	spin_unlock(&lock);
	return notify_bind(n, bit, &budget_root()->obj, &levels[level], CURRENT_PROCESS->budget);
}
