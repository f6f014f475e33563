/*
 * How long moused waits for a mouse, with kbd and clock played by us. Expected: an answer has 100 ms, a reset a second from its acknowledgement
 * on, and a mouse that takes half of that is set up once, with nothing said twice.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define main moused_main
#include "main.c"
#undef main
#include "packet.c"
#define send setup_send                 /* main.c has one, too */
#define next setup_next
#include "setup.c"
#undef send
#undef next

static struct kept memory;
static uint64_t clock_is = 1, alarm_at, seq;
static uint8_t sent[64];
static size_t n_sent;

status_t clock_now(uint64_t *now) { *now = clock_is; return OK; }
status_t notify_timer(handle_t h unused, uint32_t bit unused, uint64_t at, uint64_t period unused) { alarm_at = at; return OK; }
status_t ipc_submit(handle_t h unused, const struct msg *m_, handle_t q unused, uint64_t token unused)
{
	assert_true(n_sent < sizeof(sent));
	sent[n_sent++] = *(const uint8_t *)m_->in;
	return OK;
}

void ring_put(const struct ring *r, uint64_t t unused, uint16_t type unused, uint16_t code unused, int32_t value unused) { ++*r->last; }
status_t source_ask(struct source *s unused, handle_t port unused, uint64_t seen unused) { return OK; }
status_t source_done(struct source *s unused, const struct event *e unused, uint64_t seen unused, size_t *n) { *n = 0; return OK; }
void stream_serve(struct stream_dir *d unused) {}
void stream_init(struct stream_dir *d unused) {}
status_t stream_read(struct stream_dir *d unused, struct svc_cmd *c unused, const struct file_read_req *q unused, struct file_read_rep *p unused) { return OK; }
status_t stream_open(void *d unused, struct svc_cmd *c unused, const struct file_open_req *q unused, struct file_open_rep *p unused) { return OK; }
status_t stream_stat(void *d unused, struct svc_cmd *c unused, const struct file_stat_req *q unused, struct file_stat_rep *p unused) { return OK; }
status_t stream_readdir(void *d unused, struct svc_cmd *c unused, const struct file_readdir_req *q unused, struct file_readdir_rep *p unused) { return OK; }
void stream_cancel(void *d unused, cmd_id_t cmd unused) {}
status_t state_open(struct state *s unused, uint64_t version unused, size_t size unused) { return OK; }
status_t svc_init(struct svc *s unused, const struct svc_proto *p unused, const void *o unused, void *self unused) { return OK; }
status_t svc_notify(struct svc *s unused, uint64_t badge unused, handle_t *h unused) { return OK; }
status_t svc_run(struct svc *s unused) { return OK; }
status_t port_reserve(handle_t h unused, uint32_t n unused) { return OK; }
const char *env_get(const char *name unused) { return NULL; }
void log_print(const char *format unused, ...) {}
void rt_panic(const char *format unused, ...) { abort(); }
const struct svc_proto file_proto;

/* The mouse says a byte; kbd has said before that it was told ours. */
static void say(uint8_t byte)
{
	struct input_event e = { .seq = ++seq, .time_ns = clock_is, .type = EV_MSC, .code = MSC_RAW, .value = byte };
	struct event told = { .cmd = TOKEN_WRITE };
	bool anew = false;

	if (writing)
		on_completion(NULL, &told);
	on_event(&e, &anew);
	assert_false(anew);
}

/* Time goes by; the alarm rings if it is due. */
static void pass(uint64_t ns)
{
	clock_is += ns;
	if (alarm_at <= clock_is)
		on_notify(NULL, BADGE_TIMER, 1);
}

static void setup_of_a_slow_mouse(void **state_ unused)
{
	kept = &memory;
	commit = (struct commit){ .copies = kept->head, .which = &kept->which, .size = sizeof(head) };
	aux.file = 1;
	aux.asked = true;
	setup_start();
	assert_int_equal(alarm_at, clock_is + SETUP_ANSWER_NS);
	say(ACK);
	assert_memory_equal(sent, "\xf5\xff", 2);
	say(ACK);
	assert_int_equal(alarm_at, clock_is + SETUP_RESET_NS);
	for (int i = 0; i < 5; i++)
		pass(100 * NS_PER_MS);
	say(SELF_TEST_GOOD);
	say(MOUSE_PLAIN);
	while (head.phase == PHASE_SETUP) {
		bool asked = sent[n_sent - 1] == IDENTIFY;
		say(ACK);
		if (asked)
			say(MOUSE_WHEEL);
	}
	assert_int_equal(head.phase, PHASE_REPORTS);
	assert_int_equal(head.packet.kind, MOUSE_WHEEL);
	assert_int_equal(n_sent, sizeof(script));
	assert_memory_equal(sent, script, sizeof(script));
}

static void no_mouse(void **state_ unused)
{
	struct event told = { .cmd = TOKEN_WRITE };
	uint64_t begun = clock_is;

	n_sent = 0;
	setup_start();
	for (int i = 0; i < 20 && head.phase == PHASE_SETUP; i++) {
		if (writing)
			on_completion(NULL, &told);
		pass(SETUP_ANSWER_NS);
	}
	assert_int_equal(head.phase, PHASE_ABSENT);
	assert_int_equal(n_sent, TRIES);
	assert_int_equal(clock_is - begun, TRIES * SETUP_ANSWER_NS);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(setup_of_a_slow_mouse), cmocka_unit_test(no_mouse) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
