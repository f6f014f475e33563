/*
 * packet: bytes of a PS/2 mouse to movements and buttons (pure). Plain packets of three bytes, IntelliMouse's of four with a wheel,
 * Explorer's with five buttons (Microsoft, IntelliMouse PS/2 protocol; IBM PS/2 Hardware Interface Technical Reference, Mouse).
 */
#pragma once
#include <abi/types.h>

enum mouse_kind { MOUSE_PLAIN = 0, MOUSE_WHEEL = 3, MOUSE_EXPLORER = 4 };       /* as the mouse identifies itself */

struct packet {
	uint8_t  kind;              /* enum mouse_kind */
	uint8_t  n;                 /* bytes of `bytes` that are there */
	uint8_t  bytes[4];
	uint8_t  reserved[2];
	uint64_t time_ns;           /* of the last byte */
};

/* Bits 0..4: left, right, middle, side, extra. dx: to the right, dy: down, wheel: away from the user. */
struct movement { int32_t dx, dy, wheel; uint8_t buttons; };

enum packet_result {
	PACKET_MORE,
	PACKET_DONE,                /* *m is filled */
	PACKET_LOST,                /* bytes were lost: they make no packet, and the next one begins anew */
	PACKET_PLUGGED,             /* a mouse has just passed its self-test and is to be set up */
};

/* A packet takes 4 ms on the wire; a byte that comes so much later begins another. */
#define PACKET_GAP_NS (100 * NS_PER_MS)

enum packet_result packet_byte(struct packet *p, uint64_t time_ns, uint8_t byte, struct movement *m);
/* Nothing has come for a while: whether AA 00 was the last, which a mouse says that was plugged in, and no packet. */
enum packet_result packet_silence(struct packet *p, uint64_t time_ns);
