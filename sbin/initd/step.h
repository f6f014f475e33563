/*
 * step: test builds can end initd at any of its steps ("die N" written to svc://: at the N-th from then on, as a
 * kill would), so that tests reach every instant at which the next instance must be able to go on. Nothing in
 * the build that ships.
 */
#pragma once
#include "record.h"

#ifdef TEST_BUILD
void step(void);
/* info: a RES_INFO with RIGHT_MANAGE. Both borrowed for ever. */
void step_begin(struct records *records, handle_t info);
#else
static inline void step(void) { }
static inline void step_begin(struct records *records, handle_t info) { (void)records; (void)info; }
#endif
