/*
 * line: interrupts by line (INTx), of which several functions may share one. pcid has the line's Irq. When it comes, each function that says
 * it is the one (Interrupt Status) is kept from raising it further (Interrupt Disable) and its driver told; so the line is
 * let through again at once, and a driver that is slow, or dead, keeps nobody else waiting (PCI 3.0 §6.2.2, §6.2.3), but for the reset of its
 * function (reset.h), during which pcid does nothing else: a tenth of a second as a rule, two at most.
 */
#pragma once
#include "pin.h"
#include <rt/state.h>
#include <rt/svc.h>

enum { LINES_MAX = 32, LINE_USERS_MAX = 64 };

/* In the state Frame: who has which line. `word`, which is not 0 then, is written last and erased first. */
struct line_user { uint64_t word, at; };

/* All borrowed for ever. users: LINE_USERS_MAX of them; a user's Notify is in the slot of the same number of the shelf. */
struct line_keeper {
	const struct config *config;
	struct svc *svc;
	uint64_t first_badge;           /* of LINES_MAX: what svc is to hand to line_happened, less this */
	handle_t irqs;
	const struct state *state;
	struct line_user *users;
	const struct pci_function *list;
	const size_t *n;
};

/* Goes on with what the users' records say: each driver is told once, for its interrupt may have come while nobody was here. */
void line_begin(const struct line_keeper *keeper);
/*
 * User i has the interrupts of f on that line from now on, as `bit` of the Notify, of which it keeps a duplicate; what i had before is no
 * more. f's messages are off. ERR_NOT_SUPPORTED: the function cannot be kept from raising it. ERR_BUSY: the line is somebody else's. ERR_NO_SPACE.
 */
must_use status_t line_give(size_t i, const struct pci_function *f, struct pin_line line, handle_t notify, unsigned bit);
/* What was given to user i. False: nothing. */
must_use bool line_of(size_t i, struct pin_line *line);
/* User i has served its function, which may raise the line again. ERR_NOT_FOUND: it has no line. */
must_use status_t line_served(size_t i);
/* User i, if it is one, is none any more. Its function is silent. */
void line_drop(size_t i);
/* Whether what lies in that slot of the shelf is a user's. */
bool line_recorded(uint32_t slot);
/* The notification under first_badge + number came. */
void line_happened(uint64_t number);
