/*
 * inside: what main.c, surfaces.c and output.c share; nobody else includes it.
 */
#pragma once
#include "modes.h"
#include "scene.h"
#include "screen.h"
#include <abi/boot.h>
#include <gen/file.h>
#include <rt/state.h>
#include <rt/svc.h>

#ifndef KEPT_STORED
#define KEPT_STORED()                   /* after each step of what is kept; the test dies there */
#endif

enum { FILE_MODE = 1, FILE_MODES, FILES_END };  /* badges of files; that of a Session to draw with is larger */
enum { BADGE_GPU = 1 };                         /* what reaches output_event */

struct place {
	uint64_t badge;                 /* 0: free */
	uint64_t order;                 /* of the last CTL_FB_SHOW; 0: hidden */
	uint32_t width, height;         /* width 0: it has no Frame */
	int32_t  x, y, pointer_x, pointer_y;
	uint32_t blank;
	uint32_t cursor_width, cursor_height, hot_x, hot_y;
	uint32_t reserved;
	uint32_t cursor[FB_CURSOR_MAX * FB_CURSOR_MAX];
};

struct kept {
	uint64_t order;                 /* the last one given */
	uint64_t taken;                 /* the screen is ours, and shows what we drew */
	uint64_t mode;                  /* stored as a whole; 0: the framebuffer, see output.c */
	uint64_t begun;                 /* what the command line says has been done */
	uint64_t changes;               /* a number that grows when the mode, or what it could be, changes; before the mode does */
	struct place place[FB_SURFACES_MAX];
};

extern struct kept *kept;               /* in the state Frame */
extern struct state state;
extern struct svc svc;

/* Stores before it are made before those after it, as a kill sees them. */
static inline void in_order(void)
{
	__asm__ volatile("" ::: "memory");
	KEPT_STORED();
}

/* ---- surfaces.c ---- */

extern struct scene scene;              /* its screen is the display's */

/* Takes over what an earlier instance kept. Nothing is drawn. */
void surfaces_begin(void);
/* The place of a Session that may draw. ERR_DENIED; ERR_INVALID: it has no surface. */
must_use status_t surface_of(const struct svc_cmd *c, uint32_t *i);
/* The Frame of place i, which stays ours, in *frame. */
must_use status_t surface_frame(uint32_t i, handle_t *frame);
/* The commands (abi/fb.h). */
must_use status_t surface_make(const struct svc_cmd *c, const struct file_ctl_req *q);
must_use status_t surface_damage(const struct svc_cmd *c, uint32_t i);
must_use status_t surface_show(uint32_t i, const struct file_ctl_req *q);
must_use status_t surface_cursor(const struct svc_cmd *c, uint32_t i, const struct file_ctl_req *q);
must_use status_t surface_pointer(uint32_t i, const struct file_ctl_req *q);
must_use status_t surface_blank(uint32_t i, uint64_t on);
/* The Session is gone, and what it had. */
void surface_close(uint64_t badge);
/* A line for each. Returns the length, < size. */
size_t surfaces_text(char *text, size_t size);
/* The whole screen, if it is ours; into the display's memory alone. */
void surfaces_draw(void);
void surfaces_compose(void);

/* ---- output.c ---- */

extern struct display *display;         /* the firmware's framebuffer or the virtio-gpu; NULL only until output_begin */

/* Looks for something to draw on. resource: for the framebuffer, kept; 0: not given. False: there is nothing. */
must_use bool output_find(const struct boot_framebuffer *fb, handle_t framebuffer);
/* The display is as it was, or as the command line wants it, and all is drawn. False: there is nothing to draw on any more. */
must_use bool output_begin(void);
/* What is drawn is on the screen from now on. */
must_use status_t output_take(void);
/* The virtio-gpu has failed: back to the framebuffer, or, without one, to an orderly end. */
void output_lost(status_t why);
/* 0x0: what the screen would like best, from now on. ERR_NOT_SUPPORTED: this screen has one size. */
must_use status_t output_set_mode(struct mode m);
/* BADGE_GPU has come. */
void output_event(void);
/* CTL_FB_WAIT: answered now, or SVC_LATER. */
must_use status_t output_wait(const struct svc_cmd *c, uint64_t known, struct file_ctl_rep *p);
void output_cancel(cmd_id_t cmd);
/* A line for each size, the largest first, with what is special about it. Returns the length, < size. */
size_t output_modes_text(char *text, size_t size);
/* What drives it, for the line about the screen: "" for the framebuffer. Returns text. */
const char *output_text(char *text, size_t size);
