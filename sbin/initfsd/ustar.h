/*
 * ustar: reads a tar archive as a stream, one entry after the other: POSIX ustar headers, pax
 * extended headers (path, size; other keys are skipped) and GNU's long names. Pure: it asks a
 * function for bytes, allocates nothing, and trusts nothing.
 *
 * Use:  ustar_init(&u, read, ctx);
 *       while ((r = ustar_next(&u, &e)) == USTAR_ENTRY)
 *               ... ustar_data(&u, buf, n) any number of times, or not at all ...
 *       r is USTAR_END, or USTAR_BROKEN with u.why and u.offset saying what is wrong where.
 * Names come out clean: no leading '/', no empty or "." parts, never "..", no zero byte, no part
 * longer than 255 bytes. An entry that cannot be had cleanly comes out as type USTAR_BAD with
 * e.why, and the stream goes on after it.
 */
#pragma once
#include <abi/types.h>

#define USTAR_BLOCK    512
#define USTAR_PATH_MAX 4096     /* bytes with the final zero */
#define USTAR_PAX_MAX  (16 * KiB)

enum ustar_result { USTAR_ENTRY, USTAR_END, USTAR_BROKEN };
enum ustar_type { USTAR_FILE, USTAR_DIRECTORY, USTAR_BAD };

/* Delivers up to `len` bytes; fewer only at the end of what there is. */
typedef size_t ustar_read(void *ctx, void *buf, size_t len);

struct ustar_entry {
	int      type;              /* enum ustar_type */
	uint32_t mode;              /* permission bits */
	uint64_t size;              /* bytes of data that follow; 0 for directories */
	uint64_t mtime;             /* seconds since 1970 */
	size_t   path_len;
	char     path[USTAR_PATH_MAX];  /* cleaned; "" is the root; for USTAR_BAD as far as known, printable */
	const char *why;            /* USTAR_BAD: the reason */
};

struct ustar {
	ustar_read *read;
	void       *ctx;
	uint64_t    offset;         /* bytes taken from the stream */
	uint64_t    left;           /* data of the current entry not yet taken */
	uint32_t    padding;        /* zero bytes after it, up to the block */
	const char *why;            /* after USTAR_BROKEN */
	/* From a pax or GNU header, for the next entry only. */
	bool        has_path, has_size;
	uint64_t    pax_size;
	size_t      pax_path_len;
	const char *pax_bad;        /* why the extended name cannot be used */
	char        pax_path[USTAR_PATH_MAX];
};

void ustar_init(struct ustar *u, ustar_read *read, void *ctx);
must_use int ustar_next(struct ustar *u, struct ustar_entry *e);
/* Takes up to `len` bytes of the current entry's data; fewer: its end, or (u->left > 0) the stream broke off. */
must_use size_t ustar_data(struct ustar *u, void *buf, size_t len);

/* Cleans `name` (any bytes) into out[USTAR_PATH_MAX]. NULL: done; else why it is refused. */
must_use const char *ustar_clean(const char *name, size_t len, char *out, size_t *out_len);
