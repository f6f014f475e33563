/*
 * wire: what virtio-gpu's control queue carries (virtio 1.2 section 5.7.6; pure). Little endian, as the processor is. Answers are copied out
 * of the memory that the device can write to before they are looked at.
 */
#pragma once
#include <abi/types.h>
#include <gen/errors.h>

enum gpu_command {
	GPU_GET_DISPLAY_INFO = 0x100, GPU_CREATE_2D, GPU_UNREF, GPU_SET_SCANOUT, GPU_FLUSH, GPU_TRANSFER, GPU_ATTACH, GPU_DETACH, GPU_GET_EDID = 0x10a,
	GPU_OK = 0x1100, GPU_OK_DISPLAY_INFO = 0x1101, GPU_OK_EDID = 0x1104,
	GPU_ERR_UNSPECIFIED = 0x1200, GPU_ERR_NO_MEMORY, GPU_ERR_SCANOUT, GPU_ERR_RESOURCE, GPU_ERR_CONTEXT, GPU_ERR_PARAMETER,
};
enum { GPU_FLAG_FENCE = 1, GPU_FORMAT_B8G8R8X8 = 2, GPU_SCANOUTS_MAX = 16, GPU_EDID_MAX = 1024, GPU_F_EDID = 1, GPU_EVENT_DISPLAY = 1 };

struct gpu_head { uint32_t type, flags; uint64_t fence; uint32_t context; uint8_t ring, padding[3]; };
struct gpu_rect { uint32_t x, y, width, height; };
struct gpu_create { struct gpu_head head; uint32_t resource, format, width, height; };
struct gpu_resource { struct gpu_head head; uint32_t resource, n_entries; };    /* unref, detach: n_entries 0; attach: as many follow */
struct gpu_entry { uint64_t address; uint32_t length, padding; };
struct gpu_scanout { struct gpu_head head; struct gpu_rect rect; uint32_t scanout, resource; };
struct gpu_flush { struct gpu_head head; struct gpu_rect rect; uint32_t resource, padding; };
struct gpu_transfer { struct gpu_head head; struct gpu_rect rect; uint64_t offset; uint32_t resource, padding; };
struct gpu_get_edid { struct gpu_head head; uint32_t scanout, padding; };
struct gpu_display_info { struct gpu_head head; struct { struct gpu_rect rect; uint32_t enabled, flags; } scanout[GPU_SCANOUTS_MAX]; };
struct gpu_edid { struct gpu_head head; uint32_t size, padding; uint8_t data[GPU_EDID_MAX]; };
struct gpu_config { uint32_t events, events_clear, scanouts, capsets; };        /* the device's configuration (section 5.7.4) */
_Static_assert(sizeof(struct gpu_head) == 24 && sizeof(struct gpu_create) == 40 && sizeof(struct gpu_resource) == 32 && sizeof(struct gpu_entry) == 16, "wire");
_Static_assert(sizeof(struct gpu_scanout) == 48 && sizeof(struct gpu_flush) == 48 && sizeof(struct gpu_transfer) == 56, "wire");
_Static_assert(sizeof(struct gpu_display_info) == 408 && sizeof(struct gpu_edid) == 1056 && sizeof(struct gpu_config) == 16, "wire");

/*
 * What an answer says of which the device claims to have written `len` bytes, at most those that there are; `wanted`: its type if
 * it is good, `size` bytes then. ERR_NO_MEMORY, ERR_INVALID: it refuses. ERR_IO: it refuses for another reason, or it is no answer.
 */
must_use status_t gpu_answer(const struct gpu_head *head, uint32_t len, uint32_t wanted, uint32_t size);
/* The first enabled scanout of the first `n` and its size, each way 1 to `most`; false: none is, or none that could be. */
must_use bool gpu_enabled(const struct gpu_display_info *info, uint32_t n, uint32_t most, uint32_t *scanout, uint32_t *width, uint32_t *height);
