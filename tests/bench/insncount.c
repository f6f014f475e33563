/*
 * insncount: a QEMU TCG plugin (plugin API version 1) that counts guest instructions between marks.
 *
 *   -plugin insncount.so,out=FILE,entry=HEX[,profile=on]
 *
 * A mark is a NOP that no compiler makes: nopl 0x4b520000+id(%rax), 0f 1f 80 id 00 52 4b. FILE gets a line
 *
 *   L total              the code whose bytes are HEX ran for the first time: the loader's entry
 *   H total              after that, and until the first mark: a CPU halted, so whatever was to be done is done
 *   R user kernel parts  at mark 2: instructions since mark 1, at addresses below and above 2^47; if there were marks 3
 *                        in between, only those from each mark 3 to the mark 4 that followed, and how many such parts. One
 *                        that is more than thrice the one before had something else in it, a timer or another program: it is
 *                        left out
 *   O longest            before R: the most kernel instructions between the marks from one STI, SYSRET or IRET to the next: as
 *                        long interrupts were off, or a little less
 *   P address count      before R, with profile=on: how often a kernel instruction ran between the marks, or in those parts
 *
 * "total" counts from reset. A halted CPU executes nothing, so waiting costs nothing here; an iteration of a
 * REP instruction counts as one. The counters are plain additions: one vCPU, or -accel tcg,thread=single.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* What is used of the documented interface (docs/devel/tcg-plugins in QEMU's source); Debian ships no header. */
typedef uint64_t qemu_plugin_id_t;
typedef struct qemu_info_t qemu_info_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef void (*tb_callback)(qemu_plugin_id_t id, struct qemu_plugin_tb *tb);
typedef void (*exec_callback)(unsigned int cpu, void *user);
typedef void (*exit_callback)(qemu_plugin_id_t id, void *user);
enum { CALLBACK_NO_REGISTERS = 0, INLINE_ADD_U64 = 0 };
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, tb_callback callback);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, exec_callback callback, int flags, void *user);
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *insn, int op, void *counter, uint64_t add);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, exit_callback callback, void *user);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);

#define PUBLIC __attribute__((visibility("default")))
PUBLIC int qemu_plugin_version = 1;

enum { ENTRY_MAX = 32, CELLS = 1 << 17 };

static uint64_t count[2], begin[2];     /* [0] user and firmware, [1] kernel */
static uint64_t go[2], parts[2], n_parts, last_part;    /* of a region counted in parts */
static uint64_t opened, longest;        /* kernel instructions when interrupts were last let in; the longest stretch without */
static bool in_parts, going;
static uint8_t entry[ENTRY_MAX];
static size_t entry_len;
static bool entered, marked, profile;
static struct { uint64_t address, at; } cells[CELLS];   /* hashed by address, 0: free; at: in what follows */
static uint64_t n_cells, addresses[CELLS / 2], ran[CELLS / 2], ran_go[CELLS / 2], ran_parts[CELLS / 2];
static FILE *out;

static unsigned long long total(void)
{
	return count[0] + count[1];
}

static void on_mark(unsigned int cpu, void *user)
{
	(void)cpu;
	marked = true;
	if ((intptr_t)user == 3) {
		memcpy(go, count, sizeof(go));
		memcpy(ran_go, ran, n_cells * sizeof(ran[0]));
		in_parts = going = true;
	} else if ((intptr_t)user == 4) {
		uint64_t size = count[0] - go[0] + count[1] - go[1];
		going = going && (!last_part || size <= 3 * last_part);
		for (unsigned i = 0; going && i < 2; i++)
			parts[i] += count[i] - go[i];
		if (going) {
			n_parts++;
			last_part = size;
		}
		for (size_t i = 0; going && i < n_cells; i++)
			ran_parts[i] += ran[i] - ran_go[i];
		going = false;
	} else if ((intptr_t)user == 1) {
		memcpy(begin, count, sizeof(begin));
		longest = 0;
		memset(parts, 0, sizeof(parts));
		n_parts = last_part = 0;
		in_parts = going = false;
		memset(ran, 0, sizeof(ran));
		memset(ran_go, 0, sizeof(ran_go));
		memset(ran_parts, 0, sizeof(ran_parts));
	} else {
		const uint64_t *sums = in_parts ? ran_parts : ran;
		for (size_t i = 0; i < n_cells; i++)
			if (sums[i])
				fprintf(out, "P %llx %llu\n", (unsigned long long)addresses[i], (unsigned long long)sums[i]);
		for (unsigned i = 0; !in_parts && i < 2; i++)
			parts[i] = count[i] - begin[i];
		fprintf(out, "O %llu\n", (unsigned long long)longest);
		fprintf(out, "R %llu %llu %llu\n", (unsigned long long)parts[0], (unsigned long long)parts[1], (unsigned long long)n_parts);
		fflush(out);
	}
}

static void on_open(unsigned int cpu, void *user)
{
	(void)cpu, (void)user;
	if (count[1] - opened > longest)
		longest = count[1] - opened;
	opened = count[1];
}

/* STI, SYSRETQ, IRETQ. */
static bool opens(const uint8_t *b, size_t n)
{
	return (n == 1 && b[0] == 0xfb) || (n == 3 && b[0] == 0x48 && b[1] == 0x0f && b[2] == 0x07) || (n == 2 && b[0] == 0x48 && b[1] == 0xcf);
}

static void on_entry(unsigned int cpu, void *user)
{
	(void)cpu, (void)user;
	if (!entered)
		fprintf(out, "L %llu\n", total());
	entered = true;
}

static void on_halt(unsigned int cpu, void *user)
{
	(void)cpu, (void)user;
	if (!entered || marked)
		return;
	fprintf(out, "H %llu\n", total());
	fflush(out);
}

/* NULL: the table is full; the profile lacks that instruction then. */
static uint64_t *cell(uint64_t address)
{
	size_t at = (address * 0x9e3779b97f4a7c15ull) >> 47;
	for (; cells[at].address; at = (at + 1) % CELLS)
		if (cells[at].address == address)
			return &ran[cells[at].at];
	if (n_cells == CELLS / 2)
		return NULL;
	cells[at].address = addresses[n_cells] = address;
	cells[at].at = n_cells;
	return &ran[n_cells++];
}

/* Whether the code from the first instruction of a block on is the loader's entry. */
static bool is_entry(const struct qemu_plugin_tb *tb)
{
	size_t at = 0;
	if (entered || !entry_len)
		return false;
	for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb) && at < entry_len; i++) {
		const struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		size_t n = qemu_plugin_insn_size(insn);
		if (n > entry_len - at)
			n = entry_len - at;
		if (memcmp(entry + at, qemu_plugin_insn_data(insn), n) != 0)
			return false;
		at += n;
	}
	return at == entry_len;
}

static void on_translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	(void)id;
	if (is_entry(tb))
		qemu_plugin_register_vcpu_insn_exec_cb(qemu_plugin_tb_get_insn(tb, 0), on_entry, CALLBACK_NO_REGISTERS, NULL);
	for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		const uint8_t *b = qemu_plugin_insn_data(insn);
		size_t n = qemu_plugin_insn_size(insn);
		bool kernel = qemu_plugin_insn_vaddr(insn) >> 47;
		qemu_plugin_register_vcpu_insn_exec_inline(insn, INLINE_ADD_U64, &count[kernel], 1);
		uint64_t *own = profile && kernel ? cell(qemu_plugin_insn_vaddr(insn)) : NULL;
		if (own)
			qemu_plugin_register_vcpu_insn_exec_inline(insn, INLINE_ADD_U64, own, 1);
		if (n == 7 && b[0] == 0x0f && b[1] == 0x1f && b[2] == 0x80 && b[4] == 0 && b[5] == 0x52 && b[6] == 0x4b)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, on_mark, CALLBACK_NO_REGISTERS, (void *)(intptr_t)b[3]);
		if (kernel && opens(b, n))
			qemu_plugin_register_vcpu_insn_exec_cb(insn, on_open, CALLBACK_NO_REGISTERS, NULL);
		if (n == 1 && b[0] == 0xf4)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, on_halt, CALLBACK_NO_REGISTERS, NULL);
	}
}

static void on_exit_(qemu_plugin_id_t id, void *user)
{
	(void)id, (void)user;
	fclose(out);
}

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

PUBLIC int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv)
{
	(void)info;
	for (int i = 0; i < argc; i++) {
		if (!strncmp(argv[i], "out=", 4))
			out = fopen(argv[i] + 4, "w");
		if (!strcmp(argv[i], "profile=on"))
			profile = true;
		if (!strncmp(argv[i], "entry=", 6))
			for (const char *s = argv[i] + 6; entry_len < ENTRY_MAX && digit(s[0]) >= 0 && digit(s[1]) >= 0; s += 2)
				entry[entry_len++] = (uint8_t)(digit(s[0]) << 4 | digit(s[1]));
	}
	if (!out) {
		fprintf(stderr, "insncount: out=FILE is missing or cannot be written\n");
		return -1;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
	qemu_plugin_register_atexit_cb(id, on_exit_, NULL);
	return 0;
}
