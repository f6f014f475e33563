/*
 * Registers of any content: refused, or a moment that the same registers would show again.
 */
#include <stdlib.h>
#include <string.h>
#include "../../lib/tz/civil.c"
#include "rtc.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rtc_time t, again;
	int64_t seconds, twice;

	if (size < sizeof(t))
		return 0;
	memcpy(&t, data, sizeof(t));
	if (rtc_decode(&t, &seconds))
		return 0;
	again = t;
	if (!rtc_encode(seconds, true, &again) || rtc_decode(&again, &twice) || twice != seconds || again.second != t.second || again.hour != t.hour)
		abort();
	return 0;
}
