/*
 * Any text as a map, then any keys from any state: names and characters stay in range, and whatever a key gives is a character.
 */
#include <stdlib.h>
#include "keymap.c"
#include <utf8/utf8.c>

struct text { const char *data; size_t len; };

static bool load(void *ctx, const char *name unused, const char **text, size_t *len)
{
	const struct text *t = ctx;

	*text = t->data;
	*len = t->len;
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct keymap m;
	struct keymap_state s = { 0 };
	char why[KEYMAP_ERROR];
	uint32_t text[KEYMAP_TEXTS];

	if (!keymap_read(&m, "map", load, &(struct text){ (const char *)data, MIN(size, (size_t)4096) }, why) && !why[0])
		abort();
	if (size >= sizeof(s))
		memcpy(&s, data, sizeof(s));
	for (size_t i = 0; i + 1 < size; i++) {
		size_t n = keymap_key(&m, &s, data[i] & 0x7f, data[i + 1] % 3, text);
		if (n > KEYMAP_TEXTS)
			abort();
	}
	return 0;
}
