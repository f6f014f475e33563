/*
 * pcid: `pci://`, the functions on the PCI buses. It finds them, with their registers' addresses and sizes, when it starts;
 * the state Frame has what must not be asked a second time (bars.h). Open files are their badges (node.h), and texts are made
 * when they are read.
 */
#include "bars.h"
#include "hardware.h"
#include "node.h"
#include "text.h"
#include <abi/file.h>
#include <gen/file.h>
#include <rt/io.h>
#include <rt/start.h>
#include <rt/state.h>
#include <rt/svc.h>
#include <string.h>

#define VERSION        1
#define SESSION_RIGHTS (RIGHT_CALL | RIGHT_DUP | RIGHT_TRANSFER)
enum { TEXT_MAX = 128 * KiB };

/* In the state Frame. */
struct kept {
	struct bar_journal journal;
	struct bar_memo memos[PCI_FUNCTIONS_MAX];
};

static struct state state;
static struct kept *kept;
static struct config config;
static struct pci_function functions[PCI_FUNCTIONS_MAX];        /* sorted by place */
static size_t n_functions;
static char text_memory[TEXT_MAX];

static const struct pci_function *function_at(uint16_t at)
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

/* ---- commands ---- */

/* Where a command's path leads, checked to be there. */
static status_t find(const struct svc_cmd *c, struct node *n)
{
	struct node from;

	if (!node_from_badge(c->badge, &from))
		return ERR_INVALID;
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
	if (q->flags & (OPEN_WRITE | OPEN_TRUNC | OPEN_APPEND))
		return ERR_READ_ONLY;
	p->type = q->flags & OPEN_DIRECTORY ? FILE_DIRECTORY : FILE_REGULAR;
	p->size = n.kind == NODE_CONFIG ? space_of(function_at(n.at)) : 0;
	/* Opened for its text, a directory becomes a file. */
	if (!(q->flags & OPEN_DIRECTORY) && node_is_directory(n.kind))
		n.kind = n.kind == NODE_ROOT ? NODE_LIST : NODE_DETAILS;
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
		.type = directory ? FILE_DIRECTORY : FILE_REGULAR, .ino = node_badge(n) + 1, .mode = directory ? 0555 : 0444,
		.size = n.kind == NODE_CONFIG ? space_of(function_at(n.at)) : 0,
	};
	return OK;
}

/* Entries of pci://: the cookie is the place of the next function to tell of, at least. */
static void list_functions(uint8_t *buf, size_t room, uint64_t *cookie, uint64_t *done)
{
	char name[NODE_NAME_SIZE];

	for (size_t i = 0; i < n_functions; i++) {
		uint16_t at = functions[i].at;
		if (at < *cookie)
			continue;
		node_name(name, at);
		size_t n = dirent_put(buf + *done, room - *done, node_badge((struct node){ NODE_FUNCTION, at }) + 1, 0, FILE_DIRECTORY, name);
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
	} else if (n.kind != NODE_FUNCTION) {
		return ERR_NOT_DIRECTORY;
	} else if (q->cookie == 0) {
		p->done = dirent_put(buf, room, node_badge((struct node){ NODE_CONFIG, n.at }) + 1, space_of(function_at(n.at)), FILE_REGULAR, "config");
		p->next = 1;
	}
	return svc_write_out(c->cmd, 0, buf, p->done);
}

static void on_idle(void *self unused)
{
	state_good(&state);
}

static const struct file_ops ops = { .open = on_open, .read = on_read, .stat = on_stat, .readdir = on_readdir };

/* ---- start ---- */

static void complain(const struct pci_function *f)
{
	static const char *const words[] = { [BAR_UNASSIGNED] = "unassigned", [BAR_MISPLACED] = "misplaced", [BAR_OVERLAPS] = "overlapping" };
	char name[NODE_NAME_SIZE];

	node_name(name, f->at);
	if (f->lost)
		log_print("%s: a bridge to bus %02x-%02x: that makes no sense, so nothing is looked for behind it", name, f->secondary, f->subordinate);
	for (unsigned i = 0; i < PCI_BARS; i++)
		if (f->bars[i].kind == BAR_ODD || f->bars[i].state >= BAR_UNASSIGNED)
			log_print("%s: region %u is %s and left alone", name, i, f->bars[i].kind == BAR_ODD ? "unusable" : words[f->bars[i].state]);
}

static void look_around(uint64_t ecam, uint64_t ecam_size)
{
	/* The I/O APICs and local APICs of every PC are in the second; a BAR there would catch interrupts. */
	const struct range reserved[] = { { ecam, ecam_size }, { 0xfec00000, 0x300000 } };
	const char *instance = env_get("INSTANCE");
	bool more;

	if (bars_roll_back(&config, &kept->journal))
		log_print("an instance was ended while it asked a function for its size: put back");
	n_functions = pci_scan(&config, functions, PCI_FUNCTIONS_MAX, &more);
	if (more)
		log_print("more than %u functions: the rest is left out", PCI_FUNCTIONS_MAX);
	bars_find(&config, functions, n_functions, state.fresh && instance && !strcmp(instance, "1"), &kept->journal, kept->memos, ARRAY_LEN(kept->memos));
	bars_check(functions, n_functions, reserved, ARRAY_LEN(reserved));
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
	uint64_t ecam, ecam_size, done;
	handle_t boot = start_handle("boot");

	MUST(svc_init(&svc, &file_proto, &ops, NULL));
	svc.on_idle = on_idle;
	if (!boot || frame_read(boot, 0, &info, sizeof(info), &done) < 0 || done < sizeof(info) || info.magic != BOOT_MAGIC)
		rt_panic("no boot information: nobody says where configuration space is");
	status_t st = hardware_open(&config, &info.acpi, start_handle("res:phys"), start_handle("res:ioports"), &ecam, &ecam_size);
	if (st < 0) {
		log_print("no PCI bus: %s", error_text(st));
		return 0;
	}
	MUST(state_open(&state, VERSION, sizeof(struct kept)));
	kept = state.memory;
	look_around(ecam, ecam_size);
	st = svc_run(&svc);
	if (st < 0)
		rt_panic("the Port failed: %s", error_text(st));
	return 0;
}
