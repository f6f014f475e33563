/*
 * pit: channel 2 of the 8254 timer, only to measure the TSC against. Its gate is in port 0x61, its
 * output could reach the loudspeaker (switched off here). It counts down at 105/88 MHz from 65535 and
 * wraps every 55 ms. Intel 8254 data sheet; port 61h: any PC chip set manual.
 */
#include "clock_source.h"
#include "cpu.h"

enum {
	CHANNEL2 = 0x42, COMMAND = 0x43, PORT61 = 0x61,
	LATCH_2 = 0x80,                 /* keep channel 2's count until both bytes are read */
	MODE_2_RATE = 0xb4,             /* channel 2, low then high byte, mode 2, binary */
	GATE2 = 1, SPEAKER = 2,
};

static uint32_t read_counter(void)
{
	out8(COMMAND, LATCH_2);
	uint32_t low = in8(CHANNEL2);
	return 0xffff & ~(low | (uint32_t)in8(CHANNEL2) << 8);
}

bool pit_start(struct clock_source *s)
{
	out8(PORT61, (uint8_t)((in8(PORT61) & ~SPEAKER & 0x0f) | GATE2));
	out8(COMMAND, MODE_2_RATE);
	out8(CHANNEL2, 0);
	out8(CHANNEL2, 0);              /* 0 counts as 65536 */
	*s = (struct clock_source){ .name = "PIT", .read = read_counter, .period_fs = 838095345, .bits = 16 };
	return true;
}

/* Gate closed: the channel stands still. */
void pit_stop(void)
{
	out8(PORT61, in8(PORT61) & 0x0f & ~(GATE2 | SPEAKER));
}
