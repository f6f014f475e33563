/*
 * machine: what ACPI knows of this machine and does to it, in words of our own: nothing outside of machine.c and osl.c sees ACPICA.
 */
#pragma once
#include "ec.h"
#include "route.h"
#include "slots.h"
#include "tables.h"

enum machine_event { MACHINE_POWER_BUTTON, MACHINE_SLEEP_BUTTON, MACHINE_LID };
/* General purpose events (ACPI 6.5 §4.8.4.1) whose methods are under way, a bit each; and those of the embedded controller. */
struct machine_gpes { uint64_t bits[4], enabled[4] /* at any time so far */; struct ec_kept embedded; };

typedef void machine_heard(enum machine_event e);

/*
 * Finds the tables; no AML is run. ssdts: whether the SSDTs are among them; without, a machine has its DSDT, and so its switch.
 * ERR_NOT_FOUND, ERR_BAD_FORMAT: there are none that could be used.
 */
must_use status_t machine_tables(bool ssdts);
/*
 * Loads the namespace, enters ACPI mode, switches events on. `again`: an instance before this one had; `cleared`: the loader has
 * cleared the power button's status and enabled it. In either case a press that nobody has heard is reported. ERR_BAD_FORMAT: the tables
 * do not allow it; what needs no AML still works. gpes: kept by the caller across instances;
 * those that are in it have been cleared in the hardware, and what they tell was perhaps not heard: their methods are run again.
 */
must_use status_t machine_begin(machine_heard *heard, bool again, bool cleared, struct machine_gpes *gpes);
/* All that was put off is done: what general purpose events and the embedded controller had to tell has been heard. */
void machine_settled(void);
/* All tables, in the order of the XSDT; DSDT and FACS follow the FADT, which names them. */
const struct tables *machine_table_list(void);
/* Interrupt routing, made at its first use; empty without AML. */
const struct routes *machine_routes(void);
/*
 * Whether the slots of PCI Express ports are the operating system's to look after; the firmware is asked for that, each time.
 * ERR_NOT_SUPPORTED: no AML runs. ERR_NOT_FOUND: it has no word for it. ERR_BAD_FORMAT: none that makes sense. *ours is false then.
 */
must_use status_t machine_slots(bool *ours);
/* From now on what the firmware says of the slots that it looks after is told; before that nothing is. */
typedef void machine_slot_heard(uint16_t at, enum slot_kind kind);
void machine_hear_slots(machine_slot_heard *heard);
/* What is at `at`, all its functions, leaves its slot: nobody uses it any more. ERR_NOT_FOUND: the firmware has no slot there. ERR_IO. */
must_use status_t machine_eject(uint16_t at);
/* Text for people. aml: what of AML runs, or why none. Returns its length. */
size_t machine_summary(char *buf, size_t room, const char *aml);
/* Both return only if the machine did not follow: ERR_NOT_SUPPORTED, ERR_IO. */
must_use status_t machine_off(void);
must_use status_t machine_reset(void);
