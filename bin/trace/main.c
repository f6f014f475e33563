/*
 * trace: the commands of a program, or of whoever is asked about, through all the services that they touch, with the
 * time that each took (docs/tracing.md). The kernel's records come through proc://trace, which turns them off again when
 * this program ends, however it does.
 */
#include <cli/cli.h>
#include <gen/file.h>
#include <launch/launch.h>
#include <rt/file.h>
#include <rt/io.h>
#include <rt/start.h>
#include <stdlib.h>
#include <tracing/tracing.h>

#define POLL_NS (20 * NS_PER_MS)        /* how often the ring is emptied */
#define USAGE   "[-l] COMMAND [ARG...] | [-l] -a | -p PID [-t SECONDS]"
enum { BATCH = 64, OWN = 64 };

static handle_t file;           /* proc://trace */
static bool lines;              /* -l */
static uint64_t seq, lost, pid;
static struct trace_tree tree;
static uint64_t own[OWN];       /* our own latest requests, by the way */
static unsigned n_own;

static void say(void *arg unused, const char *line)
{
	print("%s\n", line);
}

static bool is_own(const struct trace_record *r)
{
	if (r->kind == TRACE_SENT && !r->parent && r->pid == pid)
		own[n_own++ % OWN] = r->request;
	for (unsigned i = 0; i < OWN; i++)
		if (own[i] == r->request)
			return true;
	return false;
}

static void take(const struct trace_record *r)
{
	char line[TRACE_LINE];

	if (!lines) {
		trace_tree_add(&tree, r);
	} else if (!is_own(r)) {
		trace_line(line, sizeof(line), r);
		say(NULL, line);
	}
}

/* Everything that was recorded since the last time. */
static status_t drain(void)
{
	static struct trace_record batch[BATCH];
	uint64_t got;

	do {
		struct msg m = { .out = batch, .out_len = sizeof(batch) };
		file_ctl_ask(&m, &(struct file_ctl_req){ .code = CTL_TRACE_READ, .arg0 = seq });
		status_t st = ipc_call(file, &m);
		if (st < 0)
			return st;
		got = MIN(m.w[0], (uint64_t)BATCH);
		lost += m.w[1] - seq;
		seq = m.w[1] + got;
		for (uint64_t i = 0; i < got; i++)
			take(&batch[i]);
	} while (got == BATCH);
	return OK;
}

static status_t control(uint32_t what, uint64_t whose)
{
	const uint64_t args[4] = { what, whose };
	return file_ctl(file, CTL_TRACE, args, 0, NULL);
}

/* ---- what the times mean ---- */

static uint64_t loop_ns(bool multiply)
{
	uint64_t best = UINT64_MAX;

	for (int i = 0; i < 3; i++) {
		uint64_t begin = 0, end = 0, n = 20000, x = 3;
		clock_now(&begin);
		if (multiply)
			__asm__ volatile("1: imul %1, %1\n imul %1, %1\n imul %1, %1\n dec %0\n jnz 1b" : "+r"(n), "+r"(x));
		else
			__asm__ volatile("1: dec %0\n jnz 1b" : "+r"(n));
		clock_now(&end);
		best = MIN(best, end - begin);
	}
	return best;
}

static bool about(uint64_t ns, uint64_t instructions)
{
	return ns >= instructions - instructions / 20 && ns <= instructions + instructions / 20 + 500;
}

/* Two loops that no processor runs at one instruction per ns each: then an emulator counts them for time. */
static bool ns_are_instructions(void)
{
	return about(loop_ns(false), 40000) && about(loop_ns(true), 100000);
}

/* ---- the two ways to watch ---- */

static uint64_t now(void)
{
	uint64_t ns = 0;
	clock_now(&ns);
	return ns;
}

static status_t watch_for(uint64_t ns)
{
	uint64_t end = now() + ns;
	status_t st = OK;

	while (st >= 0 && now() < end) {
		thread_sleep(MIN(end, now() + POLL_NS));
		st = drain();
	}
	return st;
}

static status_t run(int argc, char **argv, int *status)
{
	const struct start_info *s = start_info();
	const uint32_t *offsets = (const uint32_t *)((const char *)s + s->envp);
	const char **envp = calloc(s->envc + 1, sizeof(*envp)), *why = NULL;
	struct process_info info;
	handle_t process;
	uint64_t child;

	for (uint32_t i = 0; envp && i < s->envc; i++)
		envp[i] = (const char *)s + offsets[i];
	const struct launch l = {
		.argc = argc, .argv = (const char *const *)argv, .envc = envp ? (int)s->envc : 0, .envp = envp,
		.in = start_handle("stdin"), .out = start_handle("stdout"), .error = start_handle("stderr"),
	};
	status_t st = launch(&l, &process, &child, &why);
	if (st < 0) {
		print_error("%s: %s", argv[0], why ? why : error_text(st));
		*status = st == ERR_NOT_FOUND ? LAUNCH_NOT_FOUND : LAUNCH_FAILED;
		return OK;
	}
	do {
		st = process_wait(process, now() + POLL_NS, &info);
		status_t read = drain();
		if (read < 0)
			st = read;
	} while (st == ERR_TIMED_OUT);
	handle_close(process);
	if (st >= 0)
		*status = launch_status(&info);
	return st;
}

int main(int argc, char **argv)
{
	struct cli cli = cli_start(argc, argv);
	uint64_t ns = NS_PER_SEC, whose = 0;
	struct process_info self;
	bool all = false;
	int status = 0;

	for (int o; (o = cli_option(&cli, "alp:t:")) != 0;)
		switch (o) {
		case 'a': all = true; break;
		case 'l': lines = true; break;
		case 'p':
			if (!cli_number(cli.value, &whose) || !whose)
				return cli_usage(&cli, USAGE);
			break;
		case 't':
			if (!cli_seconds(cli.value, &ns))
				return cli_usage(&cli, USAGE);
			break;
		default: return cli_usage(&cli, USAGE);
		}
	bool command = cli.next < argc;
	if (command + all + (whose != 0) != 1)
		return cli_usage(&cli, USAGE);
	status_t st = process_info(0, &self);
	if (st >= 0)
		st = file_open("proc://trace", OPEN_READ | OPEN_WRITE, &file);
	if (st < 0)
		return cli_fail("proc://trace", st);
	pid = tree.skip_pid = (uint32_t)self.pid;
	bool instructions = ns_are_instructions();
	st = all ? control(TRACE_ALL, 0) : whose ? control(TRACE_PROCESS, whose) : control(TRACE_CHILDREN, pid);
	if (st < 0)
		return cli_fail(st == ERR_BUSY ? "somebody traces already (put proc://trace off ends that)" : "cannot trace", st);
	st = command ? run(argc - cli.next, argv + cli.next, &status) : watch_for(ns);
	if (st >= 0)
		st = control(TRACE_STOP, 0);
	if (st >= 0)
		st = drain();
	if (st >= 0)
		st = control(TRACE_OFF, 0);
	file_close(file);
	if (!lines && tree.n > 0) {
		print("%10s %10s  service: what was asked = answer (times in %s)\n", "TOTAL", "OWN", instructions ? "instructions" : "ns");
		trace_tree_print(&tree, say, NULL);
	}
	if (lost)
		print("%llu records were lost\n", (unsigned long long)lost);
	if (tree.dropped)
		print("%llu commands are left out\n", (unsigned long long)tree.dropped);
	return cli_end(st < 0 ? cli_fail("the trace", st) : status);
}
