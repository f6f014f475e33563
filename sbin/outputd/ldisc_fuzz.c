/*
 * A state page of any content, then any keys, reads and mode changes: indices stay in their arrays, room is
 * kept, and what is saved can be loaded again.
 */
#include <stdlib.h>
#include <string.h>
#include "ldisc.c"
#include "tty.c"
#include <utf8/utf8.c>

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void type_again(struct ldisc *l)
{
	enum ldisc_result result;

	while (ldisc_again(l, &result))
		check(l->h->line_len <= l->h->again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct tty_state page;
	static struct ldisc l;
	struct tty_head head, again;
	uint8_t buf[256];
	uint32_t cells;
	size_t used;

	/* The ring and the line may hold anything; a head with a good checksum and bad values must be refused too. */
	memset(&page, size ? data[0] : 0, sizeof(page));
	if (size > sizeof(head)) {
		memcpy(&page.head[0], data, sizeof(head));
		page.head[0].magic = TTY_MAGIC;
		page.head[0].version = TTY_VERSION;
		page.head[0].check = head_check(&page.head[0]);
	}
	tty_load(&page, &head);
	ldisc_init(&l, &head, &page);
	type_again(&l);
	for (size_t i = 0; i < size; i++) {
		if (data[i] >= 0xf8) {
			ldisc_set_mode(&l, data[i] * 37u & TTY_MODES);
			type_again(&l);
		} else if (data[i] >= 0xf0 || ldisc_room(&l) == 0) {
			check(ldisc_peek(&l, buf, data[i] % sizeof(buf), &cells) <= data[i] % sizeof(buf));
			ldisc_take(&l, cells);
			head.echo_taken += (uint32_t)ldisc_echo(&l, buf, sizeof(buf));
		} else {
			ldisc_input(&l, data[i]);
		}
		check(head.put - head.taken <= TTY_RING && head.line_len <= TTY_LINE);
	}
	tty_save(&page, &head);
	/* What a READ had been given may have been taken meanwhile; main.c settles that before. */
	if (head.read_cells <= head.put - head.taken)
		check(tty_load(&page, &again) && again.seq == head.seq);
	for (size_t at = 0; at < size; at += used) {
		size_t n = ldisc_output(head.mode, data + at, size - at, buf, 16, &used);
		check(n <= 16 && used > 0);
	}
	return 0;
}
