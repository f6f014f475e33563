/*
 * outputd: terminals. `tty://serial` on COM1 (serial.c), `tty://pty` between programs (pty.c) and, where there is a screen, `tty://1` to `tty://6` (vt.c)
 * as cells that screen.c draws and keys.c types into; what they share is in terminal.c. Here: names, Sessions, and what outlives an instance. One
 * thread, one loop.
 *
 * Whether there is a screen is known a moment after the start: until then an OPEN of one of its terminals waits.
 */
#include <abi/file.h>
#include <gen/file.h>
#include <rt/io.h>
#include <rt/start.h>
#include <rt/svc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "keys.h"
#include "pty.h"
#include "screen.h"
#include "serial.h"
#include "shells.h"
#include "terminal.h"
#include "vt.h"

/* Terminal i of the screen has the badge BADGE_VT + i, its cells as text BADGE_CELLS + i. BADGE_PTY is a name only; pty.c has the badges of Sessions. */
enum { BADGE_ROOT = 0, BADGE_SERIAL = 0x100, BADGE_VT = 0x200, BADGE_CELLS = 0x300, BADGE_PTY = 0x400, BADGE_DEVICE = 1, BADGE_SCREEN = 2, BADGE_KEYS = 3 };
enum { BIT_WORK = 2 };                          /* of the Notify of serial.h */
enum { BIT_RETRY = 0 };                         /* of the other two */
enum { TOKEN_SCREEN = 1, TOKEN_KEYS = 2, TOKEN_CHANGE = 3, TOKEN_SHELL = 4, SUBMITS = 4 };
enum { SESSION_RIGHTS = RIGHT_CALL | RIGHT_DUP | RIGHT_TRANSFER };

/* The state Frame. A page for the head of each terminal, then the cells of those of the screen, then pseudo-terminals. */
struct kept {
	union { struct tty_state tty; uint8_t page[PAGE_SIZE]; } terminal[1 + VTS];
	struct screen_kept screen;
	struct keys_kept keys;
	uint64_t pty[PTYS];
};
#define KEPT_SIZE  ALIGN_UP(sizeof(struct kept), PAGE_SIZE)
#define PTY_OFFSET (KEPT_SIZE + (uint64_t)VTS * VT_MEMORY)
#define STATE_SIZE (PTY_OFFSET + PTYS * sizeof(struct pty_kept))

static struct svc svc;
static handle_t notify, retry_screen, retry_keys;
static struct kept *kept;               /* NULL: there is no state Frame of that size, and so no terminals on the screen */
static struct tty_state own_state;      /* of the serial line then */
static struct queue openers;            /* who asked for a terminal of the screen before it was known whether there is one */

/* ---- names ---- */

static bool is_vt(uint64_t badge)
{
	return badge >= BADGE_VT && badge < BADGE_VT + VTS;
}

static bool is_cells(uint64_t badge)
{
	return badge >= BADGE_CELLS && badge < BADGE_CELLS + VTS;
}

/* The badge that a path below `badge` names. */
static status_t find(uint64_t badge, const char *path, uint64_t *found)
{
	size_t slashes = path ? strspn(path, "/") : 0;
	const char *name = path ? path + slashes : NULL;

	if (!path || (!*name && (badge == BADGE_ROOT || !slashes))) {
		*found = badge;
		return OK;
	}
	/* Its OPEN makes a badge of the slave's out of it. */
	if (pty_is_master(badge) && strcmp(name, "slave") == 0) {
		*found = badge;
		return OK;
	}
	if (badge != BADGE_ROOT)
		return ERR_NOT_DIRECTORY;
	if (strcmp(name, "serial") == 0) {
		*found = BADGE_SERIAL;
		return OK;
	}
	if (strncmp(name, "pty/", 4) == 0)
		return pty_find(name + 4, found);
	if (strcmp(name, "pty") == 0 && ptys_there()) {
		*found = BADGE_PTY;
		return OK;
	}
	if (*name < '1' || *name >= '1' + VTS || screen_presence() == SCREEN_ABSENT || (name[1] && strcmp(name + 1, "/cells") != 0))
		return ERR_NOT_FOUND;
	*found = (name[1] ? (uint64_t)BADGE_CELLS : BADGE_VT) + (uint64_t)(*name - '1');
	return OK;
}

/* The terminal of a Session; ERR_IS_DIRECTORY: it is none. */
static status_t terminal_of(uint64_t badge, struct terminal **t)
{
	if (badge == BADGE_SERIAL) {
		*t = &serial;
		return OK;
	}
	if (pty_is_slave(badge))
		return pty_slave(badge, t);
	return is_vt(badge) ? vts_open((uint32_t)(badge - BADGE_VT), t) : is_cells(badge) ? ERR_NOT_SUPPORTED : ERR_IS_DIRECTORY;
}

static status_t make_there(uint64_t badge)
{
	struct terminal *t;

	return is_vt(badge) || is_cells(badge) ? vts_open((uint32_t)(badge & 0xff), &t) : OK;
}

/* ---- commands ---- */

/* A name becomes a Session's badge: pseudo-terminals have one for each Session, so that each end is known by itself. */
static status_t session_badge(const struct svc_cmd *c, uint64_t *badge)
{
	if (*badge == BADGE_PTY) {
		*badge = pty_master_badge();
		return OK;
	}
	/* A second Session like the master's own would hang up when it is closed. */
	if (pty_is_master(*badge) && (!c->path || !*c->path))
		return ERR_NOT_SUPPORTED;
	return pty_is_master(*badge) || pty_is_slave(*badge) ? pty_open_slave(c, *badge, badge) : OK;
}

static status_t on_open(void *self unused, struct svc_cmd *c, const struct file_open_req *q, struct file_open_rep *p)
{
	uint64_t badge;
	status_t st = find(c->badge, c->path, &badge);

	if (st < 0)
		return st;
	if (badge != BADGE_ROOT && q->flags & OPEN_DIRECTORY)
		return ERR_NOT_DIRECTORY;
	if (badge == BADGE_ROOT && q->flags & OPEN_WRITE)
		return ERR_IS_DIRECTORY;
	if (q->flags & OPEN_EXCL)
		return ERR_EXISTS;
	if (is_cells(badge) && q->flags & OPEN_WRITE)
		return ERR_DENIED;
	uint32_t rights = SESSION_RIGHTS | (q->flags & OPEN_READ ? RIGHT_READ : 0) | (q->flags & OPEN_WRITE ? RIGHT_WRITE : 0);
	if ((is_vt(badge) || is_cells(badge)) && screen_presence() == SCREEN_UNKNOWN) {
		st = queue_put(&openers, &(struct parked){ .cmd = c->cmd, .badge = badge, .len = rights }, c->redelivered);
		return st < 0 ? st : SVC_LATER;
	}
	st = make_there(badge);
	if (st == OK)
		st = session_badge(c, &badge);
	if (st < 0)
		return st;
	c->mint = true;
	c->mint_badge = badge;
	c->mint_rights = rights;
	p->type = badge == BADGE_ROOT ? FILE_DIRECTORY : is_cells(badge) ? FILE_REGULAR : FILE_STREAM;
	p->size = 0;
	return OK;
}

static status_t read_cells(const struct svc_cmd *c, uint64_t offset, uint64_t *done)
{
	struct terminal *t;
	uint32_t i = (uint32_t)(c->badge - BADGE_CELLS);
	size_t size;
	char *text;

	status_t st = vts_open(i, &t);
	if (st == OK)
		st = vts_text(i, &text, &size);
	if (st != OK)
		return st;
	st = svc_read_from(c, offset, text, size, done);
	free(text);
	return st;
}

static status_t on_read(void *self unused, struct svc_cmd *c, const struct file_read_req *q, struct file_read_rep *p)
{
	struct terminal *t;

	if (is_cells(c->badge))
		return read_cells(c, q->offset, &p->done);
	if (pty_is_master(c->badge))
		return pty_read(c, &p->done);
	status_t st = terminal_of(c->badge, &t);
	if (st == ERR_GONE) {
		p->done = 0;                    /* hung up: the end */
		return OK;
	}
	return st < 0 ? st : terminal_read(t, c, &p->done);
}

static status_t on_write(void *self unused, struct svc_cmd *c, const struct file_write_req *q unused, struct file_write_rep *p)
{
	struct terminal *t;

	if (pty_is_master(c->badge))
		return pty_write(c, &p->done);
	status_t st = terminal_of(c->badge, &t);
	return st < 0 ? st : terminal_write(t, c, &p->done);
}

static status_t on_sync(void *self unused, struct svc_cmd *c, const struct file_sync_req *q unused, struct file_sync_rep *p unused)
{
	struct terminal *t;

	if (pty_is_master(c->badge))
		return pty_sync(c);
	status_t st = terminal_of(c->badge, &t);
	return st == ERR_GONE ? st : st < 0 ? OK : terminal_sync(t, c);
}

static status_t on_stat(void *self unused, struct svc_cmd *c, const struct file_stat_req *q unused, struct file_stat_rep *p)
{
	uint64_t badge;
	status_t st = find(c->badge, c->path, &badge);

	if (st < 0)
		return st;
	*p = (struct file_stat_rep){
		.type = badge == BADGE_ROOT ? FILE_DIRECTORY : is_cells(badge) ? FILE_REGULAR : FILE_STREAM,
		.mode = badge == BADGE_ROOT ? 0555 : is_cells(badge) ? 0444 : 0666,
		.ino = badge,
	};
	return OK;
}

static status_t on_readdir(void *self unused, struct svc_cmd *c, const struct file_readdir_req *q, struct file_readdir_rep *p)
{
	uint8_t buf[280] aligned(8);
	char name[2] = "1";

	if (c->badge != BADGE_ROOT)
		return ERR_NOT_DIRECTORY;
	p->done = 0;
	p->next = 1;
	if (q->cookie > 0)
		return OK;
	p->done = dirent_put(buf, sizeof(buf), BADGE_SERIAL, 0, FILE_STREAM, "serial");
	if (ptys_there())
		p->done += dirent_put(buf + p->done, sizeof(buf) - p->done, BADGE_PTY, 0, FILE_STREAM, "pty");
	for (uint32_t i = 0; i < VTS && screen_presence() == SCREEN_THERE; i++, name[0]++)
		p->done += dirent_put(buf + p->done, sizeof(buf) - p->done, BADGE_VT + i, 0, FILE_STREAM, name);
	return svc_write_out(c->cmd, 0, buf, p->done);
}

static status_t on_ctl(void *self unused, struct svc_cmd *c, const struct file_ctl_req *q, struct file_ctl_rep *p)
{
	struct terminal *t;

	if (pty_is_master(c->badge))
		return pty_ctl(c, q, p);
	status_t st = terminal_of(c->badge, &t);
	return st == ERR_IS_DIRECTORY ? ERR_NOT_SUPPORTED : st < 0 ? st : terminal_ctl(t, c, q, p);
}

static void on_cancel(void *self unused, cmd_id_t cmd)
{
	struct parked **link = queue_find(&openers, cmd);
	bool found = terminal_cancel(&serial, cmd) || ptys_cancel(cmd);

	for (uint32_t i = 0; i < VTS && !found; i++)
		found = vts_opened(i) && terminal_cancel(vts_opened(i), cmd);
	if (!link)
		return;
	svc_reply(cmd, &(struct reply){ .status = ERR_CANCELLED });
	queue_drop(&openers, link);
}

static void on_close(void *self unused, uint64_t badge)
{
	if (pty_is_master(badge) || pty_is_slave(badge))
		pty_close(badge);
}

static void on_recovered(void *self unused)
{
	terminal_recovered(&serial);
	for (uint32_t i = 0; i < VTS; i++)
		if (vts_opened(i))
			terminal_recovered(vts_opened(i));
	ptys_recovered();
}

static void on_unminted(void *self unused, uint64_t badge)
{
	pty_unopened(badge);
}

/* ---- events ---- */

static void answer_opener(const struct parked *o)
{
	struct reply r = { .status = screen_presence() == SCREEN_THERE ? make_there(o->badge) : ERR_NOT_FOUND };

	if (r.status == OK) {
		r.w[0] = is_cells(o->badge) ? FILE_REGULAR : FILE_STREAM;
		r.mint = true;
		r.mint_badge = o->badge;
		r.mint_rights = o->len;
	}
	svc_reply(o->cmd, &r);
}

/* It has turned out whether there is a screen. */
static void screen_known(void)
{
	struct terminal *t;

	if (screen_presence() == SCREEN_THERE) {
		status_t st = vts_open(keys_front(), &t);
		if (st == OK)
			screen_show(vts_term(keys_front()));
		else
			log_print("terminal %u cannot be shown: %s", keys_front() + 1, error_text(st));
		/* An earlier instance may not have come to it. Terminal 1's starts with the machine. */
		if (keys_front() > 0)
			shells_want(keys_front());
		keys_go();
	}
	while (openers.first) {
		answer_opener(openers.first);
		queue_drop(&openers, &openers.first);
	}
}

static void on_notify(void *self unused, uint64_t badge, uint64_t bits)
{
	if (badge == BADGE_DEVICE) {
		serial_notified(bits);
		if (bits & 1ull << BIT_WORK) {
			vts_work();
			ptys_work();
		}
	} else if (badge == BADGE_SCREEN) {
		screen_go();
	} else {
		keys_go();
	}
}

static void on_completion(void *self unused, struct event *e)
{
	if (e->cmd == TOKEN_SCREEN)
		screen_done(e);
	else if (e->cmd == TOKEN_CHANGE)
		screen_changed(e);
	else if (e->cmd == TOKEN_KEYS)
		keys_done(e);
	else if (e->cmd == TOKEN_SHELL)
		shells_done(e);
}

static void on_idle(void *self unused)
{
	screen_draw();
}

/* ---- start ---- */

static void kept_open(void)
{
	handle_t frame = start_handle("state");
	struct frame_info info;
	uint64_t va = 0;

	kept = NULL;
	if (!frame || frame_info(frame, &info) < 0 || info.size < STATE_SIZE)
		return;
	if (vmem_map(0, frame, 0, 0, STATE_SIZE, PROT_READ | PROT_WRITE, &va) == OK && vmem_commit(0, va, KEPT_SIZE) == OK)
		kept = (struct kept *)va;
}

/* `outputd.screen=log` on the kernel's command line: the screen stays its log. */
static bool screen_is_log(void)
{
	char value[8];

	return cmdline_word("outputd.screen", value, sizeof(value)) && strcmp(value, "log") == 0;
}

static void screen_begin(void)
{
	static struct screen_kept own;
	struct tty_state *states[VTS] = { 0 };
	struct screen_start start = {
		.kept = kept ? &kept->screen : &own, .shelf = start_handle("shelf"), .port = svc.port, .retry = retry_screen, .token = TOKEN_SCREEN, .token_change = TOKEN_CHANGE, .bit = BIT_RETRY,
		.memory = VT_MEMORY, .history = VT_HISTORY, .known = screen_known, .resized = vts_resized,
	};

	screen_init(&start);
	if (!kept || screen_is_log()) {
		if (!kept)
			log_print("no state Frame of %u KiB: no terminals on the screen", (unsigned)(STATE_SIZE / KiB));
		screen_leave();
		return;
	}
	for (uint32_t i = 0; i < VTS; i++)
		states[i] = &kept->terminal[1 + i].tty;
	vts_init(states, (uint8_t *)kept + KEPT_SIZE, cmdline_flag("quiet", true) ? 0 : start_handle("res:info"), notify, BIT_WORK);
	shells_init(svc.port, TOKEN_SHELL);
	keys_init(&kept->keys, svc.port, TOKEN_KEYS, retry_keys, BIT_RETRY);
	if (screen_presence() != SCREEN_UNKNOWN)
		screen_known();
	screen_go();
}

static const struct file_ops ops = {
	.open = on_open, .read = on_read, .write = on_write, .sync = on_sync, .stat = on_stat, .readdir = on_readdir, .ctl = on_ctl,
};

int main(int argc unused, char **argv unused)
{
	uint64_t now;

	queue_init(&openers);
	kept_open();
	MUST(svc_init(&svc, &file_proto, &ops, NULL));
	svc.on_notify = on_notify;
	svc.on_cancel = on_cancel;
	svc.on_close = on_close;
	svc.on_unminted = on_unminted;
	svc.on_recovered = on_recovered;
	svc.on_completion = on_completion;
	svc.on_idle = on_idle;
	MUST(svc_notify(&svc, BADGE_DEVICE, &notify));
	MUST(svc_notify(&svc, BADGE_SCREEN, &retry_screen));
	MUST(svc_notify(&svc, BADGE_KEYS, &retry_keys));
	/* What their alarms need is there from now on: setting one cannot fail, and takes no more memory. */
	MUST(clock_now(&now));
	MUST(notify_timer(retry_screen, BIT_RETRY, now, 0));
	MUST(notify_timer(retry_keys, BIT_RETRY, now, 0));
	MUST(port_reserve(svc.port, SUBMITS));
	serial_open(kept ? &kept->terminal[0].tty : &own_state, notify);
	if (kept)
		ptys_init(kept->pty, (struct pty_kept *)((uint8_t *)kept + PTY_OFFSET), start_handle("state"), PTY_OFFSET, notify, BIT_WORK);
	screen_begin();
	return (int)svc_run(&svc);
}
