/*
 * wait: for the end of a process. The end sets a bit of a Notify, which arrives at a Port; both live only as long
 * as the wait does.
 */
#include <rt/start.h>

enum { BIT_END = 0 };

static status_t wait_end(handle_t process, uint64_t deadline, handle_t port, handle_t notify)
{
	status_t st = notify_port(notify, port, 0);
	if (st >= 0)
		st = notify_bind(notify, BIT_END, process);
	if (st < 0)
		return st;
	struct event e;
	return ipc_accept(port, deadline, &e);
}

status_t process_wait(handle_t process, uint64_t deadline, struct process_info *info)
{
	handle_t port, notify;
	status_t st = port_create(0, &port);
	if (st < 0)
		return st;
	st = notify_create(&notify);
	if (st >= 0) {
		st = wait_end(process, deadline, port, notify);
		handle_close(notify);
	}
	handle_close(port);
	return st < 0 ? st : process_info(process, info);
}
