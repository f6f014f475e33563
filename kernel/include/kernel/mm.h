/*
 * mm: physical pages and small kernel objects.
 */
#pragma once
#include <abi/boot.h>
#include <kernel/arch.h>

/* ---- page.c: a buddy allocator over all usable memory ---- */
#define PAGE_ORDER_MAX 18               /* 1 GiB */

/* One per usable page frame, in a sparse array indexed by frame number. 16 bytes. */
struct page {
	uint32_t next, prev;            /* free lists, in frame numbers */
	union {
		uint32_t refs;          /* used pages: Frames that hold it beside the first (copy-on-write); atomic */
		struct {                /* page tables: what is, or was, not 0 lies from entry `low` to below `end` */
			uint16_t low, end;
		};
	};
	uint8_t  order;                 /* head of a free block: its order */
	uint8_t  free;                  /* 1: head of a free block */
	uint16_t reserved;
};
#define PAGE_ARRAY ((struct page *)0xffffc00000000000ull)

/* Who holds a page alone may write to it. */
always_inline bool page_shared(uint64_t phys) { return __atomic_load_n(&PAGE_ARRAY[phys / PAGE_SIZE].refs, __ATOMIC_ACQUIRE); }
always_inline void page_share(uint64_t phys)  { __atomic_fetch_add(&PAGE_ARRAY[phys / PAGE_SIZE].refs, 1, __ATOMIC_ACQ_REL); }
/* One that holds it less. True: that was the last, and has to free it. */
always_inline bool page_unshare(uint64_t phys)
{
	uint32_t *refs = &PAGE_ARRAY[phys / PAGE_SIZE].refs;
	if (!page_shared(phys) || __atomic_fetch_sub(refs, 1, __ATOMIC_ACQ_REL) == 0) {
		*refs = 0;
		return true;
	}
	return false;
}

struct budget;

void page_init(const struct boot_mem *mem, uint32_t n);
/* 2^order pages, contiguous, aligned to their size, content undefined. 0: none left. */
uint64_t page_alloc(unsigned order);    /* for the kernel; leaves the reserve that the current process's Budget must leave */
uint64_t page_alloc_zero(void);         /* one page */
uint64_t page_alloc_user(const struct budget *payer, unsigned order);   /* for a process; the reserve is the payer's */
uint64_t page_alloc_dma32(const struct budget *payer, unsigned order);  /* below 4 GiB */
uint64_t page_alloc_user_zero(const struct budget *payer);
void page_free(uint64_t phys, unsigned order);
void page_free_zero(uint64_t phys);     /* one that is all zeros: page_alloc_user_zero gives it out again as it is */
void page_add_range(uint64_t phys, uint64_t pages);     /* boot: hand memory over */
#define PROGRAMS_LEAVE 1024u            /* free pages that programs cannot have */
/* From now on pressure_look is called some time after fewer than `low` or more than `high` pages are free. Returns how many are. */
uint64_t page_watch(uint64_t low, uint64_t high);
uint64_t page_free_count(void);
extern uint64_t page_total;
/* Early memory for tables before page_init is complete: zeroed, never freed. */
uint64_t page_early(void);
bool phys_is_ram(uint64_t phys, uint64_t size);         /* touches memory the allocator or kernel owns */
bool phys_is_mapped(uint64_t phys, uint64_t size);      /* HHDM reaches it */

/* ---- pressure.c: memory runs short, or does no longer. No lock held ---- */
void pressure_look(void);

/* ---- slab.c: objects of any size up to 1 MiB, 16-byte aligned ---- */
void *kmalloc(size_t size);             /* zeroed; NULL: no memory */
void kfree(void *p, size_t size);       /* size as asked for */
size_t kmalloc_takes(size_t size);      /* what a block of that size counts in slab_bytes */

uint64_t zero_page_phys(void);          /* a page of zeros, never written */
void mem_zero(void *p, size_t size);
void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
