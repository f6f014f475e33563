/*
 * ubsan: what clang's -fsanitize=undefined calls when the C standard stops saying what happens (LLVM, compiler-rt/lib/ubsan/
 * ubsan_handlers.h). Each names the file and the line, and what the values were.
 */
#include <kernel/panic.h>

struct place { const char *file; uint32_t line, column; };
struct type { uint16_t kind, info; char name[]; };      /* kind 0: an integer; info: bit 0 signed, the rest log2 of its bits */

static noreturn void undefined(const struct place *at, const char *what, uint64_t a, uint64_t b)
{
	panic("UBSAN: %s at %s:%u: 0x%lx, 0x%lx", what, at->file, at->line, (unsigned long)a, (unsigned long)b);
}

/* All data begins with the place. */
#define HANDLER(name, what) \
	void __ubsan_handle_##name(const struct place *at, uint64_t a, uint64_t b); \
	void __ubsan_handle_##name(const struct place *at, uint64_t a, uint64_t b) { undefined(at, what, a, b); }
#define HANDLER1(name, what) \
	void __ubsan_handle_##name(const struct place *at, uint64_t a); \
	void __ubsan_handle_##name(const struct place *at, uint64_t a) { undefined(at, what, a, 0); }
#define HANDLER0(name, what) \
	void __ubsan_handle_##name(const struct place *at); \
	void __ubsan_handle_##name(const struct place *at) { undefined(at, what, 0, 0); }

HANDLER(add_overflow, "overflow of +") HANDLER(sub_overflow, "overflow of -") HANDLER(mul_overflow, "overflow of *")
HANDLER(divrem_overflow, "division") HANDLER(shift_out_of_bounds, "shift") HANDLER(pointer_overflow, "overflow of a pointer")
HANDLER1(negate_overflow, "overflow of unary -") HANDLER1(out_of_bounds, "index out of bounds")
HANDLER1(load_invalid_value, "value that its type does not have") HANDLER1(vla_bound_not_positive, "array of no size")
HANDLER0(builtin_unreachable, "unreachable code") HANDLER0(missing_return, "missing return") HANDLER0(nonnull_arg, "NULL argument")
HANDLER0(invalid_builtin, "zero for a bit scan")

struct mismatch { struct place at; const struct type *type; uint8_t log_alignment, check; };
void __ubsan_handle_type_mismatch_v1(const struct mismatch *m, uint64_t p);
void __ubsan_handle_type_mismatch_v1(const struct mismatch *m, uint64_t p)
{
	undefined(&m->at, !p ? "NULL pointer" : p & ((1ull << m->log_alignment) - 1) ? "misaligned pointer" : "object too small", p,
		1ull << m->log_alignment);
}
void __ubsan_handle_nonnull_return_v1(const void *data, const struct place *at);
void __ubsan_handle_nonnull_return_v1(const void *data, const struct place *at)
{
	(void)data;
	undefined(at, "NULL returned", 0, 0);
}
