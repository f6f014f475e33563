/*
 * device: see virtio.h. Registers and pcid; what they mean is in caps.c and queue.c.
 */
#include "virtio.h"
#include <abi/file.h>
#include <abi/mmio.h>
#include <abi/objects.h>
#include <abi/pci.h>
#include <gen/file.h>
#include <rt/clock.h>
#include <string.h>

enum {
	/* struct virtio_pci_common_cfg (section 4.1.4.3) */
	FEATURE_SELECT = 0, FEATURE = 4, DRIVER_SELECT = 8, DRIVER_FEATURE = 12, CONFIG_VECTOR = 16, NUM_QUEUES = 18, STATUS = 20, GENERATION = 21,
	QUEUE_SELECT = 22, QUEUE_SIZE = 24, QUEUE_VECTOR = 26, QUEUE_ENABLE = 28, QUEUE_NOTIFY = 30, QUEUE_DESC = 32, QUEUE_DRIVER = 40, QUEUE_DEVICE = 48,
	/* device status (section 2.1) */
	ACKNOWLEDGE = 1, DRIVER = 2, DRIVER_OK = 4, FEATURES_OK = 8, NEEDS_RESET = 64, FAILED = 128, GONE = 0xff,
	RESET_MS = 1000, GENERATION_TRIES = 100,
};

/* ---- pcid ---- */

static status_t ask(handle_t device, uint32_t code, uint64_t a0, uint64_t a1, handle_t *h, uint64_t values[2])
{
	struct msg m = { 0 };
	struct file_ctl_req q = { .code = code, .arg0 = a0, .arg1 = a1 };

	file_ctl_ask(&m, &q);
	status_t st = ipc_call(device, &m);
	if (st == OK && values)
		memcpy(values, m.w, 2 * sizeof(values[0]));
	if (st == OK && h)
		*h = m.handles[0];
	return st;
}

static uint32_t read_config(void *ctx, uint32_t reg, uint32_t width)
{
	uint64_t values[2] = { 0 };

	/* What does not answer reads as all ones. */
	return ask(*(handle_t *)ctx, CTL_PCI_READ, reg, width, NULL, values) == OK ? (uint32_t)values[0] : UINT32_MAX >> (32 - 8 * width);
}

static status_t map_window(handle_t device, const struct virtio_place *p, struct virtio_window *w)
{
	uint64_t values[2] = { 0 };
	handle_t frame = 0;
	status_t st = ask(device, CTL_PCI_BAR, p->bar, p->offset, &frame, values);

	if (st < 0)
		return st;
	/* values: bytes from the offset on, where the offset is in the Frame. */
	w->mapped = ALIGN_UP(values[1] + p->length, PAGE_SIZE);
	st = values[0] < p->length ? ERR_NOT_SUPPORTED : vmem_map(0, frame, 0, 0, w->mapped, PROT_READ | PROT_WRITE, &w->va);
	handle_close(frame);
	if (st < 0)
		return st;
	w->at = (volatile uint8_t *)(w->va + values[1]);
	w->size = p->length;
	return OK;
}

/* ---- registers ---- */

#define REG(type, v, which, reg) MMIO(type, (v)->part[which].at + (reg))

static uint8_t get8(const struct virtio *v, uint32_t reg)
{
	return REG(uint8_t, v, VIRTIO_COMMON, reg);
}

static uint16_t get16(const struct virtio *v, uint32_t reg)
{
	return REG(uint16_t, v, VIRTIO_COMMON, reg);
}

static uint32_t get32(const struct virtio *v, uint32_t reg)
{
	return REG(uint32_t, v, VIRTIO_COMMON, reg);
}

static void set8(const struct virtio *v, uint32_t reg, uint8_t value)
{
	REG(uint8_t, v, VIRTIO_COMMON, reg) = value;
}

static void set16(const struct virtio *v, uint32_t reg, uint16_t value)
{
	REG(uint16_t, v, VIRTIO_COMMON, reg) = value;
}

static void set32(const struct virtio *v, uint32_t reg, uint32_t value)
{
	REG(uint32_t, v, VIRTIO_COMMON, reg) = value;
}

/* Those of 64 bits are written as two of 32 (section 4.1.3.1). */
static void set64(const struct virtio *v, uint32_t reg, uint64_t value)
{
	set32(v, reg, (uint32_t)value);
	set32(v, reg + 4, (uint32_t)(value >> 32));
}

static void add_status(const struct virtio *v, uint8_t bits)
{
	set8(v, STATUS, get8(v, STATUS) | bits);
}

/* Returns when it has done so (section 4.1.4.3.2). */
static status_t reset(const struct virtio *v)
{
	set8(v, STATUS, 0);
	for (uint32_t ms = 0; ms < RESET_MS; ms++) {
		uint8_t status = get8(v, STATUS);
		if (status == 0)
			return OK;
		if (status == GONE)
			return ERR_IO;
		(void)!thread_sleep(clock_value() + NS_PER_MS);
	}
	return ERR_IO;
}

/* ---- memory ---- */

status_t virtio_memory_make(const struct virtio *v, uint64_t size, struct virtio_memory *m)
{
	struct dma_extent extent;
	uint64_t done;
	uint32_t got;

	*m = (struct virtio_memory){ .size = ALIGN_UP(size, PAGE_SIZE) };
	status_t st = frame_create(m->size, FRAME_CONTIGUOUS, &m->frame);
	if (st < 0) {
		m->frame = 0;
		return st;
	}
	st = vmem_map(0, m->frame, 0, 0, m->size, PROT_READ | PROT_WRITE, &m->va);
	if (st == OK)
		st = vmem_commit(0, m->va, m->size);
	else
		m->va = 0;
	if (st == OK)
		st = frame_pin(m->frame, 0, m->size, v->dma, &extent, 1, &m->pin, &got, &done);
	if (st == OK && done < m->size) {
		(void)!frame_unpin(v->dma, m->pin);
		st = ERR_NO_MEMORY;
	}
	if (st == OK) {
		m->address = extent.address;
		return OK;
	}
	if (m->va)
		(void)!vmem_unmap(0, m->va, m->size);
	handle_close(m->frame);
	*m = (struct virtio_memory){ 0 };
	return st;
}

void virtio_memory_drop(const struct virtio *v, struct virtio_memory *m)
{
	if (!m->frame)
		return;
	(void)!frame_unpin(v->dma, m->pin);     /* gone before, if pcid has stopped the function */
	(void)!vmem_unmap(0, m->va, m->size);
	handle_close(m->frame);
	*m = (struct virtio_memory){ 0 };
}

/* ---- life ---- */

status_t virtio_open(struct virtio *v, handle_t device)
{
	struct virtio_caps caps;
	status_t st = OK;

	memset(v, 0, sizeof(*v));
	v->device = device;
	if (!virtio_caps_find(&caps, read_config, &v->device))
		st = ERR_NOT_SUPPORTED;
	for (uint32_t i = 1; i < VIRTIO_PARTS && st == OK; i++)
		if (caps.part[i].length)
			st = map_window(device, &caps.part[i], &v->part[i]);
	v->notify_multiplier = caps.notify_multiplier;
	if (st == OK)
		st = reset(v);
	if (st == OK)
		st = ask(device, CTL_PCI_DMA, 0, 0, &v->dma, NULL);
	if (st < 0)
		virtio_close(v);
	return st;
}

void virtio_stop(const struct virtio *v)
{
	if (v->part[VIRTIO_COMMON].at)
		(void)!reset(v);
	if (v->device)
		(void)!ask(v->device, CTL_PCI_MASTER, 0, 0, NULL, NULL);
}

void virtio_close(struct virtio *v)
{
	virtio_stop(v);
	for (uint32_t i = 0; i < VIRTIO_QUEUES; i++)
		virtio_memory_drop(v, &v->queue_memory[i]);
	for (uint32_t i = 0; i < VIRTIO_VECTORS; i++)
		if (v->irq[i])
			handle_close(v->irq[i]);
	for (uint32_t i = 0; i < VIRTIO_PARTS; i++)
		if (v->part[i].at)
			(void)!vmem_unmap(0, v->part[i].va, v->part[i].mapped);
	if (v->dma)
		handle_close(v->dma);
	if (v->device)
		handle_close(v->device);
	memset(v, 0, sizeof(*v));
}

status_t virtio_negotiate(struct virtio *v, uint64_t wanted)
{
	uint64_t offered;

	add_status(v, ACKNOWLEDGE);
	add_status(v, DRIVER);
	set32(v, FEATURE_SELECT, 0);
	offered = get32(v, FEATURE);
	set32(v, FEATURE_SELECT, 1);
	offered |= (uint64_t)get32(v, FEATURE) << 32;
	v->features = offered & (wanted | 1ull << VIRTIO_F_VERSION_1 | 1ull << VIRTIO_F_ACCESS_PLATFORM);
	if (!(v->features >> VIRTIO_F_VERSION_1 & 1))
		return ERR_NOT_SUPPORTED;
	set32(v, DRIVER_SELECT, 0);
	set32(v, DRIVER_FEATURE, (uint32_t)v->features);
	set32(v, DRIVER_SELECT, 1);
	set32(v, DRIVER_FEATURE, (uint32_t)(v->features >> 32));
	add_status(v, FEATURES_OK);
	uint8_t status = get8(v, STATUS);
	return status == GONE ? ERR_IO : status & FEATURES_OK ? OK : ERR_NOT_SUPPORTED;
}

status_t virtio_interrupt(struct virtio *v, uint32_t vector, handle_t notify, uint32_t bit)
{
	uint64_t values[2];

	if (vector >= VIRTIO_VECTORS || v->irq[vector])
		return ERR_INVALID;
	status_t st = ask(v->device, CTL_PCI_IRQ, vector, 0, &v->irq[vector], values);
	if (st < 0) {
		v->irq[vector] = 0;
		return st;
	}
	st = notify_bind(notify, bit, v->irq[vector]);
	if (st < 0) {
		handle_close(v->irq[vector]);
		v->irq[vector] = 0;
	}
	return st;
}

status_t virtio_config_vector(struct virtio *v, uint16_t vector)
{
	set16(v, CONFIG_VECTOR, vector);
	return get16(v, CONFIG_VECTOR) == vector ? OK : ERR_NO_SPACE;
}

status_t virtio_queue_start(struct virtio *v, uint16_t index, struct virtq *q, uint16_t size, uint16_t vector)
{
	if (index >= VIRTIO_QUEUES || size == 0 || size & (size - 1) || size > VIRTQ_SIZE_MAX || v->queue_memory[index].frame)
		return ERR_INVALID;
	if (index >= get16(v, NUM_QUEUES))
		return ERR_NOT_FOUND;
	set16(v, QUEUE_SELECT, index);
	uint16_t most = get16(v, QUEUE_SIZE), notify = get16(v, QUEUE_NOTIFY);
	uint64_t at = (uint64_t)notify * v->notify_multiplier;
	if (most == 0 || get16(v, QUEUE_ENABLE))
		return ERR_NOT_FOUND;
	if (at + sizeof(uint16_t) > v->part[VIRTIO_NOTIFY].size)
		return ERR_IO;
	while (size > most)
		size /= 2;
	struct virtio_memory *m = &v->queue_memory[index];
	status_t st = virtio_memory_make(v, VIRTQ_BYTES(size), m);
	if (st < 0)
		return st;
	virtq_init(q, (void *)m->va, size);
	set16(v, QUEUE_SIZE, size);
	set16(v, QUEUE_VECTOR, vector);
	if (get16(v, QUEUE_VECTOR) != vector)
		return ERR_NO_SPACE;
	set64(v, QUEUE_DESC, m->address);
	set64(v, QUEUE_DRIVER, m->address + VIRTQ_AVAIL_AT(size));
	set64(v, QUEUE_DEVICE, m->address + VIRTQ_USED_AT(size));
	set16(v, QUEUE_ENABLE, 1);
	v->notify_at[index] = (uint32_t)at;
	return OK;
}

status_t virtio_start(struct virtio *v)
{
	status_t st = ask(v->device, CTL_PCI_MASTER, 1, 0, NULL, NULL);

	if (st < 0)
		return st;
	add_status(v, DRIVER_OK);
	return virtio_alive(v) ? OK : ERR_IO;
}

void virtio_notify(const struct virtio *v, uint16_t index)
{
	REG(uint16_t, v, VIRTIO_NOTIFY, v->notify_at[index]) = index;
}

bool virtio_alive(const struct virtio *v)
{
	uint8_t status = v->part[VIRTIO_COMMON].at ? get8(v, STATUS) : GONE;

	return status != GONE && !(status & (NEEDS_RESET | FAILED)) && status & DRIVER_OK;
}

/* ---- the device's own configuration ---- */

static bool in_config(const struct virtio *v, uint32_t offset, uint32_t len)
{
	return offset <= v->part[VIRTIO_CONFIG].size && len <= v->part[VIRTIO_CONFIG].size - offset;
}

status_t virtio_config(const struct virtio *v, uint32_t offset, void *to, uint32_t len)
{
	if (!in_config(v, offset, len) || offset % 4 || len % 4)
		return ERR_INVALID;
	for (uint32_t tries = 0; tries < GENERATION_TRIES; tries++) {
		uint8_t generation = get8(v, GENERATION);
		for (uint32_t i = 0; i < len; i += 4) {
			uint32_t word = REG(uint32_t, v, VIRTIO_CONFIG, offset + i);
			memcpy((char *)to + i, &word, sizeof(word));
		}
		if (get8(v, GENERATION) == generation)
			return OK;
	}
	return ERR_IO;
}

status_t virtio_config_write(const struct virtio *v, uint32_t offset, uint32_t value)
{
	if (!in_config(v, offset, sizeof(value)) || offset % 4)
		return ERR_INVALID;
	REG(uint32_t, v, VIRTIO_CONFIG, offset) = value;
	return OK;
}
