/*
 * details: what svc://NAME says of a service beyond its manifest and figures. Only the kernel is asked, never a service.
 */
#pragma once
#include "service.h"

/* Keeps in s where the process that has just ended was, and says it in the log. */
void details_note(struct service *s, handle_t ended);
/* Lines of the last end that left a trace; of what runs. Both return their length. */
size_t details_death(const struct service *s, char *buf, size_t room);
size_t details_live(const struct service *s, char *buf, size_t room);
