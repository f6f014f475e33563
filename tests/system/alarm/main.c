/*
 * alarm: alarms of time://, for tests/boot/test_time.py.
 *
 *   alarm wait MS        one in so many ms; says how late it came
 *   alarm forward        one in an hour, and the clock is set two hours forward; then it is set back
 *   alarm many           Sessions with an alarm each until there are no more; closed, they leave room for the next
 *   alarm wrong          what is refused, and alarms that are replaced or taken back
 *   alarm steady MS      asks for the offset for so many ms; says whether it stayed the same
 */
#include <rt/clock.h>
#include <rt/file.h>
#include <rt/io.h>
#include <rt/start.h>
#include <stdlib.h>
#include <string.h>

enum { BIT = 5, MANY = 2000, PATIENCE_S = 30 };

static handle_t port, notify;

#define CHECK(what) do { if (!(what)) { print_error("line %d: %s", __LINE__, #what); exit(1); } } while (0)

static handle_t open_time(uint32_t flags)
{
	handle_t h;

	MUST(file_open("time://now", flags, &h));
	return h;
}

static status_t get(handle_t time, int64_t *offset)
{
	uint64_t values[3];
	status_t st = file_ctl(time, CTL_TIME_GET, (uint64_t[4]){ 0 }, 0, values);

	*offset = (int64_t)values[0];
	return st;
}

static status_t set(handle_t time, int64_t offset)
{
	uint64_t values[3];

	return file_ctl(time, CTL_TIME_SET, (uint64_t[4]){ (uint64_t)offset }, 0, values);
}

static status_t ask(handle_t time, handle_t to, int64_t when, uint64_t bit)
{
	uint64_t values[3];

	return file_ctl(time, CTL_TIME_ALARM, (uint64_t[4]){ (uint64_t)when, bit }, to, values);
}

static int64_t wall(handle_t time)
{
	int64_t offset;

	MUST(get(time, &offset));
	return offset + (int64_t)clock_value();
}

/* The bits that come within so long; 0: none. */
static uint64_t wait_for(uint64_t ns)
{
	struct event e;

	return ipc_accept(port, clock_value() + ns, &e) == OK && e.kind == ACCEPT_NOTIFY ? e.w[0] : 0;
}

static int once(uint64_t ms)
{
	handle_t time = open_time(OPEN_READ);
	int64_t due = wall(time) + (int64_t)(ms * NS_PER_MS);

	MUST(ask(time, notify, due, BIT));
	CHECK(wait_for(ms * NS_PER_MS + PATIENCE_S * NS_PER_SEC) == 1ull << BIT);
	int64_t late = wall(time) - due;
	CHECK(late >= 0);
	print("alarm: rang, %lld ms late\n", (long long)late / 1000000);
	CHECK(!wait_for(50 * NS_PER_MS));
	return 0;
}

static int set_forward(void)
{
	handle_t time = open_time(OPEN_READ | OPEN_WRITE);
	int64_t offset, hour = 3600ll * (int64_t)NS_PER_SEC;

	MUST(get(time, &offset));
	MUST(ask(time, notify, wall(time) + hour, BIT));
	CHECK(!wait_for(50 * NS_PER_MS));
	MUST(set(time, offset + 2 * hour));
	bool rang = wait_for(5 * NS_PER_SEC) == 1ull << BIT;
	MUST(set(time, offset));
	CHECK(rang);
	/* One that was due soon comes later when the clock goes back. */
	MUST(ask(time, notify, wall(time) + 300 * (int64_t)NS_PER_MS, BIT));
	MUST(set(time, offset - (int64_t)NS_PER_SEC));
	CHECK(!wait_for(700 * NS_PER_MS));
	MUST(set(time, offset));
	CHECK(wait_for(5 * NS_PER_SEC) == 1ull << BIT);
	print("alarm: the clock was set and it rang\n");
	return 0;
}

/* Sessions with an alarm each, until none is given. */
static uint32_t fill(handle_t *sessions)
{
	for (uint32_t n = 0; n < MANY; n++) {
		sessions[n] = open_time(OPEN_READ);
		status_t st = ask(sessions[n], notify, wall(sessions[n]) + 3600ll * (int64_t)NS_PER_SEC, BIT);
		if (st < 0) {
			CHECK(st == ERR_NO_SPACE);
			handle_close(sessions[n]);
			return n;
		}
	}
	return MANY;
}

static int many(void)
{
	static handle_t sessions[MANY];
	uint32_t first = fill(sessions);

	for (uint32_t i = 0; i < first; i++)
		handle_close(sessions[i]);
	uint32_t second = fill(sessions);
	print("alarm: %u, and %u again\n", first, second);
	return first == second ? 0 : 1;
}

static int wrong(void)
{
	handle_t time = open_time(OPEN_READ), weak, zone;
	int64_t offset, soon = 200 * (int64_t)NS_PER_MS;

	MUST(get(time, &offset));
	CHECK(set(time, offset) == ERR_DENIED);
	CHECK(ask(time, notify, 0, 64) == ERR_INVALID);
	CHECK(ask(time, port, 0, BIT) == ERR_INVALID);
	MUST(handle_dup(notify, RIGHT_WAIT | RIGHT_DUP | RIGHT_TRANSFER, &weak));
	CHECK(ask(time, weak, 0, BIT) == ERR_INVALID);
	MUST(file_open("time://zone", OPEN_READ, &zone));
	CHECK(ask(zone, notify, 0, BIT) == ERR_NOT_SUPPORTED);
	CHECK(!wait_for(50 * NS_PER_MS));
	handle_t writer = open_time(OPEN_READ | OPEN_WRITE);
	CHECK(set(writer, -1) == ERR_INVALID && set(writer, INT64_MAX) == ERR_INVALID && set(writer, INT64_MIN) == ERR_INVALID);
	int64_t now_offset;
	MUST(get(time, &now_offset));
	CHECK(now_offset == offset);
	/* Due already; another bit in its place; taken back; gone with its Session. */
	MUST(ask(time, notify, INT64_MIN, BIT));
	CHECK(wait_for(NS_PER_SEC) == 1ull << BIT);
	MUST(ask(time, notify, wall(time) + soon, BIT));
	MUST(ask(time, notify, wall(time) + soon, 63));
	CHECK(wait_for(5 * NS_PER_SEC) == 1ull << 63);
	MUST(ask(time, notify, wall(time) + soon, BIT));
	MUST(ask(time, 0, 0, 0));
	CHECK(!wait_for(2 * (uint64_t)soon));
	MUST(ask(time, notify, wall(time) + soon, BIT));
	handle_close(time);
	CHECK(!wait_for(2 * (uint64_t)soon));
	print("alarm: as it should be\n");
	return 0;
}

static int steady(uint64_t ms)
{
	handle_t time = open_time(OPEN_READ);
	int64_t first, offset;
	uint64_t end = clock_value() + ms * NS_PER_MS, asked = 0;

	MUST(get(time, &first));
	for (; clock_value() < end; asked++) {
		MUST(get(time, &offset));
		CHECK(offset == first);
		(void)!thread_sleep(clock_value() + NS_PER_MS);
	}
	print("alarm: asked %llu times, the same offset %lld\n", (unsigned long long)asked, (long long)first);
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	uint64_t ms = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;

	MUST(port_create(0, &port));
	MUST(notify_create(&notify));
	MUST(notify_port(notify, port, 0));
	if (!strcmp(what, "wait"))
		return once(ms);
	if (!strcmp(what, "forward"))
		return set_forward();
	if (!strcmp(what, "many"))
		return many();
	if (!strcmp(what, "wrong"))
		return wrong();
	if (!strcmp(what, "steady"))
		return steady(ms);
	print_error("usage: alarm wait MS | forward | many | wrong | steady MS");
	return 2;
}
