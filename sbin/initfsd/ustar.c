/*
 * ustar: see ustar.h. Formats: POSIX.1-2017, "pax Interchange Format" and "ustar Interchange
 * Format"; GNU tar manual, "Basic Tar Format".
 */
#include "ustar.h"
#include <string.h>

/* Offsets and lengths of the header's fields (POSIX.1-2017, table 4-14). */
enum {
	NAME = 0, NAME_LEN = 100, MODE = 100, MODE_LEN = 8, SIZE = 124, SIZE_LEN = 12, MTIME = 136, MTIME_LEN = 12,
	CHKSUM = 148, CHKSUM_LEN = 8, TYPEFLAG = 156, MAGIC = 257, PREFIX = 345, PREFIX_LEN = 155,
};

#define SIZE_LIMIT (1ull << 62)     /* keeps every sum of sizes and offsets far from wrapping */

/*
 * A numeric field: octal digits, leading spaces, ended by space or zero; or, GNU's way for large
 * values, big-endian binary with the top bit set. False: neither.
 */
static bool number(const uint8_t *field, size_t len, uint64_t *value)
{
	uint64_t v = 0;
	size_t i = 0;

	if (field[0] & 0x80) {
		v = field[0] & 0x7f;
		for (i = 1; i < len; i++) {
			if (v >> 54)
				return false;
			v = v << 8 | field[i];
		}
		*value = v;
		return true;
	}
	while (i < len && field[i] == ' ')
		i++;
	for (; i < len && field[i] >= '0' && field[i] <= '7'; i++) {
		if (v >> 58)
			return false;
		v = v << 3 | (uint64_t)(field[i] - '0');
	}
	if (i < len && field[i] != ' ' && field[i] != 0)
		return false;
	*value = v;
	return true;
}

static bool all_zero(const uint8_t *block)
{
	for (size_t i = 0; i < USTAR_BLOCK; i++)
		if (block[i])
			return false;
	return true;
}

/* The sum of all bytes, the checksum field itself counting as spaces; old tars summed signed bytes. */
static bool checksum_ok(const uint8_t *block)
{
	uint64_t stored;
	int64_t sum = 0, sum_signed = 0;

	if (!number(block + CHKSUM, CHKSUM_LEN, &stored))
		return false;
	for (size_t i = 0; i < USTAR_BLOCK; i++) {
		uint8_t b = i >= CHKSUM && i < CHKSUM + CHKSUM_LEN ? ' ' : block[i];
		sum += b;
		sum_signed += (int8_t)b;
	}
	return stored == (uint64_t)sum || (int64_t)stored == sum_signed;
}

static size_t field_len(const uint8_t *field, size_t max)
{
	size_t n = 0;
	while (n < max && field[n])
		n++;
	return n;
}

static int broken(struct ustar *u, const char *why)
{
	u->why = why;
	return USTAR_BROKEN;
}

static size_t take(struct ustar *u, void *buf, size_t len)
{
	size_t got = u->read(u->ctx, buf, len);
	u->offset += got;
	return got;
}

const char *ustar_clean(const char *name, size_t len, char *out, size_t *out_len)
{
	size_t n = 0;

	*out_len = 0;
	out[0] = 0;
	if (memchr(name, 0, len))
		return "the name holds a zero byte";
	for (size_t i = 0; i < len;) {
		if (name[i] == '/') {
			i++;
			continue;
		}
		const char *part = name + i;
		size_t part_len = 0;
		while (i < len && name[i] != '/')
			i++, part_len++;
		if (part_len == 1 && part[0] == '.')
			continue;
		if (part_len == 2 && part[0] == '.' && part[1] == '.')
			return "the name holds \"..\"";
		if (part_len > 255)
			return "a part of the name is longer than 255 bytes";
		if (n + (n > 0) + part_len + 1 > USTAR_PATH_MAX)
			return "the name is too long";
		if (n > 0)
			out[n++] = '/';
		memcpy(out + n, part, part_len);
		n += part_len;
		out[n] = 0;
	}
	*out_len = n;
	return NULL;
}

/* Something to show for a name that was refused. */
static size_t show_name(char *out, const char *name, size_t len)
{
	size_t n = MIN(len, (size_t)200);

	for (size_t i = 0; i < n; i++)
		out[i] = name[i] >= ' ' && name[i] < 127 ? name[i] : '?';
	out[n] = 0;
	return n;
}

/* A name from an extended header: replaces the next entry's. */
static void long_name(struct ustar *u, const char *name, size_t len)
{
	u->has_path = true;
	u->pax_bad = ustar_clean(name, len, u->pax_path, &u->pax_path_len);
	if (u->pax_bad)
		u->pax_path_len = show_name(u->pax_path, name, len);
}

/*
 * One pax record, "LENGTH key=value\n", at `at` of `buf`; LENGTH counts the whole record.
 * Returns the record's length, 0 if it is malformed.
 */
static size_t pax_record(struct ustar *u, const char *buf, size_t len)
{
	size_t n = 0, i = 0;

	while (i < len && buf[i] >= '0' && buf[i] <= '9') {
		n = n * 10 + (size_t)(buf[i++] - '0');
		if (n > len)
			return 0;
	}
	if (i == 0 || i >= len || buf[i] != ' ' || n < i + 3 || buf[n - 1] != '\n')
		return 0;
	const char *key = buf + i + 1, *end = buf + n - 1;
	const char *equals = memchr(key, '=', (size_t)(end - key));
	if (!equals)
		return 0;
	size_t key_len = (size_t)(equals - key), value_len = (size_t)(end - equals - 1);
	const char *value = equals + 1;

	if (key_len == 4 && !memcmp(key, "path", 4)) {
		long_name(u, value, value_len);
	} else if (key_len == 4 && !memcmp(key, "size", 4)) {
		uint64_t v = 0;
		for (size_t k = 0; k < value_len; k++) {
			if (value[k] < '0' || value[k] > '9' || v >= SIZE_LIMIT / 10)
				return 0;
			v = v * 10 + (uint64_t)(value[k] - '0');
		}
		if (value_len == 0)
			return 0;
		u->has_size = true;
		u->pax_size = v;
	}
	return n;
}

/* Skips what is left of the current entry. False: the stream ended before. */
static bool skip_rest(struct ustar *u)
{
	uint8_t scratch[USTAR_BLOCK];
	uint64_t n = u->left + u->padding;

	while (n > 0) {
		size_t want = MIN(n, sizeof(scratch));
		if (take(u, scratch, want) != want)
			return false;
		n -= want;
	}
	u->left = u->padding = 0;
	return true;
}

static void set_data(struct ustar *u, uint64_t size)
{
	u->left = size;
	u->padding = (uint32_t)(-size & (USTAR_BLOCK - 1));
}

/* The data of a pax ('x') or GNU long name ('L') header. False: u->why. */
static bool extended(struct ustar *u, uint8_t type, uint64_t size)
{
	static char buf[USTAR_PAX_MAX];     /* one archive at a time is read */

	set_data(u, size);
	if (size > sizeof(buf)) {
		u->why = "an extended header is larger than 16 KiB";
		return false;
	}
	if (ustar_data(u, buf, size) != size) {
		u->why = "it ends within an extended header";
		return false;
	}
	if (type == 'L') {
		long_name(u, buf, field_len((uint8_t *)buf, size));
		return true;
	}
	for (size_t at = 0; at < size;) {
		size_t n = pax_record(u, buf + at, size - at);
		if (n == 0) {
			u->why = "an extended header has a malformed record";
			return false;
		}
		at += n;
	}
	return true;
}

/* Name and type of a plain header; refusals end in e->type USTAR_BAD. */
static void name_entry(struct ustar *u, const uint8_t *block, uint8_t type, struct ustar_entry *e)
{
	char raw[PREFIX_LEN + 1 + NAME_LEN];
	size_t raw_len = 0;

	if (u->has_path) {
		memcpy(e->path, u->pax_path, u->pax_path_len + 1);
		e->path_len = u->pax_path_len;
		e->why = u->pax_bad;
	} else {
		/* Only the POSIX magic promises a prefix; GNU keeps other things there. */
		if (!memcmp(block + MAGIC, "ustar\0", 6)) {
			raw_len = field_len(block + PREFIX, PREFIX_LEN);
			memcpy(raw, block + PREFIX, raw_len);
			if (raw_len > 0)
				raw[raw_len++] = '/';
		}
		size_t n = field_len(block + NAME, NAME_LEN);
		memcpy(raw + raw_len, block + NAME, n);
		raw_len += n;
		e->why = ustar_clean(raw, raw_len, e->path, &e->path_len);
		if (e->why)
			e->path_len = show_name(e->path, raw, raw_len);
		/* Before POSIX a directory was a file whose name ends in '/'. */
		if ((type == 0 || type == '0') && raw_len > 0 && raw[raw_len - 1] == '/')
			type = '5';
	}
	switch (type) {
	case 0: case '0': case '7':
		e->type = USTAR_FILE;
		if (!e->why && e->path_len == 0)
			e->why = "a file without a name";
		break;
	case '5':
		e->type = USTAR_DIRECTORY;
		break;
	case '1': case '2':
		e->why = "links are not supported";
		break;
	default:
		e->why = "neither a file nor a directory";
	}
	if (e->why)
		e->type = USTAR_BAD;
}

void ustar_init(struct ustar *u, ustar_read *read, void *ctx)
{
	memset(u, 0, sizeof(*u));
	u->read = read;
	u->ctx = ctx;
}

int ustar_next(struct ustar *u, struct ustar_entry *e)
{
	uint8_t block[USTAR_BLOCK];

	u->has_path = u->has_size = false;
	u->pax_bad = NULL;
	for (;;) {
		if (!skip_rest(u))
			return broken(u, "it ends within a file");
		size_t got = take(u, block, sizeof(block));
		/* The two zero blocks at the end are often cut off; nothing is lost with them. */
		if (got == 0 || (got == sizeof(block) && all_zero(block)))
			return u->has_path || u->has_size ? broken(u, "it ends after an extended header") : USTAR_END;
		if (got < sizeof(block))
			return broken(u, "it ends within a header");
		if (!checksum_ok(block)) {
			u->offset -= sizeof(block);
			return broken(u, "a header's checksum is wrong");
		}

		uint8_t type = block[TYPEFLAG];
		uint64_t size, mode, mtime;
		if (!number(block + SIZE, SIZE_LEN, &size) || size > SIZE_LIMIT)
			return broken(u, "a header's size field is malformed");
		if (!number(block + MODE, MODE_LEN, &mode))
			mode = 0444;
		if (!number(block + MTIME, MTIME_LEN, &mtime))
			mtime = 0;

		if (type == 'x' || type == 'L') {
			if (!extended(u, type, size))
				return USTAR_BROKEN;
			continue;
		}
		if (type == 'g' || type == 'K') {       /* global defaults, long link targets: not ours */
			set_data(u, size);
			continue;
		}
		e->why = NULL;
		e->mode = (uint32_t)(mode & 07777);
		e->mtime = mtime;
		name_entry(u, block, type, e);
		if (u->has_size)
			size = u->pax_size;
		/* Links, devices and directories have no data, whatever their size field says (POSIX). */
		if (type >= '1' && type <= '6')
			size = 0;
		e->size = size;
		set_data(u, size);
		return USTAR_ENTRY;
	}
}

size_t ustar_data(struct ustar *u, void *buf, size_t len)
{
	size_t want = MIN(u->left, len);
	size_t got = want ? take(u, buf, want) : 0;

	u->left -= got;
	return got;
}
