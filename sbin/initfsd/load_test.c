/*
 * load_test: whole archives through a kernel made of malloc. Expected: the files of a good one with their
 * content; of a damaged one what came before the damage; never a Frame or a mapping lost.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <zlib.h>
#include "gunzip.c"
#include "ustar.c"
#include "tree.c"
#include "../../abi/rt/sum.c"
#include "load.c"

/* ---- a kernel of sorts: handle h names frames[h - 1]; a duplicate shares the memory ---- */
static struct { void *memory; uint64_t size; int handles; } frames[64];
static int n_frames, n_handles, n_mappings, lines;
static char last_line[600];

status_t frame_create(uint64_t size, uint32_t flags, handle_t *frame)
{
	(void)flags;
	assert_int_equal(size % PAGE_SIZE, 0);
	frames[n_frames].memory = calloc(1, size);
	frames[n_frames].size = size;
	frames[n_frames].handles = 1;
	n_handles++;
	*frame = (handle_t)++n_frames;
	return OK;
}
status_t frame_info(handle_t h, struct frame_info *info)
{
	*info = (struct frame_info){ frames[h - 1].size, frames[h - 1].size, 0 };
	return OK;
}
status_t handle_dup(handle_t h, uint32_t rights, handle_t *copy)
{
	assert_int_equal(rights & RIGHT_WRITE, 0);
	frames[h - 1].handles++;
	n_handles++;
	*copy = h;
	return OK;
}
status_t handle_close(handle_t h)
{
	assert_true(frames[h - 1].handles-- > 0);
	n_handles--;
	return OK;
}
status_t handle_tag(handle_t h, uint32_t tag)
{
	assert_true(frames[h - 1].handles > 0);
	assert_int_equal(TAG_KIND(tag), KIND_FILE);
	return OK;
}
status_t vmem_map(handle_t vmem, handle_t frame, uint64_t offset, uint64_t va, uint64_t size, uint32_t prot,
                  uint64_t *va_out)
{
	(void)vmem, (void)offset, (void)va, (void)size, (void)prot;
	n_mappings++;
	*va_out = (uintptr_t)frames[frame - 1].memory;
	return OK;
}
status_t vmem_unmap(handle_t vmem, uint64_t va, uint64_t size)
{
	(void)vmem, (void)va, (void)size;
	n_mappings--;
	return OK;
}
status_t vmem_protect(handle_t vmem, uint64_t va, uint64_t size, uint32_t prot)
{
	(void)vmem, (void)va, (void)size, (void)prot;
	return OK;
}
void log_print(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(last_line, sizeof(last_line), format, args);
	va_end(args);
	lines++;
}
static unsigned loud;
status_t log_write(const void *text, uint64_t len) { (void)text; loud += len == 0; return OK; }
noreturn void rt_panic(const char *format, ...) { (void)format; abort(); }
const char *error_name(status_t st) { (void)st; return "error"; }
const char *error_text(status_t st) { (void)st; return "error"; }

/* ---- archives ---- */
static uint8_t tar[128 * 1024], zipped[128 * 1024];
static size_t tar_len, zipped_len;

static void put(const char *name, char type, const void *data, size_t size)
{
	uint8_t *h = tar + tar_len;
	unsigned sum = 0;
	memset(h, 0, USTAR_BLOCK);
	strcpy((char *)h, name);
	memcpy(h + MODE, "0000755", 8);
	snprintf((char *)h + SIZE, SIZE_LEN, "%011zo", size);
	memcpy(h + MAGIC, "ustar\00000", 8);
	h[TYPEFLAG] = (uint8_t)type;
	memset(h + CHKSUM, ' ', CHKSUM_LEN);
	for (int i = 0; i < USTAR_BLOCK; i++)
		sum += h[i];
	snprintf((char *)h + CHKSUM, CHKSUM_LEN, "%06o", sum);
	memcpy(h + USTAR_BLOCK, data, size);
	tar_len += USTAR_BLOCK + ALIGN_UP(size, (size_t)USTAR_BLOCK);
}

static void pack(void)
{
	z_stream z = { 0 };
	tar_len += 2 * USTAR_BLOCK;
	assert_int_equal(deflateInit2(&z, 1, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = tar;
	z.avail_in = (uInt)tar_len;
	z.next_out = zipped;
	z.avail_out = sizeof(zipped);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	zipped_len = z.total_out;
	deflateEnd(&z);
}

static struct tree t;
static char big[9000];

static int setup(void **state)
{
	(void)state;
	memset(tar, 0, sizeof(tar));
	tar_len = 0;
	n_frames = n_handles = n_mappings = lines = loud = 0;
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (char)(i * 31 >> 3);
	return (int)tree_init(&t);
}

/* Every Frame that is left belongs to a node and is mapped. */
static int teardown(void **state)
{
	(void)state;
	int owned = 0;
	for (uint32_t n = 0; n < t.n; n++)
		owned += t.nodes[n].frame != 0;
	assert_int_equal(n_handles, owned);
	assert_int_equal(n_mappings, owned);
	for (int i = 0; i < n_frames; i++)
		free(frames[i].memory);
	tree_free(&t);
	return 0;
}

static const struct node *at(const char *path)
{
	status_t n = tree_find(&t, 0, path, strlen(path));
	return n < 0 ? NULL : &t.nodes[n];
}

static void good(void **state)
{
	(void)state;
	put("./", '5', "", 0);
	put("./etc/motd", '0', "hello", 5);
	put("./sbin/initd", '0', big, sizeof(big));
	put("./empty", '0', "", 0);
	pack();
	load_archive(&t, zipped, zipped_len);
	assert_string_equal(last_line, "initfs: 3 files, 8 KiB");
	assert_int_equal(lines, 1);
	assert_memory_equal(at("etc/motd")->data, "hello", 5);
	assert_int_equal(at("sbin/initd")->size, sizeof(big));
	assert_memory_equal(at("sbin/initd")->data, big, sizeof(big));
	assert_int_equal(at("empty")->size, 0);
	assert_int_equal(at("empty")->frame, 0);
	assert_int_equal(at("etc/motd")->mode, 0555);
}

static void twice_and_conflicts(void **state)
{
	(void)state;
	put("a", '0', "old and longer", 14);
	put("a", '0', "new", 3);
	put("a/b", '0', "below a file", 12);
	put("../x", '0', "outside", 7);
	put("d/", '5', "", 0);
	put("d", '0', "a file now", 10);
	put("z", '0', "last", 4);
	pack();
	load_archive(&t, zipped, zipped_len);
	assert_int_equal(at("a")->size, 3);
	assert_memory_equal(at("a")->data, "new", 3);
	assert_int_equal(at("d")->type, FILE_DIRECTORY);
	assert_memory_equal(at("z")->data, "last", 4);
	assert_int_equal(lines, 5);         /* twice, below, outside, a directory's name, the sum */
}

static void damage(void **state)
{
	(void)state;
	put("first", '0', "1", 1);
	put("second", '0', big, sizeof(big));
	pack();
	size_t whole = zipped_len;
	teardown(NULL);
	/* Cut anywhere: no crash, no leak (teardown looks), and "first" survives once it was complete. */
	for (size_t n = 0; n < whole; n += 13) {
		setup(NULL);
		zipped_len = n;
		load_archive(&t, zipped, n);
		assert_true(lines >= 2 && loud > 0);
		if (at("second"))
			assert_memory_equal(at("second")->data, big, sizeof(big));
		teardown(NULL);
	}
	setup(NULL);
	zipped[whole - 6] ^= 1;             /* the checksum: everything is there, but said to be unverified */
	load_archive(&t, zipped, whole);
	assert_non_null(at("second"));
	assert_int_equal(lines, 2);
}

static void not_an_archive(void **state)
{
	(void)state;
	load_archive(&t, "This is not the archive you want.", 33);
	assert_int_equal(t.n, 1);
	assert_string_equal(last_line, "initfs: nothing could be unpacked; initfs:// is empty");
}

int main(int argc unused, char **argv unused)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(good, setup, teardown),
		cmocka_unit_test_setup_teardown(twice_and_conflicts, setup, teardown),
		cmocka_unit_test_setup_teardown(damage, setup, teardown),
		cmocka_unit_test_setup_teardown(not_an_archive, setup, teardown),
	};
	return cmocka_run_group_tests_name("load", tests, NULL, NULL);
}
