/*
 * hooks: what kernel code calls in the sanitized build; see the files beside this one.
 */
#pragma once
#include <kernel/spinlock.h>          /* before it is wrapped here */

/* ---- kasan.c ---- */
#define DEBUG_REDZONE 64
void debug_begin(const uint8_t *entropy);                      /* a new stack canary; in a function that does not return */
void debug_memory(const struct boot_mem *mem, uint32_t n);      /* the shadow is there from here on */
void debug_pages(uint64_t phys, uint64_t pages, bool taken);    /* from the page allocator, or back to it */
void debug_slots(void *first, void *end);                       /* new slots that nobody has */
void debug_taken(void *slot, size_t size, void *end);           /* an object of `size` in a slot that ends there */
/* Nobody may touch it again. Gives back an object freed long ago, to be taken from then on; NULL: none yet. */
void *debug_freed(void *slot);
/* What lies around p in the object allocator: false, nothing. */
struct debug_object { char *start; uint64_t size; bool live; uint64_t taken_at, freed_at; };
bool debug_object_at(const void *p, struct debug_object *o);

/* ---- locks.c ---- */
struct debug_site { const char *file, *lock; int line; };
void debug_lock_wanted(struct spinlock *l, const struct debug_site *site);      /* before it waits: panics if that is out of order */
bool debug_lock_taken(struct spinlock *l, const struct debug_site *site);       /* true */
void debug_lock_left(struct spinlock *l);
void debug_lock_handed(struct spinlock *l);     /* it stays locked, and assembly code unlocks it */
void debug_unlocked_all(void);                  /* this CPU leaves the kernel: it must hold none */
void debug_waits(void);                         /* until others have left: it may hold what is only ever tried */
struct regs;
void debug_user_regs(const struct regs *r);      /* about to be loaded */
void debug_user_memory(void);                   /* about to be touched: only some locks may be held */

#define DEBUG_SITE(l) ({ static const struct debug_site site_ = { __FILE__, #l, __LINE__ }; &site_; })
#define spin_lock(l)    ({ struct spinlock *lock_ = (l); const struct debug_site *at_ = DEBUG_SITE(l); \
	debug_lock_wanted(lock_, at_); (spin_lock)(lock_); (void)debug_lock_taken(lock_, at_); })
#define spin_trylock(l) ({ struct spinlock *lock_ = (l); (spin_trylock)(lock_) && debug_lock_taken(lock_, DEBUG_SITE(l)); })
#define spin_unlock(l)  ({ struct spinlock *lock_ = (l); debug_lock_left(lock_); (spin_unlock)(lock_); })
