/*
 * packet: see packet.h.
 */
#include "packet.h"

enum { ALWAYS = 0x08, X_SIGN = 0x10, Y_SIGN = 0x20, X_OVERFLOW = 0x40, Y_OVERFLOW = 0x80 };
enum { PASSED = 0xaa, MOUSE_ID = 0 };

static size_t length(const struct packet *p)
{
	return p->kind == MOUSE_PLAIN ? 3 : 4;
}

static void decode(const struct packet *p, struct movement *m)
{
	uint8_t first = p->bytes[0], last = p->bytes[3];

	*m = (struct movement){ .buttons = first & 7 };
	/* After an overflow the count says nothing but its sign. */
	if (!(first & X_OVERFLOW))
		m->dx = p->bytes[1] - (first & X_SIGN ? 256 : 0);
	if (!(first & Y_OVERFLOW))
		m->dy = (first & Y_SIGN ? 256 : 0) - p->bytes[2];
	if (p->kind == MOUSE_WHEEL)
		m->wheel = -(int8_t)last;
	if (p->kind == MOUSE_EXPLORER) {
		m->wheel = -((last & 7) - (last & 8));
		m->buttons |= (last >> 4 & 3) << 3;
	}
}

enum packet_result packet_silence(struct packet *p, uint64_t time_ns)
{
	if (p->n == 0 || time_ns - p->time_ns < PACKET_GAP_NS)
		return PACKET_MORE;
	bool plugged = p->n == 2 && p->bytes[0] == PASSED && p->bytes[1] == MOUSE_ID;
	p->n = 0;
	return plugged ? PACKET_PLUGGED : PACKET_LOST;
}

enum packet_result packet_byte(struct packet *p, uint64_t time_ns, uint8_t byte, struct movement *m)
{
	enum packet_result before = packet_silence(p, time_ns);

	if (before == PACKET_PLUGGED)
		return before;
	p->time_ns = time_ns;
	/* The one bit that tells a first byte from others; the upper bits of Explorer's last byte tell as well. */
	if (p->n == 0 && !(byte & ALWAYS))
		return PACKET_LOST;
	if (p->kind == MOUSE_EXPLORER && p->n == 3 && byte & 0xc0) {
		p->n = 0;
		return PACKET_LOST;
	}
	p->bytes[p->n++] = byte;
	if (p->n < length(p))
		return before;
	p->n = 0;
	decode(p, m);
	return PACKET_DONE;
}
