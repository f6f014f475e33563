/*
 * irq: device interrupts as objects: a line, the vector it was given, and who is told.
 */
#pragma once
#include <kernel/arch.h>
#include <kernel/notify.h>

#define IRQ_NO_PIN UINT32_MAX    /* as a gsi: it comes as a message; no IO-APIC has this one */

struct irq {
	struct object   obj;
	struct irq_pin  pin;            /* fixed */
	uint8_t         vector;         /* fixed */
	struct watchers watchers;
};

bool irq_destroy(struct object *o);
void irq_interrupt(uint8_t vector);     /* from the trap */

struct resource { struct object obj; uint32_t kind; uint64_t base, count; };       /* all fixed */
struct ioports  { struct object obj; uint32_t base, count; };                      /* all fixed */
bool resource_covers(const struct resource *r, uint32_t kind, uint64_t base, uint64_t count);
struct resource *resource_create(uint32_t kind, uint64_t base, uint64_t count, struct budget *payer, status_t *why);
