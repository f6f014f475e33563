/*
 * machine: what ACPI knows of this machine and does to it, in words of our own: nothing outside of machine.c and osl.c sees ACPICA.
 */
#pragma once
#include "route.h"
#include "tables.h"

enum machine_event { MACHINE_POWER_BUTTON, MACHINE_SLEEP_BUTTON, MACHINE_LID };
typedef void machine_heard(enum machine_event e);

/*
 * Finds the tables; no AML is run. ssdts: whether the SSDTs are among them; without, a machine has its DSDT, and so its switch.
 * ERR_NOT_FOUND, ERR_BAD_FORMAT: there are none that could be used.
 */
must_use status_t machine_tables(bool ssdts);
/*
 * Loads the namespace, enters ACPI mode, switches events on. `again`: an instance before this one had, so a press that nobody has
 * heard is reported. ERR_BAD_FORMAT: the tables do not allow it; what needs no AML still works.
 */
must_use status_t machine_begin(machine_heard *heard, bool again);
/* All tables, in the order of the XSDT; DSDT and FACS follow the FADT, which names them. */
const struct tables *machine_table_list(void);
/* Interrupt routing, made at its first use; empty without AML. */
const struct routes *machine_routes(void);
/* Text for people. aml: what of AML runs, or why none. Returns its length. */
size_t machine_summary(char *buf, size_t room, const char *aml);
/* Both return only if the machine did not follow: ERR_NOT_SUPPORTED, ERR_IO. */
must_use status_t machine_off(void);
must_use status_t machine_reset(void);
