/*
 * tty: loading and saving a terminal's head (pure; see tty.h).
 */
#include <abi/file.h>
#include <string.h>
#include "tty.h"

/* FNV-1a, 64 bits, by words: it guards against scribbling, not against malice. */
static uint64_t head_check(const struct tty_head *h)
{
	uint64_t words[offsetof(struct tty_head, check) / 8], sum = 0xcbf29ce484222325ull;

	memcpy(words, h, sizeof(words));
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		sum = (sum ^ words[i]) * 0x100000001b3ull;
	return sum;
}

/* Before what is to be typed again there is room for the line of what was, and in the ring for all. */
static bool again_valid(const struct tty_head *h)
{
	return h->again == h->again_end || (h->mode & TTY_CANONICAL && h->again < h->again_end && h->again_end <= TTY_LINE && h->line_len <= h->again &&
		h->put - h->taken + h->line_len + (h->again_end - h->again) <= TTY_RING);
}

static bool head_valid(const struct tty_head *h)
{
	return h->magic == TTY_MAGIC && h->version == TTY_VERSION && h->check == head_check(h) &&
		(h->mode & ~(uint32_t)TTY_MODES) == 0 && h->put - h->taken <= TTY_RING &&
		h->line_len < TTY_LINE - 1 && again_valid(h) && h->put - h->taken + h->line_len <= TTY_RING &&
		h->read_cells <= h->put - h->taken && h->write_done <= h->write_len &&
		h->load <= h->write_len - h->write_done && h->echo_put - h->echo_taken <= TTY_SHOWN && h->echo_load <= h->echo_put - h->echo_taken;
}

bool tty_load(const struct tty_state *s, struct tty_head *h)
{
	/* Copied before they are judged: nobody else maps the Frame, but this costs nothing. */
	struct tty_head copy[2] = { s->head[0], s->head[1] };
	bool valid[2] = { head_valid(&copy[0]), head_valid(&copy[1]) };

	if (!valid[0] && !valid[1]) {
		*h = (struct tty_head){ .magic = TTY_MAGIC, .version = TTY_VERSION, .mode = TTY_DEFAULT, .seen = s->received };
		return false;
	}
	*h = copy[valid[1] && (!valid[0] || copy[1].seq > copy[0].seq)];
	if (s->sent != h->sent) {
		h->write_done += h->load;
		h->echo_taken += h->echo_load;
	}
	h->load = h->echo_load = 0;
	if (s->received - h->seen > TTY_RAW)
		h->seen = s->received;
	return true;
}

void tty_save(struct tty_state *s, struct tty_head *h)
{
	h->seq++;
	h->sent = s->sent;
	h->check = head_check(h);
	/* A kill is no crash of the machine: stores that were made stay made, in program order. */
	__asm__ volatile("" ::: "memory");
	s->head[h->seq & 1] = *h;
	__asm__ volatile("" ::: "memory");
}
