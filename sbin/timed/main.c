/*
 * timed: `time://`, the time of day. It is an offset to the kernel's clock, which nothing ever changes; so a restart changes nothing either:
 * the offset lies in the state Frame, with the system's zone and the alarms (kept.h), whose Notifies are on the shelf.
 *
 *	time://, time://now     READ: "2031-02-03T04:05:06.000000007Z", or "unset"; CTL_TIME_* (abi/file.h)
 *	time://zone             READ: "Europe/Berlin CET-1CEST,M3.5.0,M10.5.0/3", or a TZ string alone; WRITE: a name or a TZ string
 *
 * The offset is found once, at the first start after the machine's: by the clock chip (cmos.h), else by what the firmware told the loader. All
 * that may be asked says what shall be, not what shall change; so a command that is delivered again does no harm.
 *
 * A Session's badge is what it was opened as, and a number of its own: an alarm belongs to a Session and ends with it.
 */
#include "cmos.h"
#include "kept.h"
#include <abi/boot.h>
#include <abi/file.h>
#include <gen/file.h>
#include <rt/io.h>
#include <rt/start.h>
#include <rt/state.h>
#include <rt/svc.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <tz/civil.h>
#include <tz/when.h>
#include <tz/zones.h>

#define BADGE_TIMER    1
#define ZONE_UNSPECIFIED 0x7ff                  /* boot_info.time_zone_min */
#define RETRY_NS       (10 * NS_PER_MS)
#define OFFSET_MAX     7258118400000000000ll    /* 2200-01-01: ns since 1970 are far from the end of an int64_t */
#define SESSION_RIGHTS (RIGHT_CALL | RIGHT_DUP | RIGHT_TRANSFER)

enum node { NODE_ROOT, NODE_NOW, NODE_ZONE, NODES = 4 };        /* a badge's last two bits */
static const char *const names[] = { [NODE_NOW] = "now", [NODE_ZONE] = "zone" };

static struct state state;
static struct kept *kept;
static struct settings settings;                /* as kept */
static struct cmos chip;
static bool have_chip;
static int32_t chip_ahead_s;                    /* of UTC: firmware may keep local time in the chip */
static handle_t timer;

/* ---- the clock ---- */

static uint64_t clock_ns(void)
{
	uint64_t ns = 0;

	(void)!clock_now(&ns);
	return ns;
}

static struct when now(void)
{
	uint64_t ns = clock_ns() + (uint64_t)settings.offset_ns;

	return (struct when){ (int64_t)(ns / NS_PER_SEC), (uint32_t)(ns % NS_PER_SEC) };
}

/* The chip's seconds are set when half of them is over: it is as often early as late. */
static void set_chip(void)
{
	struct when w = now();
	status_t st = have_chip ? cmos_write(&chip, w.seconds + chip_ahead_s + (w.ns >= NS_PER_SEC / 2)) : OK;

	if (st < 0)
		log_print("the clock chip is left as it was: it has no such year");
	settings.rtc_behind = 0;
	settings_put(kept, settings);
}

static status_t set_offset(int64_t offset_ns)
{
	/* From 1970 to 2199; before the start of the machine there was nothing to be asked. */
	if (offset_ns < 0 || offset_ns > OFFSET_MAX || (uint64_t)offset_ns + clock_ns() > OFFSET_MAX)
		return ERR_INVALID;
	settings.offset_ns = offset_ns;
	settings.source = TIME_SET;
	settings.rtc_behind = 1;
	settings_put(kept, settings);
	set_chip();
	return OK;
}

/* ---- alarms ---- */

/* False: its Notify cannot be had just now. */
static bool ring(int i)
{
	handle_t h;
	status_t st = shelf_get(state.shelf, (uint32_t)i, &h);

	if (st == OK) {
		(void)!notify_signal(h, 1ull << kept->alarms[i].bit);
		handle_close(h);
	} else if (st != ERR_NOT_FOUND) {
		return false;
	}
	alarm_drop(kept, i);
	(void)!shelf_clear(state.shelf, (uint32_t)i);
	return true;
}

/* Rings what is due, and sets the timer for the next. The timer was made at the start: setting it needs no memory. */
static void run_alarms(void)
{
	uint64_t deadline = FOREVER - 1;

	for (int i; (i = alarm_first(kept)) >= 0;) {
		int64_t when_ns = kept->alarms[i].when_ns;
		uint64_t clock = clock_ns();
		if (when_ns > (int64_t)(clock + (uint64_t)settings.offset_ns)) {
			deadline = (uint64_t)(when_ns - settings.offset_ns);
			break;
		}
		if (!ring(i)) {
			deadline = clock + RETRY_NS;
			break;
		}
	}
	MUST(notify_timer(timer, 0, deadline, 0));
}

static void forget_alarm(uint64_t badge)
{
	int i = badge ? alarm_find(kept, badge) : -1;

	if (i < 0)
		return;
	alarm_drop(kept, i);
	(void)!shelf_clear(state.shelf, (uint32_t)i);
}

static bool is_notify(handle_t h)
{
	struct handle_info info;

	return handle_info(h, &info) == OK && info.type == OBJ_NOTIFY && (info.rights & RIGHT_SIGNAL);
}

static status_t set_alarm(struct svc_cmd *c, int64_t when_ns, uint64_t bit)
{
	if (c->badge < NODES || c->n_handles > 1 || (c->n_handles && (bit > 63 || !is_notify(c->handles[0]))))
		return ERR_INVALID;
	forget_alarm(c->badge);
	if (!c->n_handles) {
		run_alarms();
		return OK;
	}
	int i = alarm_find(kept, 0);
	if (i < 0)
		return ERR_NO_SPACE;
	status_t st = shelf_put(state.shelf, (uint32_t)i, c->handles[0]);
	if (st < 0)
		return st;
	alarm_put(kept, i, c->badge, when_ns, (uint32_t)bit);
	run_alarms();
	return OK;
}

static void on_notify(void *self unused, uint64_t badge, uint64_t bits unused)
{
	if (badge == BADGE_TIMER)
		run_alarms();
}

/* ---- zones ---- */

/* A zone's name, or what tzdata says of one, into the settings; they are still to be put. On an error they are as before. */
static status_t choose_zone(const char *text)
{
	char tz[TZ_TEXT];
	status_t st = zone_resolve(text, tz);

	if (st < 0)
		return st;
	memset(settings.zone, 0, sizeof(settings.zone));
	memset(settings.tz, 0, sizeof(settings.tz));
	strcpy(settings.tz, tz);
	if (strcmp(tz, text))
		strcpy(settings.zone, text);
	return OK;
}

static status_t write_zone(const struct svc_cmd *c, uint64_t offset)
{
	char text[TZ_TEXT + 2] = { 0 };

	if (offset)
		return ERR_INVALID;
	if (c->in_len > sizeof(text) - 1)
		return ERR_TOO_LONG;
	status_t st = svc_read_in(c->cmd, 0, text, c->in_len);
	if (st < 0)
		return st;
	for (size_t n = strlen(text); n && isspace((unsigned char)text[n - 1]); n--)
		text[n - 1] = 0;
	st = choose_zone(text);
	if (st == OK)
		settings_put(kept, settings);
	return st == ERR_NOT_FOUND ? ERR_INVALID : st;
}

/* ---- the protocol ---- */

static uint32_t render(enum node node, char *text, size_t size)
{
	if (node == NODE_ZONE)
		return (uint32_t)snprintf(text, size, "%s%s%s\n", settings.zone, settings.zone[0] ? " " : "", settings.tz);
	if (settings.source == TIME_UNSET)
		return (uint32_t)snprintf(text, size, "unset\n");
	size_t n = when_iso(text, now());
	text[n++] = '\n';
	return (uint32_t)n;
}

/* What a path below a Session's node means. */
static status_t find(const struct svc_cmd *c, enum node *node)
{
	const char *path = c->path ? c->path + strspn(c->path, "/.") : "";

	*node = c->badge % NODES;
	if (!*path)
		return OK;
	if (*node != NODE_ROOT)
		return ERR_NOT_DIRECTORY;
	for (enum node i = NODE_NOW; i <= NODE_ZONE; i++)
		if (!strcmp(path, names[i])) {
			*node = i;
			return OK;
		}
	return ERR_NOT_FOUND;
}

/* For a Session: one that none had before, whoever served then. The kernel's clock goes on, and no two opens take a nanosecond. */
static uint64_t fresh_number(void)
{
	static uint64_t last;

	last = MAX(last + 1, clock_ns());
	return last;
}

static status_t on_open(void *self unused, struct svc_cmd *c, const struct file_open_req *q, struct file_open_rep *p)
{
	enum node node;
	status_t st = find(c, &node);

	if (st < 0)
		return st;
	if ((q->flags & OPEN_DIRECTORY) && node != NODE_ROOT)
		return ERR_NOT_DIRECTORY;
	if ((q->flags & OPEN_CREATE) && (q->flags & OPEN_EXCL))
		return ERR_EXISTS;
	p->type = node == NODE_ROOT ? FILE_DIRECTORY : FILE_DEVICE;
	c->mint = true;
	c->mint_badge = fresh_number() * NODES + node;
	c->mint_rights = (SESSION_RIGHTS | RIGHT_READ | RIGHT_WRITE) & (c->rights | ~(uint32_t)(RIGHT_READ | RIGHT_WRITE));
	if (!(q->flags & (OPEN_WRITE | OPEN_APPEND | OPEN_TRUNC | OPEN_CREATE)))
		c->mint_rights &= ~(uint32_t)RIGHT_WRITE;
	return OK;
}

static void on_close(void *self unused, uint64_t badge)
{
	forget_alarm(badge);
}

/* time:// itself, a directory, can be read, too: it is what people ask for. */
static status_t on_read(void *self unused, struct svc_cmd *c, const struct file_read_req *q, struct file_read_rep *p)
{
	char text[ZONE_NAME + TZ_TEXT + 4];
	uint32_t n = render(c->badge % NODES, text, sizeof(text));

	return svc_read_from(c, q->offset, text, n, &p->done);
}

static status_t on_write(void *self unused, struct svc_cmd *c, const struct file_write_req *q, struct file_write_rep *p)
{
	if (c->badge % NODES != NODE_ZONE)
		return ERR_NOT_SUPPORTED;
	status_t st = write_zone(c, q->offset);
	if (st == OK)
		p->done = c->in_len;
	return st;
}

static status_t on_truncate(void *self unused, struct svc_cmd *c unused, const struct file_truncate_req *q unused, struct file_truncate_rep *p unused)
{
	return OK;              /* what is written replaces what was there */
}

static status_t on_stat(void *self unused, struct svc_cmd *c, const struct file_stat_req *q unused, struct file_stat_rep *p)
{
	enum node node;
	status_t st = find(c, &node);

	if (st < 0)
		return st;
	p->type = node == NODE_ROOT ? FILE_DIRECTORY : FILE_DEVICE;
	p->mode = node == NODE_ROOT ? 0755 : node == NODE_ZONE ? 0644 : 0444;
	p->ino = node;
	return OK;
}

static status_t on_readdir(void *self unused, struct svc_cmd *c, const struct file_readdir_req *q, struct file_readdir_rep *p)
{
	char buf[512] aligned(8);
	size_t room = MIN((size_t)c->out_len, sizeof(buf)), done = 0;
	uint64_t i = MIN(q->cookie, (uint64_t)NODE_ZONE);

	if (c->badge % NODES != NODE_ROOT)
		return ERR_NOT_DIRECTORY;
	for (size_t size; i < NODE_ZONE; i++, done += size) {
		size = dirent_put(buf + done, room - done, i + 1, 0, FILE_DEVICE, names[i + 1]);
		if (!size)
			break;
	}
	p->done = done;
	p->next = i;
	return done ? svc_write_out(c->cmd, 0, buf, done) : OK;
}

static status_t on_poll(void *self unused, struct svc_cmd *c unused, const struct file_poll_req *q, struct file_poll_rep *p)
{
	p->ready = q->events & (POLL_IN | POLL_OUT);
	return OK;
}

static status_t on_sync(void *self unused, struct svc_cmd *c unused, const struct file_sync_req *q unused, struct file_sync_rep *p unused)
{
	return OK;
}

static status_t on_ctl(void *self unused, struct svc_cmd *c, const struct file_ctl_req *q, struct file_ctl_rep *p)
{
	status_t st;

	if (c->badge % NODES == NODE_ZONE)
		return ERR_NOT_SUPPORTED;
	switch (q->code) {
	case CTL_TIME_GET:
		if (!(c->rights & RIGHT_READ))
			return ERR_DENIED;
		p->value0 = (uint64_t)settings.offset_ns;
		p->value1 = settings.source;
		return OK;
	case CTL_TIME_SET:
		if (!(c->rights & RIGHT_WRITE))
			return ERR_DENIED;
		st = set_offset((int64_t)q->arg0);
		run_alarms();
		return st;
	case CTL_TIME_ALARM:
		return c->rights & RIGHT_READ ? set_alarm(c, (int64_t)q->arg0, q->arg1) : ERR_DENIED;
	default:
		return ERR_NOT_SUPPORTED;
	}
}

static const struct file_ops ops = {
	.open = on_open, .read = on_read, .write = on_write, .stat = on_stat, .readdir = on_readdir, .truncate = on_truncate, .sync = on_sync,
	.poll = on_poll, .ctl = on_ctl,
};

/* At the second command the state has proved good for one. */
static void on_begin(void *self unused)
{
	static unsigned begun;

	if (begun < 2 && ++begun == 2)
		state_good(&state);
}

/* ---- start ---- */

static void find_chip(const struct boot_info *boot)
{
	char value[8];
	uint8_t century = boot->acpi.rtc_century;

	if (boot->acpi.no_rtc || (cmdline_word("timed.chip", value, sizeof(value)) && !strcmp(value, "none")))
		return;
	/* For firmware that names a register in which there is none. */
	if (cmdline_word("timed.century", value, sizeof(value)) && !strcmp(value, "none"))
		century = 0;
	if (boot->time_unix && boot->time_zone_min != ZONE_UNSPECIFIED)
		chip_ahead_s = boot->time_zone_min * 60;
	handle_t ports = start_handle("res:ioports");
	status_t st = ports ? cmos_open(&chip, ports, century) : ERR_NOT_FOUND;
	have_chip = st == OK;
	if (st < 0)
		log_print("no clock chip answers: %s", error_text(st));
}

/* What the chip shows, if it is to be believed. */
static bool chip_time(int64_t *seconds)
{
	struct rtc_time t;

	if (!have_chip)
		return false;
	status_t st = cmos_read(&chip, &t);
	const char *why = st < 0 ? error_text(st) : rtc_decode(&t, seconds);
	if (why) {
		log_print("the clock chip is not believed: %s", why);
		return false;
	}
	*seconds -= chip_ahead_s;
	return true;
}

static bool firmware_time(const struct boot_info *boot, int64_t *seconds)
{
	struct civil c;

	civil_from_seconds(boot->time_unix, &c);
	*seconds = boot->time_unix;
	return boot->time_unix && c.year >= RTC_YEAR_MIN && c.year <= RTC_YEAR_MAX;
}

/* The first start since the machine's. */
static void find_time(const struct boot_info *boot)
{
	static const char *const by[] = { [TIME_RTC] = "the clock chip", [TIME_FIRMWARE] = "the firmware" };
	char text[WHEN_ISO], zone[TZ_TEXT];
	int64_t seconds = 0;

	settings = (struct settings){ .source = TIME_UNSET, .zone = "UTC", .tz = TZ_UTC };
	uint64_t clock = clock_ns();
	if (chip_time(&seconds))
		settings.source = TIME_RTC;
	else if (firmware_time(boot, &seconds))
		settings.source = TIME_FIRMWARE;
	if (settings.source != TIME_UNSET) {
		/* The firmware looked before the kernel's clock began; how long before, nobody knows. */
		settings.offset_ns = seconds * (int64_t)NS_PER_SEC - (settings.source == TIME_RTC ? (int64_t)clock : 0);
		when_iso(text, now());
		log_print("%.19sZ, by %s%s", text, by[settings.source], settings.source == TIME_RTC && !chip.century ? " (without a century)" : "");
	} else {
		log_print("nobody knows what time it is");
	}
	if (cmdline_word("tz", zone, sizeof(zone)) && choose_zone(zone) < 0)
		log_print("tz=%s is no time zone", zone);
	/* All at once: an instance that finds settings asks nobody any more. */
	settings_put(kept, settings);
}

static bool recorded(void *ctx unused, uint32_t slot)
{
	return slot < ALARMS_MAX && kept->alarms[slot].badge;
}

static void recover(void)
{
	static struct boot_info boot;
	handle_t frame = start_handle("boot");
	uint64_t done = 0;

	MUST(state_open(&state, KEPT_VERSION, sizeof(*kept)));
	if (!state.shelf)
		rt_panic("its manifest gives it no shelf");
	kept = state.memory;
	if (!frame || frame_read(frame, 0, &boot, sizeof(boot), &done) < 0 || done < sizeof(boot) || boot.magic != BOOT_MAGIC)
		boot = (struct boot_info){ .time_zone_min = ZONE_UNSPECIFIED };
	find_chip(&boot);
	const struct settings *s = settings_get(kept);
	if (s)
		settings = *s;
	else
		find_time(&boot);
	if (settings.rtc_behind)
		set_chip();
	uint32_t damaged = alarms_check(kept);
	if (damaged)
		log_print("%u damaged alarms are dropped", damaged);
	MUST(state_sweep(&state, recorded, NULL));
}

int main(int argc unused, char **argv unused)
{
	static struct svc svc;

	MUST(svc_init(&svc, &file_proto, &ops, NULL));
	svc.on_begin = on_begin;
	svc.on_close = on_close;
	svc.on_notify = on_notify;
	MUST(svc_notify(&svc, BADGE_TIMER, &timer));
	recover();
	/* What is due rings when the timer says so: after what the instance before had accepted. */
	MUST(notify_timer(timer, 0, clock_ns(), 0));
	status_t st = svc_run(&svc);
	if (st < 0)
		rt_panic("the Port failed: %s", error_text(st));
	return 0;
}
