/*
 * pci: stops devices that firmware left mastering the bus, so that none writes to memory the kernel has given to
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

static uint32_t masters[MASTERS_MAX];   /* configuration addresses; segment 0 only */
static uint32_t n_masters;

static bool may_be_stopped(uint32_t class)
{
	return class != CLASS_OLD && class != CLASS_DISPLAY && class != CLASS_BRIDGE;
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
