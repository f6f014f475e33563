/*
 * firmware: see firmware.h. A call waits for the next acpid if this one dies (docs/ipc.md), and acpid is below us.
 */
#include "firmware.h"
#include <abi/file.h>
#include <rt/file.h>

static handle_t acpi;

/* ERR_GONE: nobody serves acpi://. */
static status_t ask(uint32_t code, uint64_t arg0, uint64_t arg1, uint64_t values[3])
{
	const uint64_t args[4] = { arg0, arg1 };
	status_t st = OK;

	for (unsigned tries = 0; tries < 2; tries++) {
		if (!acpi)
			st = file_open("acpi://", OPEN_READ | OPEN_DIRECTORY, &acpi);
		if (st < 0)
			return ERR_GONE;
		st = file_ctl(acpi, code, args, 0, values);
		if (st != ERR_GONE && st != ERR_BAD_HANDLE)
			return st;
		handle_close(acpi);
		acpi = 0;
	}
	return ERR_GONE;
}

status_t firmware_line(void *ctx unused, uint32_t bus, uint32_t device, uint32_t pin, struct pin_line *line)
{
	uint64_t values[3];
	status_t st = ask(CTL_ACPI_IRQ, bus << 8 | device << 3, pin, values);

	if (st == OK)
		*line = (struct pin_line){ (uint32_t)values[0], (uint32_t)values[1] };
	return st;
}
