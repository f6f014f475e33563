/*
 * date: the time of day, in the system's zone, that of -z, or (-u) UTC; and sets it.
 *
 *	date [-u] [-z ZONE] [+FORMAT]           letters as strftime has them (lib/tz/when.h)
 *	date [-u] [-z ZONE] -s TEXT             "2031-02-03 04:05:06", with Z or +01:00, "04:05", "@SECONDS"
 */
#include <cli/cli.h>
#include <rt/clock.h>
#include <rt/file.h>
#include <rt/io.h>
#include <rt/start.h>
#include <stdlib.h>
#include <string.h>
#include <tz/when.h>
#include <tz/zones.h>

#define USAGE  "[-u] [-z ZONE] [-s TEXT | +FORMAT]"
#define FORMAT "%a %b %e %H:%M:%S %Z %Y"
#define LINE   4096

/* The system's zone: the last word of time://zone. */
static status_t system_zone(char tz[static TZ_TEXT])
{
	char *text;
	size_t size;
	status_t st = file_slurp("time://zone", 256, &text, &size);

	if (st < 0)
		return st;
	text[strcspn(text, "\n")] = 0;
	const char *last = strrchr(text, ' ');
	last = last ? last + 1 : text;
	st = strlen(last) < TZ_TEXT ? OK : ERR_BAD_FORMAT;
	if (st == OK)
		strcpy(tz, last);
	free(text);
	return st;
}

/* -z, else TZ of the environment, else the system's. */
static bool find_zone(const char *asked, struct tz *tz)
{
	const char *name = asked ? asked : env_get("TZ");
	char text[TZ_TEXT] = "";
	status_t st = name ? zone_resolve(name, text) : system_zone(text);

	if (st == OK && tz_parse(tz, text))
		return true;
	if (st == OK)
		st = ERR_BAD_FORMAT;
	if (name && st == ERR_NOT_FOUND)
		print_error("there is no time zone \"%s\"", name);
	else
		cli_fail(name ? name : "time://zone", st);
	return false;
}

/* The time, as time:// knows it; *set: it does. */
static status_t wall_clock(handle_t time, struct when *w, bool *set)
{
	uint64_t values[3];
	status_t st = file_ctl(time, CTL_TIME_GET, (uint64_t[4]){ 0 }, 0, values);

	if (st < 0)
		return st;
	uint64_t ns = clock_value() + values[0];
	*w = (struct when){ (int64_t)(ns / NS_PER_SEC), (uint32_t)(ns % NS_PER_SEC) };
	*set = values[1] != TIME_UNSET;
	return OK;
}

static int set(handle_t time, const char *text, struct when now, const struct tz *tz)
{
	struct when w;
	uint64_t values[3];

	if (!when_parse(text, now, tz, &w)) {
		print_error("\"%s\" is no time: try \"2031-02-03 04:05:06\"", text);
		return 1;
	}
	/* Years beyond what the clock takes: an answer as good as that to any other. */
	if (w.seconds < 0 || w.seconds > INT64_MAX / (int64_t)NS_PER_SEC - 1)
		return cli_fail(text, ERR_INVALID);
	uint64_t ns = (uint64_t)w.seconds * NS_PER_SEC + w.ns;
	status_t st = file_ctl(time, CTL_TIME_SET, (uint64_t[4]){ ns - clock_value() }, 0, values);
	return st < 0 ? cli_fail(text, st) : 0;
}

static int show(const char *format, struct when now, const struct tz *tz)
{
	static char line[LINE];

	if (when_format(line, sizeof(line), format, now, tz) == SIZE_MAX)
		return cli_fail("the format", ERR_TOO_LONG);
	print("%s\n", line);
	return 0;
}

int main(int argc, char **argv)
{
	struct cli cli = cli_start(argc, argv);
	const char *zone = NULL, *text = NULL, *standard = FORMAT, *format = standard;
	struct when now = { 0 };
	struct tz tz;
	handle_t time;
	bool is_set = false;

	for (int o; (o = cli_option(&cli, "us:z:")) != 0;) {
		switch (o) {
		case 'u': zone = TZ_UTC; break;
		case 'z': zone = cli.value; break;
		case 's': text = cli.value; break;
		default:  return cli_usage(&cli, USAGE);
		}
	}
	if (cli.next < argc && argv[cli.next][0] == '+')
		format = argv[cli.next++] + 1;
	if (cli.next < argc || (text && format != standard))
		return cli_usage(&cli, USAGE);
	if (!find_zone(zone, &tz))
		return 1;
	status_t st = file_open("time://now", OPEN_READ | (text ? OPEN_WRITE : 0), &time);
	if (st == OK)
		st = wall_clock(time, &now, &is_set);
	if (st < 0)
		return cli_fail("time://", st);
	if (text)
		return set(time, text, now, &tz);
	if (!is_set) {
		print_error("the clock is not set (date -s sets it)");
		return 1;
	}
	return cli_end(show(format, now, &tz));
}
