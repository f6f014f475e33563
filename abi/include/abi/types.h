/*
 * types: what every part of Skerry calls the same thing. Freestanding; included by the
 * loader, the kernel, every program and the host tests.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef int64_t  status_t;     /* 0 or positive: done; negative: one of gen/errors.h */
typedef uint32_t handle_t;     /* 0 is never valid */
typedef uint64_t cmd_id_t;     /* names one accepted command, once; 0 is never valid */

#define OK 0

#define must_use        __attribute__((warn_unused_result))
#define packed          __attribute__((packed))
#define aligned(n)      __attribute__((aligned(n)))
#define noreturn        __attribute__((noreturn))
#define unused          __attribute__((unused))
#define noinline        __attribute__((noinline))
/* All but R11: cheap to call from where it is seldom done. Returns nothing, unless it is assembly code: the compiler restores RAX, too. */
#define keeps_registers __attribute__((preserve_most))
#define always_inline   static inline __attribute__((always_inline))
#define printf_like(f, a) __attribute__((format(printf, f, a)))
#define likely(x)       __builtin_expect(!!(x), 1)
#define unlikely(x)     __builtin_expect(!!(x), 0)

#define ARRAY_LEN(a)    (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)       ((a) < (b) ? (a) : (b))
#define MAX(a, b)       ((a) > (b) ? (a) : (b))
#define ALIGN_DOWN(x, n) ((x) & ~((__typeof__(x))(n) - 1))
#define ALIGN_UP(x, n)   ALIGN_DOWN((x) + ((__typeof__(x))(n) - 1), n)
#define CONTAINER_OF(p, type, field) ((type *)((char *)(p) - offsetof(type, field)))

#define PAGE_SIZE  4096ul
#define PAGE_SHIFT 12
#define KiB (1ul << 10)
#define MiB (1ul << 20)
#define GiB (1ul << 30)

#define NS_PER_SEC 1000000000ull
#define NS_PER_MS  1000000ull
#define NS_PER_US  1000ull
#define FOREVER    UINT64_MAX   /* the deadline that never comes */
