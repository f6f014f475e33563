/*
 * timer: things to do at a time. Each CPU keeps its armed timers in a leftist heap, where arming, disarming and expiry take
 * O(log n) steps and no memory; but those armed last lie apart, as most are disarmed soon: for these it is O(1).
 */
#pragma once
#include <abi/types.h>

#define TIMERS_FRESH 8

struct timer {
	struct timer *left, *right, *parent;
	uint64_t      deadline;         /* ns */
	uint32_t      dist;             /* length of the right spine */
	bool          armed;
	uint8_t       fresh;            /* its place in percpu.fresh, if it is there */
	uint32_t      cpu;              /* whose heap */
	void        (*fire)(struct timer *t);   /* no lock held */
};

void timer_arm(struct timer *t, uint64_t deadline);     /* re-arms; FOREVER disarms */
void timer_disarm(struct timer *t);                     /* it may just be firing on another CPU */
void timer_cancel(struct timer *t);                     /* when this returns it is not. No lock held that its function takes */
void timer_expire(uint64_t now);                        /* fires what is due on this CPU */
uint64_t timer_next(void);                              /* this CPU's earliest deadline, or FOREVER */
