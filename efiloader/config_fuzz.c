/*
 * config_fuzz: any bytes as boot.cfg give at least one entry, with paths and texts that end; its words are
 * searched as the loader does.
 */
#include <stdlib.h>
#include "config.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct config c;
	uint32_t width, height;
	size_t len;
	config_parse(&c, (const char *)data, size);
	if (c.n_entries < 1 || c.n_entries > CONFIG_ENTRIES_MAX || c.n_warnings > CONFIG_WARNINGS_MAX)
		abort();
	if (c.timeout_s < CONFIG_WAIT_FOREVER || c.timeout_s > CONFIG_TIMEOUT_MAX_S)
		abort();
	for (uint32_t i = 0; i < c.n_entries; i++) {
		const struct config_entry *e = &c.entries[i];
		if (!e->name[0] || !e->kernel[0] || !e->first[0] || !e->initfs[0] ||
		    strlen(e->cmdline) > CONFIG_CMDLINE_MAX)
			abort();
		config_word(e->cmdline, "nokaslr", &len);
		if (config_video(e->cmdline, &width, &height) && (width == 0 || height == 0))
			abort();
	}
	return 0;
}
