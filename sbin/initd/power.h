/*
 * power: switching the machine off and resetting it. Both return only if it did not work.
 */
#pragma once
#include <abi/types.h>

/* root: the root Resource, boot: the Frame with struct boot_info; both borrowed for ever. */
void power_init(handle_t root, handle_t boot);
void power_off(void);
/* By the FADT's register, the chip set, the keyboard controller, and at last the processor itself; `reset=` names the first one to try. */
void power_reset(void);
/* Whether acpid is to do it first. */
bool power_reset_asks_acpid(void);
/* A line to the first serial port, which has no driver any more. */
void power_say(const char *text);
#ifdef TEST_BUILD
/* Ends QEMU by its isa-debug-exit device; its status will be (code << 1) | 1. */
void power_exit_emulator(uint32_t code);
#endif
