/*
 * timer: a leftist heap per CPU. The shorter right spine (`dist`) bounds every merge to O(log n). A timer comes into it when
 * as many were armed after it as there are fresh ones, or when somebody asks for the earliest.
 */
#ifndef HOST_TEST                       /* the test brings a machine of its own */
#include <kernel/account.h>
#include <kernel/arch.h>
#include <kernel/percpu.h>
#include <kernel/sched.h>
#include <kernel/smp.h>
#endif
#include <kernel/timer.h>

static uint32_t dist(const struct timer *t)
{
	return t ? t->dist : 0;
}

static struct timer *merge(struct timer *a, struct timer *b)
{
	struct timer *root = NULL, *above = NULL;
	/* Walk down the right spines, hanging the smaller root each time ... */
	while (a && b) {
		if (b->deadline < a->deadline) {
			struct timer *t = a;
			a = b;
			b = t;
		}
		a->parent = above;
		if (above)
			above->right = a;
		else
			root = a;
		above = a;
		a = a->right;
	}
	struct timer *rest = a ? a : b;
	if (rest)
		rest->parent = above;
	if (!above)
		return rest;
	above->right = rest;
	/* ... and back up, restoring the leftist property. */
	for (struct timer *t = above; t; t = t->parent) {
		if (dist(t->left) < dist(t->right)) {
			struct timer *l = t->left;
			t->left = t->right;
			t->right = l;
		}
		t->dist = dist(t->right) + 1;
	}
	return root;
}

/* A fresh one, if there is any, comes into the heap. */
static void settle_locked(struct percpu *c, unsigned fresh)
{
	struct timer *t = c->fresh[fresh];
	if (!t)
		return;
	c->fresh[fresh] = NULL;
	c->n_fresh--;
	t->left = t->right = t->parent = NULL;
	t->dist = 1;
	c->timers = merge(c->timers, t);
}

static struct timer *earliest_locked(struct percpu *c)
{
	for (unsigned i = 0; c->n_fresh; i++)
		settle_locked(c, i);
	return c->timers;
}

static void take_out_locked(struct percpu *c, struct timer *t)
{
	struct timer *parent = t->parent, *sub = merge(t->left, t->right);
	if (sub)
		sub->parent = parent;
	if (!parent) {
		c->timers = sub;
	} else {
		if (parent->left == t)
			parent->left = sub;
		else
			parent->right = sub;
		for (struct timer *p = parent; p; p = p->parent) {
			uint32_t before = p->dist;
			if (dist(p->left) < dist(p->right)) {
				struct timer *l = p->left;
				p->left = p->right;
				p->right = l;
			}
			p->dist = dist(p->right) + 1;
			if (p->dist == before)
				break;
		}
	}
}

static void remove_locked(struct percpu *c, struct timer *t)
{
	if (c->fresh[t->fresh] == t) {
		c->fresh[t->fresh] = NULL;
		c->n_fresh--;
	} else {
		take_out_locked(c, t);
	}
	t->armed = false;
	ACCOUNT_SUB(timers, 1);
}

void timer_disarm(struct timer *t)
{
	if (!t->armed)
		return;
	struct percpu *c = percpu_all[t->cpu];
	spin_lock(&c->timer_lock);
	if (t->armed)
		remove_locked(c, t);
	spin_unlock(&c->timer_lock);
}

void timer_cancel(struct timer *t)
{
	for (bool busy = true; busy;) {
		timer_disarm(t);
		busy = false;
		for (uint32_t i = 0; i < cpu_count; i++) {
			spin_lock(&percpu_all[i]->timer_lock);
			busy |= percpu_all[i]->firing == t || t->armed;
			spin_unlock(&percpu_all[i]->timer_lock);
		}
		if (busy)
			cpu_relax();
	}
}

void timer_arm(struct timer *t, uint64_t deadline)
{
	timer_disarm(t);
	if (deadline == FOREVER)
		return;
	struct percpu *c = this_cpu();
	spin_lock(&c->timer_lock);
	t->fresh = c->fresh_next++ % TIMERS_FRESH;
	settle_locked(c, t->fresh);
	c->fresh[t->fresh] = t;
	c->n_fresh++;
	t->deadline = deadline;
	t->cpu = c->cpu;
	t->armed = true;
	ACCOUNT_ADD(timers, 1);
	spin_unlock(&c->timer_lock);
	sched_timer_at_latest(deadline);
}

uint64_t timer_next(void)
{
	struct percpu *c = this_cpu();
	spin_lock(&c->timer_lock);
	const struct timer *t = earliest_locked(c);
	uint64_t next = t ? t->deadline : FOREVER;
	spin_unlock(&c->timer_lock);
	return next;
}

void timer_expire(uint64_t now)
{
	struct percpu *c = this_cpu();
	/* Bounded: what is due beyond this fires at the next interrupt, which is armed at once. */
	for (unsigned i = 0; i < 64; i++) {
		spin_lock(&c->timer_lock);
		struct timer *t = earliest_locked(c);
		if (!t || t->deadline > now) {
			spin_unlock(&c->timer_lock);
			return;
		}
		remove_locked(c, t);
		c->firing = t;
		spin_unlock(&c->timer_lock);
		t->fire(t);
		__atomic_store_n(&c->firing, NULL, __ATOMIC_RELEASE);
	}
}
