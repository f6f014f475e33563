/*
 * menu: several entries in boot.cfg give a list on screen and serial line; one entry gives none, unless a key
 * is held while the loader starts. Arrows or digits choose, Enter starts, e edits the command line for this boot.
 */
#include "loader.h"

enum { TICK_US = 10000, TICKS_PER_S = 100 };
enum { LINE_SHOWN = 70 };       /* of the command line, while it is edited: fits 80 columns */

static void show(const struct config *c, uint32_t selected)
{
	say("\r\nSkerry\n\n");
	for (uint32_t i = 0; i < c->n_entries; i++)
		say(" %c %u  %s\n", i == selected ? '>' : ' ', (uint64_t)i + 1, c->entries[i].name);
	say("\nEnter starts, arrows or digits choose, e edits the command line.\n");
}

/* Shows the piece of the line around the cursor, padded so that what stood there is gone. */
static void show_line(const char *line, size_t len, size_t cursor)
{
	size_t first = cursor > LINE_SHOWN - 10 ? cursor - (LINE_SHOWN - 10) : 0;
	say("\r%s", first ? "<" : ">");
	for (size_t i = first; i < first + LINE_SHOWN; i++)
		say("%c", i < len ? line[i] : ' ');
	for (size_t i = first + LINE_SHOWN; i > cursor; i--)
		say("\b");
}

/* Edits in place; Escape restores what was there. */
static void edit(char *line)
{
	static char before[CONFIG_CMDLINE_MAX + 1];
	size_t len = strlen(line), cursor = len;
	memcpy(before, line, len + 1);
	say("\nCommand line for this boot (Enter: done, Escape: as it was):\n");
	for (;;) {
		show_line(line, len, cursor);
		uint32_t key = 0;
		while (!(key = key_poll()))
			BS->Stall(TICK_US);
		switch (key) {
		case '\r': case '\n':
			say("\n");
			return;
		case KEY_ESCAPE:
			memcpy(line, before, sizeof(before));
			say("\n");
			return;
		case KEY_LEFT: cursor -= cursor > 0; break;
		case KEY_RIGHT: cursor += cursor < len; break;
		case KEY_HOME: cursor = 0; break;
		case KEY_END: cursor = len; break;
		case '\b':
			if (cursor == 0)
				break;
			cursor--;
			/* fallthrough */
		case KEY_DELETE:
			if (cursor < len) {
				memmove(line + cursor, line + cursor + 1, len - cursor);
				len--;
			}
			break;
		default:
			if (key >= ' ' && key < 0x7f && len < CONFIG_CMDLINE_MAX) {
				memmove(line + cursor + 1, line + cursor, len - cursor + 1);
				line[cursor++] = (char)key;
				len++;
			}
			break;
		}
	}
}

/* Waits for a key; 0 when `timeout_s` passes first. */
static uint32_t wait_key(int32_t timeout_s)
{
	for (uint64_t tick = 0; timeout_s == CONFIG_WAIT_FOREVER || tick < (uint64_t)timeout_s * TICKS_PER_S; tick++) {
		if (timeout_s != CONFIG_WAIT_FOREVER && tick % TICKS_PER_S == 0)
			say("\rStarting in %u s. ", (uint64_t)timeout_s - tick / TICKS_PER_S);
		uint32_t key = key_poll();
		if (key)
			return key;
		BS->Stall(TICK_US);
	}
	return 0;
}

struct config_entry *menu_choose(struct config *c)
{
	uint32_t selected = 0, held = key_poll();
	int32_t timeout = held ? CONFIG_WAIT_FOREVER : c->timeout_s;
	if ((c->n_entries == 1 && !held) || timeout == 0)
		return &c->entries[0];

	show(c, selected);
	for (;;) {
		uint32_t key = wait_key(timeout);
		timeout = CONFIG_WAIT_FOREVER;  /* somebody is there */
		if (key == 0 || key == '\r' || key == '\n') {
			say("\n");
			return &c->entries[selected];
		}
		if (key == KEY_UP && selected > 0)
			selected--;
		else if (key == KEY_DOWN && selected + 1 < c->n_entries)
			selected++;
		else if (key >= '1' && key <= '9' && key - '1' < c->n_entries)
			selected = key - '1';
		else if (key == 'e')
			edit(c->entries[selected].cmdline);
		else
			continue;
		show(c, selected);
	}
}
