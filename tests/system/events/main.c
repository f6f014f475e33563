/*
 * events: what input:// and its like say, one event a line: number, type, code, value. From what comes now on, or with -a from the
 * oldest that is kept. It ends after -n COUNT events, after -t MS without any, and when the key of code -k is let go. With -r it only
 * sets a keyboard's rate (CTL_KBD_TYPEMATIC).
 */
#include <abi/file.h>
#include <abi/input.h>
#include <cli/cli.h>
#include <gen/file.h>
#include <rt/file.h>
#include <rt/io.h>
#include <rt/start.h>
#include <stdlib.h>

static const char *type_name(uint16_t type)
{
	switch (type) {
	case EV_SYN:  return "syn";
	case EV_KEY:  return "key";
	case EV_REL:  return "rel";
	case EV_ABS:  return "abs";
	case EV_MSC:  return "msc";
	case EV_LED:  return "led";
	case EV_TEXT: return "text";
	default:      return "?";
	}
}

int main(int argc, char **argv)
{
	static struct input_event e[64];
	unsigned long count = 1000000, quiet_ms = 0, last_key = 0, rate = 0;
	struct cli cli = cli_start(argc, argv);
	struct stat st = { 0 };
	handle_t file;
	bool all = false, set_rate = false, ended = false;

	for (int option; (option = cli_option(&cli, "an:t:k:r:")) != 0;) {
		if (option == 'a')
			all = true;
		else if (option == 'n')
			count = strtoul(cli.value, NULL, 10);
		else if (option == 't')
			quiet_ms = strtoul(cli.value, NULL, 10);
		else if (option == 'k')
			last_key = strtoul(cli.value, NULL, 10);
		else if (option == 'r')
			rate = strtoul(cli.value, NULL, 0), set_rate = true;
		else
			return cli_usage(&cli, "[-a] [-n COUNT] [-t MS] [-k CODE] [-r RATE] URI");
	}
	const char *uri = cli.next < argc ? argv[cli.next] : "input://events";
	status_t s = file_open(uri, OPEN_READ | (set_rate ? OPEN_WRITE : 0), &file);
	if (s >= 0 && set_rate) {
		s = file_ctl(file, CTL_KBD_TYPEMATIC, (uint64_t[4]){ rate }, 0, (uint64_t[3]){ 0 });
		return s < 0 ? cli_fail(uri, s) : cli_end(0);
	}
	if (s >= 0)
		s = file_stat(file, &st);
	uint64_t seen = all ? 0 : st.size / sizeof(*e);
	print("from %llu\n", (unsigned long long)seen);
	print_flush();
	while (s >= 0 && count > 0 && !ended) {
		uint64_t now = 0;
		struct msg m = { .op = FILE_READ, .out = e, .out_len = sizeof(e), .w = { seen * sizeof(*e) } };
		MUST(clock_now(&now));
		m.deadline = quiet_ms ? now + quiet_ms * NS_PER_MS : 0;
		s = ipc_call(file, &m);
		if (s == ERR_TIMED_OUT)
			return cli_end(0);
		for (size_t i = 0; s >= 0 && i < m.w[0] / sizeof(*e) && count > 0; i++, count--) {
			print("%llu %s %u %d\n", (unsigned long long)e[i].seq, type_name(e[i].type), e[i].code, e[i].value);
			seen = e[i].seq;
			ended |= last_key && e[i].type == EV_KEY && e[i].code == last_key && e[i].value == KEY_UP;
		}
		print_flush();
	}
	return s < 0 ? cli_fail(uri, s) : cli_end(0);
}
