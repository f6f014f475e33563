/*
 * scan: bytes of a PS/2 keyboard to key codes (pure). Scan code set 2 as keyboards send it, or set 1 as an 8042 that will not stop
 * translating makes it (IBM PS/2 Hardware Interface Technical Reference, Keyboard; Microsoft, Keyboard Scan Code
 * Specification 1.3a, appendix A).
 */
#pragma once
#include <abi/input.h>

struct scan {
	uint8_t set;                /* 1 or 2 */
	uint8_t prefix;             /* 0, 0xe0, 0xe1 */
	uint8_t release;            /* set 2: F0 came */
	uint8_t left;               /* codes of an E1 sequence still to come */
};

enum scan_result {
	SCAN_MORE,                  /* nothing yet, or nothing that is a key */
	SCAN_KEY,
	SCAN_LOST,                  /* the keyboard's buffer ran over: what is down is not known any more */
	SCAN_PLUGGED,               /* set 2 only: it has just passed its self-test, so somebody plugged it in */
};

/* One byte. SCAN_KEY: *code and *down. */
enum scan_result scan_byte(struct scan *s, uint8_t byte, uint16_t *code, bool *down);
