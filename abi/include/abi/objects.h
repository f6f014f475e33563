/*
 * objects: types, flags and records that cross the system call boundary.
 */
#pragma once
#include <abi/types.h>

enum object_type {
	OBJ_NONE, OBJ_PROCESS, OBJ_THREAD, OBJ_VMEM, OBJ_FRAME, OBJ_PORT, OBJ_SESSION, OBJ_NAMESPACE,
	OBJ_NOTIFY, OBJ_IRQ, OBJ_IOPORTS, OBJ_RESOURCE, OBJ_BUDGET, OBJ_TABLE, OBJ_SHELF, OBJ_SOCKET, OBJ_DMA, OBJ_TYPES,
};

/* ---- handles ---- */
#define HANDLE_INDEX_BITS 14
#define HANDLES_MAX       (1u << HANDLE_INDEX_BITS)
/* In a fresh table the i-th handle installed (from 0) has this value: generation 1, slot i. */
#define HANDLE_FIRST(i)   ((handle_t)((1u << HANDLE_INDEX_BITS) | (uint32_t)(i)))

/* Slots of a shelf are numbered from 0. */
#define SHELF_SLOTS 4096u

struct handle_info {
	handle_t handle;            /* shelf_list: the slot */
	uint32_t type;              /* enum object_type */
	uint32_t rights;
	uint32_t tag;               /* free for the owner's use */
	uint64_t object_id;         /* unique for ever; two handles to one object agree */
};

/* ---- Vmem and Frame ---- */
#define USER_MIN        0x0000000100000000ull   /* native code stays out of the low 4 GiB */
#define USER_TOP        0x00007ffffffff000ull   /* the last canonical page stays unmapped */

enum { PROT_READ = 1, PROT_WRITE = 2, PROT_EXEC = 4 };
enum { MAP_FIXED = 1 << 8, MAP_REPLACE = 1 << 9, MAP_LOW = 1 << 10 };  /* with vmem_map's prot */
enum { MAP_SHARE = 1 << 11, MAP_DROP = 1 << 12 };       /* what a clone of the address space has there: the same memory, or nothing; else a copy */
enum { FRAME_CONTIGUOUS = 1, FRAME_DMA32 = 2 }; /* frame_create; DMA32: contiguous, and all of it below 4 GiB */
enum { FRAME_UNSAVED = 1 };                     /* frame_dirty: also what was given out and is not saved yet */
#define FRAME_READ_OP 3                         /* what a paged Frame asks its Port: READ of abi/proto/file.txt */
enum { CACHE_WRITE_BACK, CACHE_UNCACHED, CACHE_WRITE_COMBINING };       /* frame_device */

struct frame_info { uint64_t size, committed, phys; };  /* phys: contiguous and device Frames, with a right; else 0 */
/* What a device sees of pinned memory: bus addresses, which are physical ones where there is no IOMMU. Whole pages. */
struct dma_extent { uint64_t address, size; };
#define PIN_EXTENTS_MAX 64u             /* in one call; also the most pages of it that are not contiguous Frames' */
#define DMA_PINS_MAX    1024u           /* of one Dma at a time */
#define FRAME_PINS_MAX  256u            /* of one Frame at a time */
#define DMAS_MAX        256u
struct mapping_info { uint64_t va, size, offset, frame_id; uint32_t prot, reserved; };

/* ---- the clock (clock_page) ---- */
/* ns since the start = (TSC - base) * mult >> 32, in 128 bits; mult 0: only clock_now knows. The same on every CPU, and for good. */
struct clock_page {
	uint64_t base, mult;
	uint64_t tsc_hz;
	uint32_t cpus, reserved;    /* cpus: that run threads */
};

/* ---- Process ---- */
#define PROCESS_NAME_MAX 32
#define PROCESS_THREADS_MAX 4096u       /* that have not ended; the kernel looks at them in one go */
#define EXEC_SEGMENTS_MAX 16
#define EXEC_HANDLES_MAX 64
#define EXEC_SAME_HANDLES_MAX 512
enum { EXEC_SAME_HANDLES = 1 };         /* the handles have the values in the new process that they have here */

struct exec_segment {
	handle_t frame;             /* 0: fresh zero memory, charged to the new process */
	uint32_t prot;              /* PROT_*, never W and X together */
	uint64_t offset;            /* bytes into the frame, page aligned */
	uint64_t va;                /* page aligned, >= USER_MIN */
	uint64_t size;              /* bytes, page aligned */
};

struct exec_handle {
	handle_t handle;            /* duplicated into slot i of the new table; 0 leaves the slot free */
	uint32_t rights;            /* masked with the handle's own */
	uint32_t tag;
	uint32_t reserved;
};

/* process_exec: one call makes a running process. All arrays are read once. */
struct exec_args {
	char     name[PROCESS_NAME_MAX];
	uint64_t segments;          /* struct exec_segment[n_segments] */
	uint64_t handles;           /* struct exec_handle[n_handles] */
	uint32_t n_segments;
	uint32_t n_handles;
	uint64_t entry;             /* first instruction */
	uint64_t stack;             /* initial rsp; 16-byte aligned */
	uint64_t arg;               /* rdi at entry: by convention the start page (abi/start.h) */
	handle_t budget;            /* 0: the caller's */
	handle_t ns;                /* 0: the caller's Namespace */
	uint32_t priority;          /* 0..PRIORITY_MAX; may not exceed the caller's */
	uint32_t level;             /* place in the call order (docs/services.md) */
	uint32_t flags;             /* EXEC_* */
	handle_t table;             /* 0: a fresh one. Else a handle table that outlived its process; n_handles is 0 then */
	handle_t vmem;              /* 0: a fresh one. Else where the process runs; n_segments is 0 then */
	uint32_t reserved;          /* 0 */
};

/*
 * Programs in the background give way to those that somebody waits for, and all of them to the shell. A service that
 * does as much work as it is asked for stands with the programs, and is lifted by the commands of those above it.
 */
enum {
	PRIORITY_IDLE = 0, PRIORITY_BACKGROUND = 10, PRIORITY_NORMAL = 12, PRIORITY_SUPERVISOR = 13, PRIORITY_INTERACTIVE = 14,
	PRIORITY_SERVICE = 18, PRIORITY_DRIVER = 24, PRIORITY_MAX = 31,
};

/* How a process ended. */
enum exit_kind { EXIT_RUNNING, EXIT_NORMAL, EXIT_KILLED, EXIT_FAULT };
enum kill_reason {
	KILL_PLAIN, KILL_HEARTBEAT,
	/*
	 * Test builds: not an end, but a crash of the first thread at the instruction where it is (ERR_AGAIN: it waits). With
	 * KILL_CRASH_NEXT also of one that waits in accept, as soon as it is given something.
	 */
	KILL_CRASH_STORE = 0x100, KILL_CRASH_ASSERT, KILL_CRASH_LOOP, KILL_CRASH_END,
	KILL_CRASH_NEXT = 0x80,
};
#define CRASH_STRIDE 32             /* KILL_CRASH_STORE + i goes on at the program's entry + (1 + i) * so many bytes */

/* What the threads of a process are doing. `progress` changes whenever one of them accepts something. */
struct process_beat {
	uint64_t cpu_time_ns, progress;
	uint32_t accepting, calling;        /* wait in accept; wait for the answer of a call */
	uint32_t waiting, ready;            /* wait for something else; run, or could */
};

struct process_info {
	uint64_t pid;
	char     name[PROCESS_NAME_MAX];
	uint32_t exit_kind;         /* enum exit_kind */
	uint32_t threads;
	int64_t  exit_status;       /* NORMAL: the status given; FAULT: exception vector; KILLED: reason */
	uint64_t fault_rip, fault_address;
	uint64_t cpu_time_ns;
	uint64_t memory_pages;      /* charged to its Vmem: anonymous pages and page tables */
	uint64_t mapped_pages;      /* sum of its mappings */
	uint32_t handles;
	uint32_t level;
	uint32_t priority;
	uint32_t state;             /* enum process_state */
	uint64_t parent_pid;
	uint64_t start_time_ns;
	uint32_t calm;              /* 1: it has waited in accept with nothing to accept. One that faults without is a crash loop */
	uint32_t reserved;
};
enum process_state { PROC_RUNNING, PROC_READY, PROC_WAITING, PROC_DYING, PROC_DEAD };

/* ---- Port, Session, commands ---- */
enum { PORT_STATELESS = 1 };             /* several processes may serve; none hears RECOVERED */
#define PORT_RESERVE_MAX 1024
struct cmd_info { uint64_t op_id, accept_order; uint32_t hops, faults; };
enum { THREAD_FS_BASE, THREAD_GS_BASE };
enum { FUTEX_SHARED = 1 };              /* the word is told by its Frame, not by address space and address */
#define FUTEX_WAKE_MAX 16u              /* in one call */
#define FUTEX_MOVE_MAX 64u
#define THREAD_SUSPENDED 0x100u         /* thread_create, with the priority: it waits for thread_resume */

/* ---- Namespace ---- */
#define SCHEME_MAX 15
#define NS_ENTRIES_MAX 64
struct ns_entry { char scheme[SCHEME_MAX + 1]; };

/* ---- Notify ---- */
enum { PRESSURE_MIN = 1, PRESSURE_MAX = 6 };    /* notify_pressure: levels; i: less than 1/2^i of memory is free */

/* ---- Socket ---- */
enum { SOCKET_STREAM = 0, SOCKET_PACKET = 1 };          /* bytes, or whole messages (seqpacket) */
enum socket_event { SOCKET_READABLE, SOCKET_WRITABLE, SOCKET_CLOSED, SOCKET_EVENTS };   /* CLOSED: the other end is */
enum { SOCKET_END_READ = 1, SOCKET_END_WRITE = 2 };     /* socket_shutdown */
#define SOCKET_BUFFER     (64 * KiB)    /* under way in one direction */
#define SOCKET_ATOMIC     4096u         /* a write of at most so much goes in as a whole */
#define SOCKET_PACKET_MAX (32 * KiB)    /* also the most that one call moves */
#define SOCKET_NAME_MAX   64u           /* of `name` in unix://name */
#define SOCKET_NAMES_MAX  64u           /* listening in one Namespace */
#define SOCKET_BACKLOG_MAX 32u

/* ---- Resource ---- */
enum resource_kind {
	RES_ROOT,                   /* everything below, unlimited; only the first process starts with it */
	RES_IRQ,                    /* global system interrupts [base, base + count) */
	RES_IOPORTS,                /* I/O ports */
	RES_PHYS,                   /* physical address range, bytes */
	RES_INFO,                   /* kstat, the log, all processes (read); with RIGHT_MANAGE: process_open for killing */
	RES_DMA,                    /* devices that reach memory: their numbers on the bus (PCI: segment << 16 | bus << 8 | device << 3 | function) */
};
/* io_read_bytes: a byte and the status before it; which port tells the status, and which of its bits must be set. */
struct io_byte { uint8_t byte, status; };
#define IO_READY(port, bits) ((uint32_t)(port) | (uint32_t)(bits) << 16)
enum { IRQ_DEFAULT = 0, IRQ_LEVEL = 1, IRQ_ACTIVE_LOW = 2, IRQ_ISA = 4 };  /* ISA: base is an ISA irq; MADT overrides apply */

/* ---- Budget ---- */
struct budget_limits { uint64_t pages, kernel_bytes; uint32_t handles, threads, commands, processes; };
struct budget_info { struct budget_limits limit, used; };

/* ---- kstat: the exact account; "nothing leaked" is equality of all but the fields marked (*) ---- */
struct kstat {
	uint64_t size;                      /* sizeof(struct kstat) */
	uint64_t objects[24];               /* live, by enum object_type */
	uint64_t handles;                   /* open handles over all tables */
	uint64_t mappings;
	uint64_t timers;                    /* armed */
	uint64_t commands_queued, commands_accepted;
	uint64_t bindings;                  /* notify bindings */
	uint64_t pages_frames;              /* in Frames */
	uint64_t pages_tables;              /* page tables of Vmems */
	uint64_t pages_sockets;             /* buffers of Sockets */
	uint64_t pages_pinned;              /* of pages_frames: held for devices, once for each pin */
	uint64_t pages_kernel;              /* fixed at boot: page array, kernel, stacks */
	uint64_t slab_bytes;                /* live bytes from the object allocator, without table_bytes */
	uint64_t table_bytes;               /* (*) room for handles: a table keeps what it once needed, until its own end */
	uint64_t pages_slab;                /* (*) held by the object allocator, with its free slots */
	uint64_t pages_free;                /* (*) */
	uint64_t pages_total;               /* managed by the page allocator */
	uint64_t time_ns, idle_ns;          /* (*) since boot */
	uint64_t switches, interrupts, page_faults;     /* (*) counts since boot */
	uint64_t calls_short, calls_long;   /* (*) commands that took the short path, or the long one; test builds */
	uint64_t returns_short, returns_long;   /* (*) and their answers */
	uint64_t cpus;
};
_Static_assert(OBJ_TYPES <= 24, "kstat.objects");

/* ---- looking in ---- */
#define PROCESS_WAY 12
/* Where a process that ended was: the instruction, then return addresses, as far as they could be followed. entry: of its image. */
struct process_way { uint64_t entry, at[PROCESS_WAY]; uint32_t n, reserved; };
enum thread_state_info { THREAD_IS_READY, THREAD_IS_RUNNING, THREAD_IS_BLOCKED, THREAD_IS_DEAD };
enum thread_wait_info { THREAD_WAITS_NOT, THREAD_SLEEPS, THREAD_CALLS, THREAD_ACCEPTS, THREAD_AT_SOCKET, THREAD_NOT_STARTED, THREAD_IS_SUSPENDED, THREAD_AT_FUTEX, THREAD_AT_PAGE };
/* port: object id of where it calls or accepts; server: pid of who has accepted its call, 0: it is queued. */
struct thread_info { uint64_t id, cpu_time_ns, port, server; uint32_t state, wait, op, priority; };
/* accepted_ever: since the Port was made; waiting: threads in accept. */
struct port_info { uint64_t acceptor, accepted_ever; uint32_t queued, accepted, waiting, sessions, reserve, reserved; };

/* ---- Trace (docs/tracing.md) ---- */
enum trace_what { TRACE_OFF, TRACE_STOP /* records stay */, TRACE_ALL, TRACE_PROCESS /* and what it starts from now on */, TRACE_CHILDREN /* only that */ };
enum trace_kind {
	TRACE_SENT = 1, TRACE_FORWARDED,        /* pid: of the sender, or of who forwards */
	TRACE_DELIVERED,            /* pid, text: of who accepted */
	TRACE_RETURNED,
	TRACE_CANCEL,               /* its caller wants it back */
	TRACE_LEFT,                 /* its caller has left, with `status`; a server may still be at it */
	TRACE_FAILED,               /* ended by the kernel, with `status` */
	TRACE_REQUEUED,             /* pid, text: of its server, which died; it will be delivered again */
	TRACE_COMPLETED,            /* the submitter has accepted the COMPLETION */
};
enum trace_flags { TRACE_PATH = 1, TRACE_CLOSE = 2, TRACE_SUBMITTED = 4, TRACE_AGAIN = 8 /* delivered again */ };
#define TRACE_TEXT 64
struct trace_record {
	uint64_t time_ns;
	uint64_t command, request;  /* op ids: of this command, and of the first one for whose sake it was sent */
	uint64_t parent;            /* SENT: what the sender was serving; 0: nothing that is traced */
	uint64_t port, badge;       /* object id of the Port; the Session's badge */
	uint64_t w[3];              /* SENT: words asked; RETURNED: answered */
	uint32_t in_len, out_len;   /* SENT: windows */
	uint32_t pid, tid;          /* tid: object id of the thread, lower half */
	int32_t  status;            /* RETURNED, LEFT, FAILED; what does not fit is cut */
	uint16_t op;
	uint8_t  kind, flags;       /* enum trace_kind, trace_flags */
	char     text[TRACE_TEXT];  /* SENT: the path, its end if it is long; else a process's name; zero-terminated */
};
_Static_assert(sizeof(struct trace_record) == 160, "a record of the trace");
struct trace_info { uint64_t owner, pid, next; uint32_t what, stopped, room, reserved; };   /* what: TRACE_OFF or as turned on; next: records so far */
