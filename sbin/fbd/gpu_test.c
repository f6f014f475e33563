/*
 * gpu.c over a model of a virtio-gpu that refuses one command or another. Expected: what is seen is a picture that fbd knows of, and is drawn into; a
 * mode that is refused changes nothing; one that will not give a picture back has failed; and in the end all memory is given back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "gpu.c"
#include "find.c"
#include "modes.c"
#include "pci/name.c"
#include "wire.c"

enum { PIXELS_MAX = 64 * 64, RESOURCES = 32 };

static uint8_t commands[COMMANDS_SIZE] aligned(16);
static int frames, pins, maps;                  /* that fbd has */
static struct { uint32_t width, height; } resource[RESOURCES];  /* that the device has; width 0: not */
static uint32_t shown;                          /* resource of the scanout */
static uint32_t refuses, times;                 /* a command's type, and how often */
static uint64_t answered[SLOTS];
static uint32_t n_answered;

/* ---- the device ---- */

static uint32_t device_does(const struct gpu_head *h)
{
	const struct gpu_create *create = (const void *)h;
	const struct gpu_resource *r = (const void *)h;
	const struct gpu_scanout *s = (const void *)h;

	if (h->type == refuses && times > 0) {
		times--;
		return GPU_ERR_PARAMETER;
	}
	switch (h->type) {
	case GPU_CREATE_2D:
		assert_true(create->resource < RESOURCES && !resource[create->resource].width);
		resource[create->resource].width = create->width;
		resource[create->resource].height = create->height;
		return GPU_OK;
	case GPU_UNREF:
		assert_true(resource[r->resource].width);
		resource[r->resource].width = 0;
		if (shown == r->resource)
			shown = 0;
		return GPU_OK;
	case GPU_SET_SCANOUT:
		shown = s->resource;
		assert_true(!shown || (resource[shown].width == s->rect.width && resource[shown].height == s->rect.height));
		return GPU_OK;
	default:
		return GPU_OK;
	}
}

status_t virtq_add(struct virtq *q unused, const struct virtq_buffer *b, uint16_t out unused, uint16_t in unused, uint64_t token)
{
	struct gpu_head answer = { .type = device_does((const struct gpu_head *)(commands + b[0].address)) };

	memcpy(commands + b[1].address, &answer, sizeof(answer));
	answered[n_answered++] = token;
	return OK;
}

bool virtq_publish(struct virtq *q unused) { return true; }

status_t virtq_next(struct virtq *q unused, uint64_t *token, uint32_t *len)
{
	if (!n_answered)
		return ERR_AGAIN;
	*token = answered[--n_answered];
	*len = sizeof(struct gpu_head);
	return OK;
}

bool virtio_alive(const struct virtio *v unused) { return true; }
void virtio_notify(const struct virtio *v unused, uint16_t index unused) {}
void virtio_stop(const struct virtio *v unused) {}
void virtio_close(struct virtio *v unused) {}
void virtio_memory_drop(const struct virtio *v unused, struct virtio_memory *m unused) {}

/* ---- the kernel ---- */

uint64_t clock_value(void) { return 1; }
status_t frame_create(uint64_t size unused, uint32_t flags unused, handle_t *h) { *h = (handle_t)++frames; return OK; }
status_t handle_close(handle_t h unused) { frames--; return OK; }
status_t frame_unpin(handle_t dma unused, uint64_t pin unused) { pins--; return OK; }
status_t vmem_commit(handle_t v unused, uint64_t va unused, uint64_t size unused) { return OK; }

status_t vmem_map(handle_t v unused, handle_t f unused, uint64_t offset unused, uint64_t at unused, uint64_t size, uint32_t prot unused, uint64_t *va)
{
	*va = (uint64_t)calloc(1, size);
	maps++;
	return OK;
}

status_t vmem_unmap(handle_t v unused, uint64_t va, uint64_t size unused)
{
	free((void *)va);
	maps--;
	return OK;
}

status_t frame_pin(handle_t f unused, uint64_t offset unused, uint64_t size, handle_t dma unused, struct dma_extent *e, uint32_t n unused, uint64_t *pin,
                   uint32_t *got, uint64_t *done)
{
	*e = (struct dma_extent){ 0x100000, size };
	*pin = (uint64_t)++pins;
	*got = 1;
	*done = size;
	return OK;
}

/* Not asked here. */
status_t file_open(const char *uri unused, uint32_t flags unused, handle_t *h unused) { abort(); }
status_t file_open_at(handle_t d unused, const char *path unused, uint32_t flags unused, handle_t *h unused) { abort(); }
void file_close(handle_t h unused) { abort(); }
status_t file_read(handle_t h unused, uint64_t offset unused, void *buf unused, size_t len unused, size_t *done unused) { abort(); }
status_t file_readdir(handle_t h unused, uint64_t *cookie unused, void *buf unused, size_t len unused, size_t *done unused) { abort(); }
status_t ipc_accept(handle_t port unused, uint64_t deadline unused, struct event *e unused) { abort(); }
status_t notify_create(handle_t *h unused) { abort(); }
status_t notify_port(handle_t h unused, handle_t port unused, uint64_t badge unused) { abort(); }
status_t port_create(uint32_t flags unused, handle_t *h unused) { abort(); }
status_t svc_notify(struct svc *s unused, uint64_t badge unused, handle_t *h unused) { abort(); }
status_t thread_sleep(uint64_t until unused) { abort(); }
status_t virtio_open(struct virtio *v unused, handle_t device unused) { abort(); }
status_t virtio_negotiate(struct virtio *v unused, uint64_t wanted unused) { abort(); }
status_t virtio_interrupt(struct virtio *v unused, uint32_t vector unused, handle_t n unused, uint32_t bit unused) { abort(); }
status_t virtio_config_vector(struct virtio *v unused, uint16_t vector unused) { abort(); }
status_t virtio_queue_start(struct virtio *v unused, uint16_t i unused, struct virtq *q unused, uint16_t size unused, uint16_t vector unused) { abort(); }
status_t virtio_start(struct virtio *v unused) { abort(); }
status_t virtio_config(const struct virtio *v unused, uint32_t offset unused, void *to unused, uint32_t len unused) { abort(); }
status_t virtio_config_write(const struct virtio *v unused, uint32_t offset unused, uint32_t value unused) { abort(); }
status_t virtio_memory_make(const struct virtio *v unused, uint64_t size unused, struct virtio_memory *m unused) { abort(); }

/* ---- tests ---- */

static void draw(void)
{
	uint32_t line[PIXELS_MAX] = { 0 };

	for (uint32_t y = 0; y < gpu.display.height; y++)
		gpu.display.put(&gpu.display, 0, y, line, gpu.display.width);
}

/* As output.c's switch_to does it. */
static status_t switch_to(uint32_t width, uint32_t height)
{
	status_t st = gpu_begin(width, height);

	if (st == OK) {
		draw();
		st = gpu_commit();
		if (st < 0)
			gpu_abort();
	}
	return st;
}

static void device_new(void)
{
	memset(resource, 0, sizeof(resource));
	shown = times = 0;
	gpu.display = (struct display){ .bits = 32, .put = put, .present = present };
	gpu.memory.va = (uint64_t)commands;
	gpu.open = true;
	assert_int_equal(switch_to(40, 30), OK);
}

static void device_end(void)
{
	gpu_close();
	assert_true(frames == 0 && pins == 0 && maps == 0);
}

static status_t show_all(void)
{
	draw();
	return gpu.display.present(&gpu.display, &(struct damage){ .list = { { 0, 0, gpu.display.width, gpu.display.height } }, .n = 1 });
}

/* All is as before, and goes on. */
static void goes_on(uint32_t width, uint32_t height)
{
	assert_true(gpu.display.width == width && gpu.display.height == height);
	assert_true(gpu.now.width == width && gpu.now.height == height && shown == gpu.now.resource);
	assert_int_equal(show_all(), OK);
	assert_int_equal(frames, 1);
}

static void refuses_one(void **state unused)
{
	static const uint32_t commands_[] = { GPU_CREATE_2D, GPU_ATTACH, GPU_TRANSFER, GPU_SET_SCANOUT, GPU_FLUSH };

	for (size_t i = 0; i < ARRAY_LEN(commands_); i++)
		for (int larger = 0; larger < 2; larger++) {
			device_new();
			refuses = commands_[i];
			times = 1;
			assert_int_equal(switch_to(larger ? 60 : 20, larger ? 50 : 10), ERR_INVALID);
			goes_on(40, 30);
			assert_int_equal(switch_to(20, 20), OK);
			goes_on(20, 20);
			device_end();
		}
}

/* A picture that it keeps is never drawn into as if it were another, and the device is let go. */
static void gives_nothing_back(void **state unused)
{
	device_new();
	refuses = GPU_UNREF;
	times = 1;
	assert_int_equal(switch_to(20, 10), ERR_IO);    /* the old one */
	assert_int_equal(show_all(), ERR_IO);
	assert_int_equal(gpu_begin(20, 20), ERR_IO);
	device_end();

	device_new();
	assert_int_equal(gpu_begin(20, 10), OK);
	refuses = GPU_UNREF;
	times = 1;
	gpu_abort();
	assert_true(gpu.display.width == 40 && gpu.display.height == 30);
	assert_int_equal(show_all(), ERR_IO);
	device_end();

	device_new();
	refuses = GPU_SET_SCANOUT;                      /* and does not go back either */
	times = 2;
	assert_int_equal(switch_to(20, 10), ERR_INVALID);
	assert_int_equal(show_all(), ERR_IO);
	device_end();
}

int main(int argc unused, char **argv unused)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(refuses_one), cmocka_unit_test(gives_nothing_back) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
