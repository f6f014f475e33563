/*
 * files: reads files from the volume that the loader itself came from, found by its LoadedImage, whatever else
 * is plugged in.
 */
#include "loader.h"

static EFI_GUID loaded_image_guid = EFI_LOADED_IMAGE_PROTOCOL_GUID;
static EFI_GUID file_system_guid = EFI_SIMPLE_FILE_SYSTEM_PROTOCOL_GUID;
static EFI_GUID file_info_guid = EFI_FILE_INFO_ID;

enum { READ_PIECE = 1 << 20 };  /* some firmware fails at reads of many MiB */

static EFI_HANDLE device;
static EFI_FILE_HANDLE root;

void files_init(void)
{
	EFI_LOADED_IMAGE *image = NULL;
	EFI_FILE_IO_INTERFACE *volume = NULL;
	EFI_STATUS status = BS->HandleProtocol(loader_image, &loaded_image_guid, (void **)&image);
	if (EFI_ERROR(status))
		fail("the firmware does not say where the loader came from: %r", status);
	device = image->DeviceHandle;
	if (!device)
		fail("the loader came from no device");
	status = BS->HandleProtocol(device, &file_system_guid, (void **)&volume);
	if (EFI_ERROR(status))
		fail("the device that the loader came from has no file system: %r", status);
	status = volume->OpenVolume(volume, &root);
	if (EFI_ERROR(status))
		fail("the boot volume cannot be opened: %r", status);
}

EFI_HANDLE files_device(void)
{
	return device;
}

static const char *open_failure(EFI_STATUS status)
{
	switch (status) {
	case EFI_NOT_FOUND: return "no such file";
	case EFI_NO_MEDIA: case EFI_MEDIA_CHANGED: return "the boot medium is gone";
	case EFI_DEVICE_ERROR: return "the boot medium fails to read";
	case EFI_VOLUME_CORRUPTED: return "the file system is damaged";
	default: return "cannot be opened";
	}
}

static uint64_t file_size(EFI_FILE_HANDLE file, const char **why)
{
	/* EFI_FILE_INFO ends in the file's name: at most 255 characters on FAT. */
	uint64_t buffer[(sizeof(EFI_FILE_INFO) + 512) / 8 + 1];
	EFI_FILE_INFO *info = (EFI_FILE_INFO *)buffer;
	UINTN size = sizeof(buffer);
	if (EFI_ERROR(file->GetInfo(file, &file_info_guid, &size, info))) {
		*why = "its size cannot be read";
		return 0;
	}
	if (info->Attribute & EFI_FILE_DIRECTORY) {
		*why = "is a directory";
		return 0;
	}
	*why = info->FileSize ? NULL : "is empty";
	return info->FileSize;
}

/* Fills `to`; false when the medium fails or the file ends early. */
static bool read_all(EFI_FILE_HANDLE file, uint8_t *to, uint64_t size)
{
	for (uint64_t done = 0; done < size;) {
		UINTN piece = (UINTN)MIN(size - done, (uint64_t)READ_PIECE);
		if (EFI_ERROR(file->Read(file, &piece, to + done)) || piece == 0)
			return false;
		done += piece;
	}
	return true;
}

void *file_read(const char *path, uint32_t type, uint64_t limit, uint64_t *size, const char **why)
{
	CHAR16 wide[CONFIG_PATH_MAX + 1];
	size_t n = 0;
	for (; n < CONFIG_PATH_MAX && path[n]; n++)
		wide[n] = (CHAR16)(unsigned char)path[n];
	wide[n] = 0;

	EFI_FILE_HANDLE file = NULL;
	EFI_STATUS status = root->Open(root, &file, wide, EFI_FILE_MODE_READ, 0);
	if (EFI_ERROR(status)) {
		*why = open_failure(status);
		return NULL;
	}
	void *data = NULL;
	*size = file_size(file, why);
	if (!*why && *size > limit)
		*why = "is larger than any such file can be";
	if (!*why) {
		data = pages_alloc(*size, type, path);
		if (!read_all(file, data, *size)) {
			*why = "cannot be read to its end";
			pages_free(data);
			data = NULL;
		}
	}
	file->Close(file);
	return data;
}
