/*
 * shells: see shells.h. One at a time: its svc://shN is opened and told to start.
 *
 * Killed at any instant: starting what runs is nothing, so the next instance asks again for the terminal that is in front.
 */
#include "shells.h"
#include <abi/file.h>
#include <gen/file.h>
#include <rt/io.h>
#include <rt/start.h>
#include <stdio.h>

static handle_t port;
static uint64_t token;
static uint32_t wanted;         /* a bit for each terminal */
static bool asked;
static handle_t session;        /* owned; 0: the OPEN is under way */
static char uri[16];            /* lent to the kernel while asked */

static void submit(handle_t to, const struct msg *m)
{
	status_t st = ipc_submit(to, m, port, token);

	asked = st == OK;
	if (st < 0)
		log_print("%s cannot be asked for: %s", uri, error_text(st));
}

static void end(void)
{
	if (session)
		handle_close(session);
	session = 0;
}

static void open_next(void)
{
	struct msg m = { .op = FILE_OPEN, .flags = IPC_PATH | IPC_URI, .in = uri };

	if (asked || !wanted)
		return;
	uint32_t i = (uint32_t)__builtin_ctz(wanted);
	wanted &= wanted - 1;
	m.in_len = (uint32_t)snprintf(uri, sizeof(uri), "svc://sh%u", i + 1);
	file_open_ask(&m, &(struct file_open_req){ .flags = OPEN_READ | OPEN_WRITE });
	submit(0, &m);
}

static void start(void)
{
	struct msg m = { .op = FILE_CTL };

	file_ctl_ask(&m, &(struct file_ctl_req){ .code = CTL_SVC_START });
	submit(session, &m);
	if (!asked)
		end();
}

void shells_want(uint32_t i)
{
	wanted |= 1u << i;
	open_next();
}

/* A machine may have no such service, and one that cannot start has told the log why. */
void shells_done(struct event *e)
{
	bool opened = !session && e->status == OK && e->handles[0];

	asked = false;
	end();
	if (opened) {
		session = e->handles[0];
		e->handles[0] = 0;
		start();
	}
	for (uint32_t i = 0; i < e->n_handles; i++)
		if (e->handles[i])
			handle_close(e->handles[i]);
	open_next();
}

void shells_init(handle_t to, uint64_t with)
{
	port = to;
	token = with;
}
