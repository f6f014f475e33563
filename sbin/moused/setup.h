/*
 * setup: the conversation that brings a PS/2 mouse from any state to the most it can (pure): silence, reset, the knocks that turn on wheel and
 * five buttons (sample rates 200, 100, 80 and 200, 200, 80, then its number), 100 samples a second, 8 counts a mm, report.
 */
#pragma once
#include <abi/types.h>

struct setup {
	uint8_t step;               /* place in the script */
	uint8_t wait;               /* enum setup_wait */
	uint8_t tries;              /* of this byte */
	uint8_t kind;               /* what the mouse said last it is */
};

enum setup_result {
	SETUP_WAIT,                 /* for a byte */
	SETUP_SEND,                 /* *byte is to be sent now */
	SETUP_DONE,                 /* it reports; s->kind is what */
	SETUP_FAILED,               /* no mouse answers */
};

/* How long a byte may take: a reset half a second, says the manual; anything else 25 ms. */
#define SETUP_RESET_NS  (1000 * NS_PER_MS)
#define SETUP_ANSWER_NS (100 * NS_PER_MS)

enum setup_result setup_begin(struct setup *s, uint8_t *byte);
enum setup_result setup_byte(struct setup *s, uint8_t from_mouse, uint8_t *byte);
/* Nothing came in setup_patience. */
enum setup_result setup_timeout(struct setup *s, uint8_t *byte);
uint64_t setup_patience(const struct setup *s);
