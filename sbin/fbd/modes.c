/*
 * modes: see modes.h.
 */
#include "modes.h"
#include <string.h>

/* ---- text ---- */

static bool number(const char **text, const char *end, uint32_t most, uint32_t *value)
{
	uint64_t v = 0;
	const char *begin = *text;

	while (*text < end && **text >= '0' && **text <= '9' && v <= most)
		v = v * 10 + (uint64_t)(*(*text)++ - '0');
	*value = (uint32_t)v;
	return *text > begin && v > 0 && v <= most;
}

bool mode_parse(const char *text, size_t len, uint32_t most, struct mode *m)
{
	const char *end = text + len;

	while (end > text && (end[-1] == '\n' || end[-1] == '\r' || end[-1] == ' ' || end[-1] == '\t'))
		end--;
	*m = (struct mode){ 0, 0 };
	if (end - text == 4 && !memcmp(text, "auto", 4))
		return true;
	if (!number(&text, end, most, &m->width) || text == end || *text++ != 'x')
		return false;
	return number(&text, end, most, &m->height) && text == end;
}

/* ---- lists ---- */

static bool before(struct mode a, struct mode b)
{
	uint64_t area_a = (uint64_t)a.width * a.height, area_b = (uint64_t)b.width * b.height;

	return area_a != area_b ? area_a > area_b : a.width > b.width;
}

void modes_add(struct modes *list, struct mode m)
{
	uint32_t at = 0;

	while (at < list->n && before(list->list[at], m))
		at++;
	if (list->n == MODES_MAX || (at < list->n && list->list[at].width == m.width && list->list[at].height == m.height))
		return;
	memmove(&list->list[at + 1], &list->list[at], (list->n - at) * sizeof(m));
	list->list[at] = m;
	list->n++;
}

void modes_add_usual(struct modes *list)
{
	static const struct mode usual[] = {
		{ 640, 480 }, { 800, 600 }, { 1024, 768 }, { 1280, 720 }, { 1280, 800 }, { 1280, 1024 }, { 1440, 900 }, { 1600, 900 }, { 1680, 1050 },
		{ 1920, 1080 }, { 1920, 1200 }, { 2560, 1440 }, { 2560, 1600 }, { 3840, 2160 },
	};

	for (size_t i = 0; i < ARRAY_LEN(usual); i++)
		modes_add(list, usual[i]);
}

/* ---- EDID 1.4, section 3 ---- */

enum {
	ESTABLISHED = 35, STANDARD = 38, N_STANDARD = 8, DETAILED = 54, N_DETAILED = 4, DETAILED_SIZE = 18,
	EXTENSION_CTA = 2,
};

static void add(struct modes *list, uint32_t width, uint32_t height, uint32_t most)
{
	if (width && height && width <= most && height <= most)
		modes_add(list, (struct mode){ width, height });
}

/* One bit each of bytes 35 and 36, the highest first (section 3.8). */
static void established(struct modes *list, const uint8_t *edid, uint32_t most)
{
	static const struct mode bits[16] = {
		{ 720, 400 }, { 720, 400 }, { 640, 480 }, { 640, 480 }, { 640, 480 }, { 640, 480 }, { 800, 600 }, { 800, 600 },
		{ 800, 600 }, { 800, 600 }, { 832, 624 }, { 1024, 768 }, { 1024, 768 }, { 1024, 768 }, { 1024, 768 }, { 1280, 1024 },
	};

	for (uint32_t i = 0; i < ARRAY_LEN(bits); i++)
		if (edid[ESTABLISHED + i / 8] << i % 8 & 0x80)
			add(list, bits[i].width, bits[i].height, most);
}

/* Two bytes: width / 8 - 31; the proportion in the upper bits (section 3.9). */
static void standard(struct modes *list, const uint8_t *edid, uint32_t most)
{
	static const struct { uint8_t x, y; } shape[4] = { { 16, 10 }, { 4, 3 }, { 5, 4 }, { 16, 9 } };

	for (uint32_t i = 0; i < N_STANDARD; i++) {
		uint32_t a = edid[STANDARD + 2 * i], b = edid[STANDARD + 2 * i + 1], width = (a + 31) * 8;
		if (a == 0 || (a == 1 && b == 1))       /* not used */
			continue;
		add(list, width, width * shape[b >> 6].y / shape[b >> 6].x, most);
	}
}

/* A descriptor with a pixel clock is a timing (section 3.10.2). */
static void detailed(struct modes *list, const uint8_t *d, uint32_t most)
{
	if (d[0] || d[1])
		add(list, d[2] | (d[4] & 0xf0u) << 4, d[5] | (d[7] & 0xf0u) << 4, most);
}

static bool sum_good(const uint8_t *block)
{
	uint8_t sum = 0;

	for (size_t i = 0; i < EDID_BLOCK; i++)
		sum = (uint8_t)(sum + block[i]);
	return sum == 0;
}

bool modes_add_edid(struct modes *list, const uint8_t *edid, size_t len, uint32_t most)
{
	static const uint8_t head[8] = { 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0 };

	if (len < EDID_BLOCK || memcmp(edid, head, sizeof(head)) || !sum_good(edid))
		return false;
	established(list, edid, most);
	standard(list, edid, most);
	for (uint32_t i = 0; i < N_DETAILED; i++)
		detailed(list, edid + DETAILED + i * DETAILED_SIZE, most);
	/* Extensions of CTA-861: timings from where byte 2 says to the checksum. */
	for (size_t at = EDID_BLOCK; at + EDID_BLOCK <= len; at += EDID_BLOCK) {
		const uint8_t *block = edid + at;
		if (block[0] != EXTENSION_CTA || !sum_good(block) || block[2] < 4)
			continue;
		for (size_t i = block[2]; i + DETAILED_SIZE < EDID_BLOCK; i += DETAILED_SIZE)
			detailed(list, block + i, most);
	}
	return true;
}
