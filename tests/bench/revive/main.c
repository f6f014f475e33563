/*
 * revive: how long a service is away. Each is killed again and again, and asked something at once; from the kill to the answer
 * is the time that a client sees.
 */
#include "../../system/account.h"
#include <rt/io.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 50, REST_MS = 30 };

static const struct { const char *name, *uri; } services[] = {
	{ "rngd", "rng://" }, { "sysd", "null://" }, { "outputd", "tty://serial" }, { "tmpd", "tmp://" }, { "timed", "time://" }, { "pcid", "pci://" }, { "fbd", "fb://" }, { "kbd", "kbd://" }, { "moused", "mouse://" }, { "inputd", "input://" }, { "initfsd", "initfs://" }, { "initd", "svc://" },
	{ "acpid", "acpi://" },
};
static uint64_t all[ARRAY_LEN(services) * ROUNDS];
static handle_t info;

static uint64_t now_ns(void)
{
	uint64_t ns;
	MUST(clock_now(&ns));
	return ns;
}

/* The living process of that name. */
static handle_t find(const char *name)
{
	struct process_info list[16];
	uint32_t got;
	handle_t process;

	for (uint64_t next = 0; process_list(info, next, list, ARRAY_LEN(list), &got) >= 0 && got > 0; next = list[got - 1].pid + 1)
		for (uint32_t i = 0; i < got; i++)
			if (!strcmp(list[i].name, name) && list[i].exit_kind == EXIT_RUNNING && list[i].state < PROC_DYING
			    && process_open(info, list[i].pid, &process) >= 0)
				return process;
	rt_panic("there is no %s", name);
}

static int rising(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

static void show(const char *name, uint64_t *ns, size_t n)
{
	qsort(ns, n, sizeof(*ns), rising);
	print("revive: %s %llu %llu\n", name, (unsigned long long)(ns[n / 2] / NS_PER_US), (unsigned long long)(ns[(n * 99 + 99) / 100 - 1] / NS_PER_US));
	print_flush();
}

int main(int argc unused, char **argv unused)
{
	info = account_resource();
	for (size_t s = 0; s < ARRAY_LEN(services); s++) {
		uint64_t *ns = &all[s * ROUNDS];
		for (size_t i = 0; i < ROUNDS; i++) {
			struct stat st;
			handle_t process = find(services[s].name);
			uint64_t begin = now_ns();
			MUST(process_kill(process, KILL_PLAIN));
			MUST(file_stat_uri(services[s].uri, &st));
			ns[i] = now_ns() - begin;
			handle_close(process);
			thread_sleep(now_ns() + REST_MS * NS_PER_MS);
		}
	}
	for (size_t s = 0; s < ARRAY_LEN(services); s++) {
		uint64_t copy[ROUNDS];
		memcpy(copy, &all[s * ROUNDS], sizeof(copy));
		show(services[s].name, copy, ROUNDS);
	}
	show("all", all, ARRAY_LEN(all));
	return 0;
}
