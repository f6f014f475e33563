/*
 * What a virtio-gpu and its monitor say, as the fuzzer will have it. Expected: no byte beyond what is given is read; what is taken from it is within its
 * limits, and lists stay in order.
 */
#include "find.c"
#include "modes.c"
#include "wire.c"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum { MOST = 16384 };
	struct gpu_display_info info = { .head = { 0 } };
	struct modes list = { .n = 0 };
	struct mode m;
	uint32_t scanout, width, height;
	uint8_t *copy = malloc(size ? size : 1);        /* so that whoever reads on is seen */

	memcpy(copy, data, size);
	memcpy(&info, data, MIN(size, sizeof(info)));
	if (gpu_answer(&info.head, (uint32_t)size, GPU_OK_DISPLAY_INFO, sizeof(info)) == OK && size < sizeof(info))
		abort();
	if (gpu_enabled(&info, size ? data[size - 1] : 0, MOST, &scanout, &width, &height) && (scanout > 15 || !width || !height || width > MOST || height > MOST))
		abort();
	if (mode_parse((const char *)copy, size, MOST, &m) && ((m.width == 0) != (m.height == 0) || m.width > MOST || m.height > MOST))
		abort();
	bool good = modes_add_edid(&list, copy, size, MOST);
	/* Most of them have a wrong sum: with it right, there is more to see. */
	for (size_t at = 0; at + EDID_BLOCK <= size; at += EDID_BLOCK) {
		if (at == 0)
			memcpy(copy, (const uint8_t[8]){ 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0 }, 8);
		copy[at + EDID_BLOCK - 1] = 0;
		for (size_t i = 0; i < EDID_BLOCK - 1; i++)
			copy[at + EDID_BLOCK - 1] = (uint8_t)(copy[at + EDID_BLOCK - 1] - copy[at + i]);
	}
	good |= modes_add_edid(&list, copy, size, MOST);
	if (good != (size >= EDID_BLOCK) || list.n > MODES_MAX)
		abort();
	for (uint32_t i = 0; i < list.n; i++)
		if (!list.list[i].width || !list.list[i].height || list.list[i].width > MOST || list.list[i].height > MOST || (i && !before(list.list[i - 1], list.list[i])))
			abort();
	for (size_t at = 0; at + FIND_CONFIG + 8 <= size; at += FIND_CONFIG) {
		struct find f = { 0 };
		uint64_t screen;
		memcpy(&screen, data + at + FIND_CONFIG, sizeof(screen));
		find_weigh(&f, data + at, (uint16_t)at, screen);
		if ((f.ours && word(data + at, ID) != VIRTIO_GPU) || f.base > screen)
			abort();
	}
	free(copy);
	return 0;
}
