/*
 * fbd: the screen, `fb://` (abi/fb.h, docs/pc.md). Killed at any instruction, it shows as nothing: the next instance draws all again.
 *
 * A Session's badge is a number that is never used again, and stands for nothing until CTL_FB_SURFACE gives it a place in the state
 * Frame, whose Frame of pixels lies in the shelf's slot of the same number. So an OPEN that is delivered again leaves nothing behind.
 * Everything else sets absolute values: doing it twice does no harm. A place is taken by the store of its badge, last, and given up by
 * erasing it, first. What is read back is checked: what does not fit the screen is dropped.
 *
 * Files: surfaces.c what clients draw into, output.c what is drawn on; here is the protocol.
 */
#include "inside.h"
#include <abi/file.h>
#include <rt/clock.h>
#include <rt/io.h>
#include <rt/start.h>
#include <stdio.h>
#include <string.h>

#define VERSION        2
#define SESSION_RIGHTS (RIGHT_CALL | RIGHT_DUP | RIGHT_TRANSFER)

struct kept *kept;
struct state state;
struct svc svc;

/* ---- the protocol ---- */

/* The badge of what the path names; 0: fb:// itself. */
static status_t walk(const struct svc_cmd *c, uint64_t *file)
{
	static const struct { const char *name; uint64_t file; } files[] = { { "", 0 }, { "info", 0 }, { "mode", FILE_MODE }, { "modes", FILE_MODES } };
	const char *path = c->path ? c->path + strspn(c->path, "/.") : "";

	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		if (!strcmp(path, files[i].name)) {
			*file = files[i].file;
			return OK;
		}
	return ERR_NOT_FOUND;
}

/* For a Session: one that none had before, whoever served then. The kernel's clock goes on, and no two opens take a nanosecond. */
static uint64_t fresh_number(void)
{
	static uint64_t last = FILES_END;

	last = MAX(last + 1, clock_value());
	return last;
}

static status_t on_open(void *self unused, struct svc_cmd *c, const struct file_open_req *q, struct file_open_rep *p)
{
	uint64_t file;
	status_t st = walk(c, &file);

	if (st < 0)
		return st;
	if (q->flags & OPEN_DIRECTORY)
		return ERR_NOT_DIRECTORY;
	if ((q->flags & OPEN_CREATE) && (q->flags & OPEN_EXCL))
		return ERR_EXISTS;
	p->type = file ? FILE_REGULAR : FILE_DEVICE;
	c->mint = true;
	c->mint_badge = file ? file : fresh_number();
	c->mint_rights = SESSION_RIGHTS | (c->rights & (RIGHT_READ | RIGHT_WRITE));
	if (!(q->flags & (OPEN_WRITE | OPEN_APPEND | OPEN_TRUNC | OPEN_CREATE)))
		c->mint_rights &= ~(uint32_t)RIGHT_WRITE;
	return OK;
}

static void on_close(void *self unused, uint64_t badge)
{
	surface_close(badge);
}

static status_t on_ctl(void *self unused, struct svc_cmd *c, const struct file_ctl_req *q, struct file_ctl_rep *p)
{
	uint32_t i;

	if ((q->code < CTL_FB_INFO || q->code > CTL_FB_BLANK) && q->code != CTL_FB_MODE && q->code != CTL_FB_WAIT)
		return ERR_NOT_SUPPORTED;
	if (c->n_handles || c->out_len || (c->in_len && q->code != CTL_FB_DAMAGE && q->code != CTL_FB_CURSOR))
		return ERR_INVALID;
	if (q->code == CTL_FB_INFO) {
		*p = (struct file_ctl_rep){ display->width, display->height, display->bits };
		return OK;
	}
	if (q->code == CTL_FB_WAIT)
		return output_wait(c, q->arg0, p);
	if (q->code == CTL_FB_MODE) {
		if (!(c->rights & RIGHT_WRITE))
			return ERR_DENIED;
		if (q->arg0 > SCENE_BAND || q->arg1 > SCENE_BAND || !q->arg0 != !q->arg1)
			return ERR_INVALID;
		return output_set_mode((struct mode){ (uint32_t)q->arg0, (uint32_t)q->arg1 });
	}
	if (q->code == CTL_FB_SURFACE)
		return surface_make(c, q);
	status_t st = surface_of(c, &i);
	if (st < 0)
		return st;
	switch (q->code) {
	case CTL_FB_DAMAGE:  return surface_damage(c, i);
	case CTL_FB_SHOW:    return surface_show(i, q);
	case CTL_FB_CURSOR:  return surface_cursor(c, i, q);
	case CTL_FB_POINTER: return surface_pointer(i, q);
	default:             return surface_blank(i, q->arg0);
	}
}

static status_t on_map(void *self unused, struct svc_cmd *c, const struct file_map_req *q, struct file_map_rep *p)
{
	uint32_t i, rights = RIGHT_READ | RIGHT_WRITE | RIGHT_MAP | RIGHT_DUP | RIGHT_TRANSFER | RIGHT_INSPECT;
	handle_t frame;
	status_t st = surface_of(c, &i);

	if (st < 0)
		return st;
	if (q->offset || (q->prot & PROT_EXEC))
		return ERR_INVALID;
	if (!(q->prot & PROT_WRITE))
		rights &= ~(uint32_t)RIGHT_WRITE;
	st = surface_frame(i, &frame);
	if (st == OK)
		st = handle_dup(frame, rights, &c->reply_handle);
	c->reply_close = st == OK;
	p->file_size = (uint64_t)kept->place[i].width * kept->place[i].height * sizeof(uint32_t);
	return st;
}

/* A line about the screen, and one for each surface, by number. */
static status_t on_read(void *self unused, struct svc_cmd *c, const struct file_read_req *q, struct file_read_rep *p)
{
	static char text[(FB_SURFACES_MAX + 1) * 80];
	char driver[32];
	size_t n;

	if (c->badge == FILE_MODES) {
		n = output_modes_text(text, sizeof(text));
	} else if (c->badge == FILE_MODE) {
		n = (size_t)snprintf(text, sizeof(text), "%ux%u\n", display->width, display->height);
	} else {
		n = (size_t)snprintf(text, sizeof(text), "screen %ux%u %u%s\n", display->width, display->height, display->bits,
		                     output_text(driver, sizeof(driver)));
		n += surfaces_text(text + n, sizeof(text) - n);
	}
	return svc_read_from(c, q->offset, text, n, &p->done);
}

/* The mode, as text. */
static status_t on_write(void *self unused, struct svc_cmd *c, const struct file_write_req *q unused, struct file_write_rep *p)
{
	char text[MODE_TEXT_MAX];
	struct mode m;

	if (c->badge != FILE_MODE)
		return ERR_NOT_SUPPORTED;
	if (c->in_len > sizeof(text))
		return ERR_INVALID;
	status_t st = svc_read_in(c->cmd, 0, text, c->in_len);
	if (st < 0)
		return st;
	if (!mode_parse(text, c->in_len, SCENE_BAND, &m))
		return ERR_INVALID;
	st = output_set_mode(m);
	if (st == OK)
		p->done = c->in_len;
	return st;
}

static status_t on_stat(void *self unused, struct svc_cmd *c, const struct file_stat_req *q unused, struct file_stat_rep *p)
{
	uint64_t file = c->badge < FILES_END ? c->badge : 0;
	status_t st = c->path ? walk(c, &file) : OK;

	if (st < 0)
		return st;
	p->type = file ? FILE_REGULAR : FILE_DEVICE;
	p->mode = file == FILE_MODES ? 0444 : 0666;
	return OK;
}

static const struct file_ops ops = { .open = on_open, .read = on_read, .write = on_write, .stat = on_stat, .ctl = on_ctl, .map = on_map };

static void on_begin(void *self unused)
{
	static unsigned begun;

	/* At the second command the state has proved good for one. */
	if (begun < 2 && ++begun == 2)
		state_good(&state);
}

static void on_notify(void *self unused, uint64_t badge, uint64_t bits unused)
{
	if (badge == BADGE_GPU)
		output_event();
}

static void on_cancel(void *self unused, cmd_id_t cmd)
{
	output_cancel(cmd);
}

int main(int argc unused, char **argv unused)
{
	struct boot_info info;
	uint64_t done;
	handle_t boot = start_handle("boot");

	if (!boot || frame_read(boot, 0, &info, sizeof(info), &done) < 0 || done < sizeof(info) || info.magic != BOOT_MAGIC)
		rt_panic("no boot information");
	if (!output_find(&info.fb, start_handle("res:framebuffer")))
		return 0;
	MUST(svc_init(&svc, &file_proto, &ops, NULL));
	svc.on_close = on_close;
	svc.on_begin = on_begin;
	svc.on_notify = on_notify;
	svc.on_cancel = on_cancel;
	MUST(state_open(&state, VERSION, sizeof(*kept)));
	if (!state.shelf)
		rt_panic("its manifest gives it no shelf");
	kept = state.memory;
	/* So that a first use takes nothing more, and no store here fails for want of memory. */
	MUST(vmem_commit(0, ALIGN_DOWN((uint64_t)kept, PAGE_SIZE), ALIGN_UP((uint64_t)(kept + 1), PAGE_SIZE) - ALIGN_DOWN((uint64_t)kept, PAGE_SIZE)));
	surfaces_begin();
	if (!output_begin())
		return 0;
	kept->begun = 1;
	status_t st = svc_run(&svc);
	if (st < 0)
		rt_panic("the Port failed: %s", error_text(st));
	return 0;
}
