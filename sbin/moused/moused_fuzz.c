/*
 * Any bytes at any time, to the decoder and to the setup: movements are in range, and the setup ends.
 */
#include <stdlib.h>
#include "packet.c"
#include "setup.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t kinds[] = { MOUSE_PLAIN, MOUSE_WHEEL, MOUSE_EXPLORER };
	struct packet p = { .kind = kinds[size ? data[0] % 3 : 0] };
	struct movement m = { 0 };
	struct setup s;
	uint8_t byte;

	for (size_t i = 1; i < size; i++) {
		uint64_t now = p.time_ns + (data[i] == 0xab ? PACKET_GAP_NS : NS_PER_MS);
		packet_byte(&p, now, data[i], &m);
		if (p.n > 3 || m.dx < -256 || m.dx > 255 || m.dy < -255 || m.dy > 256 || m.wheel < -127 || m.wheel > 128 || m.buttons > 31)
			abort();
	}
	enum setup_result r = setup_begin(&s, &byte);
	for (size_t i = 0; i < size && (r == SETUP_SEND || r == SETUP_WAIT); i++) {
		r = data[i] == 0xac ? setup_timeout(&s, &byte) : setup_byte(&s, data[i], &byte);
		if (r == SETUP_DONE ? s.step != sizeof(script) : s.step >= sizeof(script))
			abort();
	}
	for (int i = 0; r == SETUP_SEND || r == SETUP_WAIT; i++) {
		if (i > TRIES)
			abort();
		r = setup_timeout(&s, &byte);
	}
	return 0;
}
