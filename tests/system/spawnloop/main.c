/*
 * spawnloop: executes a small program so many times in a row and compares the kernel's account before and after.
 *
 *   spawnloop N          ends with 0 and "spawnloop: N runs, nothing left behind" if the two are equal
 */
#include <rt/file.h>
#include <rt/io.h>
#include <rt/start.h>
#include <stdlib.h>
#include "../account.h"

enum { WARM = 20, TRIES = 3 };

static handle_t image;
static uint64_t image_size;

static void run_once(void)
{
	const char *argv[] = { "nothing" };
	struct spawn s = { .image = image, .image_size = image_size, .argc = 1, .argv = argv, .priority = PRIORITY_NORMAL, .level = 100 };
	struct process_info info;
	handle_t process;
	uint64_t pid;
	MUST(spawn(&s, &process, &pid, NULL));
	MUST(process_wait(process, FOREVER, &info));
	handle_close(process);
	if (info.exit_kind != EXIT_NORMAL || info.exit_status != 0)
		rt_panic("the program ended as %u with %lld", info.exit_kind, (long long)info.exit_status);
}

int main(int argc, char **argv)
{
	unsigned long n = argc > 1 ? strtoul(argv[1], NULL, 10) : 10000;
	struct kstat before;
	char text[ACCOUNT_TEXT];
	handle_t file;
	MUST(file_open("initfs:///bin/nothing", OPEN_READ, &file));
	MUST(file_map(file, &image, &image_size));
	file_close(file);
	handle_t info = account_resource();
	for (unsigned i = 0; i < WARM; i++)
		run_once();
	/* What a service begins or ends meanwhile shows, too, but not each time. */
	for (unsigned tries = 0; tries < TRIES; tries++) {
		account_rest(info, &before);
		for (unsigned long i = 0; i < n; i++)
			run_once();
		if (account_settled(info, &before, text)) {
			print("spawnloop: %lu runs, nothing left behind\n", n);
			return 0;
		}
	}
	print("spawnloop: %lu runs left behind:%s\n", n, text);
	return 1;
}
