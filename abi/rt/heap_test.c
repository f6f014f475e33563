/* heap: blocks are aligned, apart and keep their content; freed memory is used again; errors end the program. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

/* The heap asks for memory here; `mapped` counts what it holds. */
static uint64_t mapped;
static int refuse, refuse_pages;
#define malloc heap_malloc
#define free heap_free
#define calloc heap_calloc
#define realloc heap_realloc
#define main program_main               /* rt/start.h declares the program's */
#include "heap.c"
#undef main
#undef malloc
#undef free
#undef calloc
#undef realloc

status_t vmem_map(handle_t v, handle_t f, uint64_t o, uint64_t va, uint64_t size, uint32_t prot, uint64_t *out)
{
	(void)v, (void)f, (void)o, (void)va, (void)prot;
	if (refuse)
		return ERR_NO_MEMORY;
	void *p = aligned_alloc(PAGE_SIZE, size);
	assert_non_null(p);
	memset(p, 0, size);
	mapped += size;
	*out = (uint64_t)p;
	return OK;
}

status_t vmem_commit(handle_t v, uint64_t va, uint64_t size)
{
	(void)v, (void)va, (void)size;
	return refuse_pages ? ERR_NO_MEMORY : OK;
}

status_t vmem_unmap(handle_t v, uint64_t va, uint64_t size)
{
	(void)v;
	mapped -= size;
	free((void *)va);
	return OK;
}

status_t clock_now(uint64_t *ns) { *ns = 0; return OK; }
status_t thread_sleep(uint64_t deadline) { (void)deadline; return OK; }
const char *error_name(status_t st) { (void)st; return "?"; }

static jmp_buf panicked;
noreturn void rt_panic(const char *format, ...)
{
	(void)format;
	longjmp(panicked, 1);
}

static void every_size(void **state)
{
	(void)state;
	static unsigned char *kept[5000];
	for (size_t n = 0; n < 5000; n++) {
		kept[n] = heap_malloc(n * 9);
		assert_non_null(kept[n]);
		assert_int_equal((uintptr_t)kept[n] % GRAIN, 0);
		memset(kept[n], (int)n, n * 9);
	}
	for (size_t n = 0; n < 5000; n++) {
		for (size_t i = 0; i < n * 9; i++)
			assert_int_equal(kept[n][i], (unsigned char)n);
		heap_free(kept[n]);
	}
}

static void classes_fit(void **state)
{
	(void)state;
	uint32_t last_class = 0;
	size_t last_size = 0;
	for (size_t need = 1; need <= 1u << BLOCK_MAX_LOG; need++) {
		size_t size;
		uint32_t class = class_of(need, &size);
		assert_true(size >= need && size % GRAIN == 0 && class < CLASSES);
		assert_true(need < 64 || size - need <= need / 4 + GRAIN);
		if (size != last_size) {
			assert_int_equal(class, last_size ? last_class + 1 : 0);
			last_class = class;
			last_size = size;
		}
		assert_int_equal(class, last_class);
	}
}

static void freed_blocks_come_back(void **state)
{
	(void)state;
	void *a = heap_malloc(100);
	heap_free(a);
	assert_ptr_equal(heap_malloc(100), a);
	heap_free(a);
	uint64_t before = mapped;
	for (int i = 0; i < 10000; i++)
		heap_free(heap_malloc((size_t)(i % 3000)));
	void *big = heap_malloc(1 << 20);
	assert_true(mapped > before);
	heap_free(big);
	for (int i = 0; i < 10000; i++)
		heap_free(heap_malloc((size_t)(i % 3000)));
	uint64_t after = mapped;
	for (int i = 0; i < 10000; i++)
		heap_free(heap_malloc((size_t)(i % 3000)));
	assert_int_equal(mapped, after);
}

static void calloc_is_zero_and_realloc_keeps(void **state)
{
	(void)state;
	char *dirty = heap_malloc(1000);
	memset(dirty, 0xff, 1000);
	heap_free(dirty);
	char *clean = heap_calloc(10, 100);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(clean[i], 0);
	assert_null(heap_calloc(SIZE_MAX / 2, 3));
	assert_null(heap_malloc(SIZE_MAX));
	assert_null(heap_malloc(PTRDIFF_MAX));
	for (size_t n = 1000; n < 200000; n = n * 5 / 4) {
		memset(clean, 'x', 1000);
		clean = heap_realloc(clean, n);
		for (int i = 0; i < 1000; i++)
			assert_int_equal(clean[i], 'x');
	}
	clean = heap_realloc(clean, 10);
	assert_memory_equal(clean, "xxxxxxxxxx", 10);
	heap_free(clean);
	heap_free(NULL);
}

static void misuse_ends_the_program(void **state)
{
	(void)state;
	void *p = heap_malloc(50);
	heap_free(p);
	if (setjmp(panicked) == 0) {
		heap_free(p);
		fail();
	}
	static char foreign[64] aligned(16);
	if (setjmp(panicked) == 0) {
		heap_free(foreign + 32);
		fail();
	}
	if (setjmp(panicked) == 0) {
		heap_realloc(foreign + 32, 10);
		fail();
	}
}

static void no_memory_is_said(void **state)
{
	(void)state;
	refuse = 1;
	assert_null(heap_malloc(1 << 20));
	void *p;
	do
		p = heap_malloc(30000);
	while (p);
	refuse = 0;
	assert_non_null(heap_malloc(30000));
	/* Addresses without pages behind them are no memory either, and are given back. */
	refuse_pages = 1;
	size_t before = mapped;
	assert_null(heap_malloc(1 << 20));
	assert_int_equal(mapped, before);
	refuse_pages = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(classes_fit),
		cmocka_unit_test(every_size),
		cmocka_unit_test(freed_blocks_come_back),
		cmocka_unit_test(calloc_is_zero_and_realloc_keeps),
		cmocka_unit_test(misuse_ends_the_program),
		cmocka_unit_test(no_memory_is_said),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
