/*
 * source: where unpredictable bits come from on this machine.
 */
#pragma once
#include "drbg.h"
#include <abi/boot.h>

/* How many bits each source was believed to give, for the log. */
struct sources { uint32_t firmware, processor, jitter; };

/* What the firmware's generator gave to the loader, and the clock it showed. boot: 0 or a Frame with struct boot_info. */
void source_firmware(struct pool *p, handle_t boot, struct sources *s);
/* RDSEED, else RDRAND, where CPUID has them. */
void source_processor(struct pool *p, struct sources *s);
/* Small differences in how long the same work takes. */
void source_jitter(struct pool *p, struct sources *s);
/* What is no secret but tells this moment and this instance from all others. No credit. */
void source_identity(struct pool *p, uint64_t instance);
