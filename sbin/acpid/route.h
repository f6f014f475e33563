/*
 * route: which interrupt a pin of a PCI device raises, as ACPI's _PRT objects say (ACPI 6.5 §6.2.13). Pure.
 */
#pragma once
#include <abi/types.h>

#define ROUTES_MAX 2048             /* 32 devices of four pins on 16 buses */

struct route {
	uint8_t  bus, device, pin;  /* pin 1: INTA# .. 4: INTD#, as in configuration register 3Dh */
	bool     level, active_low;
	uint32_t gsi;
};

struct routes { struct route at[ROUTES_MAX]; uint32_t n; };

/* Enters one; an earlier one of the same bus, device and pin stands. False: there is no room, or it is no route. */
must_use bool route_add(struct routes *r, const struct route *one);
/* NULL: nothing is known of it. */
const struct route *route_find(const struct routes *r, uint32_t bus, uint32_t device, uint32_t pin);
/* Whether a pin of any device raises this interrupt. */
must_use bool route_leads_to(const struct routes *r, uint32_t gsi);
/* One line each from `offset` on of the whole text: "00:1f A 16 level high". Returns the bytes written. */
size_t route_text(const struct routes *r, uint64_t offset, char *buf, size_t room);
size_t route_text_size(const struct routes *r);
