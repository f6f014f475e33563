/*
 * irq: for drivers of lines that come back at once after their end.
 */
#pragma once
#include <abi/types.h>
#include <gen/errors.h>
#include <gen/syscalls.h>

/*
 * irq_create, patiently: the instance before may be on its way out and still hold the line. *patience: so many ms are waited at most,
 * and what was waited is taken off, for one who has several lines to take. ERR_BUSY: somebody else has it.
 */
must_use status_t irq_take(handle_t resource, uint32_t line, uint32_t flags, uint32_t *patience, handle_t *irq);
