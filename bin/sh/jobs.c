/*
 * jobs: programs under way. Each has a Notify that its end sets, bound to the shell's one Port under the
 * job's number; ^C arrives there too, from the terminal, under number 0. A pipeline is several jobs.
 *
 * Each program gets a Budget of its own: seven eighths of what is left of what all of them together may have, so that
 * it finds nearly all there is, and whoever comes after it still finds some. The shell at the terminal keeps a part for
 * itself. Ending a job ends all that runs on its Budget, with whatever it has started.
 *
 * The terminal may be killed and come back while a program runs, and has then forgotten whom ^C concerns;
 * so the shell looks now and then while it waits, and tells it again; also when one of several programs has ended: it may have been a shell that asked
 * for ^C last, and the terminal cannot know that it has gone. When the terminal hangs up the shell ends, and its jobs with it.
 */
#include <abi/file.h>
#include <launch/launch.h>
#include <rt/file.h>
#include <rt/start.h>
#include <stdio.h>
#include <string.h>
#include <supervise/reason.h>
#include "shell.h"

enum { JOBS_MAX = 32, SIGNAL_BADGE = 0, STATUS_INTERRUPTED = 128 + 2, OWN_PART = 16, LEFT_PART = 8 };
enum { BIT_INTERRUPT = 0, BIT_HANGUP = 1 };     /* of `signal` */
#define OPEN_NS   (200 * NS_PER_MS)     /* then ^C is listened for */
#define REMIND_NS (2 * NS_PER_SEC)

struct job {
	bool     used, ended;
	handle_t process, notify;
	handle_t budget;            /* 0: the shell's own */
	uint64_t pid;
	char     name[PROCESS_NAME_MAX];
};

static struct job jobs[JOBS_MAX];       /* job i has badge i + 1 */
static handle_t port, signal;
static handle_t programs;               /* the Budget above those of all jobs; 0: the shell's own */

/* What is left without one part in n. Who has no limit sets none. */
static uint64_t without(uint64_t limit, uint64_t used, uint64_t n)
{
	uint64_t left = limit > used ? limit - used : 0;

	return limit == UINT64_MAX ? limit : left - left / n;
}

static uint32_t without32(uint32_t limit, uint32_t used, uint32_t n)
{
	return limit == UINT32_MAX ? limit : (uint32_t)without(limit, used, n);
}

/* A Budget below `parent` with all that is left there but one part in n. 0: there cannot be one; then none it is. */
static handle_t budget_below(handle_t parent, uint32_t n)
{
	struct budget_info b;
	handle_t budget;

	if (budget_info(parent, &b) < 0)
		return 0;
	const struct budget_limits limits = {
		.pages = without(b.limit.pages, b.used.pages, n),
		.kernel_bytes = without(b.limit.kernel_bytes, b.used.kernel_bytes, n),
		.handles = without32(b.limit.handles, b.used.handles, n), .threads = without32(b.limit.threads, b.used.threads, n),
		.commands = without32(b.limit.commands, b.used.commands, n),
		.processes = without32(b.limit.processes, b.used.processes, n),
	};
	return budget_create(parent, &limits, &budget) < 0 ? 0 : budget;
}

status_t jobs_init(void)
{
	status_t st = port_create(0, &port);

	if (shell.interactive)
		programs = budget_below(0, OWN_PART);
	if (st == OK)
		st = notify_create(&signal);
	return st == OK ? notify_port(signal, port, SIGNAL_BADGE) : st;
}

static void hang_up(void)
{
	shell.hung = shell.leaving = true;
}

/* Asks the terminal for ^C and the end. A terminal that cannot is none of our business: the program runs anyway. */
static void ask_for_interrupts(void)
{
	static const uint64_t bits[4] = { BIT_INTERRUPT, 0, 0, 1 + BIT_HANGUP };

	if (shell.interactive && file_ctl(shell.in, CTL_TTY_SIGNAL, bits, signal, NULL) == ERR_GONE)
		hang_up();
}

bool terminal_hung(void)
{
	uint64_t values[3];

	if (shell.interactive && !shell.hung && file_ctl(shell.in, CTL_TTY_GET_MODE, NULL, 0, values) == ERR_GONE)
		hang_up();
	return shell.hung;
}

/* Again, if the terminal has forgotten; another shell may have asked since, and is left its due. True: it has just hung up. */
static bool remind_terminal(void)
{
	uint64_t values[3] = { 0 };

	if (!shell.interactive || shell.hung)
		return false;
	status_t st = file_ctl(shell.in, CTL_TTY_GET_MODE, NULL, 0, values);
	if (st == ERR_GONE)
		hang_up();
	else if (st >= 0 && !values[1])
		ask_for_interrupts();
	return shell.hung;
}

/* One of ours has ended, and was perhaps the last to ask. True: it has just hung up. */
static bool ask_again(void)
{
	if (shell.hung)
		return false;
	ask_for_interrupts();
	return shell.hung;
}

static void terminal_mode(uint32_t mode)
{
	if (shell.interactive)
		(void)!file_ctl(shell.in, CTL_TTY_SET_MODE, (uint64_t[4]){ mode }, 0, NULL);
}

bool terminal_reset(void)
{
	return shell.interactive && file_ctl(shell.in, CTL_TTY_RESET, NULL, 0, NULL) >= 0;
}

static void job_drop(struct job *j)
{
	handle_close(j->notify);
	handle_close(j->process);
	if (j->budget)
		handle_close(j->budget);
	*j = (struct job){ 0 };
}

static status_t job_end(const struct job *j)
{
	return j->budget ? budget_end(j->budget) : process_kill(j->process, KILL_PLAIN);
}

static struct job *job_free(void)
{
	for (int i = 0; i < JOBS_MAX; i++)
		if (!jobs[i].used)
			return &jobs[i];
	return NULL;
}

/* Its end shall reach the Port. */
static status_t job_watch(struct job *j)
{
	status_t st = notify_create(&j->notify);

	if (st < 0)
		return st;
	st = notify_port(j->notify, port, (uint64_t)(j - jobs) + 1);
	if (st == OK)
		st = notify_bind(j->notify, 0, j->process);
	if (st < 0)
		handle_close(j->notify);
	return st;
}

static int start_failed(const char *name, status_t st, const char *why)
{
	if (st == ERR_NOT_FOUND)
		complain("sh: %s: not found\n", name);
	else
		complain("sh: %s: %s%s%s\n", name, error_text(st), why ? ": " : "", why ? why : "");
	return st == ERR_NOT_FOUND ? LAUNCH_NOT_FOUND : LAUNCH_FAILED;
}

static status_t job_start(struct job *j, const struct stage *stage, bool background, const char **why)
{
	char **argv = stage->argv;
	struct launch l = {
		.argc = stage->argc, .argv = (const char *const *)argv, .in = stage->in, .out = stage->out, .error = shell.terminal,
	};
	struct process_info self;

	*why = NULL;
	status_t st = process_info(0, &self);
	if (st < 0)
		return st;
	l.priority = MIN(self.priority, (uint32_t)(background ? PRIORITY_BACKGROUND : PRIORITY_NORMAL));
	l.budget = budget_below(programs, LEFT_PART);
	l.envc = vars_list(&l.envp);
	st = launch(&l, &j->process, &j->pid, why);
	j->budget = l.budget;
	if (st < 0) {
		if (j->budget)
			handle_close(j->budget);
		j->budget = 0;
		return st;
	}
	const char *slash = strrchr(argv[0], '/');
	snprintf(j->name, sizeof(j->name), "%s", slash ? slash + 1 : argv[0]);
	st = job_watch(j);
	if (st < 0) {
		(void)!job_end(j);
		handle_close(j->process);
		if (j->budget)
			handle_close(j->budget);
		j->budget = 0;
		return st;
	}
	j->used = true;
	return OK;
}

/* Takes the next event until `deadline`. True: it was ^C, or the terminal hung up. *timed_out: nothing came. */
static bool next_event(uint64_t deadline, bool *timed_out)
{
	struct event e;
	status_t st = ipc_accept(port, deadline, &e);

	*timed_out = st < 0;
	if (st < 0 || e.kind != ACCEPT_NOTIFY)
		return false;
	if (e.badge == SIGNAL_BADGE) {
		if (e.w[0] & 1ull << BIT_HANGUP)
			hang_up();
		return true;
	}
	if (e.badge <= JOBS_MAX && jobs[e.badge - 1].used)
		jobs[e.badge - 1].ended = true;
	return false;
}

static void drop_interrupts(void)
{
	uint64_t now;
	bool timed_out = false;

	while (!timed_out && clock_now(&now) == OK)
		next_event(now, &timed_out);
}

/* Whether ^C or the terminal's end has come. */
static bool interrupted(void)
{
	uint64_t now;
	bool timed_out = false, is = false;

	while (!timed_out && !is && clock_now(&now) == OK)
		is = next_event(now, &timed_out);
	return is;
}

status_t jobs_open(const char *uri, uint32_t flags, handle_t *file)
{
	uint64_t now, patience = OPEN_NS;
	status_t st = clock_now(&now);

	if (st == OK)
		st = file_open_until(uri, flags, now + patience, file);
	if (st != ERR_TIMED_OUT)
		return st;
	ask_for_interrupts();
	terminal_mode(TTY_DEFAULT);
	/* Longer each time: what takes its time, and begins anew with each, comes to its end as well. */
	for (drop_interrupts(); st == ERR_TIMED_OUT && !interrupted() && clock_now(&now) == OK; patience *= 2)
		st = file_open_until(uri, flags, now + patience, file);
	shell.interrupted = st == ERR_TIMED_OUT;
	return st == ERR_TIMED_OUT ? ERR_INTERRUPTED : st;
}

static bool is_among(const struct job *j, struct job *const *list, int n)
{
	for (int i = 0; i < n; i++)
		if (list[i] == j)
			return true;
	return false;
}

/* Waits for the ends of n jobs, or of all (n = 0). True: ^C or the terminal's end broke it off. */
static bool wait_for(struct job *const *list, int n)
{
	for (bool ended = false;;) {
		bool timed_out, running = false;
		uint64_t now = 0;

		for (int i = 0; i < JOBS_MAX; i++)
			running = running || (jobs[i].used && !jobs[i].ended && (n == 0 || is_among(&jobs[i], list, n)));
		if (!running || clock_now(&now) < 0)
			return false;
		if (ended && ask_again())
			return true;
		if (next_event(shell.interactive ? now + REMIND_NS : FOREVER, &timed_out))
			return true;
		if (timed_out && remind_terminal())
			return true;
		ended = !timed_out;
	}
}

/* Says how it ended if that was not of itself; returns its status. */
static int job_result(struct job *j, bool interrupted)
{
	struct process_info info;
	char text[160];

	status_t st = process_info(j->process, &info);
	if (st < 0) {
		complain("sh: %s: %s\n", j->name, error_text(st));
		return LAUNCH_FAILED;
	}
	shell.cpu_ns += info.cpu_time_ns;
	/* It had no time to put the terminal in order. */
	if (info.exit_kind == EXIT_KILLED || info.exit_kind == EXIT_FAULT)
		(void)terminal_reset();
	if (interrupted && info.exit_kind == EXIT_KILLED)
		return STATUS_INTERRUPTED;
	reason_text(text, sizeof(text), &info);
	if (info.exit_kind == EXIT_KILLED)
		say("%s: %s\n", j->name, text);
	else if (info.exit_kind == EXIT_FAULT)
		say("%s: fault: %s\n", j->name, text);
	return launch_status(&info);
}

/* All of them are interrupted together; the status is that of the last one. */
static int run_foreground(struct job **list, int n, int status)
{
	bool interrupted = false;

	while (wait_for(list, n)) {
		interrupted = shell.interrupted = true;
		for (int i = 0; i < n; i++)
			if (list[i])
				(void)!job_end(list[i]);
	}
	shell.cpu_ns = 0;
	for (int i = 0; i < n; i++)
		if (list[i]) {
			int result = job_result(list[i], interrupted);
			if (i == n - 1)
				status = result;
			job_drop(list[i]);
		}
	return status;
}

/* Starts the program of a stage. NULL: that failed, was said, and is *status. */
static struct job *stage_start(const struct stage *stage, bool background, int *status)
{
	struct job *j = job_free();
	const char *why;

	if (!j) {
		complain("sh: %s: %d programs are under way already\n", stage->argv[0], JOBS_MAX);
		*status = LAUNCH_FAILED;
		return NULL;
	}
	status_t st = job_start(j, stage, background, &why);
	if (st == OK)
		return j;
	*status = start_failed(stage->argv[0], st, why);
	return NULL;
}

/* A command of the shell itself: with the stage's ends as its own for as long as it runs. */
static int builtin_stage(const struct stage *stage)
{
	struct shell saved = shell;
	int status = 0;

	shell.in = stage->in;
	shell.out = stage->out;
	builtin_run(stage->argc, stage->argv, &status);
	shell.in = saved.in;
	shell.out = saved.out;
	return status;
}

int jobs_run(struct stage *stages, int n, bool background)
{
	struct job *list[STAGES_MAX] = { NULL };
	int status = 0;

	if (!background) {
		ask_for_interrupts();           /* before ^C becomes a signal, or an early one concerns nobody */
		drop_interrupts();              /* what comes of it at once was meant for what ran before */
		if (shell.hung)
			return STATUS_INTERRUPTED;
		terminal_mode(TTY_DEFAULT);
	}
	/* Programs first: what a command of the shell prints needs its reader. */
	for (int i = 0; i < n; i++) {
		if (stages[i].argc == 0 || builtin_known(stages[i].argv[0]))
			continue;
		list[i] = stage_start(&stages[i], background, &status);
		stage_close(&stages[i]);
		if (list[i])
			status = 0;
	}
	for (int i = 0; i < n; i++) {
		if (stages[i].argc > 0 && builtin_known(stages[i].argv[0]))
			status = builtin_stage(&stages[i]);
		stage_close(&stages[i]);
	}
	if (!background)
		return run_foreground(list, n, status);
	if (list[n - 1])
		say("[%llu]\n", (unsigned long long)list[n - 1]->pid);
	return status;
}

int job_run(int argc, char **argv)
{
	struct stage stage = { .argc = argc, .argv = argv, .in = shell.in, .out = shell.out };

	return jobs_run(&stage, 1, false);
}

static void say_ended(struct job *j)
{
	struct process_info info;
	char text[160] = "ended";

	if (process_info(j->process, &info) == OK)
		reason_text(text, sizeof(text), &info);
	say("[%llu] %s: %s\n", (unsigned long long)j->pid, j->name, text);
}

void jobs_reap(void)
{
	drop_interrupts();
	for (int i = 0; i < JOBS_MAX; i++)
		if (jobs[i].used && jobs[i].ended) {
			if (shell.interactive)
				say_ended(&jobs[i]);
			job_drop(&jobs[i]);
		}
}

bool jobs_kill(uint64_t pid, status_t *st)
{
	for (int i = 0; i < JOBS_MAX; i++)
		if (jobs[i].used && jobs[i].pid == pid) {
			*st = job_end(&jobs[i]);
			return true;
		}
	return false;
}

void jobs_end_all(void)
{
	for (int i = 0; i < JOBS_MAX; i++)
		if (jobs[i].used && !jobs[i].ended)
			(void)!job_end(&jobs[i]);
}

void jobs_list(void)
{
	for (int i = 0; i < JOBS_MAX; i++)
		if (jobs[i].used)
			say("[%llu] %s: %s\n", (unsigned long long)jobs[i].pid, jobs[i].name, jobs[i].ended ? "ended" : "running");
}

int jobs_wait(uint64_t pid)
{
	struct job *j = NULL;

	for (int i = 0; pid && i < JOBS_MAX; i++)
		if (jobs[i].used && jobs[i].pid == pid)
			j = &jobs[i];
	if (pid && !j) {
		complain("sh: wait: %llu is no program of this shell\n", (unsigned long long)pid);
		return LAUNCH_NOT_FOUND;
	}
	terminal_mode(TTY_DEFAULT);
	ask_for_interrupts();
	if (wait_for(&j, j ? 1 : 0)) {
		shell.interrupted = true;
		return STATUS_INTERRUPTED;
	}
	if (!j)
		return 0;
	int status = job_result(j, false);
	job_drop(j);
	return status;
}
