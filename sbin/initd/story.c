/*
 * story: see story.h. Whether a service is up it says itself: it is sent an operation that no protocol has, and the answer, which its
 * loop gives by itself, is the news. One that dies before gets it again in its next life; one that is given up answers by its Port's end.
 *
 * What was told lies with the records, so that the next instance of initd does not begin the story anew.
 */
#include "story.h"
#include "console.h"
#include "lines.h"
#include <rt/io.h>
#include <rt/start.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { OP_NONE = 0xfffe };              /* of no protocol */
enum { NAMES = 72 };
/* Nobody sees more pictures in a second; each costs some 200,000 instructions of outputd and fbd. */
#define PROGRESS_NS (100 * NS_PER_MS)

static struct {
	struct svc *svc;                /* borrowed */
	struct records *records;        /* borrowed */
	bool quiet;
	bool begun;                     /* all have been started */
	bool over;                      /* the boot is */
	bool down;                      /* the machine goes down */
	bool released[2];               /* programs on the screen, on the serial line */
	uint32_t awaited;
	bool stale;                     /* the progress that was shown last */
	uint64_t next_ns;               /* not before is it shown again */
	handle_t timer;                 /* owned Notify */
	struct line_rate rate;
	struct console screen, serial;
} story;

/* Lent while a service is awaited. */
static char uris[SERVICES_MAX][MANIFEST_SCHEME_MAX + 4];

static uint64_t now_ns(void)
{
	uint64_t ns = 0;

	(void)!clock_now(&ns);
	return ns;
}

static bool is_serial(const char *tty)
{
	return !strcmp(tty, story.serial.uri);
}

void story_init(struct svc *svc, struct records *records)
{
	char line[LINE_BYTES];

	story.svc = svc;
	story.records = records;
	story.quiet = cmdline_flag("quiet", true);
	story.over = records->told == TOLD_ALL;
	if (!story.over)
		MUST(svc_notify(svc, BADGE_STORY, &story.timer));
	console_init(&story.screen, "tty://1", TOKEN_SCREEN);
	console_init(&story.serial, "tty://serial", TOKEN_SERIAL);
	if (story.quiet && records->told == TOLD_NOTHING)
		console_say(&story.screen, line, line_name(line, sizeof(line)));
}

void story_begin(uint32_t n)
{
	/* One for each console, one for the end (shutdown.c), and one for each service. */
	status_t st = port_reserve(story.svc->port, n + 3);
	if (st < 0)
		log_print("nobody can be told how the boot goes: %s", error_text(st));
}

/* ---- coming up ---- */

static bool counts(const struct service *s)
{
	return s->state != SERVICE_FREE && s->state != SERVICE_TEMPLATE && s->state != SERVICE_UNUSED && !s->m.tty[0]
	       && (s->state != SERVICE_ENDED || s->troubled) && s->state != SERVICE_STOPPED;
}

static bool missing(const struct service *s)
{
	return s->awaited || (s->troubled && s->state != SERVICE_RUNNING);
}

/* How many there are to be, and how many of them are up. */
static uint32_t count(uint32_t *up)
{
	uint32_t of = 0;

	*up = 0;
	for (uint32_t i = 0; i < services_count(); i++) {
		const struct service *s = service_at(i);
		of += counts(s);
		*up += counts(s) && !missing(s);
	}
	return of;
}

static void progress(void)
{
	char names[NAMES] = "", line[LINE_BYTES];
	uint64_t now = now_ns();
	uint32_t up, of = count(&up);
	size_t n = 0;

	/* What is under way is shown first. */
	if (!story.quiet || story.over || !story.stale || !console_idle(&story.screen))
		return;
	if (now < story.next_ns) {
		(void)!notify_timer(story.timer, 0, story.next_ns, 0);
		return;
	}
	story.stale = false;
	story.next_ns = now + PROGRESS_NS;
	for (uint32_t i = 0; i < services_count(); i++) {
		const struct service *s = service_at(i);
		if (s->awaited && !s->troubled && n + strlen(s->m.name) + 2 < sizeof(names))
			n += (size_t)snprintf(names + n, sizeof(names) - n, "%s%s", n ? " " : "", s->m.name);
	}
	console_line(&story.screen, line, line_progress(line, sizeof(line), up, of, names));
}

static void await(struct service *s)
{
	struct msg m = { .op = OP_NONE, .flags = IPC_PATH | IPC_URI, .in = uris[s->index] };

	if ((s->state != SERVICE_RUNNING && s->state != SERVICE_WAITING) || s->awaited || !s->m.n_provides)
		return;
	m.in_len = (size_t)snprintf(uris[s->index], sizeof(uris[0]), "%s://", s->m.provides[0]);
	s->awaited = ipc_submit(0, &m, story.svc->port, TOKEN_UP + s->index) == OK;
	story.awaited += s->awaited && !s->troubled;
}

static void is_up(struct service *s, status_t st)
{
	if (!s->awaited)
		return;
	s->awaited = false;
	/* One in trouble was not waited for any more, and has come up after all. */
	if (!s->troubled)
		story.awaited--;
	else if (st == ERR_NOT_SUPPORTED)
		s->troubled = false;
	story.stale = true;
}

void story_begun(void)
{
	story.begun = true;
	/* Only now: each is lifted to our priority until it answers, and would come before those that were not started yet. */
	for (uint32_t i = 0; i < services_count() && !story.over; i++)
		await(service_at(i));
	story.stale = true;
}

/* Who shows what is told is there, or has ended because there is nothing to show it on. */
static bool works(const char *scheme)
{
	for (uint32_t i = 0; i < services_count(); i++) {
		const struct service *s = service_at(i);
		for (uint32_t k = 0; k < s->m.n_provides; k++)
			if (!strcmp(s->m.provides[k], scheme))
				return !missing(s) && s->state != SERVICE_BROKEN;
	}
	return false;
}

static void finish(void)
{
	char line[LINE_BYTES];
	uint32_t up, of = count(&up);

	/* Then the kernel's consoles are all there is. */
	if (story.quiet && (!works("tty") || !works("fb")))
		(void)!log_write("", 0);
	story.over = true;
	story.records->told = TOLD_ALL;
	handle_close(story.timer);
	story.timer = 0;
	console_line(&story.screen, NULL, 0);
	if (story.quiet)
		console_say(&story.screen, line, line_ready(line, sizeof(line), up, of, now_ns()));
}

void story_deadline(void)
{
	if (story.over || !story.begun)
		return;
	for (uint32_t i = 0; i < services_count(); i++)
		if (service_at(i)->awaited && !service_at(i)->troubled)
			story_trouble(service_at(i), false, "has not come up in %u s", (unsigned)(STORY_HOLD_NS / NS_PER_SEC));
	finish();
}

bool story_holds(const char *tty)
{
	return is_serial(tty) ? !console_idle(&story.serial) : !story.over;
}

/* ---- trouble ---- */

/* On the screen; and on the serial line until its shell has it. */
static void say(const char *text, size_t len)
{
	bool theirs = story.released[0] && !story.down;

	/* A prompt may stand there. */
	if (theirs)
		console_say(&story.screen, "\r\n", 2);
	console_say(&story.screen, text, len);
	if (!story.quiet || story.over)
		return;
	if (story.released[1])
		console_say(&story.serial, "\r\n", 2);
	console_say(&story.serial, text, len);
}

static void tell(const char *name, bool grave, const char *format, va_list args)
{
	char text[LINE_BYTES / 2], line[LINE_BYTES];
	uint32_t lost;

	/* The log says it, and is shown; or the last instance of us said it. */
	if ((!story.quiet && !story.over) || (!story.begun && story.records->told != TOLD_NOTHING))
		return;
	if (!line_allowed(&story.rate, now_ns(), &lost))
		return;
	if (lost > 0) {
		snprintf(text, sizeof(text), "%u more lines like these are in the log", lost);
		say(line, line_trouble(line, sizeof(line), "", text, false));
	}
	vsnprintf(text, sizeof(text), format, args);
	say(line, line_trouble(line, sizeof(line), name, text, grave));
}

void story_trouble_of(const char *name, bool grave, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	tell(name, grave, format, args);
	va_end(args);
}

void story_trouble(struct service *s, bool grave, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	tell(s->m.name, grave, format, args);
	va_end(args);
	if (s->awaited && !s->troubled)
		story.awaited--;
	s->troubled = true;
	story.stale = true;
}

/* ---- the end ---- */

void story_down(bool reboot, const char *names)
{
	char line[LINE_BYTES];

	if (!story.down && story.released[0])
		console_say(&story.screen, "\r\n", 2);
	story.over = story.down = true;
	console_line(&story.screen, line, line_doing(line, sizeof(line), reboot ? "Restarting" : "Shutting down", names));
}

bool story_last(const char *text)
{
	char line[LINE_BYTES];
	size_t n = line_trouble(line, sizeof(line), "", text, true);
	bool there = false;

	for (uint32_t i = 0; i < services_count(); i++)
		for (uint32_t k = 0; service_at(i)->process && k < service_at(i)->m.n_provides; k++)
			there |= !strcmp(service_at(i)->m.provides[k], "tty");
	console_line(&story.screen, NULL, 0);
	console_say(&story.screen, line, n);
	console_say(&story.serial, "\r\n", 2);
	console_say(&story.serial, line, n);
	return there;
}

/* ---- events ---- */

bool story_completed(struct event *e)
{
	if (e->cmd >= TOKEN_UP && e->cmd < TOKEN_UP + services_count()) {
		is_up(service_at((uint32_t)(e->cmd - TOKEN_UP)), e->status);
		return true;
	}
	if (e->cmd == TOKEN_SERIAL) {
		console_done(&story.serial, e);
		return true;
	}
	if (e->cmd != TOKEN_SCREEN)
		return false;
	bool written = story.screen.state == CONSOLE_WRITING && e->status >= 0;
	console_done(&story.screen, e);
	if (written && story.records->told == TOLD_NOTHING)
		story.records->told = TOLD_NAME;
	return true;
}

void story_idle(void)
{
	if (!story.begun)
		return;
	if (!story.over && story.awaited == 0)
		finish();
	progress();
	console_go(&story.screen, story.svc->port);
	console_go(&story.serial, story.svc->port);
	/* A Session less that each life would have to make. */
	if (story.over && !story.down) {
		console_leave(&story.screen);
		console_leave(&story.serial);
	}
	if (!story.released[1] && console_idle(&story.serial)) {
		story.released[1] = true;
		services_release(story.serial.uri, true);
	}
	if (!story.released[0] && story.over && console_idle(&story.screen)) {
		story.released[0] = true;
		services_release(story.serial.uri, false);
	}
}
