/*
 * modes: sizes of a screen: as text, and as a monitor tells of them (pure; VESA E-EDID 1.4).
 */
#pragma once
#include <abi/types.h>

enum { MODES_MAX = 64, MODE_TEXT_MAX = 16, EDID_BLOCK = 128 };

struct mode { uint32_t width, height; };        /* pixels */
struct modes { struct mode list[MODES_MAX]; uint32_t n; };      /* largest first, each once */

/* "1024x768", or "auto" (0x0): blanks and a line's end may follow. False: it is neither, or a side is 0 or above `most`. */
must_use bool mode_parse(const char *text, size_t len, uint32_t most, struct mode *m);
/* Puts it where it belongs, unless it is there or there is no room. */
void modes_add(struct modes *list, struct mode m);
/* Those that every virtual machine's screen is likely to be given. */
void modes_add_usual(struct modes *list);
/* Adds what the monitor can show, each way up to `most`. False: `len` bytes are no EDID (nothing is added). */
must_use bool modes_add_edid(struct modes *list, const uint8_t *edid, size_t len, uint32_t most);
