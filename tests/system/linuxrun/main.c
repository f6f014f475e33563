/*
 * linuxrun: runs a static Linux program, unchanged, beside a minimal handler of its system calls: enough for a C program
 * that computes, allocates and prints. It shows that the kernel's part works (docs/upcall.md); it is no Linux.
 *
 *   linuxrun PROGRAM [ARGUMENT...]
 *
 * The handler lives above 4 GiB, the program where it was linked, below. Both trust each other.
 */
#include <elf.h>
#include <gen/syscalls.h>
#include <rt/file.h>
#include <rt/io.h>
#include <rt/start.h>
#include <stdlib.h>
#include <string.h>

enum { HANDLER_STACK = 16 * PAGE_SIZE, STACK = 1 * MiB, BREAK_MAX = 64 * MiB, SEGMENTS_MAX = 16 };

/* Linux's numbers (arch/x86/entry/syscalls/syscall_64.tbl) and errors. */
enum {
	NR_WRITE = 1, NR_MMAP = 9, NR_MPROTECT = 10, NR_MUNMAP = 11, NR_BRK = 12, NR_IOCTL = 16, NR_WRITEV = 20, NR_GETPID = 39, NR_EXIT = 60,
	NR_CHDIR = 80, NR_ARCH_PRCTL = 158, NR_SET_TID_ADDRESS = 218, NR_CLOCK_GETTIME = 228, NR_EXIT_GROUP = 231,
};
enum { L_ENOENT = 2, L_EIO = 5, L_EBADF = 9, L_ENOMEM = 12, L_EFAULT = 14, L_EINVAL = 22, L_ENOTTY = 25, L_ENOSYS = 38 };
enum { ARCH_SET_FS = 0x1002, L_MAP_FIXED = 0x10, L_MAP_ANONYMOUS = 0x20 };

struct vector { uint64_t base, len; };

void linux_entry(void);
void linux_event(void);
noreturn void linux_start(uint64_t rip, uint64_t rsp);
int64_t linux_call(uint64_t number, const uint64_t a[6]);
void linux_fault(struct upcall_record *u, uint64_t index);

static uint64_t break_start, break_now, break_mapped;

/* ---- its system calls ---- */

static int64_t l_write(uint64_t fd, uint64_t at, uint64_t len)
{
	if (fd != 1 && fd != 2)
		return -L_EBADF;
	if (!len)
		return 0;
	if (at >= USER_TOP || len > USER_TOP - at)
		return -L_EFAULT;
	handle_t to = start_handle(fd == 1 ? "stdout" : "stderr");
	return to && file_append_all(to, (const void *)at, len) == OK ? (int64_t)len : -L_EIO;
}

static int64_t l_writev(uint64_t fd, uint64_t at, uint64_t n)
{
	int64_t sum = 0;
	const struct vector *v = (const struct vector *)at;
	for (uint64_t i = 0; i < n && i < 1024; i++) {
		int64_t done = l_write(fd, v[i].base, v[i].len);
		if (done < 0)
			return sum ? sum : done;
		sum += done;
	}
	return sum;
}

static int64_t l_brk(uint64_t to)
{
	uint64_t end = ALIGN_UP(to, PAGE_SIZE), at = break_mapped;
	if (to < break_start || to > break_start + BREAK_MAX)
		return (int64_t)break_now;
	if (end > at && vmem_map(0, 0, 0, at, end - at, PROT_READ | PROT_WRITE | MAP_FIXED | MAP_LOW, &at) < 0)
		return (int64_t)break_now;
	if (end > break_mapped)
		break_mapped = end;
	break_now = to;
	return (int64_t)to;
}

static int64_t l_mmap(const uint64_t a[6])
{
	uint64_t va = a[0];
	if (!(a[3] & L_MAP_ANONYMOUS))
		return -L_ENOSYS;
	uint32_t prot = (uint32_t)a[2] & (PROT_READ | PROT_WRITE | PROT_EXEC);
	uint32_t how = a[3] & L_MAP_FIXED ? MAP_FIXED | MAP_REPLACE | MAP_LOW : 0;
	status_t st = vmem_map(0, 0, 0, how ? va : 0, ALIGN_UP(a[1], PAGE_SIZE), prot | how, &va);
	return st == ERR_INVALID ? -L_EINVAL : st < 0 ? -L_ENOMEM : (int64_t)va;
}

static int64_t l_clock_gettime(uint64_t at)
{
	uint64_t ns = 0;
	(void)clock_now(&ns);
	*(struct vector *)at = (struct vector){ ns / NS_PER_SEC, ns % NS_PER_SEC };
	return 0;
}

int64_t linux_call(uint64_t number, const uint64_t a[6])
{
	switch (number) {
	case NR_WRITE:           return l_write(a[0], a[1], a[2]);
	case NR_WRITEV:          return l_writev(a[0], a[1], a[2]);
	case NR_BRK:             return l_brk(a[0]);
	case NR_MMAP:            return l_mmap(a);
	case NR_MUNMAP:          return vmem_unmap(0, a[0], ALIGN_UP(a[1], PAGE_SIZE)) < 0 ? -L_EINVAL : 0;
	case NR_MPROTECT:        return vmem_protect(0, a[0], ALIGN_UP(a[1], PAGE_SIZE), (uint32_t)a[2] & 7) < 0 ? -L_EINVAL : 0;
	case NR_IOCTL:           return -L_ENOTTY;
	case NR_CHDIR:           return -L_ENOENT;
	case NR_GETPID:
	case NR_SET_TID_ADDRESS: return 1;
	case NR_CLOCK_GETTIME:   return l_clock_gettime(a[1]);
	case NR_ARCH_PRCTL:      return a[0] != ARCH_SET_FS || thread_set_base(THREAD_FS_BASE, a[1]) < 0 ? -L_EINVAL : 0;
	case NR_EXIT:
	case NR_EXIT_GROUP:      process_exit((int64_t)(a[0] & 0xff));
	default:                 return -L_ENOSYS;
	}
}

/* There are no signal handlers here: what would be fatal is. */
void linux_fault(struct upcall_record *u, uint64_t index)
{
	const struct upcall_frame *f = &u->frame[index];
	if (f->reason != UPCALL_EXCEPTION)
		return;
	print_error("exception %llu at 0x%llx, address 0x%llx", (unsigned long long)f->vector, (unsigned long long)f->regs.rip,
		(unsigned long long)f->address);
	process_exit(128 + 11);
}

/* ---- starting it ---- */

static void die(const char *what, status_t st)
{
	print_error("%s: %s", what, error_text(st));
	process_exit(126);
}

static uint32_t prot_of(uint32_t flags)
{
	return (flags & PF_R ? PROT_READ : 0) | (flags & PF_W ? PROT_WRITE : 0) | (flags & PF_X ? PROT_EXEC : 0);
}

static void load_segment(const char *file, uint64_t size, const Elf64_Phdr *p)
{
	uint64_t from = ALIGN_DOWN(p->p_vaddr, PAGE_SIZE), to = ALIGN_UP(p->p_vaddr + p->p_memsz, PAGE_SIZE), at = from;
	if (p->p_filesz > p->p_memsz || p->p_offset > size || p->p_filesz > size - p->p_offset || to <= from || to >= USER_MIN)
		die("segment", ERR_BAD_FORMAT);
	status_t st = vmem_map(0, 0, 0, from, to - from, PROT_READ | PROT_WRITE | MAP_FIXED | MAP_LOW, &at);
	if (st < 0)
		die("map", st);
	memcpy((void *)p->p_vaddr, file + p->p_offset, p->p_filesz);
	if ((st = vmem_protect(0, from, to - from, prot_of(p->p_flags))) < 0)
		die("protect", st);
	if (to > break_start)
		break_start = break_now = break_mapped = to;
}

/* argc, argv, environment and what Linux tells of the program, from the top of `stack` down (System V ABI 3.4.1). */
static uint64_t build_stack(uint64_t stack, int argc, char **argv, const Elf64_Ehdr *e, uint64_t headers)
{
	static const char home[] = "HOME=/";
	uint64_t at = stack + STACK - 16, n = 0, words[96], random = at;
	memset((void *)random, 0x5a, 16);
	words[n++] = (uint64_t)argc;
	for (int i = 0; i < argc && i < 32; i++) {
		size_t len = strlen(argv[i]) + 1;
		at -= len;
		memcpy((void *)at, argv[i], len);
		words[n++] = at;
	}
	words[n++] = 0;
	at -= sizeof(home);
	memcpy((void *)at, home, sizeof(home));
	words[n++] = at;
	words[n++] = 0;
	const uint64_t aux[][2] = {
		{ AT_PHDR, headers }, { AT_PHENT, sizeof(Elf64_Phdr) }, { AT_PHNUM, e->e_phnum }, { AT_PAGESZ, PAGE_SIZE },
		{ AT_ENTRY, e->e_entry }, { AT_RANDOM, random }, { AT_NULL, 0 },
	};
	memcpy(&words[n], aux, sizeof(aux));
	n += sizeof(aux) / 8;
	at = ALIGN_DOWN(at - n * 8, 16);
	memcpy((void *)at, words, n * 8);
	return at;
}

static void upcall_begin(void)
{
	handle_t frame;
	uint64_t va = 0;
	status_t st = frame_create(HANDLER_STACK + PAGE_SIZE, FRAME_CONTIGUOUS, &frame);
	if (st == OK)
		st = vmem_map(0, frame, 0, 0, HANDLER_STACK + PAGE_SIZE, PROT_READ | PROT_WRITE, &va);
	struct upcall u = { .frame = frame, .offset = HANDLER_STACK, .record = va + HANDLER_STACK, .entry = (uint64_t)linux_entry, .event = (uint64_t)linux_event };
	if (st == OK)
		st = thread_upcall(&u);
	if (st < 0)
		die("upcall", st);
}

int main(int argc, char **argv)
{
	handle_t file, image;
	uint64_t size = 0, va = 0, stack = 0, headers = 0;
	if (argc < 2)
		die("usage: linuxrun PROGRAM [ARGUMENT...]", ERR_INVALID);
	status_t st = file_open(argv[1], OPEN_READ, &file);
	if (st == OK)
		st = file_map(file, &image, &size);
	if (st == OK)
		st = vmem_map(0, image, 0, 0, ALIGN_UP(size, PAGE_SIZE), PROT_READ, &va);
	if (st == OK)
		st = vmem_map(0, 0, 0, 0, STACK, PROT_READ | PROT_WRITE, &stack);
	if (st < 0)
		die(argv[1], st);
	const Elf64_Ehdr *e = (const Elf64_Ehdr *)va;
	if (size < sizeof(*e) || memcmp(e->e_ident, ELFMAG, SELFMAG) || e->e_type != ET_EXEC || e->e_machine != EM_X86_64 ||
	    e->e_phentsize != sizeof(Elf64_Phdr) || e->e_phnum > SEGMENTS_MAX || e->e_phoff > size || e->e_phnum * sizeof(Elf64_Phdr) > size - e->e_phoff)
		die(argv[1], ERR_BAD_FORMAT);
	const Elf64_Phdr *p = (const Elf64_Phdr *)(va + e->e_phoff);
	for (unsigned i = 0; i < e->e_phnum; i++)
		if (p[i].p_type == PT_LOAD) {
			load_segment((const char *)va, size, &p[i]);
			if (e->e_phoff - p[i].p_offset < p[i].p_filesz)
				headers = p[i].p_vaddr + e->e_phoff - p[i].p_offset;
		}
	upcall_begin();
	linux_start(e->e_entry, build_stack(stack, argc - 1, argv + 1, e, headers));
}
