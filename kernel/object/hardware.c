/*
 * hardware: Resource, Irq and IoPorts: authority over the machine, cut into pieces. A Resource
 * says what may be made from it; Irq and IoPorts are what a driver holds.
 */
#include <kernel/budget.h>
#include <kernel/irq.h>
#include <kernel/log.h>
#include <kernel/process.h>
#include <kernel/smp.h>
#include <kernel/syscall.h>
#include <kernel/x86.h>

/* ---- Resource ---- */

struct resource *resource_create(uint32_t kind, uint64_t base, uint64_t count, struct budget *payer, status_t *why)
{
	struct resource *r = (struct resource *)object_create(OBJ_RESOURCE, sizeof(*r), payer, why);
	if (r) {
		r->kind = kind;
		r->base = base;
		r->count = count;
	}
	return r;
}

bool resource_covers(const struct resource *r, uint32_t kind, uint64_t base, uint64_t count)
{
	if (r->kind == RES_ROOT)
		return true;
	return r->kind == kind && base >= r->base && base - r->base <= r->count && count <= r->count - (base - r->base);
}

status_t resource_info(handle_t h, uint32_t rights)
{
	struct resource *r;
	status_t st = LOOKUP(h, OBJ_RESOURCE, rights, &r);
	return st < 0 ? st : resource_covers(r, RES_INFO, 0, 0) ? OK : ERR_DENIED;
}

status_t sys_resource_slice(handle_t h, uint32_t kind, uint64_t base, uint64_t count, handle_t *slice)
{
	static const uint64_t limit[] = { [RES_IRQ] = 1024, [RES_IOPORTS] = 65536, [RES_PHYS] = 1ull << 52, [RES_INFO] = 1, [RES_DMA] = 1ull << 32 };
	struct resource *r;
	uint32_t rights;
	status_t st = handle_lookup(CURRENT_PROCESS->table, h, OBJ_RESOURCE, RIGHT_MANAGE, (struct object **)&r, &rights), why = OK;
	if (st < 0)
		return st;
	if (kind == RES_ROOT || kind > RES_DMA || base > limit[kind] || count > limit[kind] - base)
		return ERR_INVALID;
	if (!resource_covers(r, kind, base, count))
		return ERR_DENIED;
	return object_install((struct object *)resource_create(kind, base, count, CURRENT_PROCESS->budget, &why), rights, slice, why);
}

/* A processor that cannot deliver an exception, nor the double fault, shuts down, and the machine is reset (SDM 3A 6.15). */
status_t sys_processor_reset(handle_t h)
{
	static const uint64_t no_idt[2];
	struct resource *r;
	status_t st = LOOKUP(h, OBJ_RESOURCE, RIGHT_MANAGE, &r);
	if (st == OK && r->kind == RES_ROOT)
		asm volatile("lidt %0; int3" :: "m"(no_idt));
	return st < 0 ? st : ERR_DENIED;
}

/* ---- Irq ---- */

static struct spinlock irq_lock;
static struct irq *by_vector[256];      /* borrowed; cleared when the Irq is destroyed */
static uint8_t line_vector[1024];       /* by GSI; 0: free */

/*
 * Lines go to the CPUs in turn that the driver may run on. Without interrupt remapping an entry has 8 bits for the target, and 255
 * means all (82093AA 3.2.4): a CPU beyond that is passed over, and at the end it is the first one.
 */
static uint32_t next_target_locked(void)
{
	static uint32_t turn;
	for (uint32_t i = 0; i < cpu_count; i++) {
		const struct percpu *c = percpu_all[turn++ % cpu_count];
		if (current_thread()->affinity >> c->cpu & 1 && c->apic_id < 255)
			return c->apic_id;
	}
	return percpu_all[0]->apic_id;
}

/* Without a vector yet. */
static struct irq *irq_new(struct irq_pin pin, status_t *why)
{
	struct irq *irq = (struct irq *)object_create(OBJ_IRQ, sizeof(*irq), CURRENT_PROCESS->budget, why);
	if (irq) {
		watchers_init(&irq->watchers);
		irq->pin = pin;
	}
	return irq;
}

static bool vector_take_locked(struct irq *irq)
{
	for (unsigned v = VECTOR_IRQ_FIRST; !irq->vector && v <= VECTOR_IRQ_LAST; v++)
		if (!by_vector[v]) {
			irq->vector = (uint8_t)v;
			by_vector[v] = irq;
		}
	return irq->vector;
}

static struct irq *irq_create(struct irq_pin pin, status_t *why)
{
	*why = ERR_INVALID;
	if (pin.gsi >= ioapic_gsi_count() || pin.gsi >= ARRAY_LEN(line_vector))
		return NULL;
	struct irq *irq = irq_new(pin, why);
	if (!irq)
		return NULL;
	spin_lock(&irq_lock);
	*why = line_vector[pin.gsi] ? ERR_BUSY : ERR_NO_SPACE;
	if (!line_vector[pin.gsi] && vector_take_locked(irq)) {
		line_vector[pin.gsi] = irq->vector;
		if (!ioapic_route(pin, irq->vector, next_target_locked())) {
			by_vector[irq->vector] = NULL;
			line_vector[pin.gsi] = 0;
			irq->vector = 0;
			*why = ERR_INVALID;
		}
	}
	spin_unlock(&irq_lock);
	if (irq->vector)
		return irq;
	object_put(&irq->obj);
	return NULL;
}

bool irq_destroy(struct object *o)
{
	struct irq *irq = (struct irq *)o;
	if (!irq->vector)
		return true;
	spin_lock(&irq_lock);
	ioapic_mask(irq->pin.gsi, true);
	by_vector[irq->vector] = NULL;
	spin_unlock(&irq_lock);
	cpus_wait_left();               /* one may have found it there, and mask the line */
	if (irq->pin.gsi != IRQ_NO_PIN)
		__atomic_store_n(&line_vector[irq->pin.gsi], 0, __ATOMIC_RELEASE);
	return true;
}

/* Level lines stay masked until the driver has served the device; edges must not be lost, so they are not masked. */
static noinline void level_interrupt(struct irq *irq)
{
	ioapic_mask(irq->pin.gsi, true);
	apic_eoi();
	watchers_fire(&irq->watchers, false);
}

void irq_interrupt(uint8_t vector)
{
	struct irq *irq = __atomic_load_n(&by_vector[vector], __ATOMIC_ACQUIRE);
	if (unlikely(irq && irq->pin.level)) {
		level_interrupt(irq);
		return;
	}
	apic_eoi();
	if (likely(irq))
		watchers_fire(&irq->watchers, false);
}

status_t sys_irq_create(handle_t h, uint32_t line, uint32_t flags, handle_t *out)
{
	struct resource *r;
	status_t st = LOOKUP(h, OBJ_RESOURCE, RIGHT_MANAGE, &r), why = OK;
	if (st < 0)
		return st;
	if (flags & ~(uint32_t)(IRQ_LEVEL | IRQ_ACTIVE_LOW | IRQ_ISA))
		return ERR_INVALID;
	if ((flags & IRQ_ISA) && line > 15)
		return ERR_INVALID;
	struct irq_pin pin = flags & IRQ_ISA ? ioapic_isa(line) :
		(struct irq_pin){ .gsi = line, .level = flags & IRQ_LEVEL, .active_low = flags & IRQ_ACTIVE_LOW };
	/* Authority is over the line itself, wherever an override put it. */
	if (!resource_covers(r, RES_IRQ, pin.gsi, 1))
		return ERR_DENIED;
	struct irq *irq = irq_create(pin, &why);
	return object_install((struct object *)irq, RIGHT_ALL, out, why);
}

/* A message is a write to the local APICs' range (SDM 3A 11.11): physical target in bits 19:12, the vector as data: fixed, edge. */
status_t sys_irq_create_msi(handle_t h, uint32_t number, handle_t *out, uint64_t *address, uint32_t *data)
{
	struct resource *r;
	status_t st = LOOKUP(h, OBJ_RESOURCE, RIGHT_MANAGE, &r), why = OK;
	if (st < 0)
		return st;
	if (!resource_covers(r, RES_DMA, number, 1))
		return ERR_DENIED;
	struct irq *irq = irq_new((struct irq_pin){ .gsi = IRQ_NO_PIN }, &why);
	if (!irq)
		return why;
	spin_lock(&irq_lock);
	uint32_t target = next_target_locked();
	bool taken = target < 0xff && vector_take_locked(irq);  /* as in an IO-APIC's entry, 255 means all */
	spin_unlock(&irq_lock);
	if (!taken) {
		object_put(&irq->obj);
		return ERR_NO_SPACE;
	}
	*address = 0xfee00000 | target << 12;
	*data = irq->vector;
	return object_install((struct object *)irq, RIGHT_ALL, out, why);
}

status_t sys_irq_ack(handle_t h)
{
	struct irq *irq;
	status_t st = LOOKUP(h, OBJ_IRQ, RIGHT_WAIT, &irq);
	if (st == OK)
		ioapic_mask(irq->pin.gsi, false);
	return st;
}

/* ---- IoPorts ---- */

#define COM1 0x3f8u

status_t sys_ioports_create(handle_t h, uint32_t base, uint32_t count, handle_t *out)
{
	struct resource *r;
	status_t st = LOOKUP(h, OBJ_RESOURCE, RIGHT_MANAGE, &r), why = OK;
	if (st < 0)
		return st;
	if (!count || base > 65535 || count > 65536 - base)
		return ERR_INVALID;
	if (!resource_covers(r, RES_IOPORTS, base, count))
		return ERR_DENIED;
	struct ioports *p = (struct ioports *)object_create(OBJ_IOPORTS, sizeof(*p), CURRENT_PROCESS->budget, &why);
	if (p) {
		p->base = base;
		p->count = count;
		/* Whoever drives COM1 owns it: the log no longer shows there. */
		if (base <= COM1 && COM1 < base + count)
			log_serial_off();
	}
	return object_install((struct object *)p, RIGHT_ALL, out, why);
}

static status_t port_at(handle_t h, uint32_t right, uint32_t port, uint32_t width, uint16_t *at)
{
	struct ioports *p;
	status_t st = LOOKUP(h, OBJ_IOPORTS, right, &p);
	if (st < 0)
		return st;
	if ((width != 1 && width != 2 && width != 4) || port >= p->count || width > p->count - port)
		return ERR_INVALID;
	*at = (uint16_t)(p->base + port);
	return OK;
}

status_t sys_io_read(handle_t h, uint32_t port, uint32_t width, uint32_t *value)
{
	uint16_t at;
	status_t st = port_at(h, RIGHT_READ, port, width, &at);
	if (st == OK)
		*value = width == 1 ? inb(at) : width == 2 ? inw(at) : inl(at);
	return st;
}

status_t sys_io_write(handle_t h, uint32_t port, uint32_t width, uint32_t value)
{
	uint16_t at;
	status_t st = port_at(h, RIGHT_WRITE, port, width, &at);
	if (st < 0)
		return st;
	if (width == 1)
		outb(at, (uint8_t)value);
	else if (width == 2)
		outw(at, (uint16_t)value);
	else
		outl(at, value);
	return OK;
}

status_t sys_io_write_bytes(handle_t h, uint32_t port, user_in_t buf, uint64_t len, uint64_t sum, uint64_t *done)
{
	uint8_t data[64];
	uint64_t total;
	uint16_t at;
	status_t st = port_at(h, RIGHT_WRITE, port, 1, &at);
	if (st < 0)
		return st;
	len = MIN(len, sizeof(data));
	st = copy_in(data, buf, len);
	if (st == OK && sum && (st = copy_in(&total, (user_in_t){ sum }, sizeof(total))) == OK) {
		total += len;
		st = copy_out((user_out_t){ sum }, &total, sizeof(total));
	}
	if (st < 0)
		return st;
	/* It is recorded, and from here on nothing fails or waits: a kill comes before the call or after it. */
	for (uint64_t i = 0; i < len; i++)
		outb(at, data[i]);
	*done = len;
	return OK;
}

status_t sys_io_read_bytes(handle_t h, uint32_t port, uint32_t ready, user_out_t buf, uint32_t count, uint64_t sum, uint32_t *done)
{
	struct io_byte data[16] = { 0 };
	uint64_t total;
	uint32_t n = 0;
	uint16_t at, status;
	status_t st = port_at(h, RIGHT_READ, port, 1, &at);
	if (st == OK)
		st = port_at(h, RIGHT_READ, ready & 0xffff, 1, &status);
	count = MIN(count, (uint32_t)ARRAY_LEN(data));
	/* A byte is taken only once there is memory for it, which only the process itself could take away now. */
	if (st == OK && (st = copy_out(buf, data, count * sizeof(*data))) == OK && (st = copy_in(&total, (user_in_t){ sum }, sizeof(total))) == OK)
		st = copy_out((user_out_t){ sum }, &total, sizeof(total));
	if (st != OK)
		return st;
	for (; n < count; n++) {
		data[n].status = inb(status);
		if (ready >> 16 & ~data[n].status)
			break;
		data[n].byte = inb(at);
	}
	total += *done = n;
	st = copy_out(buf, data, n * sizeof(*data));
	return st < 0 ? st : copy_out((user_out_t){ sum }, &total, sizeof(total));
}
