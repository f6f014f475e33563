/*
 * gpu: a virtio-gpu as display (virtio 1.2 section 5.7), without 3D. One at a time. The picture is drawn into memory of ours, and what changed
 * there the device is told to fetch. All calls wait for the device, which is given 20 seconds before it counts as failed.
 */
#pragma once
#include "display.h"
#include "modes.h"
#include <rt/svc.h>

/*
 * Looks through pci:// for one; asks pcid, who answers when it has looked around. screen: where the firmware's framebuffer
 * begins: only the function that this is memory of; 0: any. *at: bus << 8 | device << 3 | function. ERR_NOT_FOUND.
 */
must_use status_t gpu_find(uint64_t screen, uint16_t *at);
/*
 * Takes the device over. What it shows does not change before gpu_commit. Its events come to `svc` under `badge` as bit 0. On an error nothing is
 * ours.
 */
must_use status_t gpu_open(uint16_t at, struct svc *svc, uint64_t badge);
/* Stops it and gives all back; a VGA shows the firmware's framebuffer again. */
void gpu_close(void);
/* The display, whose size is that of the last gpu_begin. */
struct display *gpu_display(void);
/*
 * From here on the display has this size, and `put` draws into fresh memory, all black, which nobody sees before gpu_commit; gpu_abort drops it:
 * the display is what it was. ERR_NO_MEMORY, ERR_INVALID: the device or we cannot. ERR_IO: it has failed. On an error nothing changes.
 */
must_use status_t gpu_begin(uint32_t width, uint32_t height);
must_use status_t gpu_commit(void);
void gpu_abort(void);
/* The size that it would like best; 0: it does not say. */
struct mode gpu_preferred(void);
/* What a person may choose from. */
void gpu_modes(struct modes *list);
/* It has signalled. *changed: the size that it would like best is another one. An error: it has failed. */
must_use status_t gpu_event(bool *changed);
