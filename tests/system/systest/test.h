/*
 * test: what the system tests share. A test is a function in a table; it checks what it expects
 * and returns at the first thing that is otherwise. Hostile deeds are done by children: this same program
 * started again with the name of the deed.
 */
#pragma once
#include <gen/syscall_numbers.h>
#include <rt/file.h>
#include <rt/io.h>
#include <rt/start.h>
#include <string.h>

struct test {
	const char *name;
	void (*run)(void);
};
extern const struct test handle_tests[], memory_tests[], ipc_tests[], event_tests[], process_tests[], hostile_tests[], misc_tests[], fpu_tests[], socket_tests[], shelf_tests[], recovery_tests[], order_tests[], trace_tests[], paths_tests[], smp_tests[], upcall_tests[], futex_tests[], clone_tests[], dma_tests[], pager_tests[];

/* What a child can be asked to do; ends with exit, or as the deed has it. */
struct deed {
	const char *name;
	int (*run)(int argc, char **argv);
};
extern const struct deed handle_deeds[], ipc_deeds[], process_deeds[], hostile_deeds[], fpu_deeds[], socket_deeds[], recovery_deeds[], order_deeds[], paths_deeds[], smp_deeds[], upcall_deeds[], futex_deeds[], dma_deeds[], pager_deeds[];

void test_fail(const char *file, int line, const char *format, ...) printf_like(3, 4);
bool test_failed(void);

/* The value as a number and, below 0, the name of the error. */
#define CHECK(what) do { if (!(what)) { test_fail(__FILE__, __LINE__, "%s", #what); return; } } while (0)
#define EQ(got, want) do { long long got_ = (long long)(got), want_ = (long long)(want); if (got_ != want_) { \
	test_fail(__FILE__, __LINE__, "%s is %lld%s%s, not %lld%s%s", #got, got_, got_ < 0 ? " " : "", got_ < 0 ? error_name(got_) : "", \
		want_, want_ < 0 ? " " : "", want_ < 0 ? error_name(want_) : ""); return; } } while (0)
#define DONE(got) EQ(got, OK)
/* After a helper that may have failed the test. */
#define STILL_FINE() do { if (test_failed()) return; } while (0)

/* Fixed after start: the Resource slices of tests/system/grant, this program's image. */
extern handle_t res_info, res_ioports, res_irq, res_phys, res_dma, own_image;
extern uint64_t own_image_size;
handle_t granted(const char *name);     /* another such slice; the caller closes it */

always_inline uint64_t now_ns(void)
{
	uint64_t ns = 0;
	clock_now(&ns);
	return ns;
}
void pause_ms(uint64_t ms);

/* A system call by number with whatever arguments; results beyond rax are dropped. */
status_t sys(uint32_t number, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5);
/* The raw calls, register by register (abi/rt/syscall.S). */
void ipc_raw(struct ipc_regs *r);

/* ---- children ---- */
struct child {
	handle_t process;
	uint64_t pid;
};
/* give: handles the child finds under their names; n of them. budget, ns: 0 for ours. */
status_t child_start(struct child *c, const char *deed, const char *arg, const struct spawn_handle *give, size_t n, handle_t budget, handle_t ns);
/* Waits at most `ms`; closes the handle. ERR_TIMED_OUT: it still ran and was killed. */
status_t child_wait(struct child *c, uint64_t ms, struct process_info *info);
status_t child_kill(struct child *c);
/* Until it accepts, and has nothing else to do; for a second at most. */
void child_settle(const struct child *c);
/* Runs a deed to its end and closes everything. */
status_t child_run(const char *deed, const char *arg, struct process_info *info);

/* ---- threads of this process ---- */
struct worker {
	void (*run)(struct worker *);
	void *arg;
	uint64_t stack;
	handle_t thread;
	volatile status_t result;
	volatile uint64_t value[6];
	volatile bool done;
};
status_t worker_start(struct worker *w, void (*run)(struct worker *), void *arg, uint32_t priority);
/* Until it waits in a call, an accept or the like, or is through; for a second at most. */
void worker_settle(const struct worker *w);
/* Waits for its end at most 20 s and gives its stack back. */
status_t worker_join(struct worker *w);

/* ---- memory to make mistakes with ---- */
/* A mapped page (read, write), then one that is not. */
uint64_t edge_make(void);
void edge_free(uint64_t edge);
uint64_t page_make(uint32_t prot);      /* one anonymous page; written with 0x5a first */
void page_free(uint64_t va);

enum { KERNEL_ADDRESS_COUNT = 6 };
extern const uint64_t kernel_addresses[KERNEL_ADDRESS_COUNT];
