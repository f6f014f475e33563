/*
 * volume: who the boot volume is, so that the running system can find it again among its own drivers' disks:
 * the partition as its device path names it (UEFI 2.10 §10.3.5.1), and the serial number in its FAT.
 */
#include "loader.h"

static EFI_GUID device_path_guid = EFI_DEVICE_PATH_PROTOCOL_GUID;
static EFI_GUID block_io_guid = BLOCK_IO_PROTOCOL;

/* Up to here a hard drive node is read; the compiler would pad the whole. */
#define HD_NODE_BYTES (offsetof(HARDDRIVE_DEVICE_PATH, SignatureType) + 1)
enum { NODES_MAX = 64, BLOCK_MAX = 4096, SIGNATURE_MBR = 1, SIGNATURE_GPT = 2 };

static void identify_partition(struct boot_volume *volume)
{
	EFI_DEVICE_PATH *path = NULL;
	if (EFI_ERROR(BS->HandleProtocol(files_device(), &device_path_guid, (void **)&path)))
		return;
	volume->kind = BOOT_VOLUME_WHOLE_DISK;
	for (int nodes = 0; nodes < NODES_MAX && path->Type != END_DEVICE_PATH_TYPE; nodes++) {
		uint16_t len = (uint16_t)(path->Length[0] | path->Length[1] << 8);
		if (path->Type == MEDIA_DEVICE_PATH && path->SubType == MEDIA_HARDDRIVE_DP &&
		    len >= HD_NODE_BYTES) {
			HARDDRIVE_DEVICE_PATH hd;
			memcpy(&hd, path, HD_NODE_BYTES);
			volume->partition_number = hd.PartitionNumber;
			if (hd.SignatureType == SIGNATURE_GPT) {
				volume->kind = BOOT_VOLUME_GPT;
				memcpy(volume->partition_guid, hd.Signature, sizeof(volume->partition_guid));
			} else if (hd.SignatureType == SIGNATURE_MBR) {
				volume->kind = BOOT_VOLUME_MBR;
				memcpy(&volume->mbr_signature, hd.Signature, sizeof(volume->mbr_signature));
			} else {
				volume->kind = BOOT_VOLUME_UNKNOWN;
			}
		} else if (path->Type == MEDIA_DEVICE_PATH && path->SubType == MEDIA_CDROM_DP) {
			volume->kind = BOOT_VOLUME_UNKNOWN;
		}
		if (len < sizeof(*path))
			return;
		path = (EFI_DEVICE_PATH *)((uint8_t *)path + len);
	}
}

/* BS_VolID (Microsoft FAT specification 1.03, "Boot Sector and BPB"); 0 when the sector is no FAT's. */
static uint32_t fat_serial(const uint8_t *sector)
{
	if (sector[510] != 0x55 || sector[511] != 0xaa)
		return 0;
	/* BPB_FATSz16 is 0 on FAT32 alone, whose extended fields lie further back. */
	bool fat32 = sector[22] == 0 && sector[23] == 0;
	const uint8_t *extended = sector + (fat32 ? 66 : 38);
	uint32_t serial;
	if (extended[0] != 0x29)
		return 0;
	memcpy(&serial, extended + 1, sizeof(serial));
	return serial;
}

void volume_identify(struct boot_volume *volume)
{
	/* A page allocation: aligned for any device (UEFI 2.10 §13.9: IoAlign is at most a page here). */
	EFI_BLOCK_IO *io = NULL;
	identify_partition(volume);
	if (EFI_ERROR(BS->HandleProtocol(files_device(), &block_io_guid, (void **)&io)))
		return;
	uint32_t block = io->Media->BlockSize;
	if (block < 512 || block > BLOCK_MAX || io->Media->IoAlign > BLOCK_MAX)
		return;
	uint8_t *sector = pages_alloc(BLOCK_MAX, BOOT_MEM_LOADER, "boot sector");
	if (!EFI_ERROR(io->ReadBlocks(io, io->Media->MediaId, 0, block, sector)))
		volume->fat_serial = fat_serial(sector);
	pages_free(sector);
}
