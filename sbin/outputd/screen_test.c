/*
 * The terminals' surface against an fbd that answers when the test says so. Expected: the first picture is there before it is shown; output that streams is
 * drawn now and then only, and what is left a moment later; another size of the screen gets another surface, whenever it is told of.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
/* Names that both sides have for files of their own. */
#define print lib_print
#define keep lib_keep
#include <font/box.c>
#include <font/font.c>
#include <utf8/utf8.c>
#include <term/draw.c>
#include <term/term.c>
#include <term/term_cells.c>
#include <term/term_damage.c>
#include <term/term_gate.c>
#include <term/term_keys.c>
#include <term/term_text.c>
#include <term/term_vt.c>
#undef print
#undef keep
#include "screen.c"
#include "vt.h"

/* ---- fbd, and the kernel ---- */

enum { FRAME = 20, SESSION = 30 };
static struct { uint32_t op, code; uint64_t w1, w2; } question;      /* what was submitted last; op 0: nothing is under way */
static uint64_t now, timer;
static void *pixels;
static unsigned resizes;
static struct screen_kept kept;
static struct term *term;
static void *memory;
static size_t memory_size;

enum { TOKEN_CHANGE = 9 };
static bool watched;
static uint64_t watched_from;

status_t ipc_submit(handle_t s unused, const struct msg *m, handle_t p unused, uint64_t token)
{
	if (token == TOKEN_CHANGE) {
		assert_false(watched);
		assert_true(m->op == FILE_CTL && m->w[0] == CTL_FB_WAIT);
		watched = true;
		watched_from = m->w[1];
		return OK;
	}
	assert_int_equal(question.op, 0);
	question.op = m->op;
	question.code = m->op == FILE_CTL ? (uint32_t)m->w[0] : 0;
	question.w1 = m->w[1];
	question.w2 = m->w[2];
	return OK;
}
status_t vmem_map(handle_t v unused, handle_t f unused, uint64_t o unused, uint64_t a unused, uint64_t size, uint32_t p unused, uint64_t *va)
{
	assert_null(pixels);
	pixels = calloc(1, size);
	*va = (uint64_t)pixels;
	return OK;
}
status_t vmem_unmap(handle_t v unused, uint64_t va, uint64_t size unused)
{
	assert_ptr_equal((void *)va, pixels);
	free(pixels);
	pixels = NULL;
	return OK;
}
uint64_t clock_value(void) { return now; }
status_t clock_now(uint64_t *ns) { *ns = now; return OK; }
status_t notify_timer(handle_t n unused, uint32_t b unused, uint64_t deadline, uint64_t period unused) { timer = deadline; return OK; }
status_t frame_info(handle_t f unused, struct frame_info *i) { *i = (struct frame_info){ .size = 64 * MiB }; return OK; }
status_t vmem_commit(handle_t v unused, uint64_t va unused, uint64_t size unused) { return OK; }
status_t shelf_put(handle_t s unused, uint32_t slot unused, handle_t h unused) { return OK; }
status_t shelf_get(handle_t s unused, uint32_t slot unused, handle_t *h) { *h = SESSION; return OK; }
status_t shelf_clear(handle_t s unused, uint32_t slot unused) { return OK; }
status_t handle_close(handle_t h unused) { return OK; }
status_t cancel(handle_t p unused, uint64_t token unused) { assert_true(watched); watched = false; screen_changed(&(struct event){ .status = ERR_CANCELLED }); return OK; }
status_t file_open(const char *u unused, uint32_t f unused, handle_t *h unused) { return ERR_NOT_FOUND; }
status_t file_map(handle_t h unused, handle_t *f unused, uint64_t *s unused) { return ERR_NOT_FOUND; }
void file_close(handle_t h unused) {}
uint64_t state_sum(uint64_t seed, const void *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		seed = seed * 31 + ((const uint8_t *)data)[i];
	return seed;
}
void log_print(const char *f unused, ...) {}
const char *error_text(status_t st unused) { return ""; }
const char *error_name(status_t st unused) { return ""; }
void rt_panic(const char *f unused, ...) { abort(); }

/* ---- a machine ---- */

static void on_known(void)
{
	struct term_shape s;
	assert_true(screen_shape(&s));
	if (!term) {
		memory_size = term_size(&s);
		memory = calloc(1, memory_size);
		assert_int_equal(term_open(&term, memory, memory_size, &s), OK);
	}
	screen_show(term);
}

static void on_resized(void)
{
	struct term_shape s;
	resizes++;
	assert_true(screen_shape(&s));
	assert_int_equal(term_resize(term, s.rows, s.cols), OK);
}

static void answer_with(status_t st, uint64_t w0, uint64_t w1, handle_t h)
{
	assert_int_not_equal(question.op, 0);
	question.op = 0;
	screen_done(&(struct event){ .status = st, .w = { w0, w1 }, .handles = { h }, .n_handles = h ? 1 : 0 });
}

static void asks(uint32_t op, uint32_t code)
{
	assert_int_equal(question.op, op);
	assert_int_equal(question.code, code);
}

/* From FILE_OPEN or later to the picture that is shown. */
static void surface_comes(uint64_t width, uint64_t height)
{
	asks(FILE_CTL, CTL_FB_SURFACE);
	assert_int_equal(question.w1, width);
	assert_int_equal(question.w2, height);
	answer_with(OK, 0, 0, 0);
	asks(FILE_MAP, 0);
	answer_with(OK, 0, 0, FRAME);
	if (question.op == FILE_CTL && question.code == CTL_FB_DAMAGE)
		answer_with(OK, 0, 0, 0);
	asks(FILE_CTL, CTL_FB_SHOW);
	answer_with(OK, 0, 0, 0);
	assert_int_equal(question.op, 0);
}

static void begin(void)
{
	resizes = 0;
	question.op = 0;
	now += NS_PER_SEC;
	due = 0;
	unmap();
	asked = has_font = false;
	session = 0;
	front = NULL;
	wanted.width = 0;
	watching = watched = false;
	change = 0;
	screen_init(&(struct screen_start){ .kept = &kept, .token_change = TOKEN_CHANGE, .shelf = 1, .port = 2, .retry = 3, .memory = VT_MEMORY, .history = VT_HISTORY, .known = on_known, .resized = on_resized });
	if (presence == SCREEN_THERE)
		on_known();
	screen_go();
}

static int fresh(void **s unused)
{
	kept = (struct screen_kept){ 0 };
	term = NULL;
	begin();
	asks(FILE_OPEN, 0);
	answer_with(OK, 0, 0, SESSION);
	asks(FILE_CTL, CTL_FB_INFO);
	answer_with(OK, 640, 400, 0);
	surface_comes(640, 400);
	return 0;
}

static int done(void **s unused)
{
	unmap();
	term_close(term);
	free(memory);
	return 0;
}

static void write_text(const char *text)
{
	assert_int_equal(term_write(term, text, strlen(text)), strlen(text));
	term_commit(term, NULL);
	screen_draw();
}

/* ---- tests ---- */

static void streams(void **s unused)
{
	now += NS_PER_SEC;
	timer = 0;
	write_text("at once");
	asks(FILE_CTL, CTL_FB_DAMAGE);
	answer_with(OK, 0, 0, 0);
	for (int i = 0; i < 100; i++) {
		now += 100000;
		write_text("more\r\n");
		assert_int_equal(question.op, 0);
	}
	assert_true(timer > now && timer <= now + FRAME_NS);
	now = timer;
	screen_go();
	asks(FILE_CTL, CTL_FB_DAMAGE);
	write_text("while it is under way");
	now += NS_PER_SEC;
	answer_with(OK, 0, 0, 0);
	asks(FILE_CTL, CTL_FB_DAMAGE);
	answer_with(OK, 0, 0, 0);
	now += NS_PER_SEC;
	screen_draw();
	assert_int_equal(question.op, 0);
}

static void change_comes(uint64_t number, uint64_t width, uint64_t height)
{
	assert_true(watched);
	watched = false;
	screen_changed(&(struct event){ .status = OK, .w = { number, width, height } });
}

static void another_size(void **s unused)
{
	now += NS_PER_SEC;
	write_text("text");
	asks(FILE_CTL, CTL_FB_DAMAGE);
	change_comes(1, 320, 240);              /* while something is asked */
	assert_int_equal(resizes, 0);
	answer_with(OK, 0, 0, 0);
	assert_int_equal(resizes, 1);
	surface_comes(320, 240);
	assert_int_equal(term_rows(term), 15);
	assert_int_equal(term_cols(term), 40);
	change_comes(2, 320, 240);
	change_comes(3, 0, 240);
	change_comes(4, 1u << 30, 240);
	assert_int_equal(question.op, 0);
	/* More than there was at first. */
	change_comes(5, 1024, 768);
	surface_comes(1024, 768);
	assert_int_equal(kept.history, VT_HISTORY);
	assert_int_equal(term_rows(term), 48);
	assert_int_equal(term_cols(term), 128);
	/* More than memory was laid out for: as much as that. */
	change_comes(6, 640, 1360);
	surface_comes(640, 1360);
	assert_int_equal(term_rows(term), 75);
	change_comes(7, 1024, 768);
	surface_comes(1024, 768);
	/* The next instance goes on with it. */
	begin();
	asks(FILE_MAP, 0);
	answer_with(OK, 0, 0, FRAME);
	asks(FILE_CTL, CTL_FB_DAMAGE);
	assert_int_equal(surface.width, 1024);
	answer_with(OK, 0, 0, 0);
	assert_int_equal(resizes, 0);
}

/* fbd says so, also while it is asked something else; what it says twice changes nothing. */
static void told(void **s unused)
{
	assert_true(watched);
	assert_int_equal(watched_from, 0);
	change_comes(3, 320, 240);
	assert_int_equal(resizes, 1);
	assert_false(watched);                  /* not before there is a surface again */
	surface_comes(320, 240);
	assert_true(watched);
	assert_int_equal(watched_from, 3);
	change_comes(4, 320, 240);
	assert_int_equal(resizes, 1);
	assert_true(watched && question.op == 0);
	now += NS_PER_SEC;
	write_text("text");
	asks(FILE_CTL, CTL_FB_DAMAGE);
	change_comes(5, 640, 400);
	answer_with(OK, 0, 0, 0);
	surface_comes(640, 400);
	assert_int_equal(resizes, 2);
	/* fbd ends: what waits there goes with the Session. */
	now += NS_PER_SEC;
	write_text("more");
	answer_with(ERR_GONE, 0, 0, 0);
	assert_false(watched);
}

/* fbd has lost all, and comes back with another mode. */
static void forgotten(void **s unused)
{
	now += NS_PER_SEC;
	write_text("text");
	answer_with(ERR_INVALID, 0, 0, 0);
	asks(FILE_CTL, CTL_FB_INFO);
	answer_with(OK, 480, 320, 0);
	surface_comes(480, 320);
	assert_int_equal(resizes, 1);
	assert_int_equal(term_cols(term), 60);
}

int main(int argc unused, char **argv unused)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, fresh, done)
	const struct CMUnitTest tests[] = { TEST(streams), TEST(another_size), TEST(told), TEST(forgotten) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
