/*
 * message: the Irqs of messages (MSI, MSI-X). A message has one, however often it is asked for, so that a driver that asks and forgets does
 * not use up the vectors, of which the machine has few. It lies on the shelf until its function has been stopped, whoever dies meanwhile.
 */
#pragma once
#include "line.h"

enum { MESSAGES_MAX = 176 /* no machine has more vectors for devices */, MESSAGES_EACH = 64, MESSAGE_SLOT = LINE_USERS_MAX /* the first on the shelf */ };

/* In the state Frame. `sum` is written last and erased first; 0: free. */
struct message_record { uint64_t sum, address; uint32_t data; uint16_t at, number; };

/* Borrowed for ever. records: MESSAGES_MAX of them; the Irq of each is in the slot of the same number from MESSAGE_SLOT on. */
void message_begin(const struct state *state, struct message_record *records, handle_t dma);
/* *irq is the caller's. The function sends it by writing `data` to `address`. ERR_NO_SPACE: there are no more vectors, or it has MESSAGES_EACH. */
must_use status_t message_irq(uint16_t at, uint32_t number, handle_t *irq, uint64_t *address, uint32_t *data);
/* The function sends none any more. */
void message_drop(uint16_t at);
/* Whether what lies in that slot of the shelf is one's. */
bool message_recorded(uint32_t slot);
