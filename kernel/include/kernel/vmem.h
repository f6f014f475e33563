/*
 * vmem: an address space: sorted mappings of Frames, and the page tables made from them on
 * demand. frame: memory in pages. Lock order: vmem.lock, then frame.lock; frame.maps_lock
 * comes after vmem.lock too, and code that holds it only tries vmem locks.
 */
#pragma once
#include <kernel/list.h>
#include <kernel/object.h>

enum frame_kind { FRAME_ANONYMOUS, FRAME_PAGED, FRAME_CONTIG, FRAME_PHYS };

/* In the low bits of a page's slot; only of paged Frames (pager.c). */
enum { SLOT_DIRTY = 1 /* written to */, SLOT_SAVING = 2 /* given out to be saved */, SLOT_GOING = 4 /* to be taken, if nobody asks for it meanwhile */,
	SLOT_BITS = 7 };

struct frame {
	struct object   obj;
	uint8_t         kind;           /* fixed */
	uint8_t         cache;          /* PHYS: CACHE_*; fixed */
	struct spinlock lock;           /* covers pages, n_pages, committed */
	struct spinlock settle;         /* who takes pages away, shares or replaces them holds it until no translation contradicts */
	uint64_t        n_pages;
	uint64_t        committed;      /* pages present */
	union {
		uint64_t        phys;   /* CONTIG, PHYS: base */
		struct session *pager;  /* PAGED: counted; where READ goes */
	};
	uint64_t        pager_first;    /* PAGED: what page 0 is to the pager; fixed */
	struct list     coming;         /* PAGED: of struct command (in_frame): pages asked for; lock */
	/* ANONYMOUS, PAGED: page addresses by index, 0 = not yet. height 0: one array of array_len entries;
	   height h: 512-way nodes h levels deep above 512-entry leaves. */
	uint64_t       *root;
	uint32_t        array_len;
	uint8_t         height;
	bool            shared;         /* some of its pages or nodes are, or were, another Frame's too; or it is PAGED */
	bool            whole;          /* made by frame_copy with all of the other's pages */
	bool            resizing;       /* one CPU at a time; atomic */
	uint64_t        cut_end;        /* a shrink under way: pages from n_pages up to here may still be present */
	uint64_t        nodes;          /* of PAGE_SIZE, the root array among them if it is that large; each is charged */
	uint16_t        destroy_at[4];  /* progress of teardown, by height */
	struct spinlock maps_lock;      /* covers maps */
	struct list     maps;           /* of struct mapping */
	struct list     pins;           /* of struct pin; under lock */
	uint32_t        n_pins;
	uint64_t        small[2];       /* storage of root for frames of up to two pages */
};

struct mapping {
	uint64_t      va, size;         /* bytes */
	struct frame *frame;            /* counted */
	uint64_t      offset;           /* bytes into frame */
	bool          writable;         /* it may have translations that can be written through; lock of vmem */
	uint16_t      prot;             /* PROT_* */
	uint16_t      max_prot;         /* what the handle allowed: vmem_protect stays within */
	uint16_t      inherit;          /* MAP_SHARE, MAP_DROP: what a clone of the Vmem has here; 0: a copy */
	struct vmem  *vmem;             /* borrowed: the owner */
	struct list   in_frame;         /* frame->maps */
};

struct vmem {
	struct object    obj;
	struct spinlock  lock;          /* covers all below */
	uint64_t         root;          /* physical address of the top page table */
	uint64_t         cpus;          /* bit per CPU that may hold translations */
	struct mapping **maps;          /* sorted by va */
	uint32_t         n_maps, cap_maps;
	uint64_t         hint;          /* where to look for room next */
	uint32_t         tables, table_pages;   /* the first of its page tables, linked by struct page; how many. Charged */
	uint64_t         mapped_pages;  /* sum of mapping sizes */
	struct mapping  *last;          /* the last one a fault hit; NULL after changes */
	bool             paged;         /* has, or had, mappings of paged Frames: its threads know (SPECIAL_PAGED) */
	struct list      lenders;       /* of struct thread (wait_node): in a call with windows in such */
	struct list      trim;          /* in the list of those whose page tables may have become empty (its lock) */
};

/* ---- frame.c ---- */
struct frame *frame_create(uint64_t size, uint32_t flags, struct budget *payer, status_t *why);
/* Its pages come from `pager`, to which page 0 is page `first`. */
struct frame *frame_create_paged(struct session *pager, uint64_t first, uint64_t size, struct budget *payer, status_t *why);
/* Has pages one by one, each there or not. */
always_inline bool frame_in_pages(const struct frame *f) { return f->kind <= FRAME_PAGED; }
struct frame *frame_create_phys(uint64_t phys, uint64_t size, int cache, struct budget *payer, status_t *why);
/*
 * The page at `index`, allocated and zeroed if need be; FRAME_SHARED: to be read, not written to: that takes frame_break first, with no
 * Vmem locked. STATUS_ABSENT: a Port has to be asked (pager.h). ERR_FAULT: beyond the end. ERR_NO_MEMORY. frame.lock not held.
 */
must_use status_t frame_page(struct frame *f, uint64_t index, uint64_t *phys);
#define FRAME_SHARED 1
#define STATUS_ABSENT (INT64_MIN + 5)
/* The same, to be written to, where no Vmem is locked. */
must_use status_t frame_page_to_write(struct frame *f, uint64_t index, uint64_t *phys);
/* The page becomes the Frame's own, and dirty if a pager wants to know. ERR_NO_MEMORY. */
must_use status_t frame_break(struct frame *f, uint64_t index);
/*
 * A Frame to hold n pages of `from`, to be copied when either is written to. If these are all that `from` has room for, it has them
 * at once. In any case frame_share has to see to each.
 */
struct frame *frame_copy(struct frame *from, uint64_t first, uint64_t n, struct budget *payer, status_t *why);
/*
 * Pages [at, at + n) of `to`, which has none there and which nobody else knows yet, become those of `from`; *done says how many were seen
 * to in one go. After an error `to` is of no use any more.
 */
must_use status_t frame_share(struct frame *from, uint64_t first, struct frame *to, uint64_t at, uint64_t n, uint64_t *done);
void frame_settle(struct frame *f);                         /* waits until translations agree with the pages */
uint64_t frame_peek(struct frame *f, uint64_t index);       /* 0: not present */
uint64_t *frame_slot_locked(struct frame *f, uint64_t index, bool make);    /* NULL: no memory for it, or not made */
uint64_t frame_hole_locked(struct frame *f, uint64_t index);        /* pages without a slot around there; 0: it has one */
/*
 * Gives back pages [first, first + n); bounded: *done says how many indexes were handled; it stops at a pinned one. keep: only SLOT_GOING
 * ones, and of these not the one of bit i, which is page first + i. ERR_NO_MEMORY: others share what leads there.
 */
must_use status_t frame_drop_pages(struct frame *f, uint64_t first, uint64_t n, const uint64_t *keep, uint64_t *done);
bool frame_destroy(struct object *o);

/* ---- vmem.c ---- */
struct vmem *vmem_create(struct budget *payer, status_t *why);
must_use status_t vmem_map(struct vmem *vm, struct frame *f, uint64_t offset, uint64_t *va, uint64_t size, uint32_t prot_flags, uint32_t max_prot);
/* STATUS_RESTART: there is more to do, and others want the CPU. Also for vmem_map with MAP_REPLACE, and vmem_protect. */
must_use status_t vmem_unmap(struct vmem *vm, uint64_t va, uint64_t size);
must_use status_t vmem_protect(struct vmem *vm, uint64_t va, uint64_t size, uint32_t prot);
struct mapping *vmem_find_locked(struct vmem *vm, uint64_t va);     /* containing va, or NULL */
uint32_t vmem_lower_bound(struct vmem *vm, uint64_t va);            /* first mapping with end > va */
/* Resolves a fault at va. ERR_FAULT: no mapping, or not that access. ERR_NO_MEMORY. STATUS_ABSENT: page_wait is to be called. */
must_use status_t vmem_fault(struct vmem *vm, uint64_t va, uint32_t access);
/* The physical address behind va, made present; access: PROT_*. For copies into other address spaces. */
must_use status_t vmem_resolve(struct vmem *vm, uint64_t va, uint32_t access, uint64_t *phys);
uint32_t prot_of_rights(uint32_t rights);     /* RIGHT_READ... -> PROT_READ... */
bool vmem_destroy(struct object *o);
extern uint32_t vmem_clones;            /* under way; atomic */
/* A shared page may have translations that can be written through. */
always_inline bool vmem_clones_under_way(void) { return __atomic_load_n(&vmem_clones, __ATOMIC_SEQ_CST); }
struct thread;
void vmem_building_drop(struct thread *t);      /* a clone that it has not finished */
/* Frees page tables that unmapping left empty. Not urgent: while idle, and before kstat counts. False: none to do. */
bool vmem_trim_some(void);
void vmem_trim_cancel(struct vmem *vm);         /* it is about to go as a whole */
/*
 * Called by frame code: translations of n pages of f from `index` on: those that point at phys[] go; with phys NULL all stay, and cannot
 * be written through.
 */
void vmem_zap(struct frame *f, uint64_t index, const uint64_t *phys, uint64_t n);

/* The windows of t's call (rsp. r13, r14, r15) are present, and stay so until unlend. STATUS_RESTART: not yet. ERR_FAULT. */
must_use status_t vmem_lend(struct thread *t, bool *lent);
void vmem_unlend(struct thread *t);
/* Bit i: page index + i of f lies in such a window. */
uint64_t vmem_lent(struct frame *f, uint64_t index);

/* ---- arch/x86_64/paging.c, smp.c ---- */
uint64_t paging_kernel_root(void);           /* tables without a user half */
must_use status_t pt_create(struct vmem *vm);
must_use status_t pt_map(struct vmem *vm, uint64_t va, uint64_t phys, uint32_t prot, int cache);
/* The same for LARGE_PAGE, to which both addresses are aligned. False: not here, or no memory for a table. */
#define LARGE_PAGE (2ull * MiB)
bool pt_map_large(struct vmem *vm, uint64_t va, uint64_t phys, uint32_t prot, int cache);
/* The caller flushes. A large page goes as a whole: tables are only a cache. */
void pt_unmap(struct vmem *vm, uint64_t va);
/* The caller flushes [*first, *last), which grows by what could be written to. */
void pt_write_protect(struct vmem *vm, uint64_t va, uint64_t end, uint64_t *first, uint64_t *last);
/* Ordinary memory that is entered with that access: its page's address; else 0. va below USER_TOP. */
uint64_t pt_peek(struct vmem *vm, uint64_t va, uint32_t access);
uint64_t pt_lookup(struct vmem *vm, uint64_t va);           /* physical address or 0 */
uint64_t pt_next_present(struct vmem *vm, uint64_t va, uint64_t end);  /* first va with a table below it, or end */
void pt_trim(struct vmem *vm, bool (*wanted)(struct vmem *vm, uint64_t va, uint64_t size));    /* frees tables of ranges not wanted; vm.lock held */
bool pt_destroy_some(struct vmem *vm);                      /* frees tables; true: all gone */
/* Every CPU that may hold [va, va + size) of vm forgets it before this returns. vm.lock held. */
void tlb_flush(struct vmem *vm, uint64_t va, uint64_t size);
void tlb_leave(struct vmem *vm);        /* nobody runs in it any more, and no CPU has its tables loaded when this returns */
