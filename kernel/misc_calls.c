/*
 * misc_calls: the system calls about the machine as a whole: clock, log, command line, account, Budgets.
 */
#include <kernel/account.h>
#include <kernel/arch.h>
#include <kernel/budget.h>
#include <kernel/cmdline.h>
#include <kernel/log.h>
#include <kernel/mm.h>
#include <kernel/process.h>
#include <kernel/sched.h>
#include <kernel/syscall.h>

status_t sys_nop(void)
{
	return OK;
}

status_t sys_clock_now(uint64_t *ns)
{
	*ns = clock_ns();
	return OK;
}

status_t sys_clock_page(handle_t *h)
{
	status_t why = OK;
	struct frame *f = frame_create_phys(clock_page_phys(), PAGE_SIZE, CACHE_WRITE_BACK, CURRENT_PROCESS->budget, &why);
	return object_install((struct object *)f, RIGHT_READ | RIGHT_MAP | RIGHT_DUP | RIGHT_TRANSFER, h, why);
}

/*
 * What one program, with all below it, may log: a line is written with interrupts off, to a serial port perhaps, and
 * pushes older ones out. 2 KiB a second, 32 KiB at once; the supervisor may say what it has to.
 */
enum { LOG_NS_PER_BYTE = 500 * NS_PER_US, LOG_BURST = 32 * KiB, LOG_LINE = 32, LOG_DEPTH = 3 };

static bool log_allowed(uint64_t len)
{
	struct budget *b = CURRENT_PROCESS->budget;
	uint64_t now = clock_ns(), burst = (uint64_t)LOG_BURST * LOG_NS_PER_BYTE;
	while (b->depth > LOG_DEPTH)
		b = b->parent;
	uint64_t from = MAX(b->log_paid_ns, now);
	if (b->depth == 0)
		return true;
	if (from - now > burst) {
		b->log_lost++;
		return false;
	}
	b->log_paid_ns = from + (len + LOG_LINE) * LOG_NS_PER_BYTE;
	uint32_t lost = __atomic_exchange_n(&b->log_lost, 0, __ATOMIC_RELAXED);
	if (unlikely(lost))
		klog("%s (pid %llu) wrote too fast: %u lines are missing", CURRENT_PROCESS->name, (unsigned long long)CURRENT_PROCESS->pid, lost);
	return true;
}

status_t sys_log_write(user_in_t text, uint64_t len)
{
	char line[512];
	len = MIN(len, sizeof(line));
	status_t st = copy_in(line, text, len);
	if (st == OK && !log_allowed(len))
		st = ERR_LIMIT;
	if (st == OK && len)
		log_append(line, len);
	else if (st == OK && !CURRENT_PROCESS->budget->depth)
		log_loud();
	return st;
}

status_t sys_log_read(handle_t resource, uint64_t seq, user_out_t buf, uint64_t len, uint64_t *done, uint64_t *next)
{
	status_t st = resource_info(resource, RIGHT_READ);
	uint64_t total = 0;
	len = MIN(len, LOG_RING_BYTES);
	while (st == OK && total < len) {
		char piece[512];
		size_t n = log_copy(&seq, piece, MIN(sizeof(piece), len - total));
		if (!n)
			break;
		st = copy_out(user_out_add(buf, total), piece, n);
		total += n;
	}
	if (st < 0)
		return st;
	*done = total;
	*next = seq;
	return OK;
}

status_t sys_cmdline(user_out_t buf, uint64_t len, uint64_t *size)
{
	const char *text = cmdline_text();
	size_t n = strlen(text);
	status_t st = copy_out(buf, text, MIN(n, len));
	if (st == OK)
		*size = n;
	return st;
}

status_t sys_kstat(handle_t resource, struct kstat *out)
{
	struct progress was = progress_load();
	status_t st = resource_info(resource, RIGHT_READ);
	if (st < 0)
		return st;
	/* Other CPUs may keep the reaper busy for ever: then it is no time for an account. */
	uint64_t until = progress_of(&was, SYS_kstat, 0);
	if (!until)
		until = cpu_count == 1 ? FOREVER : clock_ns() + REAP_PATIENCE_NS;
	if (!reap_all(until, UINT64_MAX))
		return progress_restart(SYS_kstat, 0, until);
	*out = account;
	out->size = sizeof(*out);
	out->pages_free = page_free_count();
	out->pages_total = page_total;
	out->time_ns = clock_ns();
	out->cpus = cpu_count;
	for (uint32_t i = 0; i < cpu_count; i++) {
		struct percpu *c = percpu_all[i];
		out->idle_ns += clock_tsc_to_ns(c->idle_tsc);
		out->commands_accepted += (uint64_t)c->commands_accepted;
		out->switches += c->switches;
		out->interrupts += c->interrupts;
		out->page_faults += c->page_faults;
		out->calls_short += c->ways[CALL_SHORT];
		out->calls_long += c->ways[CALL_LONG];
		out->returns_short += c->ways[RETURN_SHORT];
		out->returns_long += c->ways[RETURN_LONG];
	}
	return OK;
}

status_t sys_budget_create(handle_t parent, const struct budget_limits *limits, handle_t *h)
{
	struct budget *b = CURRENT_PROCESS->budget;
	status_t st = parent ? LOOKUP(parent, OBJ_BUDGET, RIGHT_MANAGE, &b) : OK, why = OK;
	if (st < 0)
		return st;
	struct budget *child = budget_create(b, limits, &why);
	return object_install((struct object *)child, RIGHT_ALL, h, why);
}

status_t sys_budget_info(handle_t h, struct budget_info *info)
{
	struct budget *b = CURRENT_PROCESS->budget;
	status_t st = h ? LOOKUP(h, OBJ_BUDGET, RIGHT_INSPECT, &b) : OK;
	if (st == OK)
		*info = (struct budget_info){ .limit = b->limit, .used = b->used };
	return st;
}
