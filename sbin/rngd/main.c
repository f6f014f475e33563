/*
 * rngd: `rng://`. READ gives random bytes, WRITE mixes bytes in. Nothing is given out before 256
 * unpredictable bits were collected: READs that come earlier are kept until then.
 *
 * Seeds: the firmware's generator, RDSEED or RDRAND, time differences, and what the instance
 * before left in the state Frame for its successor. Pid, instance number and clock go in as well, so
 * that no two instances ever give the same stream. Reseeded after each MiB and every five minutes.
 */
#include "source.h"
#include <abi/file.h>
#include <gen/file.h>
#include <rt/io.h>
#include <rt/start.h>
#include <rt/svc.h>
#include <stdlib.h>
#include <string.h>

#define SEED_BITS       256
#define RESEED_BYTES    MiB
#define RESEED_NS       (300 * NS_PER_SEC)
#define COLLECT_NS      (100 * NS_PER_MS)    /* between tries while there is too little */
#define SESSION_RIGHTS  (RIGHT_READ | RIGHT_WRITE | RIGHT_CALL | RIGHT_DUP | RIGHT_TRANSFER)
#define WAITING_MAX     64
#define STATE_MAGIC     0x31474e52u         /* "RNG1" */

enum { BADGE_TIMER = 1 };

/* What lies in the state Frame: read once, then erased. A crash may have damaged it: hence the check. */
struct legacy {
	uint32_t magic, reserved;
	uint8_t  seed[DRBG_KEY], check[DRBG_KEY];
};

static struct drbg drbg;
static struct pool pool;
static struct sources believed;
static bool seeded;
static handle_t timer, boot, state;
static struct { cmd_id_t cmd; size_t len; } waiting[WAITING_MAX];

/* ---- state for the next instance ---- */

static void legacy_check(const struct legacy *l, uint8_t check[DRBG_KEY])
{
	br_sha256_context h;

	br_sha256_init(&h);
	br_sha256_update(&h, l, offsetof(struct legacy, check));
	br_sha256_out(&h, check);
}

static void legacy_write(const struct legacy *l)
{
	uint64_t done;

	if (state && frame_write(state, 0, l, sizeof(*l), &done) < 0)
		log_print("the state Frame cannot be written; the next instance seeds itself anew");
}

static void legacy_take(void)
{
	struct legacy l;
	uint8_t check[DRBG_KEY];
	uint64_t done;

	if (!state || frame_read(state, 0, &l, sizeof(l), &done) < 0 || done < sizeof(l) || l.magic != STATE_MAGIC)
		return;
	legacy_check(&l, check);
	bool good = !memcmp(check, l.check, sizeof(check));
	pool_add(&pool, l.seed, sizeof(l.seed), good ? SEED_BITS : 0);
	if (!good)
		log_print("the seed left by the instance before is damaged; it earns no credit");
	wipe(&l, sizeof(l));
	legacy_write(&l);
}

static void legacy_leave(void)
{
	struct legacy l = { .magic = STATE_MAGIC };

	drbg_bytes(&drbg, l.seed, sizeof(l.seed));
	legacy_check(&l, l.check);
	legacy_write(&l);
	wipe(&l, sizeof(l));
}

/* ---- seeding ---- */

static void set_timer(uint64_t after_ns)
{
	uint64_t now;

	MUST(clock_now(&now));
	MUST(notify_timer(timer, 0, now + after_ns, 0));
}

/* A new key from what the pool holds. */
static void reseed(void)
{
	uint8_t seed[DRBG_KEY];

	pool_draw(&pool, seed);
	drbg_reseed(&drbg, seed);
	wipe(seed, sizeof(seed));
	legacy_leave();
}

static status_t give(cmd_id_t cmd, size_t len)
{
	static uint8_t buf[DRBG_CHUNK];
	status_t st = OK;

	for (size_t at = 0; at < len && st >= 0; at += sizeof(buf)) {
		size_t n = MIN(len - at, sizeof(buf));
		drbg_bytes(&drbg, buf, n);
		st = svc_write_out(cmd, at, buf, n);
		if (drbg.given >= RESEED_BYTES) {
			source_processor(&pool, &believed);
			source_identity(&pool, 0);
			reseed();
		}
	}
	wipe(buf, sizeof(buf));
	return st;
}

static void answer_waiting(void)
{
	for (size_t i = 0; i < WAITING_MAX; i++) {
		if (!waiting[i].cmd)
			continue;
		struct reply r = { .w = { waiting[i].len } };
		r.status = give(waiting[i].cmd, waiting[i].len);
		svc_reply(waiting[i].cmd, &r);
		waiting[i].cmd = 0;
	}
}

/* Becomes seeded if there is enough; otherwise sees to it that more is collected. */
static void try_to_seed(void)
{
	static bool complained;

	if (pool.bits < SEED_BITS) {
		if (!complained)
			log_print("%u of %u unpredictable bits so far; readers wait", pool.bits, SEED_BITS);
		complained = true;
		set_timer(COLLECT_NS);
		return;
	}
	log_print("seeded: firmware %u bits, processor %u, timing %u, all in all %u", believed.firmware, believed.processor,
	          believed.jitter, pool.bits);
	reseed();
	seeded = true;
	set_timer(RESEED_NS);
	answer_waiting();
}

static void on_notify(void *self, uint64_t badge, uint64_t bits)
{
	(void)self;
	(void)bits;
	if (badge != BADGE_TIMER)
		return;
	source_processor(&pool, &believed);
	source_jitter(&pool, &believed);
	source_identity(&pool, 0);
	if (!seeded) {
		try_to_seed();
		return;
	}
	reseed();
	set_timer(RESEED_NS);
}

/* ---- the protocol ---- */

static bool is_root(const char *path)
{
	return !path || path[strspn(path, "/.")] == 0;
}

static status_t on_open(void *self, struct svc_cmd *c, const struct file_open_req *q, struct file_open_rep *p)
{
	(void)self;
	if (!is_root(c->path))
		return ERR_NOT_FOUND;
	if (q->flags & OPEN_DIRECTORY)
		return ERR_NOT_DIRECTORY;
	p->type = FILE_STREAM;
	p->size = 0;
	c->mint = true;
	c->mint_rights = SESSION_RIGHTS & (c->rights | ~(uint32_t)(RIGHT_READ | RIGHT_WRITE));
	return OK;
}

static status_t on_read(void *self, struct svc_cmd *c, const struct file_read_req *q, struct file_read_rep *p)
{
	(void)self;
	(void)q;
	p->done = c->out_len;
	if (seeded)
		return give(c->cmd, c->out_len);
	for (size_t i = 0; i < WAITING_MAX; i++) {
		if (waiting[i].cmd)
			continue;
		waiting[i].cmd = c->cmd;
		waiting[i].len = c->out_len;
		return SVC_LATER;
	}
	return ERR_BUSY;
}

/* Anybody may mix bytes in: nobody can take away what is there. They earn no credit. */
static status_t on_write(void *self, struct svc_cmd *c, const struct file_write_req *q, struct file_write_rep *p)
{
	static uint8_t buf[DRBG_CHUNK];

	(void)self;
	(void)q;
	for (size_t at = 0; at < c->in_len; at += sizeof(buf)) {
		size_t n = MIN(c->in_len - at, sizeof(buf));
		status_t st = svc_read_in(c->cmd, at, buf, n);
		if (st < 0)
			return st;
		pool_add(&pool, buf, n, 0);
	}
	wipe(buf, sizeof(buf));
	if (seeded && c->in_len > 0)
		reseed();
	p->done = c->in_len;
	return OK;
}

static status_t on_stat(void *self, struct svc_cmd *c, const struct file_stat_req *q, struct file_stat_rep *p)
{
	(void)self;
	(void)q;
	if (!is_root(c->path))
		return ERR_NOT_FOUND;
	p->type = FILE_STREAM;
	p->mode = 0666;
	return OK;
}

static status_t on_truncate(void *self, struct svc_cmd *c, const struct file_truncate_req *q, struct file_truncate_rep *p)
{
	(void)self;
	(void)c;
	(void)q;
	(void)p;
	return OK;      /* a stream has nothing to cut; ">rng://" is a way to write */
}

static status_t on_poll(void *self, struct svc_cmd *c, const struct file_poll_req *q, struct file_poll_rep *p)
{
	(void)self;
	/* A Notify would have to be kept until we are seeded; a READ waits just as well. */
	if (c->n_handles > 0 && !seeded)
		return ERR_NOT_SUPPORTED;
	p->ready = q->events & (seeded ? POLL_IN | POLL_OUT : POLL_OUT);
	return OK;
}

static void on_cancel(void *self, cmd_id_t cmd)
{
	(void)self;
	for (size_t i = 0; i < WAITING_MAX; i++) {
		if (waiting[i].cmd != cmd)
			continue;
		waiting[i].cmd = 0;
		svc_reply(cmd, &(struct reply){ .status = ERR_CANCELLED });
	}
}

static const struct file_ops ops = {
	.open = on_open, .read = on_read, .write = on_write, .stat = on_stat, .truncate = on_truncate, .poll = on_poll,
};

int main(int argc, char **argv)
{
	static struct svc svc;
	const char *instance = env_get("INSTANCE");

	(void)argc;
	(void)argv;
	MUST(svc_init(&svc, &file_proto, &ops, NULL));
	svc.on_notify = on_notify;
	svc.on_cancel = on_cancel;
	MUST(svc_notify(&svc, BADGE_TIMER, &timer));
	boot = start_handle("boot");
	state = start_handle("state");

	pool_init(&pool);
	legacy_take();
	source_firmware(&pool, boot, &believed);
	source_processor(&pool, &believed);
	source_jitter(&pool, &believed);
	source_identity(&pool, instance ? strtoul(instance, NULL, 10) : 0);
	try_to_seed();
	status_t st = svc_run(&svc);
	if (st < 0)
		rt_panic("the Port failed: %s", error_text(st));
	wipe(&drbg, sizeof(drbg));
	return 0;
}
