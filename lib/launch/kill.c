/*
 * kill: ending a process that is not one's own, through proc://.
 */
#include <rt/file.h>
#include <stdio.h>
#include "launch.h"

status_t launch_kill(uint64_t pid)
{
	char uri[48];
	handle_t file;

	snprintf(uri, sizeof(uri), "proc://%llu/ctl", (unsigned long long)pid);
	status_t st = file_open(uri, OPEN_WRITE, &file);
	if (st < 0)
		return st;
	st = file_ctl(file, CTL_PROC_KILL, NULL, 0, NULL);
	file_close(file);
	return st;
}
