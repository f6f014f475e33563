/*
 * ec: see ec.h.
 */
#include "ec.h"
#include <gen/errors.h>

enum { OBF = 1 << 0, IBF = 1 << 1, BURST = 1 << 4, SCI_EVT = 1 << 5 };          /* status (§12.2.1) */
enum { RD_EC = 0x80, WR_EC, BE_EC, BD_EC, QR_EC, BURST_ACKNOWLEDGE = 0x90 };    /* commands (§12.3) */
enum { NOBODY = 0xff };         /* an empty bus; no controller is full, busy and in burst mode with all that is reserved set */
enum { STALE_MAX = 4 };         /* bytes that nobody asked for; one that always has more is out of order */
/* Most answers come within some microseconds; in burst mode the next byte is wanted within 50 (§12.3.3). Later there is time. */
enum { SPINS = 50, SPIN_US = 10, SLEEP_US = 1000 };

static uint8_t status(struct ec *ec)
{
	ec->status = ec->hooks->read(EC_COMMAND);
	return ec->status;
}

/* Waits until a bit of the status is 0, or with `want` the same bit: 1. False: not in time, or nobody is there. */
static bool await(struct ec *ec, uint8_t bit, uint8_t want)
{
	uint64_t begin = ec->hooks->now(), passed = 0;
	bool met = false;

	/* On a busy machine much time can pass without us: SPINS looks are had at least. */
	for (uint32_t looks = 0; passed < EC_WAIT_NS || looks < SPINS; looks++) {
		if (status(ec) == NOBODY)
			break;
		met = (ec->status & bit) == want;
		if (met)
			break;
		ec->hooks->pause(looks < SPINS ? SPIN_US : SLEEP_US);
		passed = ec->hooks->now() - begin;
	}
	ec->waited_ns += ec->hooks->now() - begin;
	return met;
}

/* Written down first: from when it was read on, nobody else knows of it. 0 is no event (§12.3.5). */
static void note(struct ec *ec, uint8_t number)
{
	if (number) {
		ec->kept->queries[number / 64] |= 1ull << (number % 64);
		ec->due[number / 64] |= 1ull << (number % 64);
	}
}

/* What lies there is the answer to what was asked for last, by us in vain or by an instance before. */
static void take(struct ec *ec)
{
	uint8_t byte = ec->hooks->read(EC_DATA);

	if (ec->kept->owed == EC_OWED_QUERY)
		note(ec, byte);
	ec->kept->owed = EC_OWED_NOTHING;
}

/* A byte to a port, once there is room for it; `owed`: it makes the controller answer. Whatever lies there until then is from before. */
static bool put(struct ec *ec, enum ec_port port, uint8_t value, enum ec_owed owed)
{
	if (!await(ec, IBF, 0))
		return false;
	for (int i = 0; ec->status & OBF; i++) {
		if (i == STALE_MAX)
			return false;
		take(ec);
		if (!await(ec, IBF, 0))
			return false;
	}
	if (owed)
		ec->kept->owed = owed;
	ec->hooks->write(port, value);
	return true;
}

static bool get(struct ec *ec, uint8_t *value)
{
	if (!await(ec, OBF, OBF))
		return false;
	*value = ec->hooks->read(EC_DATA);
	ec->kept->owed = EC_OWED_NOTHING;
	return true;
}

/*
 * In burst mode the controller does nothing else, so what several bytes say was so at one time. It may leave that mode whenever it likes, and
 * one that does not know it is not asked again. False: it takes no command at all.
 */
static bool burst_begin(struct ec *ec)
{
	uint8_t answer = 0;

	if (ec->no_burst)
		return true;
	if (!put(ec, EC_COMMAND, BE_EC, EC_OWED_BYTE))
		return false;
	ec->no_burst = !get(ec, &answer) || answer != BURST_ACKNOWLEDGE;
	return true;
}

static bool burst_end(struct ec *ec)
{
	return !(status(ec) & BURST) || (put(ec, EC_COMMAND, BD_EC, EC_OWED_NOTHING) && await(ec, IBF, 0));
}

/* Whether there is time to try, and sense in it. */
static bool may_try(const struct ec *ec)
{
	return ec->waited_ns < EC_TURN_NS && (ec->failures < EC_FAILURES || ec->hooks->now() >= ec->again_ns);
}

static status_t conclude(struct ec *ec, bool done)
{
	if (done) {
		ec->failures = 0;
		ec->state = EC_WORKING;
		return OK;
	}
	if (ec->failures < EC_FAILURES)
		ec->failures++;
	ec->again_ns = ec->hooks->now() + EC_AGAIN_NS;
	if (ec->status == NOBODY)
		ec->state = EC_ABSENT;
	else if (ec->failures == EC_FAILURES)
		ec->state = EC_SILENT;
	return ERR_IO;
}

bool ec_begin(struct ec *ec, const struct ec_hooks *hooks, struct ec_kept *kept)
{
	bool known = true;

	*ec = (struct ec){ .hooks = hooks, .kept = kept };
	kept->queries[0] &= ~1ull;
	for (uint32_t i = 0; i < ARRAY_LEN(ec->due); i++)
		ec->due[i] = kept->queries[i];
	if (kept->owed != EC_OWED_NOTHING) {
		if (await(ec, OBF, OBF))
			take(ec);
		else
			known = kept->owed != EC_OWED_QUERY;
		kept->owed = EC_OWED_NOTHING;
	}
	if (status(ec) == NOBODY)
		ec->state = EC_ABSENT;
	else if (!burst_end(ec))
		(void)conclude(ec, false);
	return known;
}

static bool read_byte(struct ec *ec, uint8_t address, uint8_t *value)
{
	return put(ec, EC_COMMAND, RD_EC, EC_OWED_NOTHING) && put(ec, EC_DATA, address, EC_OWED_BYTE) && get(ec, value);
}

static bool write_byte(struct ec *ec, uint8_t address, uint8_t value)
{
	return put(ec, EC_COMMAND, WR_EC, EC_OWED_NOTHING) && put(ec, EC_DATA, address, EC_OWED_NOTHING)
	    && put(ec, EC_DATA, value, EC_OWED_NOTHING) && await(ec, IBF, 0);
}

/* One of the two is there. */
static status_t move(struct ec *ec, uint32_t address, uint8_t *to, const uint8_t *from, uint32_t n)
{
	bool done = true;

	if (n == 0 || n > EC_SIZE || address > EC_SIZE - n)
		return ERR_INVALID;
	if (!may_try(ec))
		return ERR_IO;
	if (n > 1)
		done = burst_begin(ec);
	for (uint32_t i = 0; i < n && done; i++)
		done = to ? read_byte(ec, (uint8_t)(address + i), &to[i]) : write_byte(ec, (uint8_t)(address + i), from[i]);
	if (n > 1 && done)
		done = burst_end(ec);
	return conclude(ec, done);
}

status_t ec_read(struct ec *ec, uint32_t address, uint8_t *bytes, uint32_t n)
{
	return move(ec, address, bytes, NULL, n);
}

status_t ec_write(struct ec *ec, uint32_t address, const uint8_t *bytes, uint32_t n)
{
	return move(ec, address, NULL, bytes, n);
}

static bool next_due(struct ec *ec, uint8_t *number)
{
	for (uint32_t i = 0; i < ARRAY_LEN(ec->due); i++)
		if (ec->due[i]) {
			*number = (uint8_t)(64 * i + (uint32_t)__builtin_ctzll(ec->due[i]));
			ec->due[i] &= ec->due[i] - 1;
			return true;
		}
	return false;
}

status_t ec_query(struct ec *ec, uint8_t *number)
{
	if (next_due(ec, number))
		return OK;
	if (!may_try(ec))
		return ERR_IO;
	if (status(ec) == NOBODY)
		return conclude(ec, false);
	if (!(ec->status & SCI_EVT))
		return ERR_NOT_FOUND;
	bool asked = put(ec, EC_COMMAND, QR_EC, EC_OWED_QUERY) && await(ec, OBF, OBF);
	if (asked)
		take(ec);
	status_t st = conclude(ec, asked);
	/* A stale byte may have been a number, too. */
	if (next_due(ec, number))
		return OK;
	return st == OK ? ERR_NOT_FOUND : st;
}

bool ec_look(struct ec *ec)
{
	(void)status(ec);
	return ec_pending(ec);
}

bool ec_pending(const struct ec *ec)
{
	for (uint32_t i = 0; i < ARRAY_LEN(ec->due); i++)
		if (ec->due[i])
			return true;
	return ec->status != NOBODY && (ec->status & SCI_EVT) != 0;
}

void ec_settled(struct ec *ec)
{
	for (uint32_t i = 0; i < ARRAY_LEN(ec->due); i++)
		if (ec->kept->queries[i] != ec->due[i])
			ec->kept->queries[i] = ec->due[i];
}

bool ec_forget(struct ec_kept *kept)
{
	bool any = false;

	for (uint32_t i = 0; i < ARRAY_LEN(kept->queries); i++) {
		any = any || kept->queries[i];
		kept->queries[i] = 0;
	}
	return any;
}

void ec_rest(struct ec *ec)
{
	ec->waited_ns = 0;
}
