/*
 * driver: see driver.h.
 */
#include "driver.h"
#include "step.h"
#include <rt/io.h>
#include <stdio.h>

static struct records *records;     /* borrowed */

void drivers_init(struct records *our_records)
{
	records = our_records;
}

/* The service of a device that is there or about to leave. NULL: none. */
static struct service *driver_of(uint16_t at)
{
	for (uint32_t i = 0; i < services_count(); i++) {
		struct service *s = service_at(i);
		if (s->state != SERVICE_FREE && s->where && s->where->at == at)
			return s;
	}
	return NULL;
}

static const struct service *template_for(uint16_t vendor, uint16_t device, uint32_t class)
{
	const struct service *best = NULL;
	int best_fit = 0;

	for (uint32_t i = 0; i < services_count(); i++) {
		const struct service *s = service_at(i);
		int fit = s->state == SERVICE_TEMPLATE ? manifest_fits(&s->m, vendor, device, class) : 0;
		if (fit > best_fit) {
			best = s;
			best_fit = fit;
		}
	}
	return best;
}

/* A service from the template, not yet one that could run. */
static struct service *make(const struct service *t, uint16_t at, uint32_t owner)
{
	static struct manifest m;       /* one thread, and large */

	m = t->m;
	m.n_pci = 0;
	snprintf(m.name, sizeof(m.name), "%.*s.%02x:%02x.%x", MANIFEST_NAME_MAX - MANIFEST_PLACE, t->m.name, at >> 8, at >> 3 & 31, at & 7u);
	return services_add(&m, owner);
}

void drivers_restore(struct legacy *left)
{
	for (uint32_t i = 0; i < DEVICES_MAX; i++) {
		struct device_record *d = &records->devices[i];
		if (!device_record_valid(d))
			continue;
		/* Without the Session it was only about to be made: who tells of the device will tell again. */
		const struct service *t = template_for(d->vendor, d->device, d->class);
		handle_t session = legacy_take(left, OBJ_SESSION, TAG(d->owner, KIND_DEVICE));
		struct service *s = session && t ? make(t, d->at, d->owner) : NULL;
		if (!s) {
			device_record_free(d);
			if (session)
				handle_close(session);
			continue;
		}
		s->where = d;
		s->device = session;
	}
}

status_t driver_arrived(uint16_t at, uint16_t vendor, uint16_t device, uint32_t class, handle_t *session)
{
	struct service *s = driver_of(at);

	if (s)
		return s->where->vendor == vendor && s->where->device == device && s->where->class == class && !s->where->gone ? OK : ERR_BUSY;
	const struct service *t = template_for(vendor, device, class);
	if (!t)
		return ERR_NOT_FOUND;
	s = make(t, at, 0);
	if (!s)
		return ERR_NO_SPACE;
	step();
	s->where = device_record_put(records, s->owner, at, vendor, device, class);
	if (!s->where) {
		service_forget(s);
		return ERR_NO_SPACE;
	}
	step();
	s->device = *session;
	*session = 0;
	handle_tag(s->device, TAG(s->owner, KIND_DEVICE));
	step();
	/* What went wrong is in svc:// and in the log; who told of the device has done its part. */
	(void)!service_launch(s);
	return OK;
}

status_t driver_gone(uint16_t at, struct service **which)
{
	struct service *s = driver_of(at);

	if (!s)
		return OK;
	step();
	s->where->gone = 1;
	step();
	*which = s;
	status_t st = s->process ? service_stop(s) : OK;
	if (st == OK)
		driver_stopped(s);
	return st;
}

bool driver_is_leaving(const struct service *s)
{
	return s->where && s->where->gone;
}

void driver_stopped(struct service *s)
{
	if (!driver_is_leaving(s))
		return;
	log_print("%s has gone with its device", s->m.name);
	step();
	device_record_free(s->where);
	step();
	s->where = NULL;
	service_forget(s);
}
