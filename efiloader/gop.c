/*
 * gop: the framebuffer that the kernel will draw on (UEFI 2.10 §12.9). Picks the mode that "video=WxH" names, else
 * the display's own (EDID), else the one the firmware chose unless it is tiny, else the largest up to about full HD,
 * among those with a linear framebuffer. It is set last of all, since text on the console may be gone after that.
 */
#include "loader.h"

static EFI_GUID gop_guid = EFI_GRAPHICS_OUTPUT_PROTOCOL_GUID;
static EFI_GUID edid_active_guid =
	{ 0xbd8c1056, 0x9f36, 0x44ec, { 0x92, 0xa8, 0xa6, 0x33, 0x7f, 0x81, 0x79, 0x86 } };
static EFI_GUID edid_discovered_guid =
	{ 0x1c0c34f6, 0xd380, 0x41fa, { 0xa0, 0x49, 0x8a, 0xd0, 0x6c, 0x1a, 0x66, 0xaa } };

struct edid_protocol { UINT32 size; UINT8 *edid; };     /* both protocols (UEFI 2.10 §12.9.2) */

enum { SMALLEST_WIDTH = 1024, SMALLEST_HEIGHT = 768 };
enum { LARGEST_WIDTH = 1920, LARGEST_HEIGHT = 1200, MODES_MAX = 1024 };

static EFI_GRAPHICS_OUTPUT_PROTOCOL *gop;
static uint32_t chosen_mode;

static bool sensible(const EFI_GRAPHICS_OUTPUT_MODE_INFORMATION *info)
{
	return info->HorizontalResolution >= SMALLEST_WIDTH && info->VerticalResolution >= SMALLEST_HEIGHT;
}

static bool linear(const EFI_GRAPHICS_OUTPUT_MODE_INFORMATION *info)
{
	return info->PixelFormat <= PixelBitMask && info->HorizontalResolution && info->VerticalResolution &&
	       info->PixelsPerScanLine >= info->HorizontalResolution;
}

/* The first detailed timing is the preferred one (VESA E-EDID A2 §3.10.2). */
static bool native_size(EFI_HANDLE handle, uint32_t *width, uint32_t *height)
{
	struct edid_protocol *e = NULL;
	if ((EFI_ERROR(BS->HandleProtocol(handle, &edid_active_guid, (void **)&e)) || e->size < 128 || !e->edid) &&
	    (EFI_ERROR(BS->HandleProtocol(handle, &edid_discovered_guid, (void **)&e)) || e->size < 128 || !e->edid))
		return false;
	const uint8_t *d = e->edid + 54;
	if (d[0] == 0 && d[1] == 0)     /* a descriptor, no timing */
		return false;
	*width = d[2] | (uint32_t)(d[4] & 0xf0) << 4;
	*height = d[5] | (uint32_t)(d[7] & 0xf0) << 4;
	return *width && *height;
}

/* How near an output is to the console; a console that is many outputs at once is less than each of them. */
static int rank_of(EFI_HANDLE handle)
{
	return handle == ST->ConsoleOutHandle ? 1 : console_writes_to(handle) ? 2 : 0;
}

/* The output to draw on: one that the console writes to, else the console's own, else the first; it has a linear framebuffer. */
static EFI_HANDLE find_output(void)
{
	UINTN n = 0;
	EFI_HANDLE *handles = NULL, found = NULL;
	int best = -1;
	if (EFI_ERROR(BS->LocateHandleBuffer(ByProtocol, &gop_guid, NULL, &n, &handles)))
		return NULL;
	for (UINTN i = 0; i < n; i++) {
		EFI_GRAPHICS_OUTPUT_PROTOCOL *g = NULL;
		if (!EFI_ERROR(BS->HandleProtocol(handles[i], &gop_guid, (void **)&g)) && g->Mode && g->Mode->Info &&
		    g->Mode->FrameBufferBase && linear(g->Mode->Info) && rank_of(handles[i]) > best) {
			best = rank_of(handles[i]);
			gop = g;
			found = handles[i];
		}
	}
	BS->FreePool(handles);
	return found;
}

/* The number of the mode with exactly that size, or of the largest sensible one when width is 0; else -1. */
static int find_mode(uint32_t width, uint32_t height)
{
	int best = -1;
	uint64_t best_area = 0;
	for (uint32_t i = 0; i < gop->Mode->MaxMode && i < MODES_MAX; i++) {
		UINTN size = 0;
		EFI_GRAPHICS_OUTPUT_MODE_INFORMATION *info = NULL;
		if (EFI_ERROR(gop->QueryMode(gop, i, &size, &info)) || !info)
			continue;
		uint32_t w = info->HorizontalResolution, h = info->VerticalResolution;
		bool fits = linear(info) && (width ? w == width && h == height :
						     w <= LARGEST_WIDTH && h <= LARGEST_HEIGHT);
		BS->FreePool(info);
		if (fits && (uint64_t)w * h > best_area) {
			best_area = (uint64_t)w * h;
			best = (int)i;
		}
	}
	return best;
}

void graphics_pick(const char *cmdline)
{
	uint32_t width = 0, height = 0;
	int mode = -1;
	EFI_HANDLE output = find_output();
	if (!output)
		return;
	if (config_video(cmdline, &width, &height)) {
		mode = find_mode(width, height);
		if (mode < 0)
			say("video: no mode of %u by %u pixels\n", (uint64_t)width, (uint64_t)height);
	}
	if (mode < 0 && native_size(output, &width, &height))
		mode = find_mode(width, height);
	if (mode < 0 && !sensible(gop->Mode->Info))
		mode = find_mode(0, 0);
	chosen_mode = mode < 0 ? gop->Mode->Mode : (uint32_t)mode;
}

static void describe(struct boot_framebuffer *fb, const EFI_GRAPHICS_OUTPUT_MODE_INFORMATION *info)
{
	uint32_t all = 0xffffffff;
	switch (info->PixelFormat) {
	case PixelRedGreenBlueReserved8BitPerColor:
		fb->red_mask = 0xff, fb->green_mask = 0xff00, fb->blue_mask = 0xff0000;
		break;
	case PixelBlueGreenRedReserved8BitPerColor:
		fb->red_mask = 0xff0000, fb->green_mask = 0xff00, fb->blue_mask = 0xff;
		break;
	default:
		fb->red_mask = info->PixelInformation.RedMask;
		fb->green_mask = info->PixelInformation.GreenMask;
		fb->blue_mask = info->PixelInformation.BlueMask;
		all = fb->red_mask | fb->green_mask | fb->blue_mask | info->PixelInformation.ReservedMask;
		break;
	}
	fb->width = info->HorizontalResolution;
	fb->height = info->VerticalResolution;
	fb->bytes_per_pixel = all >> 24 ? 4 : all >> 16 ? 3 : all >> 8 ? 2 : 1;
	fb->stride = info->PixelsPerScanLine * fb->bytes_per_pixel;
}

void graphics_set(struct boot_framebuffer *fb)
{
	if (!gop)
		return;
	/* A mode that cannot be set leaves the old one. */
	if (chosen_mode != gop->Mode->Mode)
		gop->SetMode(gop, chosen_mode);
	if (!gop->Mode->Info || !linear(gop->Mode->Info) || !gop->Mode->FrameBufferBase)
		return;
	describe(fb, gop->Mode->Info);
	uint64_t needed = (uint64_t)fb->stride * fb->height;
	if (gop->Mode->FrameBufferSize < needed || !(fb->red_mask | fb->green_mask | fb->blue_mask)) {
		memset(fb, 0, sizeof(*fb));
		return;
	}
	fb->base = gop->Mode->FrameBufferBase;
	fb->size = gop->Mode->FrameBufferSize;
}
