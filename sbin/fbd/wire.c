/*
 * wire: see wire.h.
 */
#include "wire.h"

status_t gpu_answer(const struct gpu_head *head, uint32_t len, uint32_t wanted, uint32_t size)
{
	if (len < sizeof(*head))
		return ERR_IO;
	switch (head->type) {
	case GPU_ERR_NO_MEMORY: return ERR_NO_MEMORY;
	case GPU_ERR_PARAMETER: return ERR_INVALID;
	default:                return head->type == wanted && len >= size ? OK : ERR_IO;
	}
}

bool gpu_enabled(const struct gpu_display_info *info, uint32_t n, uint32_t most, uint32_t *scanout, uint32_t *width, uint32_t *height)
{
	for (uint32_t i = 0; i < n && i < GPU_SCANOUTS_MAX; i++) {
		const struct gpu_rect *r = &info->scanout[i].rect;
		if (!info->scanout[i].enabled || !r->width || !r->height || r->width > most || r->height > most)
			continue;
		*scanout = i;
		*width = r->width;
		*height = r->height;
		return true;
	}
	return false;
}
