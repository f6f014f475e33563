/*
 * input: events of keyboards and mice as kbd://events, mouse://events and input://events give them (docs/pc.md).
 * Types and codes have the values of evdev (Linux, input-event-codes.h); EV_TEXT is ours.
 */
#pragma once
#include <abi/types.h>

struct input_event {
	uint64_t seq;               /* from 1, without gaps, by who makes the stream */
	uint64_t time_ns;           /* clock_now when its interrupt was served */
	uint16_t type, code;
	int32_t  value;
};
_Static_assert(sizeof(struct input_event) == 24, "READ at offset n * 24 begins with event n + 1");

enum input_type { EV_SYN = 0, EV_KEY = 1, EV_REL = 2, EV_ABS = 3, EV_MSC = 4, EV_LED = 0x11, EV_TEXT = 0x20 };
enum { SYN_REPORT = 0, SYN_DROPPED = 3 };       /* DROPPED: events up to this number are lost to the reader, or those of a device */
enum { REL_X = 0, REL_Y = 1, REL_WHEEL = 8, REL_CODES = 16 };   /* right, down, away from the user */
enum { ABS_X = 0, ABS_Y = 1, ABS_CODES = 64, ABS_MOST = 32767 };        /* values are 0 to ABS_MOST on every axis, whatever the device's range is */
enum { MSC_RAW = 3 };                           /* kbd://aux: value is a byte of the second port */
enum { TEXT_ALT = 1 };                          /* code of EV_TEXT: an Alt key is down that chooses no characters */
enum { LED_NUML = 0, LED_CAPSL = 1, LED_SCROLLL = 2 };
enum { KEY_UP = 0, KEY_DOWN = 1, KEY_REPEAT = 2 };      /* values of EV_KEY */

/* Codes that have a meaning beyond their place in a table. */
enum {
	KEY_LEFTCTRL = 29, KEY_LEFTSHIFT = 42, KEY_RIGHTSHIFT = 54, KEY_LEFTALT = 56, KEY_CAPSLOCK = 58, KEY_NUMLOCK = 69,
	KEY_SCROLLLOCK = 70, KEY_KPDOT = 83, KEY_RIGHTCTRL = 97, KEY_SYSRQ = 99, KEY_RIGHTALT = 100, KEY_DELETE = 111, KEY_PAUSE = 119,
	KEY_LEFTMETA = 125, KEY_RIGHTMETA = 126, KEY_COMPOSE = 127,
	BTN_LEFT = 0x110, BTN_RIGHT = 0x111, BTN_MIDDLE = 0x112, BTN_SIDE = 0x113, BTN_EXTRA = 0x114,
	INPUT_CODES = 0x120,        /* codes of EV_KEY are below it */
};

/* kbd://events: arg0: bits 0..4 rate, 5..6 delay, as the keyboard's command F3 takes them (0: 30 a second, 250 ms). */
#define CTL_KBD_TYPEMATIC 96

/*
 * inputdev://: a driver says that a device is there. handle[0]: a Session of its own Port (RIGHT_READ, CALL, DUP, TRANSFER), on which READ
 * gives events as kbd://events does, and WRITE takes EV_LED if `flags` says so (RIGHT_WRITE). in: struct input_source; arg0: the number of
 * the device's newest event, after which a device that is new to inputd begins. A name that is there already gets the new Session instead of
 * the old one, so it may be said again. The Session's CLOSE tells the driver that it is to say so again; its Port's end, or ERR_GONE or
 * ERR_NOT_FOUND of a READ, tells that the device has gone. To be submitted: inputd stands above. ERR_NO_SPACE: too many.
 */
#define CTL_INPUT_SOURCE 97
#define INPUT_SOURCE_NAME 32
#define INPUT_SOURCE_PRODUCT 64
enum { INPUT_SOURCE_LEDS = 1 };

struct input_source {
	char     name[INPUT_SOURCE_NAME];       /* its own among all sources, ASCII without blanks: vinputd.00:04.0; zero-terminated */
	char     product[INPUT_SOURCE_PRODUCT]; /* what the device calls itself, printable ASCII, or "" */
	uint32_t flags;
	uint32_t reserved;          /* 0 */
};
_Static_assert(sizeof(struct input_source) == 104, "crosses processes");
