/*
 * screen: see screen.h. Its description is the firmware's (UEFI 2.10 section 12.9, EFI_GRAPHICS_OUTPUT_PROTOCOL), by way of the loader.
 */
#include "scene.h"
#include "screen.h"
#include <rt/ipc.h>
#include <rt/start.h>
#include <string.h>

static void put_line(struct display *d, uint32_t x, uint32_t y, const uint32_t *from, size_t n)
{
	static uint8_t piece[1024 * 4];         /* put together here, so that the bus sees long writes only */
	const struct screen *s = (const struct screen *)d;
	uint8_t *to = s->pixels + (uint64_t)y * s->stride + (uint64_t)x * s->format.bytes;

	if (s->format.as_is) {
		pixel_convert(&s->format, to, from, n);
		return;
	}
	for (size_t now; n > 0; n -= now, from += now, to += now * s->format.bytes) {
		now = MIN(n, sizeof(piece) / 4);
		pixel_convert(&s->format, piece, from, now);
		memcpy(to, piece, now * s->format.bytes);
	}
}

/* What is written is seen. */
static status_t present(struct display *d unused, const struct damage *rects unused)
{
	return OK;
}

bool screen_init(struct screen *s, const struct boot_framebuffer *fb)
{
	*s = (struct screen){ .base = fb->base, .size = fb->size, .stride = fb->stride };
	s->display = (struct display){ .width = fb->width, .height = fb->height, .bits = fb->bytes_per_pixel * 8, .put = put_line, .present = present };
	return fb->base && pixel_format(&s->format, fb->bytes_per_pixel, fb->red_mask, fb->green_mask, fb->blue_mask) && fb->width > 0
	       && fb->height > 0 && fb->width <= SCENE_BAND && fb->height <= SCENE_BAND && (uint64_t)fb->width * fb->bytes_per_pixel <= fb->stride
	       && (uint64_t)fb->height * fb->stride <= fb->size && fb->size <= 1ull << 40 && fb->base < 1ull << 51;
}

status_t screen_take(struct screen *s, handle_t resource)
{
	uint64_t from = ALIGN_DOWN(s->base, PAGE_SIZE), size = ALIGN_UP(s->base + s->size, PAGE_SIZE) - from, va;
	handle_t frame;

	if (s->pixels)
		return OK;
	status_t st = frame_device(resource, from, size, CACHE_WRITE_COMBINING, &frame);
	if (st < 0)
		return st;
	st = vmem_map(0, frame, 0, 0, size, PROT_READ | PROT_WRITE, &va);
	handle_close(frame);
	if (st < 0)
		return st;
	st = vmem_commit(0, va, size);
	if (st < 0) {
		MUST(vmem_unmap(0, va, size));
		return st;
	}
	s->pixels = (uint8_t *)va + (s->base - from);
	s->display.seen = true;
	return OK;
}
