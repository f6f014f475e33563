/*
 * function: what a PCI function says about itself in its configuration space, and how all of them are found (pure: it
 * reaches configuration space through struct config alone, so that tests can be that space). PCI Local Bus 3.0 chapter 6,
 * PCI-to-PCI Bridge 1.2 chapter 3, PCI Express Base 3.0 chapter 7. Nothing that a device says is believed: lists may have
 * circles, bus numbers may lead back, and what is not there reads as all ones.
 */
#pragma once
#include <abi/types.h>
#include <pci/name.h>

#define PCI_BARS          6
#define PCI_FUNCTIONS_MAX 512
#define PCI_CAPS_MAX      128

enum {
	PCI_VENDOR = 0x00, PCI_DEVICE = 0x02, PCI_COMMAND = 0x04, PCI_STATUS = 0x06, PCI_REVISION = 0x08, PCI_CACHE_LINE = 0x0c, PCI_HEADER = 0x0e, PCI_BAR0 = 0x10,
	PCI_PRIMARY = 0x18, PCI_SECONDARY = 0x19, PCI_SUBORDINATE = 0x1a, PCI_SUB_VENDOR = 0x2c, PCI_SUB_DEVICE = 0x2e, PCI_ROM = 0x30, PCI_CAPABILITIES = 0x34, PCI_LINE = 0x3c, PCI_PIN = 0x3d,

	PCI_COMMAND_IO = 1, PCI_COMMAND_MEMORY = 2, PCI_COMMAND_MASTER = 4, PCI_COMMAND_NO_INTX = 0x400,
	PCI_STATUS_CAPABILITIES = 0x10,
	PCI_HEADER_TYPE = 0x7f, PCI_HEADER_MULTI = 0x80, PCI_HEADER_DEVICE = 0, PCI_HEADER_BRIDGE = 1,

	PCI_CAP_POWER = 0x01, PCI_CAP_MSI = 0x05, PCI_CAP_EXPRESS = 0x10, PCI_CAP_MSIX = 0x11, PCI_CAP_AF = 0x13,
	PCI_CLASS_HOST_BRIDGE = 0x0600, PCI_BASE_CLASS_DISPLAY = 0x03,
};

/* From the PCI Express capability on (PCI Express 3.0 §7.8.6, §7.8.8). PCI_LINK_TELLS: the port says whether its link is up. */
enum { PCI_LINK_CAPS = 0x0c, PCI_LINK_TELLS = 1 << 20, PCI_LINK_STATUS = 0x12, PCI_LINK_UP = 1 << 13 };
enum { PCI_MSIX_ON = 0x8000, PCI_MSIX_FUNCTION_MASKED = 0x4000, PCI_MSI_ON = 1 };

/* Configuration space. Width 1, 2 or 4, the register aligned to it and below `size`. What nobody answers reads as all ones. */
struct config {
	uint32_t (*read)(void *ctx, uint16_t at, uint32_t reg, uint32_t width);
	void     (*write)(void *ctx, uint16_t at, uint32_t reg, uint32_t width, uint32_t value);
	void    *ctx;
	uint32_t size;                  /* bytes a function: 4096, or 256 through ports */
	uint8_t  bus_first, bus_last;   /* those that can be reached; bus_first is a root */
	uint64_t roots[4];              /* further roots, a bit each; no bridge leads there */
	uint64_t screen;                /* bus address that the firmware's framebuffer begins at; 0: none */
};

static inline uint32_t config_get(const struct config *c, uint16_t at, uint32_t reg, uint32_t width)
{
	return c->read(c->ctx, at, reg, width);
}

static inline void config_set(const struct config *c, uint16_t at, uint32_t reg, uint32_t width, uint32_t value)
{
	c->write(c->ctx, at, reg, width, value);
}

enum pci_bar_kind { BAR_NONE, BAR_IO, BAR_MEMORY, BAR_MEMORY_64, BAR_UPPER /* half of the one before */, BAR_ODD /* breaks the rules */ };
enum pci_bar_state {
	BAR_UNSIZED,                    /* how large it is was not asked: the function was in use, or is a host bridge */
	BAR_GOOD,
	BAR_UNASSIGNED,                 /* the firmware gave it no address */
	BAR_MISPLACED,                  /* not a multiple of its size, or beyond what there is */
	BAR_OVERLAPS,                   /* another BAR or what belongs to the machine itself */
};
struct pci_bar {
	uint64_t base, size;            /* bytes, or ports; size 0: unknown */
	uint8_t  kind, state;           /* enum pci_bar_kind, pci_bar_state */
	bool     prefetchable;
};

struct pci_function {
	uint16_t at, vendor, device, sub_vendor, sub_device;
	uint16_t express;               /* its PCI Express capability, or 0 */
	uint32_t class;                 /* class << 16 | subclass << 8 | interface */
	uint8_t  revision, header;      /* header: type, without the multi-function bit */
	uint8_t  pin, line;
	uint8_t  secondary, subordinate;        /* of a bridge */
	bool     lost;                  /* a bridge whose bus numbers make no sense: nothing is looked for behind it */
	struct pci_bar bars[PCI_BARS];  /* filled by bars.h */
};

struct pci_cap {
	uint16_t at, id;
	uint8_t  version;
	bool     extended;
};

/* Fills f from the function at `at`. False: there is none. */
must_use bool pci_look(const struct config *c, uint16_t at, struct pci_function *f);
/* Whether drivers may have it. Bridges are pcid's: others depend on them. */
static inline bool pci_is_for_drivers(const struct pci_function *f)
{
	return f->header == PCI_HEADER_DEVICE && f->class >> 8 != PCI_CLASS_HOST_BRIDGE;
}
/*
 * Finds the functions of the root buses and of all that bridges lead to, in the order of where they are, at most `max`.
 * *more: there were more than that. Each bus is looked at once, and a bridge leads only to greater bus numbers within its own.
 */
size_t pci_scan(const struct config *c, struct pci_function *list, size_t max, bool *more);
/* The same for one device. Bridges there are `lost`: nobody has given them buses. */
size_t pci_scan_device(const struct config *c, uint16_t device, struct pci_function *list, size_t max);
/* Whether behind a bridge is a link, which has one device, number 0. */
bool pci_leads_to_link(const struct config *c, const struct pci_function *f);
/*
 * The capabilities of a function, then the extended ones; returns how many. *broken: a list leads out of its room or back
 * into itself, or there are more than PCI_CAPS_MAX; what came before is given.
 */
size_t pci_capabilities(const struct config *c, const struct pci_function *f, struct pci_cap list[PCI_CAPS_MAX], bool *broken);
/* Where the first capability with that id is; 0: none. Plain ones only. */
uint16_t pci_find(const struct config *c, const struct pci_function *f, uint8_t id);
/*
 * Whether a driver may write these bytes of its function's configuration space: not the header, no capability but a vendor's
 * own, and nothing of the extended space: through those pcid decides what the function may do, and other functions with it.
 */
bool pci_may_write(const struct config *c, const struct pci_function *f, uint32_t reg, uint32_t width);
