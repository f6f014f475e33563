/*
 * pci: where the root buses are, and stops devices that firmware left mastering the bus, so that none writes to memory the kernel has given to
 * somebody. Found through PciIo while there is firmware; switched off through configuration space right after
 * ExitBootServices, when no firmware driver can stumble over it. Bridges stay on, or what is behind them could
 * never be switched on alone; so do displays, which may fetch the picture from memory.
 */
#include "loader.h"

static EFI_GUID pci_io_guid = EFI_PCI_IO_PROTOCOL_GUID;

enum { MASTERS_MAX = 256 };
enum { CONFIG_ADDRESS = 0xcf8, CONFIG_DATA = 0xcfc };
enum { PCI_COMMAND = 4, COMMAND_MASTER = 4, PCI_REVISION_CLASS = 8 };
enum { CLASS_OLD = 0, CLASS_DISPLAY = 3, CLASS_BRIDGE = 6 };

/* What Configuration() lists (UEFI 2.10 §14.2, "QWORD Address Space Descriptor"; ACPI 6.5 §6.4.3.5.1). */
struct packed address_space {
	uint8_t  tag;
	uint16_t len;                   /* of what follows */
	uint8_t  type, general_flags, specific_flags;
	uint64_t granularity, first, last, translation, n;
};
_Static_assert(sizeof(struct address_space) == 46, "as the firmware lays it out");
enum { TAG_ADDRESS_SPACE = 0x8a, SPACE_BUSES = 2, SPACES_MAX = 64 };

static EFI_GUID root_bridge_io_guid = EFI_PCI_ROOT_BRIDGE_IO_PROTOCOL_GUID;

static uint32_t masters[MASTERS_MAX];   /* configuration addresses; segment 0 only */
static uint32_t n_masters;

static bool may_be_stopped(uint32_t class)
{
	return class != CLASS_OLD && class != CLASS_DISPLAY && class != CLASS_BRIDGE;
}

/* The first of a bridge's buses is its root bus. False: it does not say, or it is of another segment. */
static bool root_bus(EFI_HANDLE handle, uint64_t *bus)
{
	EFI_PCI_ROOT_BRIDGE_IO_PROTOCOL *io = NULL;
	const struct address_space *s = NULL;

	if (EFI_ERROR(BS->HandleProtocol(handle, &root_bridge_io_guid, (void **)&io)) || io->SegmentNumber != 0 ||
	    EFI_ERROR(io->Configuration(io, (void **)&s)) || !s)
		return false;
	for (uint32_t i = 0; i < SPACES_MAX && s[i].tag == TAG_ADDRESS_SPACE; i++) {
		if (s[i].type != SPACE_BUSES)
			continue;
		*bus = s[i].first;
		return *bus < 256;
	}
	return false;
}

void pci_list_roots(uint64_t roots[4])
{
	UINTN n = 0;
	EFI_HANDLE *handles = NULL;

	if (EFI_ERROR(BS->LocateHandleBuffer(ByProtocol, &root_bridge_io_guid, NULL, &n, &handles)))
		return;
	for (UINTN i = 0; i < n; i++) {
		uint64_t bus;
		if (root_bus(handles[i], &bus))
			roots[bus / 64] |= 1ull << (bus % 64);
	}
	BS->FreePool(handles);
}

void pci_list_masters(void)
{
	UINTN n = 0;
	EFI_HANDLE *handles = NULL;
	if (EFI_ERROR(BS->LocateHandleBuffer(ByProtocol, &pci_io_guid, NULL, &n, &handles)))
		return;
	for (UINTN i = 0; i < n && n_masters < MASTERS_MAX; i++) {
		EFI_PCI_IO *io = NULL;
		UINT32 class = 0;
		UINTN segment = 0, bus = 0, device = 0, function = 0;
		if (EFI_ERROR(BS->HandleProtocol(handles[i], &pci_io_guid, (void **)&io)) ||
		    EFI_ERROR(io->Pci.Read(io, EfiPciIoWidthUint32, PCI_REVISION_CLASS, 1, &class)) ||
		    EFI_ERROR(io->GetLocation(io, &segment, &bus, &device, &function)))
			continue;
		/* Other segments cannot be reached by the ports; pcid stops those. */
		if (may_be_stopped(class >> 24) && segment == 0)
			masters[n_masters++] = (uint32_t)(1u << 31 | bus << 16 | device << 11 | function << 8) | PCI_COMMAND;
	}
	BS->FreePool(handles);
}

static void out32(uint16_t port, uint32_t value)
{
	__asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

uint32_t pci_masters_off(void)
{
	uint32_t stopped = 0;
	for (uint32_t i = 0; i < n_masters; i++) {
		uint16_t command;
		out32(CONFIG_ADDRESS, masters[i]);
		__asm__ volatile("inw %1, %0" : "=a"(command) : "Nd"((uint16_t)CONFIG_DATA));
		if (command == 0xffff || !(command & COMMAND_MASTER))
			continue;
		/* 16 bits: the status half next to it is cleared by writing ones. */
		command &= (uint16_t)~COMMAND_MASTER;
		__asm__ volatile("outw %0, %1" : : "a"(command), "Nd"((uint16_t)CONFIG_DATA));
		stopped++;
	}
	return stopped;
}
