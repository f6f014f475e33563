/*
 * firmware: see firmware.h. A call waits for the next acpid if this one dies (docs/ipc.md), and acpid is below us.
 */
#include "firmware.h"
#include <abi/file.h>
#include <gen/file.h>
#include <rt/file.h>

/* ERR_GONE: nobody serves acpi://. It is asked too seldom to keep the Session. */
static status_t ask(uint32_t code, uint64_t arg0, uint64_t arg1, uint64_t values[3])
{
	const uint64_t args[4] = { arg0, arg1 };
	handle_t acpi;

	if (file_open("acpi://", OPEN_READ | OPEN_WRITE | OPEN_DIRECTORY, &acpi) < 0)
		return ERR_GONE;
	status_t st = file_ctl(acpi, code, args, 0, values);
	file_close(acpi);
	return st;
}

status_t firmware_line(void *ctx unused, uint32_t bus, uint32_t device, uint32_t pin, struct pin_line *line)
{
	uint64_t values[3];
	status_t st = ask(CTL_ACPI_IRQ, bus << 8 | device << 3, pin, values);

	if (st == OK)
		*line = (struct pin_line){ (uint32_t)values[0], (uint32_t)values[1] };
	return st;
}

status_t firmware_gives_slots(bool *ours)
{
	uint64_t values[3];
	status_t st = ask(CTL_ACPI_SLOTS, 0, 0, values);

	if (st == OK)
		*ours = values[0] == 1;
	return st;
}

status_t firmware_eject(uint16_t at)
{
	return ask(CTL_ACPI_EJECT, at, 0, NULL);
}

/* On a Session of its own, so that what is waited for is not in the way. */
static handle_t events;
static bool listening;

bool firmware_listens(void)
{
	return listening;
}

status_t firmware_listen(handle_t port, uint64_t token, uint64_t seen)
{
	static struct msg m;

	if (!events && file_open("acpi://", OPEN_READ | OPEN_WRITE | OPEN_DIRECTORY, &events) < 0)
		return ERR_GONE;
	m = (struct msg){ 0 };
	file_ctl_ask(&m, &(struct file_ctl_req){ .code = CTL_ACPI_SLOT_NEXT, .arg0 = seen });
	status_t st = ipc_submit(events, &m, port, token);
	listening = st == OK;
	if (st < 0 && st != ERR_AGAIN) {
		handle_close(events);
		events = 0;
	}
	return st;
}

status_t firmware_heard(const struct event *e, uint64_t *seen, uint16_t *at, uint32_t *kind)
{
	listening = false;
	if (e->status < 0 && e->status != ERR_CANCELLED) {
		handle_close(events);
		events = 0;
	}
	if (e->status < 0)
		return e->status;
	*seen = e->w[0];
	*at = (uint16_t)e->w[1];
	*kind = (uint32_t)(e->w[1] >> 16);
	return OK;
}
