/*
 * sockets: streams and packets; what goes in comes out, waits end as they should, and whatever dies leaves nothing.
 */
#include <abi/ipc.h>
#include <rt/socket.h>
#include "test.h"

enum { WAIT_MS = 3000, SHORT_MS = 5, SETTLE_MS = 50 /* for a child to start and to wait */ };

static uint8_t data[SOCKET_BUFFER], back[SOCKET_BUFFER];

static uint64_t in_ms(uint64_t ms)
{
	return now_ns() + ms * NS_PER_MS;
}

static status_t put(handle_t s, const void *buf, size_t len, uint64_t deadline)
{
	uint64_t done = 0;
	status_t st = socket_write(s, buf, len, deadline, NULL, 0, &done);
	return st < 0 ? st : (status_t)done;
}

static status_t get(handle_t s, void *buf, size_t len, uint64_t deadline)
{
	uint64_t done = 0, size;
	uint32_t n;
	status_t st = socket_read(s, buf, len, deadline, NULL, 0, &done, &size, &n);
	return st < 0 ? st : (status_t)done;
}

static status_t put_with(handle_t s, const void *buf, size_t len, const handle_t *h, uint32_t n)
{
	uint64_t done = 0;
	status_t st = socket_write(s, buf, len, 0, h, n, &done);
	return st < 0 ? st : (status_t)done;
}

static status_t get_with(handle_t s, void *buf, size_t len, handle_t *h, uint32_t *n)
{
	uint64_t done = 0, size;
	status_t st = socket_read(s, buf, len, 0, h, *n, &done, &size, n);
	return st < 0 ? st : (status_t)done;
}

static void fill(size_t n, uint8_t seed)
{
	for (size_t i = 0; i < n; i++)
		data[i] = (uint8_t)(i * 7 + (i >> 8) + seed);
}

static void stream(void)
{
	handle_t a, b;
	size_t in = 0, out = 0;
	DONE(socket_pair(SOCKET_STREAM, &a, &b));
	EQ(get(b, back, 10, 0), ERR_AGAIN);
	EQ(put(a, "hello", 5, 0), 5);
	EQ(put(a, " you", 4, 0), 4);
	EQ(get(b, back, 3, 0), 3);
	EQ(get(b, back + 3, 100, 0), 6);
	CHECK(!memcmp(back, "hello you", 9));
	EQ(get(b, back, 100, 0), ERR_AGAIN);
	EQ(put(b, "back", 4, 0), 4);                    /* both ways, each by itself */
	EQ(get(a, back, 4, 0), 4);
	EQ(put(a, data, 0, 0), 0);
	EQ(get(b, data, 0, 0), 0);
	/* Uneven pieces, all around the ring several times. */
	fill(SOCKET_BUFFER, 1);
	for (unsigned i = 0; i < 400; i++) {
		size_t n = i * 977 % 9000 + 1;
		status_t put_n = put(a, data + in % 30000, n, 0);
		CHECK(put_n > 0 || put_n == ERR_AGAIN);
		in += put_n > 0 ? (size_t)put_n % 30000 : 0;
		if (put_n <= 0 || i % 3 == 0)
			for (int k = 0; k < 4; k++) {
				status_t got = get(b, back, 3001, 0);
				if (got == ERR_AGAIN)
					break;
				CHECK(got > 0);
				out += (size_t)got;
			}
	}
	DONE(handle_close(a));
	status_t got;
	while ((got = get(b, back, sizeof(back), 0)) > 0)
		out += (size_t)got;
	EQ(got, 0);
	CHECK(out > 0);
	DONE(handle_close(b));
}

/* What was put in comes out in order, byte by byte, whatever the pieces. */
static void in_order(void)
{
	handle_t a, b;
	uint32_t next_in = 0, next_out = 0, left = 0;
	uint32_t words[1100];
	DONE(socket_pair(SOCKET_STREAM, &a, &b));
	for (unsigned i = 0; i < 300; i++) {
		unsigned n = i * 131 % 1024 + 1;
		for (unsigned k = 0; k < n; k++)
			words[k] = next_in + k;
		status_t st = put(a, words, n * 4, 0);
		if (st == ERR_AGAIN) {
			while ((st = get(b, (char *)words + left, sizeof(words) - left, 0)) > 0) {
				size_t have = left + (size_t)st, k = 0;
				for (; k < have / 4; k++)
					EQ(words[k], next_out++);
				memmove(words, words + k, left = have % 4);
			}
			EQ(st, ERR_AGAIN);
			continue;
		}
		EQ(st, n * 4);                          /* at most 4096 bytes: all of them */
		next_in += n;
	}
	CHECK(next_out > 10000);
	DONE(handle_close(a));
	DONE(handle_close(b));
}

static void back_pressure(void)
{
	handle_t a, b;
	uint64_t total = 0;
	status_t st;
	DONE(socket_pair(SOCKET_STREAM, &a, &b));
	while ((st = put(a, data, sizeof(data), 0)) > 0)
		total += (uint64_t)st;
	EQ(st, ERR_AGAIN);
	EQ(total, SOCKET_BUFFER);
	EQ(put(a, data, 1, 0), ERR_AGAIN);
	uint64_t begin = now_ns();
	EQ(put(a, data, 1, begin + SHORT_MS * NS_PER_MS), ERR_TIMED_OUT);
	CHECK(now_ns() >= begin + SHORT_MS * NS_PER_MS);
	EQ(put(a, data, 1, 1), ERR_TIMED_OUT);          /* long past */
	EQ(get(b, back, 100, 0), 100);
	EQ(put(a, data, 101, 0), ERR_AGAIN);            /* at most 4096 bytes: all or nothing */
	EQ(put(a, data, 100, 0), 100);
	EQ(get(b, back, SOCKET_ATOMIC, 0), SOCKET_ATOMIC);
	EQ(put(a, data, 10000, 0), SOCKET_ATOMIC);      /* more: what fits */
	DONE(handle_close(b));
	EQ(put(a, data, 1, 0), ERR_GONE);
	DONE(handle_close(a));
}

static void packets(void)
{
	handle_t a, b;
	uint64_t done, size;
	uint32_t n;
	DONE(socket_pair(SOCKET_PACKET, &a, &b));
	EQ(put(a, data, 0, 0), ERR_INVALID);
	EQ(put(a, data, SOCKET_PACKET_MAX + 1, 0), ERR_TOO_LONG);
	for (unsigned round = 0; round < 40; round++) {         /* around the ring */
		for (unsigned i = 0; i < 5; i++) {
			fill(100 + 997 * i, (uint8_t)(round + i));
			EQ(put(a, data, 100 + 997 * i, 0), 100 + 997 * i);
		}
		for (unsigned i = 0; i < 5; i++) {
			fill(100 + 997 * i, (uint8_t)(round + i));
			EQ(get(b, back, sizeof(back), 0), 100 + 997 * i);
			CHECK(!memcmp(data, back, 100 + 997 * i));
		}
	}
	EQ(put(a, "first one", 9, 0), 9);
	EQ(put(a, "second", 6, 0), 6);
	DONE(socket_read(b, back, 5, 0, NULL, 0, &done, &size, &n));    /* the rest of it is lost */
	EQ(done, 5);
	EQ(size, 9);
	EQ(get(b, back, 100, 0), 6);
	EQ(get(b, back, 100, 0), ERR_AGAIN);
	fill(SOCKET_PACKET_MAX, 3);
	EQ(put(a, data, SOCKET_PACKET_MAX, 0), SOCKET_PACKET_MAX);
	EQ(put(a, data, SOCKET_PACKET_MAX, 0), ERR_AGAIN);
	EQ(put(a, data, 1000, 0), 1000);
	EQ(get(b, back, sizeof(back), 0), SOCKET_PACKET_MAX);
	CHECK(!memcmp(data, back, SOCKET_PACKET_MAX));
	EQ(put(a, data, SOCKET_PACKET_MAX, 0), SOCKET_PACKET_MAX);
	EQ(put(a, data, 1, 0), 1);
	DONE(handle_close(a));
	EQ(get(b, back, sizeof(back), 0), 1000);
	EQ(get(b, back, sizeof(back), 0), SOCKET_PACKET_MAX);
	EQ(get(b, back, sizeof(back), 0), 1);
	EQ(get(b, back, sizeof(back), FOREVER), 0);
	DONE(handle_close(b));
}

static void half_close(void)
{
	handle_t a, b;
	DONE(socket_pair(SOCKET_STREAM, &a, &b));
	EQ(socket_shutdown(a, 0), ERR_INVALID);
	EQ(socket_shutdown(a, 4), ERR_INVALID);
	EQ(put(a, "last", 4, 0), 4);
	DONE(socket_shutdown(a, SOCKET_END_WRITE));
	EQ(put(a, "more", 4, 0), ERR_GONE);
	EQ(get(b, back, 10, FOREVER), 4);
	EQ(get(b, back, 10, FOREVER), 0);
	EQ(put(b, "yet", 3, 0), 3);                     /* the other direction goes on */
	EQ(get(a, back, 10, 0), 3);
	EQ(put(b, "dropped", 7, 0), 7);
	DONE(socket_shutdown(a, SOCKET_END_READ));
	EQ(put(b, "x", 1, FOREVER), ERR_GONE);
	EQ(get(a, back, 10, FOREVER), 0);
	DONE(handle_close(a));
	DONE(handle_close(b));
}

static status_t start_own(struct child *c)
{
	return child_start(c, "sleep", NULL, NULL, 0, 0, 0);
}

static void wrong(void)
{
	handle_t a, b, n, ro, wo, other;
	uint64_t edge = edge_make(), done, size;
	uint32_t got;
	handle_t bad[4] = { 0x7fff0000, 0, 0, 0 };
	struct child c;
	DONE(socket_pair(SOCKET_STREAM, &a, &b));
	DONE(notify_create(&n));
	EQ(socket_pair(2, &ro, &wo), ERR_INVALID);
	EQ(socket_pair(UINT32_MAX, &ro, &wo), ERR_INVALID);
	EQ(get(n, back, 1, 0), ERR_WRONG_TYPE);
	EQ(put(n, back, 1, 0), ERR_WRONG_TYPE);
	EQ(get(0x7fff0000, back, 1, 0), ERR_BAD_HANDLE);
	EQ(put(0, back, 1, 0), ERR_BAD_HANDLE);
	DONE(handle_dup(a, RIGHT_READ, &ro));
	DONE(handle_dup(a, RIGHT_WRITE, &wo));
	EQ(put(ro, back, 1, 0), ERR_DENIED);
	EQ(get(wo, back, 1, 0), ERR_DENIED);
	EQ(socket_shutdown(ro, SOCKET_END_WRITE), ERR_DENIED);
	EQ(socket_shutdown(wo, SOCKET_END_READ | SOCKET_END_WRITE), ERR_DENIED);
	EQ(socket_accept(a, 0, &other), ERR_INVALID);
	EQ(put_with(a, "x", 1, bad, 1), ERR_BAD_HANDLE);
	EQ(put_with(a, "x", 1, &ro, 1), ERR_DENIED);    /* not transferable */
	EQ(put_with(a, "x", 1, bad, 5), ERR_INVALID);
	EQ(put_with(a, "x", 0, &n, 1), ERR_INVALID);    /* handles go with a byte */
	DONE(start_own(&c));
	DONE(process_table(c.process, &other));
	EQ(put_with(a, "x", 1, &other, 1), ERR_INVALID);        /* a table could hold the very Socket */
	DONE(handle_close(other));
	DONE(child_kill(&c));
	EQ(put_with(a, "x", 1, (handle_t *)(edge + PAGE_SIZE - 4), 2), ERR_FAULT);
	/* Memory that is not there: nothing happened. */
	EQ(put(a, (void *)(edge + PAGE_SIZE), 1, 0), ERR_FAULT);
	EQ(put(a, (void *)(edge + PAGE_SIZE - 10), 20, 0), ERR_FAULT);
	EQ(get(b, back, 100, 0), ERR_AGAIN);
	EQ(put(a, (void *)(edge + PAGE_SIZE - 10), 10, 0), 10);
	EQ(put(a, "0123456789", 10, 0), 10);
	EQ(get(b, (void *)(edge + PAGE_SIZE - 5), 20, 0), ERR_FAULT);
	for (unsigned i = 0; i < KERNEL_ADDRESS_COUNT; i++) {
		EQ(put(a, (void *)kernel_addresses[i], 8, 0), ERR_FAULT);
		EQ(get(b, (void *)kernel_addresses[i], 8, 0), ERR_FAULT);
	}
	EQ(put_with(a, "h", 1, &n, 1), 1);
	EQ(get(b, back, 100, 0), 20);
	CHECK(!memcmp(back + 10, "0123456789", 10));
	EQ(socket_read(b, back, 10, 0, (handle_t *)(edge + PAGE_SIZE), 1, &done, &size, &got), ERR_FAULT);
	got = 4;
	EQ(get_with(b, back, 10, bad, &got), 1);        /* still there */
	EQ(got, 1);
	DONE(handle_close(bad[0]));
	EQ(socket_notify(a, n, 64, SOCKET_READABLE), ERR_INVALID);
	EQ(socket_notify(a, n, 0, SOCKET_EVENTS), ERR_INVALID);
	EQ(socket_notify(n, n, 0, 0), ERR_WRONG_TYPE);
	EQ(socket_notify(a, a, 0, 0), ERR_WRONG_TYPE);
	EQ(socket_notify(ro, n, 0, 0), ERR_DENIED);
	/* As a file: reads and writes, and nothing else. */
	size_t len;
	EQ(file_write(a, 99, "file", 4, &len), OK);
	DONE(file_read(b, 12345, back, 100, &len));
	EQ(len, 4);
	EQ(file_ctl(a, 1, NULL, 0, NULL), ERR_WRONG_TYPE);
	struct stat st;
	DONE(file_stat(a, &st));
	EQ(st.type, FILE_STREAM);
	DONE(handle_close(ro));
	DONE(handle_close(wo));
	DONE(handle_close(a));
	DONE(handle_close(b));
	DONE(handle_close(n));
	edge_free(edge);
}

/* ---- waiting ---- */

struct wait { handle_t socket; uint64_t deadline; size_t len; };

static void read_later(struct worker *w)
{
	struct wait *a = w->arg;
	uint8_t buf[8];
	w->result = get(a->socket, buf, MIN(a->len, sizeof(buf)), a->deadline);
}

static void write_later(struct worker *w)
{
	struct wait *a = w->arg;
	w->result = put(a->socket, data, a->len, a->deadline);
}

static void waits(void)
{
	handle_t a, b;
	struct worker w[4];
	DONE(socket_pair(SOCKET_STREAM, &a, &b));
	struct wait arg = { b, FOREVER, 8 };
	DONE(worker_start(&w[0], read_later, &arg, PRIORITY_NORMAL));
	pause_ms(SHORT_MS);
	CHECK(!w[0].done);
	EQ(put(a, "abc", 3, 0), 3);
	DONE(worker_join(&w[0]));
	EQ(w[0].result, 3);
	uint64_t begin = now_ns();
	EQ(get(b, back, 1, begin + SHORT_MS * NS_PER_MS), ERR_TIMED_OUT);
	CHECK(now_ns() >= begin + SHORT_MS * NS_PER_MS && now_ns() < begin + 500 * NS_PER_MS);
	/* One byte wakes one, the end wakes all. */
	for (unsigned i = 0; i < 4; i++)
		DONE(worker_start(&w[i], read_later, &arg, PRIORITY_NORMAL));
	pause_ms(SHORT_MS);
	EQ(put(a, "x", 1, 0), 1);
	pause_ms(SHORT_MS);
	EQ(w[0].done + w[1].done + w[2].done + w[3].done, 1);
	DONE(handle_close(a));
	for (unsigned i = 0; i < 4; i++)
		DONE(worker_join(&w[i]));
	EQ(w[0].result + w[1].result + w[2].result + w[3].result, 1);
	DONE(handle_close(b));
	/* Broken off; or the next wait is, when there was none. */
	DONE(socket_pair(SOCKET_STREAM, &a, &b));
	arg.socket = b;
	DONE(worker_start(&w[0], read_later, &arg, PRIORITY_NORMAL));
	pause_ms(SHORT_MS);
	DONE(thread_interrupt(w[0].thread));
	DONE(worker_join(&w[0]));
	EQ(w[0].result, ERR_INTERRUPTED);
	EQ(get(b, back, 1, 0), ERR_AGAIN);
	EQ(put(a, "x", 1, 0), 1);
	EQ(get(b, back, 1, 0), 1);
	DONE(handle_close(a));
	DONE(handle_close(b));
	/* Writers, one after the other as there is room. */
	DONE(socket_pair(SOCKET_STREAM, &a, &b));
	while (put(a, data, sizeof(data), 0) > 0)
		;
	struct wait big = { a, FOREVER, SOCKET_ATOMIC }, brief = { a, in_ms(20), SOCKET_ATOMIC };
	DONE(worker_start(&w[0], write_later, &brief, PRIORITY_NORMAL));
	DONE(worker_start(&w[1], write_later, &big, PRIORITY_NORMAL));
	DONE(worker_start(&w[2], write_later, &big, PRIORITY_NORMAL));
	DONE(worker_join(&w[0]));
	EQ(w[0].result, ERR_TIMED_OUT);
	EQ(get(b, back, SOCKET_ATOMIC, 0), SOCKET_ATOMIC);
	pause_ms(SHORT_MS);
	EQ(w[1].done + w[2].done, 1);
	EQ(get(b, back, SOCKET_ATOMIC - 1, 0), SOCKET_ATOMIC - 1);
	pause_ms(SHORT_MS);
	EQ(w[1].done + w[2].done, 1);
	EQ(get(b, back, 1, 0), 1);
	DONE(worker_join(&w[1]));
	DONE(worker_join(&w[2]));
	EQ(w[1].result, SOCKET_ATOMIC);
	EQ(w[2].result, SOCKET_ATOMIC);
	/* Everybody whose handle goes away under him. */
	DONE(worker_start(&w[0], write_later, &big, PRIORITY_NORMAL));
	pause_ms(SHORT_MS);
	DONE(handle_close(a));
	DONE(worker_join(&w[0]));
	EQ(w[0].result, ERR_BAD_HANDLE);
	DONE(handle_close(b));
}

static void closing_wakes(void)
{
	handle_t a, b;
	struct worker w;
	DONE(socket_pair(SOCKET_STREAM, &a, &b));
	while (put(a, data, sizeof(data), 0) > 0)
		;
	struct wait arg = { a, FOREVER, 1 }, in = { a, FOREVER, 1 };
	DONE(worker_start(&w, write_later, &arg, PRIORITY_NORMAL));
	pause_ms(SHORT_MS);
	DONE(socket_shutdown(b, SOCKET_END_READ));
	DONE(worker_join(&w));
	EQ(w.result, ERR_GONE);
	DONE(worker_start(&w, read_later, &in, PRIORITY_NORMAL));
	pause_ms(SHORT_MS);
	DONE(socket_shutdown(b, SOCKET_END_WRITE));
	DONE(worker_join(&w));
	EQ(w.result, 0);
	DONE(handle_close(b));
	DONE(handle_close(a));
}

/* ---- handles ---- */

static void with_handles(void)
{
	handle_t a, b, n, h[4] = { 0 };
	uint64_t bits;
	uint32_t count;
	DONE(notify_create(&n));
	for (uint32_t type = SOCKET_STREAM; type <= SOCKET_PACKET; type++) {
		DONE(socket_pair(type, &a, &b));
		EQ(put(a, "plain", 5, 0), 5);
		EQ(put_with(a, "one", 3, &n, 1), 3);
		EQ(put_with(a, "four", 4, (handle_t[]){ n, n, n, n }, 4), 4);
		EQ(put(a, "end", 3, 0), 3);
		count = 4;
		EQ(get_with(b, back, 100, h, &count), 5);       /* not beyond where handles come */
		EQ(count, 0);
		count = 4;
		EQ(get_with(b, back, 100, h, &count), 3);
		EQ(count, 1);
		DONE(notify_signal(h[0], 2));
		DONE(notify_take(n, &bits));
		EQ(bits, 2);
		DONE(handle_close(h[0]));
		count = 2;                                      /* two of the four have no room */
		EQ(get_with(b, back, 100, h, &count), type == SOCKET_STREAM ? 7 : 4);
		EQ(count, 2);
		DONE(handle_close(h[0]));
		DONE(handle_close(h[1]));
		/* A lane carries only so many; then it is full. */
		status_t st;
		unsigned sent = 0;
		while ((st = put_with(a, "h", 1, &n, 1)) == 1)
			sent++;
		EQ(st, ERR_AGAIN);
		CHECK(sent >= 4);
		if (type == SOCKET_PACKET)
			EQ(get(b, back, 100, 0), 3);
		EQ(get(b, back, 1, 0), 1);                      /* dropped: read without room */
		EQ(put_with(a, "h", 1, &n, 1), 1);
		if (type == SOCKET_PACKET)
			DONE(handle_close(a));                  /* the writer dies first, */
		DONE(handle_close(b));                          /* or the reader */
		if (type == SOCKET_STREAM)
			DONE(handle_close(a));
	}
	DONE(handle_close(n));
}

/* Sockets in Sockets: none may be kept alive by itself, alone or in a ring. */
static void sockets_in_sockets(void)
{
	handle_t a, b, c, d, h[4];
	uint32_t count = 4;
	DONE(socket_pair(SOCKET_STREAM, &a, &b));
	DONE(socket_pair(SOCKET_STREAM, &c, &d));
	EQ(put_with(a, "x", 1, &b, 1), ERR_INVALID);    /* to itself */
	EQ(put_with(a, "x", 1, &a, 1), 1);              /* one's own end: its reader still has a hold on it */
	EQ(get_with(b, back, 1, h, &count), 1);
	EQ(count, 1);
	DONE(handle_close(h[0]));
	EQ(put_with(a, "x", 1, &d, 1), 1);              /* d on its way to b */
	EQ(put_with(c, "x", 1, &b, 1), ERR_BUSY);       /* so b must not be on its way to d */
	EQ(put_with(c, "x", 1, &a, 1), ERR_BUSY);       /* nor anything else */
	handle_t e, f;
	DONE(socket_pair(SOCKET_STREAM, &e, &f));
	EQ(put_with(e, "x", 1, &b, 1), ERR_BUSY);       /* b is not to be put under way */
	EQ(put(c, "through", 7, 0), 7);
	count = 4;
	EQ(get_with(b, back, 1, h, &count), 1);
	DONE(handle_close(d));
	EQ(get(h[0], back, 100, 0), 7);                 /* it works where it has arrived */
	EQ(put_with(c, "x", 1, &b, 1), 1);              /* and now the other way */
	DONE(handle_close(h[0]));                       /* with b's last reader still here */
	EQ(put_with(e, "x", 1, &c, 1), 1);
	DONE(handle_close(f));                          /* c in flight: dropped */
	EQ(put(c, "x", 1, 0), ERR_GONE);
	DONE(handle_close(e));
	DONE(handle_close(a));
	DONE(handle_close(b));
	DONE(handle_close(c));
	/* All handles are on their way: gone with the last one outside. */
	DONE(socket_pair(SOCKET_STREAM, &a, &b));
	DONE(socket_pair(SOCKET_STREAM, &c, &d));
	EQ(put_with(a, "x", 1, &c, 1), 1);
	EQ(put_with(a, "x", 1, &d, 1), 1);
	EQ(put_with(a, "x", 1, &a, 1), 1);
	DONE(handle_close(c));
	DONE(handle_close(d));
	DONE(handle_close(a));
	DONE(handle_close(b));
}

/* ---- names ---- */

static void accept_later(struct worker *w)
{
	handle_t c = 0;
	w->result = socket_accept(*(handle_t *)w->arg, FOREVER, &c);
	w->value[0] = c;
}

static void connect_later(struct worker *w)
{
	handle_t c = 0;
	w->result = socket_connect(*(handle_t *)w->arg, "name", 4, FOREVER, &c);
	w->value[0] = c;
}

static void names(void)
{
	handle_t ns, l, l2, c[4], s, weak;
	struct worker w, w2;
	DONE(ns_create(&ns));
	EQ(socket_connect(ns, "name", 4, 0, &c[0]), ERR_NOT_FOUND);
	EQ(socket_connect(0, "name", 4, 0, &c[0]), ERR_NOT_FOUND);
	EQ(socket_listen(0, "name", 4, 1, 0, &l), ERR_DENIED);
	DONE(handle_dup(ns, RIGHT_ALL & ~RIGHT_MANAGE, &weak));
	EQ(socket_listen(weak, "name", 4, 1, 0, &l), ERR_DENIED);
	EQ(socket_listen(ns, "name", 0, 1, 0, &l), ERR_INVALID);
	EQ(socket_listen(ns, "na\nme", 5, 1, 0, &l), ERR_INVALID);
	EQ(socket_listen(ns, (char *)data, SOCKET_NAME_MAX + 1, 1, 0, &l), ERR_INVALID);
	EQ(socket_listen(ns, "name", 4, 0, 0, &l), ERR_INVALID);
	EQ(socket_listen(ns, "name", 4, SOCKET_BACKLOG_MAX + 1, 0, &l), ERR_INVALID);
	EQ(socket_listen(ns, "name", 4, 1, 2, &l), ERR_INVALID);
	EQ(socket_listen(ns, (char *)8, 4, 1, 0, &l), ERR_FAULT);
	DONE(socket_listen(ns, "name", 4, 2, SOCKET_PACKET, &l));
	EQ(socket_listen(ns, "name", 4, 2, SOCKET_PACKET, &l2), ERR_EXISTS);
	EQ(socket_connect(ns, "nam", 3, 0, &c[0]), ERR_NOT_FOUND);
	EQ(socket_accept(l, 0, &s), ERR_AGAIN);
	EQ(socket_accept(l, in_ms(SHORT_MS), &s), ERR_TIMED_OUT);
	EQ(get(l, back, 1, 0), ERR_INVALID);
	EQ(put(l, back, 1, 0), ERR_INVALID);
	EQ(socket_shutdown(l, SOCKET_END_READ), ERR_INVALID);
	DONE(socket_connect(weak, "name", 4, 0, &c[0]));        /* connecting is for everybody who sees the Namespace */
	EQ(put(c[0], "early", 5, 0), 5);
	EQ(put_with(c[0], "x", 1, &l, 1), ERR_BUSY);            /* not before it is accepted */
	DONE(socket_connect(ns, "name", 4, 0, &c[1]));
	EQ(socket_connect(ns, "name", 4, 0, &c[2]), ERR_AGAIN);
	EQ(socket_connect(ns, "name", 4, in_ms(SHORT_MS), &c[2]), ERR_TIMED_OUT);
	DONE(worker_start(&w, connect_later, &ns, PRIORITY_NORMAL));
	pause_ms(SHORT_MS);
	CHECK(!w.done);
	DONE(socket_accept(l, 0, &s));
	DONE(worker_join(&w));
	DONE(w.result);
	EQ(get(s, back, 100, 0), 5);
	EQ(put(s, "answer", 6, 0), 6);
	EQ(get(c[0], back, 100, 0), 6);
	DONE(handle_close(s));
	EQ(get(c[0], back, 100, 0), 0);
	DONE(handle_close(c[0]));
	/* Those that were not accepted see the end, those that wait are told. */
	DONE(worker_start(&w2, connect_later, &ns, PRIORITY_NORMAL));
	pause_ms(SHORT_MS);
	DONE(handle_close(l));
	DONE(worker_join(&w2));
	EQ(w2.result, ERR_NOT_FOUND);
	EQ(get(c[1], back, 1, FOREVER), 0);
	EQ(put(c[1], back, 1, FOREVER), ERR_GONE);
	DONE(handle_close(c[1]));
	DONE(handle_close((handle_t)w.value[0]));
	/* The name is free again. An accept that waits is served. */
	DONE(socket_listen(ns, "name", 4, 1, SOCKET_STREAM, &l));
	DONE(worker_start(&w, accept_later, &l, PRIORITY_NORMAL));
	pause_ms(SHORT_MS);
	DONE(socket_connect(ns, "name", 4, 0, &c[0]));
	DONE(worker_join(&w));
	DONE(w.result);
	EQ(put_with(c[0], "x", 1, &l, 1), 1);
	DONE(handle_close(l));                                  /* the listener is on its way: still there */
	DONE(socket_connect(ns, "name", 4, 0, &c[1]));
	DONE(handle_close((handle_t)w.value[0]));               /* its reader closes: now it is not */
	EQ(socket_connect(ns, "name", 4, 0, &c[2]), ERR_NOT_FOUND);
	EQ(get(c[1], back, 1, 0), 0);
	DONE(handle_close(c[0]));
	DONE(handle_close(c[1]));
	/* unix is nobody's scheme. */
	handle_t port;
	DONE(port_create(0, &port));
	EQ(proto_create(ns, "unix", 4, port, 0, RIGHT_READ), ERR_INVALID);
	DONE(handle_close(port));
	/* A Namespace without handles lives as long as somebody listens there. */
	DONE(socket_listen(ns, "name", 4, 1, SOCKET_STREAM, &l));
	DONE(handle_close(ns));
	DONE(handle_close(weak));
	DONE(handle_close(l));
}

static void many_names(void)
{
	handle_t ns, l[SOCKET_NAMES_MAX], more;
	DONE(ns_create(&ns));
	for (unsigned i = 0; i < SOCKET_NAMES_MAX; i++)
		DONE(socket_listen(ns, (char[]){ (char)('0' + i % 10), (char)('0' + i / 10) }, 2, 1, 0, &l[i]));
	EQ(socket_listen(ns, "more", 4, 1, 0, &more), ERR_NO_SPACE);
	for (unsigned i = 0; i < SOCKET_NAMES_MAX; i++)
		DONE(handle_close(l[i]));
	DONE(handle_close(ns));
}

/* ---- readiness ---- */

static void readiness(void)
{
	handle_t a, b, n, ns, l, more[9];
	uint64_t bits;
#define BITS(want) do { DONE(notify_take(n, &bits)); EQ(bits, want); } while (0)
	DONE(socket_pair(SOCKET_STREAM, &a, &b));
	DONE(notify_create(&n));
	DONE(socket_notify(b, n, 0, SOCKET_READABLE));
	DONE(socket_notify(a, n, 1, SOCKET_WRITABLE));
	DONE(socket_notify(a, n, 2, SOCKET_CLOSED));
	DONE(socket_notify(b, n, 3, SOCKET_CLOSED));
	EQ(socket_notify(b, n, 3, SOCKET_READABLE), ERR_EXISTS);
	BITS(2);                                        /* there is room already */
	EQ(put(a, "x", 1, 0), 1);
	BITS(1);
	while (put(a, data, sizeof(data), 0) > 0)
		;
	BITS(1);
	EQ(get(b, back, 4096, 0), 4096);
	BITS(2);
	while (get(b, back, sizeof(back), 0) > 0)
		;
	(void)notify_take(n, &bits);
	EQ(put(b, "other way", 9, 0), 9);
	BITS(0);
	DONE(socket_shutdown(a, SOCKET_END_WRITE));
	BITS(1);                                        /* an end is something to read */
	DONE(handle_close(a));
	DONE(notify_take(n, &bits));
	EQ(bits & ~1ull, 8);
	DONE(socket_pair(SOCKET_STREAM, &a, &more[0]));
	DONE(socket_notify(a, n, 2, SOCKET_READABLE));  /* bits of what is closed are free */
	EQ(put(more[0], "x", 1, 0), 1);
	DONE(notify_take(n, &bits));
	EQ(bits, 4);
	DONE(handle_close(a));
	DONE(handle_close(more[0]));
	DONE(handle_close(b));
	DONE(ns_create(&ns));
	DONE(socket_listen(ns, "l", 1, 4, 0, &l));
	DONE(socket_notify(l, n, 10, SOCKET_READABLE));
	(void)notify_take(n, &bits);
	DONE(socket_connect(ns, "l", 1, 0, &a));
	BITS(1 << 10);
	DONE(socket_accept(l, 0, &b));
	DONE(handle_close(a));
	DONE(handle_close(l));
	DONE(handle_close(ns));
	for (unsigned i = 0; i < 8; i++) {
		DONE(notify_create(&more[i]));
		DONE(socket_notify(b, more[i], 0, SOCKET_CLOSED));
	}
	DONE(notify_take(more[0], &bits));
	EQ(bits, 1);                                    /* at once: it has happened */
	EQ(socket_notify(b, n, 20, SOCKET_CLOSED), ERR_LIMIT);
	for (unsigned i = 0; i < 8; i++)
		DONE(handle_close(more[i]));
	DONE(handle_close(b));
	/* A Notify bound to a Socket, on its way through it. */
	DONE(socket_pair(SOCKET_STREAM, &a, &b));
	DONE(socket_notify(b, n, 30, SOCKET_READABLE));
	EQ(put_with(a, "x", 1, &n, 1), 1);
	DONE(handle_close(n));
	DONE(handle_close(b));
	DONE(handle_close(a));
}

/* ---- death and Budgets ---- */

/* Waits as its argument says, for ever; or dies with work under way. */
static int deed_socket(int argc unused, char **argv)
{
	handle_t s = start_handle("socket"), h[2];
	uint64_t done;
	/* Runs when the test waits, and never instead of it, however slow the machine. */
	MUST(thread_set_priority(0, PRIORITY_NORMAL - 1));
	if (!strcmp(argv[1], "read"))
		return (int)get(s, back, 100, FOREVER);
	if (!strcmp(argv[1], "write")) {
		while (put(s, data, sizeof(data), FOREVER) > 0)
			;
		return 1;
	}
	if (!strcmp(argv[1], "accept"))
		return socket_accept(s, FOREVER, h) == OK;
	if (!strcmp(argv[1], "connect")) {
		for (;;)
			if (socket_connect(0, "name", 4, FOREVER, h) < 0)
				return 2;
	}
	if (!strcmp(argv[1], "echo")) {
		status_t n;
		while ((n = get(s, back, 1, FOREVER)) > 0)
			if (put(s, back, (size_t)n, FOREVER) < 0)
				return 3;
		return 0;
	}
	if (!strcmp(argv[1], "flood")) {        /* Sockets and what they hold until the Budget is empty */
		unsigned n = 0;
		status_t st = OK;
		for (; n < 10000; n++) {
			st = socket_pair(SOCKET_STREAM, &h[0], &h[1]);
			if (st < 0)
				break;
			while ((st = put(h[0], data, sizeof(data), 0)) > 0)
				;
			if (st != ERR_AGAIN)
				break;
		}
		return st == ERR_NO_MEMORY || st == ERR_LIMIT ? 0 : 4;
	}
	/* "leave": handles and data in flight both ways, a name, waiting connections */
	handle_t ns, l, c;
	if (socket_pair(SOCKET_PACKET, &h[0], &h[1]) < 0 || ns_create(&ns) < 0 || socket_listen(ns, "n", 1, 8, 0, &l) < 0)
		return 5;
	for (int i = 0; i < 5; i++)
		if (socket_connect(ns, "n", 1, 0, &c) < 0 || put(c, data, 5000, 0) != 5000)
			return 6;
	if (put_with(h[0], data, 10, (handle_t[]){ ns, l, h[0] }, 3) != 10 || put_with(h[1], data, 10, (handle_t[]){ ns, ns }, 2) != 10)
		return 7;
	if (socket_write(s, data, 10, 0, (handle_t[]){ l, ns }, 2, &done) < 0)
		return 8;
	return 0;
}

static status_t start(struct child *c, const char *what, handle_t socket, handle_t budget, handle_t ns)
{
	struct spawn_handle give[] = { { "socket", socket, 0, 0 }, { "stderr", start_handle("stderr"), 0, 0 } };
	return child_start(c, "socket", what, give, give[1].handle ? 2 : 1, budget, ns);
}

static void killed_while_waiting(void)
{
	handle_t a, b, ns, l;
	struct child c, d;
	struct process_info info;
	DONE(socket_pair(SOCKET_STREAM, &a, &b));
	/* Two readers of one end; the first is killed, whatever it was about to do, and the second still gets it. */
	for (unsigned i = 0; i < 4; i++) {
		DONE(start(&c, "read", b, 0, 0));
		pause_ms(SETTLE_MS);
		DONE(start(&d, "read", b, 0, 0));
		pause_ms(SETTLE_MS);
		if (i & 1)
			DONE(process_kill(c.process, KILL_PLAIN));
		EQ(put(a, "x", 1, 0), 1);
		if (!(i & 1))
			DONE(process_kill(c.process, KILL_PLAIN));      /* woken, but it has not run */
		DONE(child_wait(&d, WAIT_MS, &info));
		EQ(info.exit_status, 1);
		DONE(child_wait(&c, WAIT_MS, &info));
		EQ(info.exit_kind, EXIT_KILLED);
	}
	DONE(start(&c, "write", a, 0, 0));
	pause_ms(SETTLE_MS);
	DONE(child_kill(&c));
	DONE(start(&c, "write", a, 0, 0));
	pause_ms(SETTLE_MS);
	DONE(handle_close(b));                          /* its reader goes */
	DONE(child_wait(&c, WAIT_MS, &info));
	EQ(info.exit_status, 1);
	DONE(handle_close(a));
	DONE(ns_create(&ns));
	DONE(socket_listen(ns, "name", 4, 3, SOCKET_STREAM, &l));
	DONE(start(&c, "accept", l, 0, 0));
	pause_ms(SETTLE_MS);
	DONE(child_kill(&c));
	DONE(start(&c, "connect", l, 0, ns));
	pause_ms(SETTLE_MS);
	DONE(child_kill(&c));
	for (unsigned i = 0; i < 3; i++) {              /* what a dead client leaves: connections at their end */
		DONE(socket_accept(l, 0, &a));
		EQ(get(a, back, 1, 0), 0);
		DONE(handle_close(a));
	}
	EQ(socket_accept(l, 0, &a), ERR_AGAIN);
	DONE(start(&c, "connect", l, 0, ns));
	pause_ms(SETTLE_MS);
	DONE(handle_close(l));
	DONE(child_kill(&c));
	DONE(handle_close(ns));
}

static void left_in_flight(void)
{
	handle_t a, b, h[4];
	struct child c;
	struct process_info info;
	uint32_t n = 4;
	for (unsigned i = 0; i < 3; i++) {
		DONE(socket_pair(SOCKET_STREAM, &a, &b));
		DONE(start(&c, "leave", a, 0, 0));
		DONE(handle_close(a));
		if (i == 2)
			DONE(handle_close(b));          /* before anything arrives */
		DONE(child_wait(&c, WAIT_MS, &info));
		if (i < 2)
			EQ(info.exit_status, 0);
		if (i == 1) {
			n = 4;
			EQ(get_with(b, back, 10, h, &n), 10);
			EQ(n, 2);
			DONE(handle_close(h[1]));       /* the Namespace: the listener holds it */
			for (unsigned k = 0; k < 5; k++) {
				DONE(socket_accept(h[0], 0, &a));
				EQ(get(a, back, sizeof(back), 0), 5000);
				EQ(get(a, back, sizeof(back), 0), 0);
				DONE(handle_close(a));
			}
			DONE(handle_close(h[0]));
			EQ(get(b, back, 1, 0), 0);
		}
		if (i < 2)
			DONE(handle_close(b));
	}
}

static void flood(void)
{
	handle_t a, b, budget;
	struct child c;
	struct process_info info;
	struct budget_limits l = { 800, 8 * MiB, 500, 10, 100, 4 };
	struct budget_info used;
	DONE(socket_pair(SOCKET_STREAM, &a, &b));
	for (unsigned i = 0; i < 3; i++) {
		l.pages = i == 0 ? 800 : 20000;
		l.handles = i == 1 ? 50 : 2000;
		l.kernel_bytes = i == 2 ? 128 * KiB : 8 * MiB;
		DONE(budget_create(0, &l, &budget));
		DONE(start(&c, "flood", a, budget, 0));
		DONE(child_wait(&c, WAIT_MS, &info));
		EQ(info.exit_kind, EXIT_NORMAL);
		EQ(info.exit_status, 0);
		for (unsigned k = 0; k < 100; k++) {
			pause_ms(2);
			DONE(budget_info(budget, &used));
			if (!used.used.pages && !used.used.kernel_bytes && !used.used.handles)
				break;
		}
		EQ(used.used.pages, 0);
		EQ(used.used.kernel_bytes, 0);
		EQ(used.used.handles, 0);
		DONE(handle_close(budget));
	}
	/* Whose Socket it is pays for what others write into it, until it is gone. */
	DONE(handle_close(a));
	DONE(handle_close(b));
}

static volatile uint32_t elsewhere_word;

static void wait_elsewhere(struct worker *w)
{
	w->result = futex_wait((uint64_t)&elsewhere_word, 0, 0, in_ms(WAIT_MS));
	w->done = true;
	thread_exit();
}

/*
 * A reader that was woken, but has not come back for what it was woken for, is sent somewhere else while it is suspended, and waits
 * there: neither wait knows of the other.
 */
static void sent_elsewhere(void)
{
	handle_t a, b;
	static struct worker w[3];
	struct thread_regs r;
	status_t st = ERR_BUSY;
	uint32_t woken, again;
	elsewhere_word = 0;
	DONE(socket_pair(SOCKET_STREAM, &a, &b));
	struct wait arg = { b, in_ms(WAIT_MS), 1 };
	for (unsigned i = 0; i < 2; i++) {
		DONE(worker_start(&w[i], read_later, &arg, PRIORITY_NORMAL));
		worker_settle(&w[i]);
		DONE(thread_suspend(w[i].thread));
	}
	EQ(put(a, "x", 1, 0), 1);
	EQ(put(a, "y", 1, 0), 1);
	for (unsigned ms = 0; ms < WAIT_MS && (st = thread_get_regs(w[0].thread, &r)) == ERR_BUSY; ms++)
		pause_ms(1);
	DONE(st);
	r.rip = (uint64_t)wait_elsewhere;
	r.rsp = ALIGN_DOWN(r.rsp - 1024, 16) - 8;
	r.rdi = (uint64_t)&w[0];
	DONE(thread_set_regs(w[0].thread, &r));
	DONE(thread_resume(w[0].thread));
	worker_settle(&w[0]);
	DONE(thread_resume(w[1].thread));
	DONE(worker_join(&w[1]));
	/* The byte it did not fetch is there for others, and these are woken as ever. */
	status_t left = get(b, back, 1, 0);
	DONE(worker_start(&w[2], read_later, &arg, PRIORITY_NORMAL));
	worker_settle(&w[2]);
	st = put(a, "z", 1, 0);
	DONE(worker_join(&w[2]));
	elsewhere_word = 1;
	DONE(futex_wake((uint64_t)&elsewhere_word, 1, 0, &woken));
	DONE(worker_join(&w[0]));
	DONE(futex_wake((uint64_t)&elsewhere_word, 1, 0, &again));
	EQ(woken, 1);
	EQ(again, 0);
	EQ(w[0].result, OK);
	EQ(w[1].result, 1);
	EQ(left, 1);
	EQ(st, 1);
	EQ(w[2].result, 1);
	EQ(get(b, back, 1, 0), ERR_AGAIN);
	DONE(handle_close(a));
	DONE(handle_close(b));
}

/* Two processes, a byte each way. */
static void ping_pong(void)
{
	handle_t a, b;
	struct child c;
	struct process_info info;
	uint8_t byte;
	DONE(socket_pair(SOCKET_STREAM, &a, &b));
	DONE(start(&c, "echo", b, 0, 0));
	DONE(handle_close(b));
	for (unsigned i = 0; i < 1000; i++) {
		byte = (uint8_t)i;
		EQ(put(a, &byte, 1, in_ms(WAIT_MS)), 1);
		byte = 0;
		EQ(get(a, &byte, 1, in_ms(WAIT_MS)), 1);
		EQ(byte, (uint8_t)i);
	}
	DONE(handle_close(a));
	DONE(child_wait(&c, WAIT_MS, &info));
	EQ(info.exit_status, 0);
}

const struct test socket_tests[] = {
	{ "sockets.stream", stream }, { "sockets.in_order", in_order }, { "sockets.back_pressure", back_pressure },
	{ "sockets.packets", packets }, { "sockets.half_close", half_close }, { "sockets.wrong", wrong },
	{ "sockets.waits", waits }, { "sockets.closing_wakes", closing_wakes }, { "sockets.with_handles", with_handles },
	{ "sockets.in_sockets", sockets_in_sockets }, { "sockets.names", names }, { "sockets.many_names", many_names },
	{ "sockets.readiness", readiness }, { "sockets.killed_while_waiting", killed_while_waiting },
	{ "sockets.sent_elsewhere", sent_elsewhere },
	{ "sockets.left_in_flight", left_in_flight }, { "sockets.flood", flood }, { "sockets.ping_pong", ping_pong },
	{ NULL, NULL },
};

const struct deed socket_deeds[] = {
	{ "socket", deed_socket },
	{ NULL, NULL },
};
