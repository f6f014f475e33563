/*
 * config: boot.cfg. Pure text to records, tested and fuzzed on the host.
 *
 *     # comment                    to the end of the line, when it begins the line
 *     timeout = 3                  seconds the menu waits; none: for ever; 0: not at all
 *     [name]                       begins an entry; the first is started when nobody chooses
 *     kernel = \skerry\kernel.elf  files on the volume the loader came from; / does for \
 *     first = \skerry\initfsd
 *     initfs = \skerry\initfs.tar.gz
 *     cmdline = words for the kernel
 *
 * A key before the first entry is the default of all entries. Without entries there is one, "skerry".
 * A line that makes no sense is skipped with a warning; the rest holds.
 */
#pragma once
#include <abi/types.h>

enum {
	CONFIG_ENTRIES_MAX = 16,
	CONFIG_NAME_MAX = 63,
	CONFIG_PATH_MAX = 255,
	CONFIG_CMDLINE_MAX = 4096,
	CONFIG_WARNINGS_MAX = 8,
	CONFIG_TIMEOUT_MAX_S = 3600,
};
#define CONFIG_WAIT_FOREVER (-1)

struct config_entry {
	char name[CONFIG_NAME_MAX + 1];
	char kernel[CONFIG_PATH_MAX + 1];
	char first[CONFIG_PATH_MAX + 1];
	char initfs[CONFIG_PATH_MAX + 1];
	char cmdline[CONFIG_CMDLINE_MAX + 1];
};

struct config_warning {
	uint32_t    line;           /* 1.. */
	const char *why;            /* constant text */
};

struct config {
	int32_t  timeout_s;         /* or CONFIG_WAIT_FOREVER */
	uint32_t n_entries;         /* 1..CONFIG_ENTRIES_MAX */
	uint32_t n_warnings;        /* those kept */
	struct config_entry   entries[CONFIG_ENTRIES_MAX];
	struct config_warning warnings[CONFIG_WARNINGS_MAX];
	struct config_entry   defaults;
};

/* text: `len` bytes, any bytes; NULL with len 0 gives the built-in entry. */
void config_parse(struct config *c, const char *text, size_t len);

/*
 * Looks for a word of the command line. `word` = "nokaslr" matches that word alone; "video=" matches a word
 * that begins so. Returns what follows in the text, up to the next space, with its length; NULL: not there.
 */
const char *config_word(const char *cmdline, const char *word, size_t *len);
/* The value of "video=WxH", each 1..65535; false when absent or malformed. */
bool config_video(const char *cmdline, uint32_t *width, uint32_t *height);
