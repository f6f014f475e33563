/*
 * osl: what ACPICA asks of its host, on Skerry (osl.c), and what the rest of acpid has to say to it. One thread: its locks
 * have nobody to keep out, and what it puts off runs from the service's loop.
 */
#pragma once
#include <abi/boot.h>
#include <rt/svc.h>

/* boot: kept. Notifications of the SCI, of work put off and of the end of a pause of the SCI's come under these badges of svc's Port. */
enum { OSL_BADGE_SCI = 1, OSL_BADGE_WORK = 2, OSL_BADGE_PAUSE = 3 };
void osl_init(struct svc *svc, const struct boot_info *boot);
/* The SCI has come; it comes again after osl_work has done all there is to do. */
void osl_interrupt(void);
/* OSL_BADGE_PAUSE has come. */
void osl_pause_over(void);
/*
 * An Irq for a line of the I/O APICs, masked until its first irq_ack; the caller's. flags: IRQ_LEVEL, IRQ_ACTIVE_LOW. ERR_EXISTS: it is the SCI.
 * ERR_DENIED: the manifest does not name it. ERR_BUSY: somebody has it. ERR_INVALID: there is none. ERR_NO_SPACE, ERR_NO_MEMORY.
 */
must_use status_t osl_line(uint32_t gsi, uint32_t flags, handle_t *irq);
/* Which interrupt it is, in words: "SCI 9 level high". Returns text. */
const char *osl_sci(char *text, size_t room);
/* Runs what was put off, a bounded part; false: there is more, and a notification under OSL_BADGE_WORK comes. */
bool osl_work(void);
/* Whether what ACPICA prints is left out of the log. */
void osl_quiet(bool quiet);
/* How many accesses were refused so far, to memory and to ports. */
uint32_t osl_refused(void);
/* The registers of power off were written, and it goes on all the same: that takes so long to show. */
#define OSL_OFF_NS (1000 * NS_PER_MS)
