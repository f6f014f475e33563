/*
 * manifest: what a service is and what it may have, from initfs:///etc/services/NAME. One
 * "key = value" a line, '#' begins a comment. Pure.
 *
 *   exec = initfs:///sbin/rngd     the program (in the initfs: initd waits for nobody above it)
 *   args = -v                      its arguments, separated by blanks
 *   provides = rng                 schemes; the i-th gets the Port under badge i
 *   opens = log null               schemes it may open; "*" is all there are
 *   submits = inputdev             more of them, which may stand above: it only submits there
 *   level = 20                     place in the call order, 1..100
 *   priority = service             idle, normal, interactive, service or driver
 *   start = boot                   boot or first-use
 *   restart = always               always, on-fault or never
 *   budget.memory = 2M             also .handles .threads .commands .processes .kernel; K, M, G allowed;
 *                                  60%: of the machine's memory (.memory, .kernel)
 *   resource = ioports:3f8+8       repeatable: ioports:HEX+N, irq:N, irq:N+COUNT, irq:sci (wherever ACPI's comes in), phys:HEX+HEX, info, info-manage,
 *                                  boot, framebuffer, devices (to tell initd of devices)
 *   pci = class:0c0330             repeatable: class:CC, CCSS or CCSSPP, id:VVVV:DDDD, in hexadecimal: this is a template, of which
 *                                  an instance NAME.00:04.0 is started for each such function, with it as handle "device"
 *   state = 64K                    size of its state Frame (4K; at most 32M)
 *   shelf = yes                    yes or no: a shelf for handles that outlive an instance
 *   heartbeat = 2000               ms that it may go without accepting before it is replaced; 0: for ever
 *   tty = tty://serial             its terminal (TTY in its environment)
 */
#pragma once
#include <abi/types.h>

#define MANIFEST_NAME_MAX   31      /* PROCESS_NAME_MAX with the zero */
#define MANIFEST_SCHEMES    8
#define MANIFEST_OPENS      32
#define MANIFEST_ARGS       16
#define MANIFEST_RESOURCES  16
#define MANIFEST_VALUE_MAX  255
#define MANIFEST_SCHEME_MAX 15
#define MANIFEST_PCI        16
#define MANIFEST_PLACE      8       /* ".00:04.0", which a template's name leaves room for */
#define MANIFEST_HEARTBEAT_MIN 500
#define MANIFEST_HEARTBEAT_MAX 3600000
#define MANIFEST_STATE_MAX  (32 * MiB)

enum manifest_start { START_BOOT, START_FIRST_USE };
enum manifest_restart { RESTART_ALWAYS, RESTART_ON_FAULT, RESTART_NEVER };
enum manifest_grant { GRANT_IOPORTS, GRANT_IRQ, GRANT_SCI, GRANT_PHYS, GRANT_DMA, GRANT_INFO, GRANT_INFO_MANAGE, GRANT_FRAMEBUFFER, GRANT_BOOT, GRANT_DEVICES };

struct manifest_resource {
	int      kind;              /* enum manifest_grant */
	uint64_t base, count;
};

/* Which functions a template is for. */
struct manifest_pci {
	bool     by_id;             /* value: vendor << 16 | device; else: class << 16 | subclass << 8 | interface, */
	uint32_t value, mask;       /* of which the bits in `mask` count */
};

/* Limits that the manifest does not name are UINT64_MAX: the parent's count. */
struct manifest_budget {
	uint64_t memory, kernel, handles, threads, commands, processes;
	uint32_t memory_percent, kernel_percent;        /* not 0: of the machine's memory */
};

struct manifest {
	char     name[MANIFEST_NAME_MAX + 1];
	char     exec[MANIFEST_VALUE_MAX + 1];
	char     args[MANIFEST_VALUE_MAX + 1];          /* each zero-terminated, behind each other */
	uint32_t n_args;
	char     provides[MANIFEST_SCHEMES][MANIFEST_SCHEME_MAX + 1];
	uint32_t n_provides;
	char     opens[MANIFEST_OPENS][MANIFEST_SCHEME_MAX + 1];
	uint32_t n_opens;
	uint32_t submits;           /* which of `opens` it only submits to, by bit */
	bool     opens_all;
	uint32_t level;
	uint32_t priority;          /* enum in abi/objects.h */
	int      start, restart;
	struct manifest_budget budget;
	uint64_t state;             /* bytes of the state Frame */
	bool     shelf;
	uint32_t heartbeat;         /* ms; 0: not watched */
	struct manifest_resource resources[MANIFEST_RESOURCES];
	uint32_t n_resources;
	struct manifest_pci pci[MANIFEST_PCI];
	uint32_t n_pci;             /* not 0: a template */
	char     tty[MANIFEST_VALUE_MAX + 1];           /* "": none */
};

struct manifest_error {
	uint32_t line;              /* 1..; 0: the file as a whole */
	char     reason[96];
};

/* How well a template fits a function: 0: not at all, 1: by its class, 2: by its id. */
int manifest_fits(const struct manifest *m, uint16_t vendor, uint16_t device, uint32_t class);
/* Whether a file name can be a service's: [a-z][a-z0-9.-]*, not longer than MANIFEST_NAME_MAX. */
bool manifest_name_ok(const char *name);
/* Fills m from `len` bytes of text. False: e says where and why, and m is not to be used. */
must_use bool manifest_parse(struct manifest *m, const char *name, const char *text, size_t len, struct manifest_error *e);
