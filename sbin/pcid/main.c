/*
 * pcid: `pci://`, the functions on the PCI buses. It finds them, with their registers' addresses and sizes, when it starts;
 * the state Frame has what must not be asked a second time (bars.h). Open files are their badges (node.h), and texts are made
 * when they are read.
 *
 * pci://00:1f.2/device is for one driver at a time. Who it is stands in the state Frame, so that it keeps the function when pcid
 * dies, and loses it when its Session is closed, by whomever: then the function is stopped, and only then its pins end.
 */
#include "announce.h"
#include "device.h"
#include "firmware.h"
#include "hardware.h"
#include "hotplug.h"
#include "line.h"
#include "message.h"
#include "node.h"
#include "owner.h"
#include "place.h"
#include "reset.h"
#include "text.h"
#include <abi/file.h>
#include <abi/pci.h>
#include <gen/file.h>
#include <rt/clock.h>
#include <rt/io.h>
#include <rt/start.h>
#include <rt/state.h>
#include <rt/svc.h>
#include <string.h>

#define VERSION        4
#define SESSION_RIGHTS (RIGHT_CALL | RIGHT_DUP | RIGHT_TRANSFER)
enum { TEXT_MAX = 128 * KiB, BADGE_SLOTS = 1, BADGE_LINES = BADGE_SLOTS + SLOTS_MAX, BADGE_RETRY = BADGE_LINES + LINES_MAX, FIRMWARE_TOKEN = 2 };
#define RETRY_NS     (100 * NS_PER_MS)
#define RETRY_MAX_NS (10 * NS_PER_SEC)  /* while there is no acpid */

/* In the state Frame. */
struct kept {
	struct bar_journal journal;
	uint64_t lives;             /* of pcid, this one included */
	uint64_t serial;            /* of the last driver; never used again, so that the badge of one that has gone is nobody's */
	struct owner owners[OWNERS_MAX];
	struct line_user lines[OWNERS_MAX];     /* of the owner of the same number */
	struct message_record messages[MESSAGES_MAX];
	struct slot_record slots[SLOTS_MAX];
	uint64_t slot_seen;         /* number of the last event of the firmware's slots that was acted on */
	struct bar_memo memos[PCI_FUNCTIONS_MAX];
};

static struct state state;
static struct kept *kept;
static struct config config;
static struct device_resources resources;
static struct pci_function functions[PCI_FUNCTIONS_MAX];        /* sorted by place */
static size_t n_functions;
static uint64_t ecam, ecam_size;        /* where configuration space is; 0: nowhere in memory */
static char text_memory[TEXT_MAX];

static struct pci_function *function_at(uint16_t at)
{
	for (size_t i = 0; i < n_functions; i++)
		if (functions[i].at == at)
			return &functions[i];
	return NULL;
}

static uint32_t space_of(const struct pci_function *f)
{
	return f->express ? config.size : 256;
}

/* ---- drivers ---- */

/* Nobody drives that function. */
static void release(struct owner *o)
{
	line_drop((size_t)(o - kept->owners));
	state_store(&o->badge, 0);
}

/* The function reaches no memory any more, and the pages that were held for it are free. */
static void stop(const struct pci_function *f)
{
	handle_t dma;

	device_stop(&config, functions, n_functions, f, &kept->journal);
	message_drop(f->at);
	status_t st = dma_create(resources.dma, f->at, &dma);
	if (st == OK) {
		st = dma_silent(dma);
		handle_close(dma);
	}
	if (st < 0)
		log_print("pages held for a function that has been stopped stay held: %s", error_text(st));
}

static void check(void)
{
	/* The I/O APICs and local APICs of every PC are in the second; a BAR there would catch interrupts. */
	const struct range reserved[] = { { ecam, ecam_size }, { 0xfec00000, 0x300000 } };

	bars_check(functions, n_functions, reserved, ARRAY_LEN(reserved));
}

/* Opens a function for one driver. The badge is recorded before the answer: delivered again, the same Session is minted. */
static status_t take(const struct svc_cmd *c, struct pci_function *f, bool offered, uint64_t *badge)
{
	struct owner *o = owner_of(kept->owners, f->at);
	const struct claim claim = { svc_op_id(c), kept->lives, c->redelivered, offered };

	switch (owner_judge(o, &claim)) {
	case CLAIM_FREE:
		break;
	case CLAIM_AGAIN:
		o->unheard = kept->lives;
		*badge = o->badge;
		return OK;
	case CLAIM_OVER:
		release(o);
		break;
	case CLAIM_BUSY:
		return ERR_BUSY;
	}
	for (size_t i = 0; i < OWNERS_MAX && !o; i++)
		if (!kept->owners[i].badge)
			o = &kept->owners[i];
	if (!o)
		return ERR_NO_SPACE;
	/* It may be running for a driver that a lost state has forgotten. */
	stop(f);
	if (bars_ask(&config, f, &kept->journal, kept->memos, ARRAY_LEN(kept->memos)))
		check();
	device_start(&config, f);
	kept->serial = (uint32_t)(kept->serial + 1) ? (uint32_t)(kept->serial + 1) : 1;
	o->op_id = claim.op_id;
	o->offered = offered;
	o->unheard = kept->lives;
	*badge = node_badge((struct node){ NODE_DEVICE, f->at, (uint32_t)kept->serial });
	state_store(&o->badge, *badge);
	return OK;
}

/* The function has left, or is about to: whoever drives it has it no more. */
static void leave(const struct pci_function *f)
{
	struct owner *o = owner_of(kept->owners, f->at);

	if (!o)
		return;
	stop(f);
	release(o);
}

static void on_close(void *self unused, uint64_t badge)
{
	struct node n;

	if (!node_from_badge(badge, &n) || n.kind != NODE_DEVICE)
		return;
	const struct pci_function *f = function_at(n.at);
	struct owner *o = owner_of(kept->owners, n.at);
	if (o && o->badge != badge)
		return;
	if (f)
		stop(f);
	if (o)
		release(o);
}

static status_t give_dma(struct svc_cmd *c, const struct pci_function *f)
{
	handle_t dma;
	status_t st = dma_create(resources.dma, f->at, &dma);

	if (st < 0)
		return st;
	st = handle_dup(dma, RIGHT_WRITE | RIGHT_DUP | RIGHT_TRANSFER, &c->reply_handle);
	handle_close(dma);
	return st;
}

/* A message; the function raises its line no more. */
static status_t give_message(struct svc_cmd *c, const struct pci_function *f, const struct owner *o, uint64_t number, uint64_t *count)
{
	status_t st = device_irq(&resources, &config, f, number, &c->reply_handle, count);

	if (st == OK)
		line_drop((size_t)(o - kept->owners));
	return st;
}

/* Where its pin leads acpid says, or an earlier request of the same driver: whoever asks again depends on nobody. */
static status_t give_line(const struct svc_cmd *c, const struct pci_function *f, const struct owner *o, uint64_t bit)
{
	size_t i = (size_t)(o - kept->owners);
	struct pin_line line;

	if (bit > 63 || c->n_handles != 1 || !state.shelf)
		return ERR_INVALID;
	status_t st = line_of(i, &line) ? OK : pin_route(functions, n_functions, f, firmware_line, NULL, &line);
	if (st < 0)
		return st;
	device_messages_off(&config, f);
	message_drop(f->at);
	return line_give(i, f, line, c->handles[0], (unsigned)bit);
}

static bool for_drivers(uint32_t code)
{
	return (code >= CTL_PCI_BAR && code <= CTL_PCI_WRITE) || code == CTL_PCI_LINE || code == CTL_PCI_LINE_SERVED;
}

static bool config_access(const struct pci_function *f, uint64_t reg, uint64_t width)
{
	return (width == 1 || width == 2 || width == 4) && reg % width == 0 && reg < space_of(f);
}

static status_t on_ctl(void *self unused, struct svc_cmd *c, const struct file_ctl_req *q, struct file_ctl_rep *p)
{
	struct node n;

	if (!node_from_badge(c->badge, &n))
		return ERR_INVALID;
	if (n.kind != NODE_DEVICE || !for_drivers(q->code))
		return ERR_NOT_SUPPORTED;
	if (!(c->rights & RIGHT_WRITE))
		return ERR_DENIED;
	const struct pci_function *f = function_at(n.at);
	struct owner *o = owner_of(kept->owners, n.at);
	if (!f || !o || o->badge != c->badge)
		return ERR_GONE;
	if (o->unheard)
		o->unheard = 0;
	c->reply_close = true;
	switch (q->code) {
	case CTL_PCI_BAR:
		return device_bar(&resources, &config, functions, n_functions, f, q->arg0, q->arg1, &c->reply_handle, &p->value0, &p->value1);
	case CTL_PCI_IRQ:
		return give_message(c, f, o, q->arg0, &p->value0);
	case CTL_PCI_LINE:
		return give_line(c, f, o, q->arg0);
	case CTL_PCI_LINE_SERVED:
		return line_served((size_t)(o - kept->owners));
	case CTL_PCI_DMA:
		return give_dma(c, f);
	case CTL_PCI_MASTER:
		if (q->arg0 > 1)
			return ERR_INVALID;
		device_master(&config, functions, n_functions, f, q->arg0);
		return OK;
	case CTL_PCI_READ:
		if (!config_access(f, q->arg0, q->arg1))
			return ERR_INVALID;
		p->value0 = config.read(config.ctx, f->at, (uint32_t)q->arg0, (uint32_t)q->arg1);
		return OK;
	default:
		if (!config_access(f, q->arg0, q->arg1))
			return ERR_INVALID;
		if (!pci_may_write(&config, f, (uint32_t)q->arg0, (uint32_t)q->arg1))
			return ERR_DENIED;
		config.write(config.ctx, f->at, (uint32_t)q->arg0, (uint32_t)q->arg1, (uint32_t)q->arg2);
		return OK;
	}
}

/* ---- commands ---- */

/* Where a command's path leads, checked to be there. */
static status_t find(const struct svc_cmd *c, struct node *n)
{
	struct node from;

	if (!node_from_badge(c->badge, &from))
		return ERR_INVALID;
	if (from.kind == NODE_OFFER && from.serial != hotplug_arrival(from.at))
		return ERR_GONE;                /* something else is in that slot now */
	status_t st = node_walk(from, c->path ? c->path : "", c->path ? c->path_len : 0, n);
	if (st == OK && n->kind >= NODE_FUNCTION && !function_at(n->at))
		st = ERR_NOT_FOUND;
	return st;
}

static status_t on_open(void *self unused, struct svc_cmd *c, const struct file_open_req *q, struct file_open_rep *p)
{
	struct node n;
	status_t st = find(c, &n);

	if (st < 0)
		return st;
	if (q->flags & OPEN_DIRECTORY && !node_is_directory(n.kind))
		return ERR_NOT_DIRECTORY;
	if (q->flags & OPEN_EXCL)
		return ERR_EXISTS;
	if (q->flags & (OPEN_TRUNC | OPEN_APPEND) || (q->flags & OPEN_WRITE && n.kind != NODE_DEVICE))
		return ERR_READ_ONLY;
	if (n.kind == NODE_DEVICE) {
		/* Only who was given the root Session, or this function by us, with the right to write, says who drives it. */
		struct node from;
		if (!node_from_badge(c->badge, &from) || (from.kind != NODE_ROOT && from.kind != NODE_OFFER) || !(c->rights & RIGHT_WRITE) || !(q->flags & OPEN_WRITE))
			return ERR_DENIED;
		if (!pci_is_for_drivers(function_at(n.at)))
			return ERR_DENIED;
		st = take(c, function_at(n.at), from.kind == NODE_OFFER, &c->mint_badge);
		if (st < 0)
			return st;
		p->type = FILE_DEVICE;
		p->size = 0;
		c->mint = true;
		c->mint_rights = SESSION_RIGHTS | RIGHT_READ | RIGHT_WRITE;
		return OK;
	}
	p->type = q->flags & OPEN_DIRECTORY ? FILE_DIRECTORY : FILE_REGULAR;
	p->size = n.kind == NODE_CONFIG ? space_of(function_at(n.at)) : 0;
	/* Opened for its text, a directory becomes a file. */
	if (!(q->flags & OPEN_DIRECTORY) && node_is_directory(n.kind))
		n.kind = n.kind == NODE_ROOT ? NODE_LIST : NODE_DETAILS;
	else if (n.kind == NODE_OFFER)
		n.kind = NODE_FUNCTION;
	c->mint = true;
	c->mint_badge = node_badge(n);
	c->mint_rights = SESSION_RIGHTS | (q->flags & OPEN_READ ? c->rights & RIGHT_READ : 0);
	return OK;
}

static status_t read_config(const struct svc_cmd *c, const struct pci_function *f, uint64_t offset, uint64_t *done)
{
	static uint32_t space[1024];
	uint32_t size = space_of(f), first, end;

	*done = 0;
	if (offset >= size)
		return OK;
	/* Only the words asked for: reading some registers of some devices means something to them. */
	first = (uint32_t)offset & ~3u;
	end = (uint32_t)MIN(offset + c->out_len, (uint64_t)size);
	for (uint32_t reg = first; reg < end; reg += 4)
		space[reg / 4] = config.read(config.ctx, f->at, reg, 4);
	return svc_read_from(c, offset, space, end, done);
}

static status_t on_read(void *self unused, struct svc_cmd *c, const struct file_read_req *q, struct file_read_rep *p)
{
	struct text t = { text_memory, 0, sizeof(text_memory) };
	struct node n;

	if (!node_from_badge(c->badge, &n))
		return ERR_INVALID;
	if (node_is_directory(n.kind))
		return ERR_IS_DIRECTORY;
	if (n.kind == NODE_DEVICE)
		return ERR_NOT_SUPPORTED;
	const struct pci_function *f = function_at(n.at);
	if (n.kind == NODE_LIST)
		for (size_t i = 0; i < n_functions; i++)
			text_line(&t, &functions[i]);
	else if (!f)
		return ERR_NOT_FOUND;
	else if (n.kind == NODE_CONFIG)
		return read_config(c, f, q->offset, &p->done);
	else
		text_details(&t, &config, f);
	return svc_read_from(c, q->offset, t.data, t.len, &p->done);
}

static status_t on_stat(void *self unused, struct svc_cmd *c, const struct file_stat_req *q unused, struct file_stat_rep *p)
{
	struct node n;
	status_t st = find(c, &n);

	if (st < 0)
		return st;
	bool directory = node_is_directory(n.kind);
	*p = (struct file_stat_rep){
		.type = directory ? FILE_DIRECTORY : n.kind == NODE_DEVICE ? FILE_DEVICE : FILE_REGULAR, .ino = node_badge((struct node){ n.kind, n.at, 0 }) + 1,
		.mode = directory ? 0555 : n.kind == NODE_DEVICE ? 0600 : 0444,
		.size = n.kind == NODE_CONFIG ? space_of(function_at(n.at)) : 0,
	};
	return OK;
}

/* Entries of pci://: the cookie is the place of the next function to tell of, at least. */
static void list_functions(uint8_t *buf, size_t room, uint64_t *cookie, uint64_t *done)
{
	char name[PCI_NAME_SIZE];

	for (size_t i = 0; i < n_functions; i++) {
		uint16_t at = functions[i].at;
		if (at < *cookie)
			continue;
		pci_name(name, at);
		size_t n = dirent_put(buf + *done, room - *done, node_badge((struct node){ NODE_FUNCTION, at, 0 }) + 1, 0, FILE_DIRECTORY, name);
		if (!n)
			return;
		*done += n;
		*cookie = at + 1u;
	}
}

static status_t on_readdir(void *self unused, struct svc_cmd *c, const struct file_readdir_req *q, struct file_readdir_rep *p)
{
	static uint8_t buf[16 * KiB] aligned(8);
	struct node n;
	status_t st = find(c, &n);

	if (st < 0)
		return st;
	size_t room = MIN((size_t)c->out_len, sizeof(buf));
	p->done = 0;
	p->next = q->cookie;
	if (n.kind == NODE_ROOT) {
		list_functions(buf, room, &p->next, &p->done);
	} else if (!node_is_directory(n.kind)) {
		return ERR_NOT_DIRECTORY;
	} else if (q->cookie == 0) {            /* both fit into the least window */
		p->done = dirent_put(buf, room, node_badge((struct node){ NODE_CONFIG, n.at, 0 }) + 1, space_of(function_at(n.at)), FILE_REGULAR, "config");
		p->done += dirent_put(buf + p->done, room - p->done, node_badge((struct node){ NODE_DEVICE, n.at, 0 }) + 1, 0, FILE_DEVICE, "device");
		p->next = 1;
	}
	return svc_write_out(c->cmd, 0, buf, p->done);
}

static handle_t our_port, retry;
static bool has_bridges;                /* so somebody may tell of what happens behind them */
static uint64_t retry_after_ns, not_before_ns;

/* acpid may have been stopped, and may come again; seldom, if it does not. */
static void listen(void)
{
	uint64_t now;

	if (!has_bridges || firmware_listens() || (now = clock_value()) < not_before_ns)
		return;
	if (firmware_listen(our_port, FIRMWARE_TOKEN, kept->slot_seen) == OK)
		return;
	retry_after_ns = retry_after_ns ? MIN(2 * retry_after_ns, RETRY_MAX_NS) : RETRY_NS;
	not_before_ns = now + retry_after_ns;
	(void)!notify_timer(retry, 1, not_before_ns, 0);
}

/* What could not be sent now is sent a little later. */
static void on_idle(void *self unused)
{
	state_good(&state);
	listen();
	if (!announce_go_on())
		(void)!notify_timer(retry, 0, clock_value() + RETRY_NS, 0);
}

static void on_firmware(const struct event *e)
{
	uint64_t seen = kept->slot_seen;
	uint32_t kind;
	uint16_t at;

	if (firmware_heard(e, &seen, &at, &kind) < 0) {
		not_before_ns = clock_value() + RETRY_NS;
		(void)!notify_timer(retry, 1, not_before_ns, 0);
		return;
	}
	retry_after_ns = 0;
	hotplug_heard(at, kind);
	state_store(&kept->slot_seen, seen);
}

static void on_completion(void *self unused, struct event *e)
{
	uint16_t at;

	if (e->cmd == FIRMWARE_TOKEN)
		on_firmware(e);
	else if (announce_answered(e, &at))
		hotplug_gone(at);
}

static void on_notify(void *self unused, uint64_t badge, uint64_t bits unused)
{
	if (badge >= BADGE_RETRY)
		return;                 /* on_idle does it */
	if (badge >= BADGE_LINES)
		line_happened(badge - BADGE_LINES);
	else if (badge >= BADGE_SLOTS)
		hotplug_happened(badge - BADGE_SLOTS);
}

static const struct file_ops ops = { .open = on_open, .read = on_read, .stat = on_stat, .readdir = on_readdir, .ctl = on_ctl };

/* ---- start ---- */

static void complain(const struct pci_function *f)
{
	static const char *const words[] = { [BAR_UNASSIGNED] = "unassigned", [BAR_MISPLACED] = "misplaced", [BAR_OVERLAPS] = "overlapping" };
	char name[PCI_NAME_SIZE];

	pci_name(name, f->at);
	if (f->lost)
		log_print("%s: a bridge to bus %02x-%02x: that makes no sense, so nothing is looked for behind it", name, f->secondary, f->subordinate);
	for (unsigned i = 0; i < PCI_BARS; i++)
		if (f->bars[i].kind == BAR_ODD || f->bars[i].state >= BAR_UNASSIGNED)
			log_print("%s: region %u is %s and left alone", name, i, f->bars[i].kind == BAR_ODD ? "unusable" : words[f->bars[i].state]);
}

static bool recorded(void *ctx unused, uint32_t slot)
{
	return line_recorded(slot) || message_recorded(slot);
}

static void look_around(bool booted)
{
	bool more;

	reset_roll_back(&config, &kept->journal);
	if (bars_roll_back(&config, &kept->journal))
		log_print("an instance was ended while it asked or reset a function: its addresses are put back");
	n_functions = pci_scan(&config, functions, PCI_FUNCTIONS_MAX, &more);
	if (more)
		log_print("more than %u functions: the rest is left out", PCI_FUNCTIONS_MAX);
	bars_find(&config, functions, n_functions, booted, &kept->journal, kept->memos, ARRAY_LEN(kept->memos));
	place_unseen(&config, functions, n_functions);
	check();
	if (state.fresh) {
		log_print("%zu functions, by %s", n_functions, config.size == 256 ? "ports" : "memory");
		for (size_t i = 0; i < n_functions; i++)
			complain(&functions[i]);
	}
}

int main(int argc unused, char **argv unused)
{
	static struct boot_info info;
	static struct svc svc;
	uint64_t done;
	handle_t boot = start_handle("boot");
	const char *instance = env_get("INSTANCE");

	MUST(svc_init(&svc, &file_proto, &ops, NULL));
	svc.on_idle = on_idle;
	svc.on_close = on_close;
	svc.on_completion = on_completion;
	svc.on_notify = on_notify;
	resources = (struct device_resources){ start_handle("res:phys"), start_handle("res:ioports"), start_handle("res:dma") };
	if (!boot || frame_read(boot, 0, &info, sizeof(info), &done) < 0 || done < sizeof(info) || info.magic != BOOT_MAGIC)
		rt_panic("no boot information: nobody says where configuration space is");
	status_t st = hardware_open(&config, &info.acpi, resources.phys, resources.ports, &ecam, &ecam_size);
	if (st < 0) {
		log_print("no PCI bus: %s", error_text(st));
		return 0;
	}
	config.screen = info.fb.base;
	memcpy(config.roots, info.pci_roots, sizeof(config.roots));
	MUST(state_open(&state, VERSION, sizeof(struct kept)));
	kept = state.memory;
	kept->lives++;
	bool booted = state.fresh && instance && !strcmp(instance, "1");
	look_around(booted);
	static struct line_keeper lines;
	lines = (struct line_keeper){ &config, &svc, BADGE_LINES, start_handle("res:irq"), &state, kept->lines, functions, &n_functions };
	line_begin(&lines);
	message_begin(&state, kept->messages, resources.dma);
	st = state_sweep(&state, recorded, NULL);
	if (st < 0)
		log_print("the shelf cannot be swept: %s", error_text(st));
	our_port = svc.port;
	MUST(svc_notify(&svc, BADGE_RETRY, &retry));
	MUST(port_reserve(svc.port, ANNOUNCE_SUBMITS + FIRMWARE_SUBMITS));
	announce_begin(svc.port, start_handle("devices"));
	static struct hotplug hotplug;
	hotplug = (struct hotplug){
		&config, &resources, functions, &n_functions, &kept->journal, kept->memos, ARRAY_LEN(kept->memos), kept->slots, check, leave,
	};
	hotplug_begin(&hotplug, &svc, BADGE_SLOTS, booted ? HOTPLUG_BOOTED : state.fresh ? HOTPLUG_ANEW : HOTPLUG_AGAIN);
	for (size_t i = 0; i < n_functions; i++)
		if (!hotplug_arrival(functions[i].at))
			announce_there(&functions[i], 0);
	if (state.fresh)
		kept->slot_seen = UINT64_MAX;
	for (size_t i = 0; i < n_functions; i++)
		has_bridges = has_bridges || (functions[i].header == PCI_HEADER_BRIDGE && !functions[i].lost);
	on_idle(NULL);
	st = svc_run(&svc);
	if (st < 0)
		rt_panic("the Port failed: %s", error_text(st));
	return 0;
}
