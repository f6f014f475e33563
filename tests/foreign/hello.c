/*
 * hello: a program for Linux, built with musl, that tests/system/linuxrun runs unchanged. It uses what a small C program
 * uses: stdio, floating point, malloc from both sources, arguments and environment.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double square(double x) { return x * x; }

int main(int argc, char **argv)
{
	printf("Hello from %s, %d arguments, HOME=%s\n", argv[0], argc, getenv("HOME") ? getenv("HOME") : "none");
	if (argc == 2 && !strcmp(argv[1], "crash"))
		*(volatile int *)16 = 1;
	for (int i = 1; i < argc; i++)
		printf("argument %d: %s\n", i, argv[i]);

	double sum = 0;
	for (int i = 1; i <= 1000; i++) {
		sum += 1 / square(i);
		(void)getpid();         /* foreign calls in the middle: vector registers are the program's */
	}
	printf("sum of inverse squares: %.6f\n", sum);

	char *small = malloc(100), *large = malloc(1 << 20);
	if (!small || !large)
		return 2;
	memset(large, 'x', 1 << 20);
	snprintf(small, 100, "%zu", strlen(strcpy(small, "twenty-three characters")));
	printf("malloc: %s, %c\n", small, large[(1 << 20) - 1]);
	free(large);
	free(small);

	struct timespec now;
	printf("clock: %s\n", clock_gettime(CLOCK_MONOTONIC, &now) == 0 && now.tv_nsec < 1000000000 ? "goes" : "stands");
	printf("chdir: %s\n", chdir("/nowhere") < 0 ? strerror(errno) : "went");
	fprintf(stderr, "and an error message\n");
	return 7;
}
