/*
 * mark: tells the counting plugin (tests/bench/insncount.c) where a case begins and ends.
 */
#pragma once

#define MARK(id) asm volatile(".byte 0x0f, 0x1f, 0x80, " #id ", 0x00, 0x52, 0x4b" ::: "memory")
#define MARK_BEGIN() MARK(0x01)
#define MARK_END()   MARK(0x02)
/* In between, where only parts count: from GO to STOP. A case with one of them has nothing else counted. */
#define MARK_GO()    MARK(0x03)
#define MARK_STOP()  MARK(0x04)
