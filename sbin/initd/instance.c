/*
 * instance: see instance.h. Slices of the root Resource are made for each start and closed after it: between
 * starts initd holds no hardware but the root itself.
 */
#include "instance.h"
#include "step.h"
#include <abi/boot.h>
#include <rt/io.h>
#include <rt/start.h>
#include <stdio.h>
#include <string.h>

#define GRANTS_MAX (MANIFEST_RESOURCES + 4)     /* and Port, state Frame, shelf and device */

struct grants {
	struct spawn_handle list[GRANTS_MAX];
	char   names[GRANTS_MAX][START_HANDLE_NAME];
	bool   ours[GRANTS_MAX];        /* made for this start: close it after */
	size_t n;
};

static void grant(struct service *s, struct grants *g, const char *name, handle_t h, uint32_t rights, bool ours)
{
	snprintf(g->names[g->n], START_HANDLE_NAME, "%s", name);
	g->ours[g->n] = ours;
	g->list[g->n] = (struct spawn_handle){
		.name = g->names[g->n], .handle = h, .rights = rights, .tag = TAG(s->owner, KIND_GRANT),
	};
	g->n++;
}

/* The interrupt of ACPI's events as a Resource of its own. False: the machine has none, which whoever asked for it will notice. */
static bool find_sci(handle_t boot, struct manifest_resource *r)
{
	static struct boot_info info;
	uint64_t done;

	if (!boot || frame_read(boot, 0, &info, sizeof(info), &done) < 0 || done < sizeof(info) || info.magic != BOOT_MAGIC || !info.acpi.sci.present)
		return false;
	*r = (struct manifest_resource){ GRANT_IRQ, info.acpi.sci.gsi, 1 };
	return true;
}

/* The pages of the firmware's framebuffer, which only the boot information knows. False: there is none. */
static bool find_framebuffer(handle_t boot, struct manifest_resource *r)
{
	static struct boot_info info;
	uint64_t done, end;

	if (!boot || frame_read(boot, 0, &info, sizeof(info), &done) < 0 || done < sizeof(info) || info.magic != BOOT_MAGIC || !info.fb.base
	    || !info.fb.size || __builtin_add_overflow(info.fb.base, info.fb.size, &end))
		return false;
	r->base = ALIGN_DOWN(info.fb.base, PAGE_SIZE);
	r->count = ALIGN_UP(end, PAGE_SIZE) - r->base;
	return true;
}

/* The hardware and knowledge that the manifest names, each as "res:KIND"; the second of a kind is "res:KIND1". */
static status_t grant_resources(struct service *s, handle_t root, handle_t boot, handle_t svc_port, struct grants *g)
{
	static const struct { const char *name; uint32_t kind; uint32_t rights; } kinds[] = {
		[GRANT_IOPORTS] = { "ioports", RES_IOPORTS, RIGHT_ALL },
		[GRANT_IRQ] = { "irq", RES_IRQ, RIGHT_ALL },
		[GRANT_PHYS] = { "phys", RES_PHYS, RIGHT_ALL },
		[GRANT_DMA] = { "dma", RES_DMA, RIGHT_ALL },
		[GRANT_INFO] = { "info", RES_INFO, RIGHT_ALL & ~RIGHT_MANAGE },
		[GRANT_INFO_MANAGE] = { "info", RES_INFO, RIGHT_ALL },
		[GRANT_FRAMEBUFFER] = { "framebuffer", RES_PHYS, RIGHT_ALL },
	};
	uint32_t seen[GRANT_BOOT] = { 0 };

	for (uint32_t i = 0; i < s->m.n_resources; i++) {
		struct manifest_resource r = s->m.resources[i];
		char name[START_HANDLE_NAME];
		handle_t slice;
		if (r.kind == GRANT_BOOT) {
			grant(s, g, "boot", boot, RIGHT_READ | RIGHT_MAP, false);
			continue;
		}
		if ((r.kind == GRANT_SCI && !find_sci(boot, &r)) || (r.kind == GRANT_FRAMEBUFFER && !find_framebuffer(boot, &r)))
			continue;
		if (r.kind == GRANT_DEVICES) {
			status_t st = session_create(svc_port, BADGE_DEVICES, RIGHT_CALL | RIGHT_WRITE, &slice);
			if (st < 0)
				return st;
			grant(s, g, "devices", slice, RIGHT_CALL | RIGHT_WRITE, true);
			continue;
		}
		bool info = r.kind == GRANT_INFO || r.kind == GRANT_INFO_MANAGE;
		status_t st = resource_slice(root, kinds[r.kind].kind, info ? 0 : r.base, info ? 1 : r.count, &slice);
		if (st < 0) {
			log_print("%s: resource %u of its manifest cannot be had: %s", s->m.name, i + 1, error_text(st));
			return st;
		}
		uint32_t *count = &seen[info ? GRANT_INFO : r.kind];
		if (*count == 0)
			snprintf(name, sizeof(name), "res:%s", kinds[r.kind].name);
		else
			snprintf(name, sizeof(name), "res:%s%u", kinds[r.kind].name, *count);
		++*count;
		grant(s, g, name, slice, kinds[r.kind].rights, true);
	}
	return OK;
}

/* Executes the next instance, with what it is given. */
static status_t execute(struct service *s, struct grants *g)
{
	const char *argv[MANIFEST_ARGS + 1], *envp[3], *why = NULL;
	char instance[32], tty[MANIFEST_VALUE_MAX + 8];
	struct process_info self;
	int argc = 0, envc = 0;

	argv[argc++] = s->m.name;
	const char *arg = s->m.args;
	for (uint32_t i = 0; i < s->m.n_args; i++, arg += strlen(arg) + 1)
		argv[argc++] = arg;
	snprintf(instance, sizeof(instance), "INSTANCE=%u", s->instances + 1);
	envp[envc++] = instance;
	/* Its state may be the reason: abi/rt/state.c counts. */
	if (s->faulted)
		envp[envc++] = "FAULTED=1";
	if (s->m.tty[0]) {
		snprintf(tty, sizeof(tty), "TTY=%s", s->m.tty);
		envp[envc++] = tty;
	}
	status_t st = process_info(0, &self);
	if (st < 0)
		return st;
	const struct spawn spawned = {
		.name = s->m.name, .image = s->image, .image_size = s->image_size,
		.argc = argc, .argv = argv, .envc = envc, .envp = envp,
		.handles = g->list, .n_handles = g->n, .budget = s->budget, .ns = s->ns,
		.priority = MIN(s->m.priority, self.priority), .level = s->m.level,
	};
	st = spawn(&spawned, &s->process, &s->pid, &why);
	if (st < 0 && why)
		log_print("%s: %s: %s", s->m.name, s->m.exec, why);
	return st;
}

status_t instance_execute(struct service *s, handle_t root, handle_t boot, handle_t svc_port)
{
	struct grants g = { .n = 0 };

	if (service_has_loop(s))
		grant(s, &g, "port", s->port, RIGHT_SERVE | RIGHT_MANAGE | RIGHT_INSPECT | RIGHT_DUP, false);
	if (s->state_frame)
		grant(s, &g, "state", s->state_frame, RIGHT_READ | RIGHT_WRITE | RIGHT_MAP | RIGHT_DUP | RIGHT_INSPECT, false);
	if (s->shelf)
		grant(s, &g, "shelf", s->shelf, RIGHT_READ | RIGHT_WRITE, false);
	if (s->device)
		grant(s, &g, "device", s->device, RIGHT_READ | RIGHT_WRITE | RIGHT_CALL | RIGHT_DUP | RIGHT_TRANSFER, false);
	status_t st = grant_resources(s, root, boot, svc_port, &g);
	step();
	if (st >= 0)
		st = execute(s, &g);
	step();
	for (size_t i = 0; i < g.n; i++)
		if (g.ours[i])
			handle_close(g.list[i].handle);
	return st;
}
