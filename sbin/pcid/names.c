/*
 * names: see names.h.
 */
#include "names.h"

struct name { uint16_t id; const char *text; };

/* class << 8 | subclass */
static const struct name classes[] = {
	{ 0x0000, "Unclassified device" }, { 0x0001, "VGA-compatible device" },
	{ 0x0100, "SCSI controller" }, { 0x0101, "IDE controller" }, { 0x0104, "RAID controller" }, { 0x0105, "ATA controller" },
	{ 0x0106, "SATA controller" }, { 0x0107, "SAS controller" }, { 0x0108, "NVM controller" }, { 0x0180, "Mass storage controller" },
	{ 0x0200, "Ethernet controller" }, { 0x0207, "InfiniBand controller" }, { 0x0280, "Network controller" },
	{ 0x0300, "VGA controller" }, { 0x0301, "XGA controller" }, { 0x0302, "3D controller" }, { 0x0380, "Display controller" },
	{ 0x0400, "Video device" }, { 0x0401, "Audio controller" }, { 0x0403, "Audio device" }, { 0x0480, "Multimedia controller" },
	{ 0x0500, "RAM" }, { 0x0501, "Flash memory" }, { 0x0580, "Memory controller" },
	{ 0x0600, "Host bridge" }, { 0x0601, "ISA bridge" }, { 0x0604, "PCI bridge" }, { 0x0607, "CardBus bridge" }, { 0x0680, "Bridge" },
	{ 0x0700, "Serial controller" }, { 0x0701, "Parallel controller" }, { 0x0703, "Modem" }, { 0x0780, "Communication controller" },
	{ 0x0800, "Interrupt controller" }, { 0x0801, "DMA controller" }, { 0x0802, "Timer" }, { 0x0803, "Real-time clock" },
	{ 0x0805, "SD host controller" }, { 0x0806, "IOMMU" }, { 0x0880, "System peripheral" },
	{ 0x0900, "Keyboard controller" }, { 0x0902, "Mouse controller" }, { 0x0980, "Input device" },
	{ 0x0c00, "FireWire controller" }, { 0x0c03, "USB controller" }, { 0x0c05, "SMBus" }, { 0x0c07, "IPMI interface" }, { 0x0c80, "Serial bus controller" },
	{ 0x0d11, "Bluetooth controller" }, { 0x0d80, "Wireless controller" },
	{ 0x1000, "Network encryption controller" }, { 0x1080, "Encryption controller" }, { 0x1180, "Signal processing controller" },
	{ 0x1200, "Processing accelerator" }, { 0xff00, "Unassigned class" },
};

static const struct name vendors[] = {
	{ 0x1000, "LSI Logic" }, { 0x1002, "AMD/ATI" }, { 0x1013, "Cirrus Logic" }, { 0x1022, "AMD" }, { 0x102b, "Matrox" }, { 0x104c, "Texas Instruments" },
	{ 0x106b, "Apple" }, { 0x1095, "Silicon Image" }, { 0x10b5, "PLX" }, { 0x10de, "NVIDIA" }, { 0x10ec, "Realtek" }, { 0x1106, "VIA" },
	{ 0x1179, "Toshiba" }, { 0x1180, "Ricoh" }, { 0x11ab, "Marvell" }, { 0x1217, "O2 Micro" }, { 0x1234, "QEMU" }, { 0x126f, "Silicon Motion" },
	{ 0x12d8, "Pericom" }, { 0x1274, "Ensoniq" }, { 0x1344, "Micron" }, { 0x1414, "Microsoft" }, { 0x144d, "Samsung" }, { 0x14c3, "MediaTek" },
	{ 0x14e4, "Broadcom" }, { 0x15ad, "VMware" }, { 0x15b3, "Mellanox" }, { 0x15b7, "SanDisk" }, { 0x168c, "Qualcomm Atheros" }, { 0x17cb, "Qualcomm" },
	{ 0x1912, "Renesas" }, { 0x1987, "Phison" }, { 0x1a03, "ASPEED" }, { 0x1af4, "Red Hat" }, { 0x1b21, "ASMedia" }, { 0x1b36, "Red Hat" },
	{ 0x1b4b, "Marvell" }, { 0x1c5c, "SK hynix" }, { 0x1d6a, "Aquantia" }, { 0x2646, "Kingston" }, { 0x5853, "XenSource" }, { 0x80ee, "VirtualBox" },
	{ 0x8086, "Intel" }, { 0xc0a9, "Crucial" },
};

static const struct name plain_capabilities[] = {
	{ 0x01, "Power management" }, { 0x02, "AGP" }, { 0x03, "Vital product data" }, { 0x04, "Slot" }, { 0x05, "MSI" }, { 0x06, "CompactPCI" },
	{ 0x07, "PCI-X" }, { 0x08, "HyperTransport" }, { 0x09, "Vendor specific" }, { 0x0a, "Debug port" }, { 0x0c, "Hot-plug" },
	{ 0x0d, "Bridge subsystem" }, { 0x0f, "Secure device" }, { 0x10, "Express" }, { 0x11, "MSI-X" }, { 0x12, "SATA" },
	{ 0x13, "Advanced features" }, { 0x14, "Enhanced allocation" },
};

static const struct name extended_capabilities[] = {
	{ 0x01, "Advanced error reporting" }, { 0x02, "Virtual channel" }, { 0x03, "Device serial number" }, { 0x04, "Power budgeting" },
	{ 0x0b, "Vendor specific" }, { 0x0d, "Access control" }, { 0x0e, "Alternative routing" }, { 0x0f, "Address translation" },
	{ 0x10, "SR-IOV" }, { 0x12, "Multicast" }, { 0x13, "Page request" }, { 0x15, "Resizable BAR" }, { 0x17, "TPH requester" },
	{ 0x18, "Latency tolerance" }, { 0x19, "Secondary Express" }, { 0x1b, "Process address space" }, { 0x1d, "Downstream port containment" },
	{ 0x1e, "L1 substates" }, { 0x1f, "Precision time" }, { 0x23, "Designated vendor specific" }, { 0x25, "Data link feature" },
	{ 0x26, "16 GT/s" }, { 0x27, "Lane margining" },
};

static const char *find(const struct name *list, size_t n, uint32_t id)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].id == id)
			return list[i].text;
	return NULL;
}

const char *name_class(uint32_t class)
{
	const char *text = find(classes, ARRAY_LEN(classes), class >> 8);

	return text ? text : "Device";
}

const char *name_vendor(uint16_t vendor)
{
	return find(vendors, ARRAY_LEN(vendors), vendor);
}

const char *name_capability(uint16_t id, bool extended)
{
	return extended ? find(extended_capabilities, ARRAY_LEN(extended_capabilities), id)
		: find(plain_capabilities, ARRAY_LEN(plain_capabilities), id);
}
