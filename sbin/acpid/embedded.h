/*
 * embedded: the embedded controller as ACPICA and the tables see it (embedded.c); ec.c speaks to it. For machine.c, and for the loop.
 */
#pragma once
#include "ec.h"

/* Both with ACPI switched on. The first before any device is initialized: an ECDT's controller answers from then on. kept: by the caller, across instances. */
void embedded_begin(struct ec_kept *kept);
/* And all devices are initialized: finds the controller in the namespace; _REG runs. */
void embedded_find(void);
/* What it has to tell is heard from now on, and what an earlier instance was told and did not get done is done again: devices have their handlers. */
void embedded_listen(void);
/* All that was put off is done. */
void embedded_settled(void);
/* The loop has been at its Port. */
void embedded_rest(void);
/* It does not answer, and the log was told. */
must_use bool embedded_out(void);
/* Which one, and how it is, in words for people. Returns text. */
const char *embedded_text(char *text, size_t room);
