/*
 * cmos: the clock chip at ports 0x70 (number) and 0x71 (value); nobody else has them. See rtc.h for what its registers mean.
 */
#pragma once
#include "rtc.h"

struct cmos {
	handle_t ports;
	uint8_t  century;           /* register, 0: none */
};

/* resource: res:ioports, for 0x70 and 0x71. ERR_NOT_FOUND: nothing answers there. */
must_use status_t cmos_open(struct cmos *c, handle_t resource, uint8_t century);
/* One moment's registers, never half of one and half of the next. ERR_IO: it updates without an end, or never says the same twice. */
must_use status_t cmos_read(const struct cmos *c, struct rtc_time *t);
/* Sets the clock, in the format that it is in, and lets it run. ERR_NOT_SUPPORTED: the year is beyond it; it is as before. */
must_use status_t cmos_write(const struct cmos *c, int64_t seconds);
