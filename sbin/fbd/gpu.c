/*
 * gpu: see gpu.h. Commands are told to the device a few at a time, and all of them are answered before anything else is done. What they look
 * like is wire.c's, the queue lib/virtio's.
 */
#include "find.h"
#include "gpu.h"
#include "scene.h"
#include "wire.h"
#include <abi/file.h>
#include <abi/objects.h>
#include <pci/name.h>
#include <rt/clock.h>
#include <rt/file.h>
#include <stdio.h>
#include <string.h>
#include <virtio/virtio.h>

enum {
	CONTROL = 0, QUEUE_SIZE = 64, VECTOR_QUEUE = 0, VECTOR_CONFIG = 1, BADGE_QUEUE = 1,
	SLOTS = 2 * DAMAGE_MAX, SLOT_SIZE = 64, ANSWER_SIZE = 64,
	ENTRIES_MAX = 8192,             /* pieces of a picture's memory: 32 MiB of single pages */
	ANSWERS_AT = ALIGN_UP(sizeof(struct gpu_resource) + ENTRIES_MAX * sizeof(struct gpu_entry), PAGE_SIZE), COMMANDS_SIZE = ANSWERS_AT + PAGE_SIZE,
	/* Who opened it before has ended, but pcid may not have heard of it yet. */
	BUSY_MS = 10000,
	ANSWER_MS = 20000, LOOK_MS = 50, POLL_MS = 1,
};
_Static_assert(sizeof(struct gpu_display_info) <= PAGE_SIZE && sizeof(struct gpu_edid) <= PAGE_SIZE && SLOTS * ANSWER_SIZE <= PAGE_SIZE, "answers have a page");
_Static_assert(2 * SLOTS <= QUEUE_SIZE, "all fit into the queue");

/* What a picture is drawn into. */
struct picture {
	uint32_t resource;              /* the device's number for it; 0: it knows of none */
	uint32_t width, height, n_pins;
	handle_t frame;                 /* 0: there is none */
	uint64_t va, size;
	uint64_t pins[FRAME_PINS_MAX];
};

struct command { uint32_t offset, size, answer_at, answer_size, answered; };

static struct {
	struct display display;
	struct virtio v;
	struct virtq queue;
	struct virtio_memory memory;    /* commands, then answers */
	handle_t port, done, events;    /* where the queue's interrupt arrives; its Notify; the configuration's */
	bool     open, failed;          /* failed: nothing is asked of it any more */
	struct command command[SLOTS];  /* of those under way */
	uint32_t n_commands, resources;
	bool     preparing;             /* between begin and commit or abort */
	struct picture now, next;       /* shown; being prepared, or what a device that failed has not given back */
	struct picture old;             /* likewise */
	uint32_t scanout;
	struct mode preferred;
	struct modes modes;
} gpu;

/* ---- commands ---- */

static void *command_add(uint32_t offset, uint32_t size, uint32_t answer_at, uint32_t answer_size, uint32_t type)
{
	struct gpu_head *head = (struct gpu_head *)(gpu.memory.va + offset);

	memset(head, 0, size);
	head->type = type;
	memset((char *)gpu.memory.va + ANSWERS_AT + answer_at, 0, answer_size);
	gpu.command[gpu.n_commands++] = (struct command){ offset, size, answer_at, answer_size, 0 };
	return head;
}

/* One of several that are answered without data. */
static void *command_next(uint32_t size, uint32_t type)
{
	return command_add(gpu.n_commands * SLOT_SIZE, size, gpu.n_commands * ANSWER_SIZE, sizeof(struct gpu_head), type);
}

static uint64_t in_ms(uint64_t ms)
{
	return clock_value() + ms * NS_PER_MS;
}

/* Until `n` have come back. */
static status_t wait(uint32_t n)
{
	uint64_t end = in_ms(ANSWER_MS), token;
	struct event e;
	uint32_t len;

	while (n > 0) {
		status_t st = virtq_next(&gpu.queue, &token, &len);
		if (st == OK) {
			gpu.command[token].answered = len;
			n--;
			continue;
		}
		if (st != ERR_AGAIN)
			return st;
		if (!virtio_alive(&gpu.v))
			return ERR_GONE;
		if (clock_value() > end)
			return ERR_TIMED_OUT;
		/* Without an interrupt it is a sleep. */
		(void)!ipc_accept(gpu.port, MIN(end, in_ms(gpu.v.irq[VECTOR_QUEUE] ? LOOK_MS : POLL_MS)), &e);
	}
	return OK;
}

static status_t run_all(uint32_t n, uint32_t wanted)
{
	status_t st = OK;

	for (uint32_t i = 0; i < n && st == OK; i++) {
		const struct command *c = &gpu.command[i];
		struct virtq_buffer buffers[2] = { { gpu.memory.address + c->offset, c->size }, { gpu.memory.address + ANSWERS_AT + c->answer_at, c->answer_size } };
		st = virtq_add(&gpu.queue, buffers, 1, 1, i);
	}
	if (st < 0)
		return st;
	if (virtq_publish(&gpu.queue))
		virtio_notify(&gpu.v, CONTROL);
	st = wait(n);
	for (uint32_t i = 0; i < n && st == OK; i++) {
		const struct command *c = &gpu.command[i];
		struct gpu_head head;
		memcpy(&head, (const char *)gpu.memory.va + ANSWERS_AT + c->answer_at, sizeof(head));
		st = gpu_answer(&head, c->answered, wanted, c->answer_size);
	}
	return st;
}

static bool refused(status_t st)
{
	return st == ERR_NO_MEMORY || st == ERR_INVALID;
}

/* Has the device do what was added, in that order. ERR_NO_MEMORY, ERR_INVALID: it refused one of them. Else it has failed. */
static status_t run(uint32_t wanted)
{
	uint32_t n = gpu.n_commands;

	gpu.n_commands = 0;
	status_t st = gpu.failed ? ERR_IO : run_all(n, wanted);
	gpu.failed |= st < 0 && !refused(st);
	return st;
}

/* ---- what it shows best ---- */

/* Which of several that it has: what no monitor is at is left out. */
static status_t ask_size(void)
{
	struct gpu_display_info info;
	struct gpu_config config;
	struct mode m = { 0, 0 };
	uint32_t scanout = 0;

	status_t st = virtio_config(&gpu.v, 0, &config, sizeof(config));
	if (st < 0)
		return st;
	command_add(0, sizeof(struct gpu_head), 0, sizeof(info), GPU_GET_DISPLAY_INFO);
	st = run(GPU_OK_DISPLAY_INFO);
	if (st < 0)
		return st;
	memcpy(&info, (const char *)gpu.memory.va + ANSWERS_AT, sizeof(info));
	if (gpu_enabled(&info, config.scanouts, SCENE_BAND, &scanout, &m.width, &m.height))
		gpu.preferred = m;
	/* Where the picture is it stays. */
	if (!gpu.now.frame)
		gpu.scanout = scanout;
	return OK;
}

static status_t ask_edid(void)
{
	static struct gpu_edid edid;

	gpu.modes.n = 0;
	if (gpu.v.features >> GPU_F_EDID & 1) {
		struct gpu_get_edid *q = command_add(0, sizeof(*q), 0, sizeof(edid), GPU_GET_EDID);
		q->scanout = gpu.scanout;
		status_t st = run(GPU_OK_EDID);
		if (st < 0 && !refused(st))
			return st;
		memcpy(&edid, (const char *)gpu.memory.va + ANSWERS_AT, sizeof(edid));
		if (st == OK && modes_add_edid(&gpu.modes, edid.data, MIN(edid.size, (uint32_t)GPU_EDID_MAX), SCENE_BAND))
			return OK;
	}
	modes_add_usual(&gpu.modes);
	return OK;
}

struct mode gpu_preferred(void)
{
	return gpu.preferred;
}

void gpu_modes(struct modes *list)
{
	if (gpu.open)
		*list = gpu.modes;
	else
		modes_add_usual(list);
}

status_t gpu_event(bool *changed)
{
	struct mode before = gpu.preferred;
	struct gpu_config config;

	*changed = false;
	if (!gpu.open)
		return OK;              /* one that an earlier life of it has left */
	status_t st = virtio_alive(&gpu.v) ? virtio_config(&gpu.v, 0, &config, sizeof(config)) : ERR_GONE;
	if (st < 0)
		return st;
	if (!(config.events & GPU_EVENT_DISPLAY))
		return OK;
	st = virtio_config_write(&gpu.v, offsetof(struct gpu_config, events_clear), GPU_EVENT_DISPLAY);
	if (st == OK)
		st = ask_size();
	if (st == OK)
		st = ask_edid();
	*changed = st == OK && (gpu.preferred.width != before.width || gpu.preferred.height != before.height);
	return st;
}

/* ---- pictures ---- */

static void picture_drop(struct picture *p)
{
	for (uint32_t i = 0; i < p->n_pins; i++)
		(void)!frame_unpin(gpu.v.dma, p->pins[i]);
	if (p->va)
		(void)!vmem_unmap(0, p->va, p->size);
	if (p->frame)
		handle_close(p->frame);
	*p = (struct picture){ 0 };
}

/* Adds [address, address + size) to what the device is to be told. False: it is too much. */
static bool add_piece(struct gpu_entry *entries, uint32_t *n, struct dma_extent e)
{
	struct gpu_entry *last = *n ? &entries[*n - 1] : NULL;

	if (last && last->address + last->length == e.address && last->length + e.size <= UINT32_MAX) {
		last->length += (uint32_t)e.size;
		return true;
	}
	if (*n == ENTRIES_MAX || e.size > UINT32_MAX)
		return false;
	entries[(*n)++] = (struct gpu_entry){ e.address, (uint32_t)e.size, 0 };
	return true;
}

/* Pins all of it, and writes where it is to `entries`. */
static status_t picture_pin(struct picture *p, struct gpu_entry *entries, uint32_t *n)
{
	struct dma_extent extents[PIN_EXTENTS_MAX];
	uint64_t done;
	uint32_t got;

	*n = 0;
	for (uint64_t at = 0; at < p->size; at += done) {
		if (p->n_pins == ARRAY_LEN(p->pins))
			return ERR_NO_MEMORY;
		status_t st = frame_pin(p->frame, at, p->size - at, gpu.v.dma, extents, PIN_EXTENTS_MAX, &p->pins[p->n_pins], &got, &done);
		if (st < 0)
			return st == ERR_LIMIT ? ERR_NO_MEMORY : st;
		p->n_pins++;
		for (uint32_t i = 0; i < got; i++)
			if (!add_piece(entries, n, extents[i]))
				return ERR_NO_MEMORY;
	}
	return OK;
}

/* Its memory, in one piece if there is one; where it is goes to `entries`. */
static status_t picture_make(struct picture *p, struct gpu_entry *entries, uint32_t *n)
{
	status_t st = frame_create(p->size, FRAME_CONTIGUOUS, &p->frame);

	if (st < 0)
		st = frame_create(p->size, 0, &p->frame);
	if (st < 0) {
		p->frame = 0;
		return st;
	}
	st = vmem_map(0, p->frame, 0, 0, p->size, PROT_READ | PROT_WRITE, &p->va);
	if (st < 0)
		p->va = 0;
	else
		st = vmem_commit(0, p->va, p->size);
	return st < 0 ? st : picture_pin(p, entries, n);
}

/* For what a device that works does not refuse. */
static status_t run_surely(void)
{
	status_t st = run(GPU_OK);

	gpu.failed |= st < 0;
	return st < 0 ? ERR_IO : OK;
}

/* The device forgets it first. If it does not, the pages stay pinned until it has been stopped, and it has failed. */
static status_t picture_end(struct picture *p)
{
	if (p->resource) {
		struct gpu_resource *r = command_next(sizeof(*r), GPU_UNREF);
		r->resource = p->resource;
		status_t st = run_surely();
		if (st < 0)
			return st;
	}
	picture_drop(p);
	return OK;
}

void gpu_abort(void)
{
	gpu.preparing = false;
	(void)!picture_end(&gpu.next);
	gpu.display.width = gpu.now.width;
	gpu.display.height = gpu.now.height;
}

status_t gpu_begin(uint32_t width, uint32_t height)
{
	uint32_t resource = ++gpu.resources, n = 0;

	if (gpu.failed)
		return ERR_IO;
	struct gpu_create *create = command_next(sizeof(*create), GPU_CREATE_2D);

	create->resource = resource;
	create->format = GPU_FORMAT_B8G8R8X8;
	create->width = width;
	create->height = height;
	status_t st = run(GPU_OK);
	if (st < 0)
		return st;
	gpu.next = (struct picture){ .resource = resource, .width = width, .height = height,
	                             .size = ALIGN_UP((uint64_t)width * height * sizeof(uint32_t), PAGE_SIZE) };
	st = picture_make(&gpu.next, (struct gpu_entry *)(gpu.memory.va + sizeof(struct gpu_resource)), &n);
	if (st == OK) {
		struct gpu_resource *attach = command_next(sizeof(*attach), GPU_ATTACH);
		attach->resource = resource;
		attach->n_entries = n;
		gpu.command[0].size += n * (uint32_t)sizeof(struct gpu_entry);
		st = run(GPU_OK);
	}
	if (st < 0) {
		gpu_abort();
		return st;
	}
	gpu.preparing = true;
	gpu.display.width = width;
	gpu.display.height = height;
	return OK;
}

static void add_transfer(const struct picture *p, struct gpu_rect r)
{
	struct gpu_transfer *t = command_next(sizeof(*t), GPU_TRANSFER);

	t->rect = r;
	t->offset = ((uint64_t)r.y * p->width + r.x) * sizeof(uint32_t);
	t->resource = p->resource;
}

static void add_flush(const struct picture *p, struct gpu_rect r)
{
	struct gpu_flush *f = command_next(sizeof(*f), GPU_FLUSH);

	/* Answered when it is done, not before (section 5.7.6.7). */
	f->head.flags = GPU_FLAG_FENCE;
	f->head.fence = clock_value();
	f->rect = r;
	f->resource = p->resource;
}

/* That picture, or none, is what is seen. */
static void add_scanout(const struct picture *p)
{
	struct gpu_scanout *s = command_next(sizeof(*s), GPU_SET_SCANOUT);

	s->rect = (struct gpu_rect){ 0, 0, p->width, p->height };
	s->scanout = gpu.scanout;
	s->resource = p->resource;
}

status_t gpu_commit(void)
{
	struct gpu_rect all = { 0, 0, gpu.next.width, gpu.next.height };

	add_transfer(&gpu.next, all);
	add_scanout(&gpu.next);
	add_flush(&gpu.next, all);
	status_t st = run(GPU_OK);
	if (st < 0) {
		/* Which of the three it refused makes no difference then. */
		if (!gpu.failed) {
			add_scanout(&gpu.now);
			(void)!run_surely();
		}
		return st;
	}
	gpu.preparing = false;
	gpu.old = gpu.now;
	gpu.now = gpu.next;
	gpu.next = (struct picture){ 0 };
	gpu.display.seen = true;
	return picture_end(&gpu.old);
}

static void put(struct display *d unused, uint32_t x, uint32_t y, const uint32_t *from, size_t n)
{
	const struct picture *p = gpu.preparing ? &gpu.next : &gpu.now;

	memcpy((uint32_t *)p->va + (uint64_t)y * p->width + x, from, n * sizeof(*from));
}

static status_t present(struct display *d unused, const struct damage *rects)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < rects->n; i++) {
		struct rect r = rects->list[i];
		if (rect_empty(r))
			continue;
		struct gpu_rect g = { (uint32_t)r.x0, (uint32_t)r.y0, (uint32_t)(r.x1 - r.x0), (uint32_t)(r.y1 - r.y0) };
		add_transfer(&gpu.now, g);
		add_flush(&gpu.now, g);
		n++;
	}
	return n ? run(GPU_OK) : OK;
}

struct display *gpu_display(void)
{
	return &gpu.display;
}

/* ---- the device ---- */

status_t gpu_find(uint64_t screen, uint16_t *at)
{
	static uint8_t entries[4096] aligned(8);
	struct find found = { 0 };
	uint64_t cookie = 0;
	handle_t pci = 0;
	size_t done;

	status_t st = file_open("pci://", OPEN_READ | OPEN_DIRECTORY, &pci);
	while (st == OK && (st = file_readdir(pci, &cookie, entries, sizeof(entries), &done)) == OK && done > 0)
		for (size_t i = 0; i + sizeof(struct dirent) < done;) {
			const struct dirent *e = (const struct dirent *)(entries + i);
			uint8_t config[FIND_CONFIG];
			char path[24];
			uint16_t place;
			handle_t file;
			size_t got = 0;
			i += e->size ? e->size : done;
			if (!pci_parse(e->name, e->name_len, &place))
				continue;
			snprintf(path, sizeof(path), "%.*s/config", e->name_len, e->name);
			if (file_open_at(pci, path, OPEN_READ, &file) < 0)
				continue;               /* it has just left */
			if (file_read(file, 0, config, sizeof(config), &got) == OK && got == sizeof(config))
				find_weigh(&found, config, place, screen);
			file_close(file);
		}
	if (st == OK)
		st = found.ours ? OK : ERR_NOT_FOUND;
	if (st == OK)
		*at = found.at;
	if (pci)
		file_close(pci);
	return st;
}

static status_t take(uint16_t at, handle_t *device)
{
	char name[PCI_NAME_SIZE], uri[32];
	status_t st;

	pci_name(name, at);
	snprintf(uri, sizeof(uri), "pci://%s/device", name);
	for (uint64_t end = in_ms(BUSY_MS); (st = file_open(uri, OPEN_READ | OPEN_WRITE, device)) == ERR_BUSY && clock_value() < end;)
		(void)!thread_sleep(in_ms(1));
	return st;
}

static status_t begin(struct svc *svc, uint64_t badge)
{
	status_t st = virtio_negotiate(&gpu.v, 1ull << GPU_F_EDID);

	if (st == OK)
		st = port_create(0, &gpu.port);
	if (st == OK)
		st = notify_create(&gpu.done);
	if (st == OK)
		st = notify_port(gpu.done, gpu.port, BADGE_QUEUE);
	if (st == OK)
		st = svc_notify(svc, badge, &gpu.events);
	if (st < 0)
		return st;
	/* Without the first answers are looked for every now and then; without the second other sizes go unnoticed. */
	(void)!virtio_interrupt(&gpu.v, VECTOR_QUEUE, gpu.done, 0);
	if (virtio_interrupt(&gpu.v, VECTOR_CONFIG, gpu.events, 0) == OK)
		(void)!virtio_config_vector(&gpu.v, VECTOR_CONFIG);
	st = virtio_queue_start(&gpu.v, CONTROL, &gpu.queue, QUEUE_SIZE, gpu.v.irq[VECTOR_QUEUE] ? VECTOR_QUEUE : VIRTIO_NO_VECTOR);
	if (st == OK && gpu.queue.size < QUEUE_SIZE)
		st = ERR_NOT_SUPPORTED;
	if (st == OK)
		st = virtio_memory_make(&gpu.v, COMMANDS_SIZE, &gpu.memory);
	if (st == OK)
		st = virtio_start(&gpu.v);
	if (st == OK)
		st = ask_size();
	return st == OK ? ask_edid() : st;
}

status_t gpu_open(uint16_t at, struct svc *svc, uint64_t badge)
{
	handle_t device;
	status_t st = take(at, &device);

	if (st < 0)
		return st;
	memset(&gpu, 0, sizeof(gpu));
	gpu.display = (struct display){ .bits = 32, .put = put, .present = present };
	st = virtio_open(&gpu.v, device);
	if (st == OK)
		st = begin(svc, badge);
	gpu.open = true;
	if (st < 0)
		gpu_close();
	return st;
}

void gpu_close(void)
{
	handle_t ours[] = { gpu.events, gpu.done, gpu.port };

	if (!gpu.open)
		return;
	virtio_stop(&gpu.v);
	virtio_memory_drop(&gpu.v, &gpu.memory);
	picture_drop(&gpu.now);
	picture_drop(&gpu.next);
	picture_drop(&gpu.old);
	virtio_close(&gpu.v);
	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		if (ours[i])
			handle_close(ours[i]);
	memset(&gpu, 0, sizeof(gpu));
}
