/*
 * device: see device.h.
 */
#include "device.h"
#include <abi/mmio.h>
#include <abi/objects.h>
#include <rt/ipc.h>
#include <string.h>

enum {
	/* struct virtio_input_config (section 5.8.4) */
	SELECT = 0, SUBSELECT = 1, SIZE = 2, VALUE = 8, CONFIG_SIZE = VALUE + DECODE_CONFIG,
	ID_NAME = 0x01, EV_BITS = 0x11, ABS_INFO = 0x12,
	EVENTS = 0, STATUS = 1, VECTOR = 0,     /* queues (section 5.8.2); one vector for both */
	EVENTS_SIZE = DECODE_QUEUE * sizeof(struct raw_event),
	BUFFERS_SIZE = EVENTS_SIZE + DEVICE_STATUS * sizeof(struct raw_event),
};

/*
 * One thing that the device says of itself; returns how many bytes, 0: nothing. The two fields that say which are bytes and are written as
 * such, for all others are only the device's to write (section 5.8.5.1).
 */
static uint32_t ask(struct device *d, uint8_t select, uint8_t subselect, uint8_t value[DECODE_CONFIG])
{
	volatile uint8_t *config = d->virtio.part[VIRTIO_CONFIG].at;

	MMIO(uint8_t, config + SELECT) = select;
	MMIO(uint8_t, config + SUBSELECT) = subselect;
	uint32_t size = MMIO(uint8_t, config + SIZE);
	if (size > DECODE_CONFIG)
		return 0;
	for (uint32_t i = 0; i < size; i += sizeof(uint32_t)) {
		uint32_t word = MMIO(uint32_t, config + VALUE + i);
		memcpy(value + i, &word, sizeof(word));
	}
	return size;
}

static void learn(struct device *d)
{
	uint8_t value[DECODE_CONFIG], info[DECODE_CONFIG];
	struct shape *s = &d->shape;

	decode_product(s, value, ask(d, ID_NAME, 0, value));
	s->keys = decode_count(value, ask(d, EV_BITS, EV_KEY, value));
	s->rels = decode_count(value, ask(d, EV_BITS, EV_REL, value));
	uint32_t size = ask(d, EV_BITS, EV_LED, value);
	for (uint32_t led = 0; led <= LED_SCROLLL; led++)
		s->leds |= (uint32_t)decode_has(value, size, led) << led;
	size = ask(d, EV_BITS, EV_ABS, value);
	s->axes = decode_count(value, size);
	for (uint32_t code = 0; code < ABS_CODES; code++)
		if (decode_has(value, size, code))
			decode_axis(s, code, info, ask(d, ABS_INFO, (uint8_t)code, info));
}

status_t device_open(struct device *d, handle_t function, handle_t notify, uint32_t bit)
{
	memset(d, 0, sizeof(*d));
	status_t st = virtio_open(&d->virtio, function);
	if (st < 0)
		return st;
	st = d->virtio.part[VIRTIO_CONFIG].size < CONFIG_SIZE ? ERR_NOT_SUPPORTED : virtio_negotiate(&d->virtio, 0);
	if (st < 0) {
		virtio_close(&d->virtio);
		return st;
	}
	learn(d);
	d->has_irq = virtio_interrupt(&d->virtio, VECTOR, notify, bit) == OK;
	return OK;
}

static void give_buffer(struct device *d, uint64_t i)
{
	struct virtq_buffer b = { d->buffers.address + i * sizeof(struct raw_event), sizeof(struct raw_event) };

	/* As many descriptors as buffers: it cannot fail but in a queue that is broken, which whoever takes from it hears. */
	(void)!virtq_add(&d->events, &b, 0, 1, i);
}

status_t device_queues(struct device *d, handle_t shelf)
{
	uint16_t vector = d->has_irq ? VECTOR : VIRTIO_NO_VECTOR;
	status_t st = virtio_queue_start(&d->virtio, EVENTS, &d->events, DECODE_QUEUE, vector);

	if (st == OK)
		st = virtio_memory_make(&d->virtio, BUFFERS_SIZE, &d->buffers);
	if (st == OK)
		st = shelf_put(shelf, DEVICE_SLOT_QUEUE, d->virtio.queue_memory[EVENTS].frame);
	if (st == OK)
		st = shelf_put(shelf, DEVICE_SLOT_BUFFERS, d->buffers.frame);
	if (st < 0)
		return st;
	/* Lights are a trimming: a device may have no queue for them. */
	d->has_status = d->shape.leds && virtio_queue_start(&d->virtio, STATUS, &d->status, DEVICE_STATUS, vector) == OK;
	for (uint64_t i = 0; i < d->events.size; i++)
		give_buffer(d, i);
	return OK;
}

status_t device_start(struct device *d)
{
	status_t st = virtio_start(&d->virtio);

	if (st == OK)
		device_give(d);
	return st;
}

status_t device_next(struct device *d, struct raw_event *raw)
{
	uint64_t i;
	uint32_t len;

	for (;;) {
		status_t st = virtq_next(&d->events, &i, &len);
		if (st < 0)
			return st;
		memcpy(raw, (const struct raw_event *)d->buffers.va + i, sizeof(*raw));
		give_buffer(d, i);
		if (len == sizeof(*raw))
			return OK;
	}
}

void device_give(struct device *d)
{
	if (virtq_publish(&d->events))
		virtio_notify(&d->virtio, EVENTS);
}

/* A change of one light; false: all slots are under way. */
static bool put_light(struct device *d, uint32_t led, uint32_t on)
{
	for (uint32_t i = 0; i < d->status.size && i < DEVICE_STATUS; i++) {
		uint64_t at = EVENTS_SIZE + i * sizeof(struct raw_event);
		struct virtq_buffer b = { d->buffers.address + at, sizeof(struct raw_event) };
		if (d->status_busy >> i & 1)
			continue;
		*(struct raw_event *)(d->buffers.va + at) = (struct raw_event){ EV_LED, (uint16_t)led, on };
		if (virtq_add(&d->status, &b, 1, 0, i) < 0)
			return false;
		d->status_busy |= (uint16_t)(1u << i);
		return true;
	}
	return false;
}

status_t device_lights(struct device *d, uint32_t lights)
{
	uint64_t i;
	uint32_t len;
	status_t st;

	if (!d->has_status)
		return OK;
	while ((st = virtq_next(&d->status, &i, &len)) == OK)
		d->status_busy &= (uint16_t)~(1u << i);
	if (st != ERR_AGAIN)
		return st;
	for (uint32_t led = 0; led <= LED_SCROLLL; led++) {
		uint8_t bit = (uint8_t)(1u << led);
		if (!(d->shape.leds & bit) || (d->lights_known & bit && !((d->lights ^ lights) & bit)))
			continue;
		if (!put_light(d, led, lights >> led & 1))
			break;
		d->lights = (uint8_t)((d->lights & ~bit) | (lights & bit));
		d->lights_known |= bit;
	}
	if (virtq_publish(&d->status))
		virtio_notify(&d->virtio, STATUS);
	return OK;
}

void device_close(struct device *d)
{
	if (!d->virtio.device)
		return;
	virtio_stop(&d->virtio);
	virtio_memory_drop(&d->virtio, &d->buffers);
	virtio_close(&d->virtio);
}

/* A Frame of the shelf, `size` bytes of it, to look at; NULL: it is not there, or smaller. */
static const void *map_slot(handle_t shelf, uint32_t slot, uint64_t size)
{
	struct frame_info info;
	handle_t frame;
	uint64_t va = 0;

	if (shelf_get(shelf, slot, &frame) < 0)
		return NULL;
	size = ALIGN_UP(size, PAGE_SIZE);
	if (frame_info(frame, &info) < 0 || info.size < size || vmem_map(0, frame, 0, 0, size, PROT_READ, &va) < 0)
		va = 0;
	handle_close(frame);
	return (const void *)va;
}

uint32_t device_left(handle_t shelf, uint32_t size, uint64_t address, uint16_t seen, struct raw_event out[DECODE_QUEUE])
{
	if (size == 0 || size > DECODE_QUEUE)
		return 0;
	uint64_t bytes = VIRTQ_BYTES(size);
	const void *queue = map_slot(shelf, DEVICE_SLOT_QUEUE, bytes), *buffers = map_slot(shelf, DEVICE_SLOT_BUFFERS, BUFFERS_SIZE);
	uint32_t n = queue && buffers ? decode_left(queue, size, buffers, address, seen, out) : 0;

	if (queue)
		(void)!vmem_unmap(0, (uint64_t)queue, ALIGN_UP(bytes, PAGE_SIZE));
	if (buffers)
		(void)!vmem_unmap(0, (uint64_t)buffers, ALIGN_UP((uint64_t)BUFFERS_SIZE, PAGE_SIZE));
	return n;
}
