/*
 * keys: see keys.h.
 */
#include "keys.h"

enum { ESC = 0x1b, DEL = 0x7f, PARAMETERS_MAX = 16 };

static uint32_t by_letter(int letter)
{
	switch (letter) {
	case 'A': return KEY_UP;
	case 'B': return KEY_DOWN;
	case 'C': return KEY_RIGHT;
	case 'D': return KEY_LEFT;
	case 'H': return KEY_HOME;
	case 'F': return KEY_END;
	default:  return 0;
	}
}

static uint32_t by_number(uint32_t number)
{
	switch (number) {
	case 1: case 7: return KEY_HOME;
	case 3:         return KEY_DELETE;
	case 4: case 8: return KEY_END;
	default:        return 0;
	}
}

uint32_t key_of_terminal(uint8_t first, int (*soon)(void))
{
	if (first == DEL)
		return '\b';
	if (first != ESC)
		return first;
	int c = soon();
	if (c != '[' && c != 'O')
		return KEY_ESCAPE;      /* and whatever it was is no line's */
	uint32_t number = 0;
	bool first_number = true;
	c = soon();
	for (int i = 0; i < PARAMETERS_MAX && c >= '0' && c <= '?'; i++, c = soon()) {
		first_number &= c <= '9';
		if (first_number && number < 100)
			number = number * 10 + (uint32_t)(c - '0');
	}
	return c == '~' ? by_number(number) : by_letter(c);
}
