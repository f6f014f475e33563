/*
 * output: what is drawn on: the firmware's framebuffer, or a virtio-gpu, where there is no such framebuffer, or it is the virtio-gpu's and
 * somebody wants another size. Which of them, and what size, is one word in the state Frame; the next instance makes it so again. A device that
 * fails is let go: back to the framebuffer, or, without one, to an orderly end.
 */
#include "inside.h"
#include "gpu.h"
#include <pci/name.h>
#include <rt/clock.h>
#include <rt/io.h>
#include <rt/start.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WAITING_MAX = 64 };

/* kept->mode: how a virtio-gpu is driven; 0: none is. */
#define MODE_DRIVEN    (1ull << 63)
#define MODE_FOLLOWS   (1ull << 62)             /* it gets the size that it would like best, whenever that changes */
#define MODE_OF(at, width, height) (MODE_DRIVEN | (uint64_t)(at) << 32 | (uint64_t)(width) << 16 | (height))
#define MODE_AT(mode)     ((uint16_t)((mode) >> 32))
#define MODE_WIDTH(mode)  ((uint32_t)((mode) >> 16 & 0xffff))
#define MODE_HEIGHT(mode) ((uint32_t)((mode) & 0xffff))
_Static_assert(SCENE_BAND <= 0xffff, "a side has 16 bits");

struct display *display;
static struct screen screen;            /* the firmware's framebuffer, */
static bool has_screen;                 /* if there is one */
static handle_t resource;               /* for it */
static cmd_id_t waiting[WAITING_MAX];   /* for a change; oldest first */
static uint32_t n_waiting;

status_t output_take(void)
{
	if (display->seen)
		return OK;
	status_t st = screen_take(&screen, resource);
	if (st == OK)
		kept->taken = 1;
	return st;
}

/* ---- changes of the mode ---- */

static void answer_change(cmd_id_t cmd)
{
	svc_reply(cmd, &(struct reply){ .w = { kept->changes, display->width, display->height } });
}

/* Before what changes; so whoever dies between has said too much, not too little. */
static void change_begins(void)
{
	kept->changes = MAX(kept->changes + 1, clock_value());
	in_order();
}

static void change_is_done(void)
{
	uint32_t n = n_waiting;

	n_waiting = 0;
	for (uint32_t i = 0; i < n; i++)
		answer_change(waiting[i]);
}

static void use(struct display *d)
{
	display = d;
	scene.screen = (struct rect){ 0, 0, d->width, d->height };
}

void output_lost(status_t why)
{
	log_print("the virtio-gpu does not work any more (%s): %s", error_text(why), has_screen ? "back to the firmware's framebuffer" : "there is no screen");
	change_begins();
	kept->mode = 0;
	gpu_close();
	if (!has_screen)
		exit(0);
	use(&screen.display);
	status_t st = screen_take(&screen, resource);
	if (st < 0)
		log_print("the screen cannot be had again: %s", error_text(st));
	surfaces_draw();
	change_is_done();
}

/* The virtio-gpu, open, gets this size. On an error all is as before, unless it has failed: then it is lost (output_lost), or not ours yet. */
static status_t switch_to(uint16_t at, struct mode m, uint64_t follows)
{
	struct display *before = display;
	status_t st = gpu_begin(m.width, m.height);

	if (st == OK) {
		use(gpu_display());
		surfaces_compose();
		st = gpu_commit();
		if (st < 0) {
			gpu_abort();
			if (before)
				use(before);
		}
	}
	if (st == OK) {
		change_begins();
		kept->taken = 1;
		kept->mode = MODE_OF(at, m.width, m.height) | follows;
		in_order();
		change_is_done();
	}
	return st;
}

/* Takes a virtio-gpu that is not driven yet. ERR_NOT_FOUND: there is none. */
static status_t bring_up(uint16_t at, struct mode m, uint64_t follows)
{
	status_t st = gpu_open(at, &svc, BADGE_GPU);

	if (st < 0)
		return st;
	/* What it prefers may have changed while nobody was there to hear it. */
	struct mode best = gpu_preferred();
	if (best.width && (m.width == 0 || follows))
		m = best;
	if (m.width == 0)
		m = display ? (struct mode){ display->width, display->height } : (struct mode){ 1024, 768 };
	st = switch_to(at, m, follows);
	if (st < 0) {
		gpu_close();
		if (screen.display.seen)
			surfaces_draw();
		return st;
	}
	/* The kernel's log has no screen from here on, for it is not its framebuffer that is seen. */
	if (has_screen && (st = screen_take(&screen, resource)) < 0)
		log_print("the framebuffer cannot be had, for later: %s", error_text(st));
	return OK;
}

status_t output_set_mode(struct mode m)
{
	uint64_t follows = m.width ? 0 : MODE_FOLLOWS;
	bool same = m.width == display->width && m.height == display->height;
	uint16_t at;

	if (!(kept->mode & MODE_DRIVEN)) {
		if (same)
			return OK;
		status_t st = gpu_find(screen.base, &at);
		if (st == OK)
			st = bring_up(at, m, follows);
		else
			st = follows ? OK : ERR_NOT_SUPPORTED;
		return st;
	}
	at = MODE_AT(kept->mode);
	if (follows)
		m = gpu_preferred();
	if (m.width == 0 || (m.width == display->width && m.height == display->height)) {
		kept->mode = MODE_OF(at, display->width, display->height) | follows;
		return OK;
	}
	status_t st = switch_to(at, m, follows);
	if (st < 0 && st != ERR_NO_MEMORY && st != ERR_INVALID && st != ERR_LIMIT)
		output_lost(st);
	return st;
}

void output_event(void)
{
	bool changed;

	if (!(kept->mode & MODE_DRIVEN))
		return;
	status_t st = gpu_event(&changed);
	if (st < 0) {
		output_lost(st);
	} else if (changed) {
		change_begins();
		if (kept->mode & MODE_FOLLOWS && (st = output_set_mode((struct mode){ 0, 0 })) < 0)
			log_print("the screen would like %ux%u: %s", gpu_preferred().width, gpu_preferred().height, error_text(st));
		change_is_done();
	}
}

/* Who knows of all changes waits. */
status_t output_wait(const struct svc_cmd *c, uint64_t known, struct file_ctl_rep *p)
{
	if (known != kept->changes) {
		*p = (struct file_ctl_rep){ kept->changes, display->width, display->height };
		return OK;
	}
	if (n_waiting == WAITING_MAX)
		return ERR_LIMIT;
	waiting[n_waiting++] = c->cmd;
	return SVC_LATER;
}

void output_cancel(cmd_id_t cmd)
{
	for (uint32_t i = 0; i < n_waiting; i++)
		if (waiting[i] == cmd) {
			memmove(&waiting[i], &waiting[i + 1], (--n_waiting - i) * sizeof(waiting[0]));
			svc_reply(cmd, &(struct reply){ .status = ERR_CANCELLED });
			return;
		}
}

/* ---- text ---- */

size_t output_modes_text(char *text, size_t size)
{
	struct mode now = { display->width, display->height }, best = { 0, 0 };
	struct modes list = { .n = 0 };
	uint16_t at;
	size_t n = 0;

	if (kept->mode & MODE_DRIVEN) {
		best = gpu_preferred();
		gpu_modes(&list);
	} else if (gpu_find(screen.base, &at) == OK) {
		gpu_modes(&list);
	}
	modes_add(&list, now);
	if (best.width)
		modes_add(&list, best);
	for (uint32_t i = 0; i < list.n && n < size; i++) {
		struct mode m = list.list[i];
		n += (size_t)snprintf(text + n, size - n, "%ux%u%s%s\n", m.width, m.height, m.width == now.width && m.height == now.height ? " current" : "",
		                      m.width == best.width && m.height == best.height ? " preferred" : "");
	}
	return MIN(n, size - 1);
}

const char *output_text(char *text, size_t size)
{
	char name[PCI_NAME_SIZE];

	if (!(kept->mode & MODE_DRIVEN))
		return "";
	pci_name(name, MODE_AT(kept->mode));
	snprintf(text, size, " virtio-gpu %s%s", name, kept->mode & MODE_FOLLOWS ? " auto" : "");
	return text;
}

/* ---- start ---- */

bool output_find(const struct boot_framebuffer *fb, handle_t framebuffer)
{
	uint16_t at;

	resource = framebuffer;
	has_screen = screen_init(&screen, fb) && resource;
	if (!has_screen)
		screen.base = 0;
	if (!has_screen && gpu_find(0, &at) < 0) {
		log_print(fb->base ? "the firmware's framebuffer is none that could be" : "no framebuffer");
		return false;
	}
	return true;
}

/* `fb.mode=` of the kernel's command line; without it `video=`, which is the loader's, where the firmware had no framebuffer. */
static bool option(struct mode *m)
{
	char text[MODE_TEXT_MAX + 1];

	if (!cmdline_word("fb.mode", text, sizeof(text)) && (has_screen || !cmdline_word("video", text, sizeof(text))))
		return false;
	bool found = mode_parse(text, strlen(text), SCENE_BAND, m);
	if (!found)
		log_print("%s is no mode", text);
	return found;
}

bool output_begin(void)
{
	struct mode m = { MODE_WIDTH(kept->mode), MODE_HEIGHT(kept->mode) };
	uint64_t follows = kept->mode & MODE_FOLLOWS;
	uint16_t at = MODE_AT(kept->mode);
	bool driven = kept->mode & MODE_DRIVEN && m.width && m.height && m.width <= SCENE_BAND && m.height <= SCENE_BAND, wanted = false;
	status_t st = OK;

	if (has_screen)
		use(&screen.display);
	if (!kept->changes)
		change_begins();
	if (!driven && (!kept->begun || !has_screen)) {
		m = (struct mode){ 0, 0 };
		wanted = option(&m);
		follows = wanted && !m.width ? MODE_FOLLOWS : 0;
		wanted &= !has_screen || m.width != screen.display.width || m.height != screen.display.height;
		if (wanted || !has_screen)
			st = gpu_find(has_screen ? screen.base : 0, &at);
	}
	if (st == OK && (driven || wanted || !has_screen)) {
		st = bring_up(at, m, follows);
		if (st < 0 && m.width)          /* better another size than none */
			st = bring_up(at, (struct mode){ 0, 0 }, follows);
	}
	if (st == OK && kept->mode & MODE_DRIVEN && display != &screen.display)
		return true;
	/* What has one size has the one that it would like best. */
	if (!driven && wanted && st == ERR_NOT_FOUND && !follows)
		log_print("fb.mode: this screen has one size");
	if (driven || (wanted && st != ERR_NOT_FOUND))
		log_print("the virtio-gpu cannot be had%s: %s", driven ? " again" : "", error_text(st));
	if (kept->mode)
		change_begins();
	kept->mode = 0;
	if (!has_screen)
		return false;
	if (kept->taken && (st = screen_take(&screen, resource)) < 0)
		log_print("the screen cannot be had again: %s", error_text(st));
	surfaces_draw();
	return true;
}
