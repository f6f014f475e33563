/*
 * route: see route.h.
 */
#include "route.h"
#include <stdio.h>
#include <string.h>

/* Every line has the same length, so an offset leads to its line at once. */
enum { LINE = 25 };

bool route_add(struct routes *r, const struct route *one)
{
	if (one->device > 31 || one->pin < 1 || one->pin > 4 || one->gsi > 99999)
		return false;
	if (route_find(r, one->bus, one->device, one->pin))
		return true;
	if (r->n == ROUTES_MAX)
		return false;
	r->at[r->n++] = *one;
	return true;
}

const struct route *route_find(const struct routes *r, uint32_t bus, uint32_t device, uint32_t pin)
{
	for (uint32_t i = 0; i < r->n; i++)
		if (r->at[i].bus == bus && r->at[i].device == device && r->at[i].pin == pin)
			return &r->at[i];
	return NULL;
}

bool route_leads_to(const struct routes *r, uint32_t gsi)
{
	for (uint32_t i = 0; i < r->n; i++)
		if (r->at[i].gsi == gsi)
			return true;
	return false;
}

size_t route_text_size(const struct routes *r)
{
	return (size_t)r->n * LINE;
}

size_t route_text(const struct routes *r, uint64_t offset, char *buf, size_t room)
{
	size_t len = 0;

	while (len < room && offset < route_text_size(r)) {
		const struct route *one = &r->at[offset / LINE];
		char line[LINE + 1];
		snprintf(line, sizeof(line), "%02x:%02x %c %5u %s %s\n", one->bus, one->device, 'A' + one->pin - 1, one->gsi,
		         one->level ? "level" : "edge ", one->active_low ? "low " : "high");
		size_t skip = offset % LINE, n = MIN(LINE - skip, room - len);
		memcpy(buf + len, line + skip, n);
		len += n;
		offset += n;
	}
	return len;
}
