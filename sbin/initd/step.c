/*
 * step: see step.h. The count lies with the records, so that it goes on in the next instance.
 */
#include "step.h"
#ifdef TEST_BUILD
#include <rt/ipc.h>
#include <rt/start.h>

static struct records *records;
static handle_t info;

void step_begin(struct records *our_records, handle_t our_info)
{
	records = our_records;
	info = our_info;
}

void step(void)
{
	struct process_info self;
	handle_t process;

	if (!records || !records->steps || --records->steps)
		return;
	MUST(process_info(0, &self));
	MUST(process_open(info, self.pid, &process));
	MUST(process_kill(process, KILL_PLAIN));
}
#endif
