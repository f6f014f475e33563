/*
 * load: see load.h. The archive is unpacked as a whole into a Frame that is given back afterwards. File data is copied from
 * there to where it stays: a Frame of its own, mapped, filled, and from then on mapped read-only; readers get one copy out of
 * it, and MAP gives the Frame away.
 */
#include "load.h"
#include "gunzip.h"
#include "kinds.h"
#include "ustar.h"
#include <abi/file.h>
#include <rt/io.h>
#include <rt/ipc.h>
#include <rt/start.h>
#include <rt/state.h>
#include <string.h>

/* So that an archive of nothing but mistakes does not wash everything else out of the log. */
#define COMPLAINTS_MAX 20

struct load {
	struct tree  *tree;
	const uint8_t *next;        /* of the unpacked archive: not yet read */
	size_t        left;
	struct ustar  tar;
	struct ustar_entry entry;
	uint32_t      files, complaints;
	uint64_t      bytes;
};

static void complain(struct load *l, const char *why)
{
	if (l->complaints++ < COMPLAINTS_MAX)
		log_print("initfs: /%s: %s; it is left out (header before byte %llu, unpacked)", l->entry.path, why,
		          (unsigned long long)l->tar.offset);
	else if (l->complaints == COMPLAINTS_MAX + 1)
		log_print("initfs: more entries are left out");
}

static const char *add_error(status_t st)
{
	switch (st) {
	case ERR_EXISTS:        return "a file and a directory have the same name";
	case ERR_NOT_DIRECTORY: return "it lies below a file";
	case ERR_NO_SPACE:      return "there are too many files";
	default:                return error_text(st);
	}
}

/*
 * A Frame with the entry's data, mapped at *data. ERR_IO: the archive ended before the data did.
 * On error nothing is left behind.
 */
static status_t take_content(struct load *l, handle_t *frame, const void **data)
{
	uint64_t size = ALIGN_UP(l->entry.size, PAGE_SIZE), va;
	handle_t whole;

	status_t st = frame_create(size, 0, &whole);
	if (st < 0)
		return st;
	st = vmem_map(0, whole, 0, 0, size, PROT_READ | PROT_WRITE, &va);
	if (st < 0)
		goto close;
	if (ustar_data(&l->tar, (void *)va, l->entry.size) != l->entry.size) {
		st = ERR_IO;
		goto unmap;
	}
	st = vmem_protect(0, va, size, PROT_READ);
	if (st < 0)
		goto unmap;
	st = handle_dup(whole, LOAD_FRAME_RIGHTS, frame);
	if (st < 0)
		goto unmap;
	*data = (const void *)va;
	handle_close(whole);
	return OK;

unmap:
	MUST(vmem_unmap(0, va, size));
close:
	handle_close(whole);
	return st;
}

static void drop_content(struct node *n)
{
	if (n->frame) {
		MUST(vmem_unmap(0, (uintptr_t)n->data, ALIGN_UP(n->size, PAGE_SIZE)));
		handle_close(n->frame);
	}
	n->frame = 0;
	n->data = NULL;
	n->size = 0;
}

static void take_file(struct load *l)
{
	struct ustar_entry *e = &l->entry;
	handle_t frame = 0;
	const void *data = NULL;
	uint32_t number;
	bool existed;

	if (e->size > LOAD_UNPACKED_MAX) {
		complain(l, "it is larger than 64 MiB");
		return;
	}
	status_t st = e->size ? take_content(l, &frame, &data) : OK;
	if (st < 0) {
		/* A broken stream is reported once, by load_archive. */
		complain(l, st == ERR_IO ? "it is not complete" : add_error(st));
		return;
	}
	st = tree_add(l->tree, e->path, FILE_REGULAR, &number, &existed);
	if (st < 0) {
		struct node orphan = { .frame = frame, .data = data, .size = e->size };
		drop_content(&orphan);
		complain(l, add_error(st));
		return;
	}
	struct node *n = &l->tree->nodes[number];
	if (existed) {
		/* As tar itself does: what comes later in the archive replaces what came before. */
		log_print("initfs: /%s is in the archive twice; the later one counts", e->path);
		l->bytes -= n->size;
		drop_content(n);
	} else {
		l->files++;
	}
	n->frame = frame;
	n->data = data;
	n->size = e->size;
	n->sum = state_sum(0, data, n->size);
	if (frame)
		handle_tag(frame, TAG(number, KIND_FILE));
	n->mtime = e->mtime;
	n->mode = e->mode & 0555;
	l->bytes += e->size;
}

static void take_directory(struct load *l)
{
	uint32_t number;
	bool existed;

	status_t st = tree_add(l->tree, l->entry.path, FILE_DIRECTORY, &number, &existed);
	if (st < 0) {
		complain(l, add_error(st));
		return;
	}
	l->tree->nodes[number].mtime = l->entry.mtime;
	l->tree->nodes[number].mode = l->entry.mode & 0555;
}

/* A ustar_read: the next bytes of the unpacked archive. */
static size_t read_unpacked(void *ctx, void *buf, size_t len)
{
	struct load *l = ctx;
	size_t n = MIN(len, l->left);

	memcpy(buf, l->next, n);
	l->next += n;
	l->left -= n;
	return n;
}

/* What the archive unpacks to, and how far it can be used. Its pages come as they are written to, so the room costs nothing. */
static struct gunzip unpack(struct load *l, const void *archive, size_t size, handle_t room, uint64_t room_size, void *at)
{
	struct gunzip g = gunzip(archive, size, at, room_size);
	struct frame_info info;

	l->next = at;
	l->left = g.out;
	if (g.why && frame_info(room, &info) == OK)
		l->left = gunzip_rescued(&g, at, MIN(info.committed, room_size));
	return g;
}

/* False: something is wrong with the archive, and it has been said. */
static bool take_entries(struct load *l, bool damaged)
{
	int r;

	ustar_init(&l->tar, read_unpacked, l);
	while ((r = ustar_next(&l->tar, &l->entry)) == USTAR_ENTRY) {
		switch (l->entry.type) {
		case USTAR_FILE:      take_file(l); break;
		case USTAR_DIRECTORY: take_directory(l); break;
		default:              complain(l, l->entry.why);
		}
	}
	if (r == USTAR_BROKEN && !damaged)
		log_print("initfs: the archive is damaged at byte %llu (unpacked): %s; what follows is lost",
		          (unsigned long long)l->tar.offset, l->tar.why);
	return r != USTAR_BROKEN && !damaged;
}

/* Who sees what is wrong may be nobody but the kernel's consoles, also in a quiet boot. */
static void show_log(void)
{
	(void)!log_write("", 0);
}

void load_archive(struct tree *t, const void *archive, size_t size)
{
	static struct load l;       /* 12 KiB: too much for a stack */
	uint64_t room_size = ALIGN_UP(gunzip_room(size, LOAD_UNPACKED_MAX), PAGE_SIZE), va;
	handle_t room;

	l.tree = t;
	l.files = l.complaints = 0;
	l.bytes = 0;
	status_t st = frame_create(room_size, 0, &room);
	if (st >= 0) {
		st = vmem_map(0, room, 0, 0, room_size, PROT_READ | PROT_WRITE, &va);
		if (st < 0)
			handle_close(room);
	}
	if (st < 0) {
		log_print("initfs: there is no room to unpack the archive: %s; initfs:// is empty", error_text(st));
		show_log();
		return;
	}
	struct gunzip g = unpack(&l, archive, size, room, room_size, (void *)va);
	bool whole = take_entries(&l, g.why);
	MUST(vmem_unmap(0, va, room_size));
	handle_close(room);
	if (g.why)
		log_print("initfs: the archive is damaged behind byte %zu of %zu (packed): %s; files that came complete are served, unverified",
		          g.in, size, g.why);
	if (l.files == 0)
		log_print("initfs: nothing could be unpacked; initfs:// is empty");
	else
		log_print("initfs: %u files, %llu KiB", l.files, (unsigned long long)l.bytes >> 10);
	if (!whole || l.files == 0)
		show_log();
}
