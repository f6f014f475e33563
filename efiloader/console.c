/*
 * console: what the loader says and reads. Every text goes to the firmware's console and to COM1, once each:
 * where the firmware's console includes a terminal on COM1 (as OVMF's does), the port is left to the firmware.
 */
#include "loader.h"
#include <stdarg.h>

/* Installed by the firmware on the handles that ConOut really writes to (EDK II, ConsoleOutDevice.h). */
static EFI_GUID console_out_guid =
	{ 0xd3b36f2c, 0xd551, 0x11d4, { 0x9a, 0x46, 0x00, 0x90, 0x27, 0x3f, 0xc1, 0x4d } };
static EFI_GUID device_path_guid = EFI_DEVICE_PATH_PROTOCOL_GUID;

enum { KEY_POLL_US = 10000, SOON_US = 200, SOON_POLLS = 50, PNP0501 = 0x050141d0 /* EISA id of a 16550 */ };
static bool com1_is_ours;

static char     note_text[4 * KiB];
static uint32_t note_len;
static bool     noting;                 /* what is put goes there */

/* True when the path goes through serial port 0 (UEFI 2.10 §10.3.3: ACPI node with _HID PNP0501, _UID 0). */
static bool path_is_com1(EFI_DEVICE_PATH *path)
{
	/* A path comes from firmware drivers; still its length is bounded. */
	for (int nodes = 0; path && nodes < 64 && path->Type != END_DEVICE_PATH_TYPE; nodes++) {
		uint16_t len = (uint16_t)(path->Length[0] | path->Length[1] << 8);
		if (path->Type == ACPI_DEVICE_PATH && path->SubType == ACPI_DP && len >= sizeof(ACPI_HID_DEVICE_PATH)) {
			ACPI_HID_DEVICE_PATH acpi;
			memcpy(&acpi, path, sizeof(acpi));
			if (acpi.HID == PNP0501 && acpi.UID == 0)
				return true;
		}
		if (len < sizeof(*path))
			return false;
		path = (EFI_DEVICE_PATH *)((uint8_t *)path + len);
	}
	return false;
}

static bool firmware_has_com1(void)
{
	UINTN n = 0;
	EFI_HANDLE *handles = NULL;
	bool found = false;
	if (EFI_ERROR(BS->LocateHandleBuffer(ByProtocol, &console_out_guid, NULL, &n, &handles)))
		return false;
	for (UINTN i = 0; i < n && !found; i++) {
		EFI_DEVICE_PATH *path = NULL;
		if (!EFI_ERROR(BS->HandleProtocol(handles[i], &device_path_guid, (void **)&path)))
			found = path_is_com1(path);
	}
	BS->FreePool(handles);
	return found;
}

bool console_writes_to(EFI_HANDLE handle)
{
	void *mark;
	return !EFI_ERROR(BS->HandleProtocol(handle, &console_out_guid, &mark));
}

void console_init(void)
{
	com1_is_ours = com1_init() && !firmware_has_com1();
	if (com1_is_ours)
		com1_set_up();
}

static void put(char c)
{
	if (noting) {
		if (note_len < sizeof(note_text))
			note_text[note_len++] = c;
		return;
	}
	CHAR16 text[3] = { (CHAR16)(unsigned char)c, 0, 0 };
	if (c == '\n') {
		text[0] = '\r';
		text[1] = '\n';
	}
	if (ST->ConOut)
		ST->ConOut->OutputString(ST->ConOut, text);
	if (com1_is_ours) {
		if (c == '\n')
			com1_write("\r", 1);
		com1_write(&c, 1);
	}
}

static void put_text(const char *s)
{
	while (*s)
		put(*s++);
}

static void put_number(uint64_t value, uint32_t base)
{
	char digits[24];
	size_t at = sizeof(digits);
	digits[--at] = 0;
	do
		digits[--at] = "0123456789abcdef"[value % base];
	while (value /= base);
	put_text(digits + at);
}

/* The statuses a loader meets (UEFI 2.10 appendix D). */
static void put_status(EFI_STATUS status)
{
	static const struct { EFI_STATUS status; char text[28]; } names[] = {
		{ EFI_LOAD_ERROR, "load error" }, { EFI_INVALID_PARAMETER, "invalid parameter" },
		{ EFI_UNSUPPORTED, "unsupported" }, { EFI_BAD_BUFFER_SIZE, "bad buffer size" },
		{ EFI_BUFFER_TOO_SMALL, "buffer too small" }, { EFI_NOT_READY, "not ready" },
		{ EFI_DEVICE_ERROR, "device error" }, { EFI_OUT_OF_RESOURCES, "out of resources" },
		{ EFI_VOLUME_CORRUPTED, "volume corrupted" }, { EFI_NO_MEDIA, "no medium" },
		{ EFI_MEDIA_CHANGED, "medium changed" }, { EFI_NOT_FOUND, "not found" },
		{ EFI_ACCESS_DENIED, "access denied" }, { EFI_SECURITY_VIOLATION, "security violation" },
	};
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (names[i].status == status) {
			put_text(names[i].text);
			return;
		}
	put_text("status ");
	put_number(status, 16);
}

static void say_args(const char *format, va_list args)
{
	for (; *format; format++) {
		if (*format != '%') {
			put(*format);
			continue;
		}
		switch (*++format) {
		case 's': put_text(va_arg(args, const char *)); break;
		case 'S':
			for (const CHAR16 *s = va_arg(args, const CHAR16 *); *s; s++)
				put(*s < 0x7f ? (char)*s : '?');
			break;
		case 'c': put((char)va_arg(args, int)); break;
		case 'u': put_number(va_arg(args, uint64_t), 10); break;
		case 'x': put_number(va_arg(args, uint64_t), 16); break;
		case 'r': put_status(va_arg(args, EFI_STATUS)); break;
		case 0: return;
		default: put(*format); break;
		}
	}
}

void say(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	say_args(format, args);
	va_end(args);
}

void note(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	noting = true;
	say_args(format, args);
	put('\n');
	noting = false;
	va_end(args);
}

const char *notes(uint32_t *len)
{
	*len = note_len;
	return note_text;
}

/* The next byte, if it comes at once: at 9,600 baud bytes are a millisecond apart. */
static int com1_soon(void)
{
	int c = com1_read();
	for (int i = 0; i < SOON_POLLS && c < 0; i++) {
		BS->Stall(SOON_US);
		c = com1_read();
	}
	return c;
}

uint32_t key_poll(void)
{
	EFI_INPUT_KEY key;
	if (ST->ConIn && !EFI_ERROR(ST->ConIn->ReadKeyStroke(ST->ConIn, &key))) {
		static const uint16_t scan[] = {
			[SCAN_UP] = KEY_UP, [SCAN_DOWN] = KEY_DOWN, [SCAN_LEFT] = KEY_LEFT, [SCAN_RIGHT] = KEY_RIGHT,
			[SCAN_HOME] = KEY_HOME, [SCAN_END] = KEY_END, [SCAN_DELETE] = KEY_DELETE,
			[SCAN_ESC] = KEY_ESCAPE,
		};
		if (key.UnicodeChar)
			return key.UnicodeChar < 0x80 ? key.UnicodeChar : 0;
		return key.ScanCode < ARRAY_LEN(scan) ? scan[key.ScanCode] : 0;
	}
	int c = com1_is_ours ? com1_read() : -1;
	return c > 0 ? key_of_terminal((uint8_t)c, com1_soon) : 0;
}

void fail(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	say("\nSkerry cannot start: ");
	say_args(format, args);
	va_end(args);
	say("\nPress a key to return to the firmware.\n");
	while (!key_poll())
		BS->Stall(KEY_POLL_US);
	pages_free_all();
	BS->Exit(loader_image, EFI_LOAD_ERROR, 0, NULL);
	for (;;)
		__asm__ volatile("hlt");
}
