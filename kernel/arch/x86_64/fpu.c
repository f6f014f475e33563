/*
 * fpu: x87, SSE and AVX state. A thread starts without: CR0.TS is set and its first vector
 * instruction raises #NM, which gives it a zeroed area. From then on its state is saved and
 * loaded at every switch, so nothing of one thread is ever left for another to see.
 * XCR0 policy: x87, SSE, AVX, AVX-512 as far as CPUID 0Dh has them; no MPX, no PKRU.
 */
#include "offsets.h"
#include <kernel/cpu.h>
#include <kernel/mm.h>
#include <kernel/process.h>
#include <kernel/budget.h>
#include <kernel/plant.h>
#include <kernel/x86.h>

enum { CR0_TS = CR0_TS_BIT };
#define XCR0_POLICY 0xe7ull     /* x87 SSE AVX, opmask ZMM_Hi256 Hi16_ZMM */

/* What a thread that owns vector state finds after a native call that went the short way: nothing (fastpath.S). */
struct { uint32_t fcw, fill[5], mxcsr, rest[121]; uint64_t header[8]; } fpu_initial aligned(64) = { .fcw = 0x37f, .mxcsr = 0x1f80 };
_Static_assert(sizeof(fpu_initial) == 576, "SDM 1 13.4: legacy region and header; XSTATE_BV 0 asks for the initial state of everything");

void fpu_init(void)
{
	struct cpu_features *f = &cpu_features;
	f->xsave_size = 512;
	if (!f->xsave)
		return;
	struct cpuid d = cpuid(0xd, 0);
	f->xcr0 = (((uint64_t)d.d << 32 | d.a) & XCR0_POLICY) | 3;
	if ((f->xcr0 & 0xe0) != 0xe0 || !(f->xcr0 & 4))
		f->xcr0 &= ~0xe0ull;
	asm volatile("xsetbv" :: "c"(0), "a"((uint32_t)f->xcr0), "d"((uint32_t)(f->xcr0 >> 32)));
	f->xsave_size = cpuid(0xd, 0).b;        /* size for the features now in XCR0 */
}

static void load(void *area)
{
	if (cpu_features.xsave)
		asm volatile("xrstor64 (%0)" :: "r"(area), "a"(-1), "d"(-1) : "memory");
	else
		asm volatile("fxrstor64 (%0)" :: "r"(area) : "memory");
}

static void save(void *area)
{
	if (cpu_features.xsave)
		asm volatile("xsave64 (%0)" :: "r"(area), "a"(PLANTED(no_ymm) ? 3 : -1), "d"(-1) : "memory");
	else
		asm volatile("fxsave64 (%0)" :: "r"(area) : "memory");
}

/* XSAVE areas are 64-byte aligned: kmalloc gives that for sizes that are multiples of 64 (mm.h). */
static size_t area_size(void)
{
	return ALIGN_UP((size_t)cpu_features.xsave_size, 64) + 64;
}

static void *area_of(struct thread *t)
{
	return (void *)ALIGN_UP((uint64_t)t->fpu, 64);
}

status_t fpu_first_use(struct thread *t)
{
	if (budget_charge(t->process->budget, CHARGE_KERNEL, area_size()) < 0)
		return ERR_NO_MEMORY;
	t->fpu = kmalloc(area_size());
	if (!t->fpu) {
		budget_release(t->process->budget, CHARGE_KERNEL, area_size());
		return ERR_NO_MEMORY;
	}
	thread_special_on(t, t->upcall ? SPECIAL_FPU | SPECIAL_KEEP : SPECIAL_FPU);
	uint8_t *area = area_of(t);
	*(uint16_t *)area = 0x37f;              /* FCW: all exceptions masked, 64-bit precision */
	*(uint32_t *)(area + 24) = 0x1f80;      /* MXCSR at reset (SDM 1 10.2.3) */
	if (cpu_features.xsave)
		*(uint64_t *)(area + 512) = 3;  /* XSTATE_BV: x87 and SSE come from the area, the rest initial */
	asm volatile("clts");
	this_cpu()->fpu_on = true;
	load(area);
	return OK;
}

noinline void fpu_save(struct thread *t)
{
	if (!PLANTED(no_fpu_save))
		save(area_of(t));
}

noinline void fpu_load(struct thread *t)
{
	struct percpu *c = this_cpu();
	if (t->fpu) {
		if (!c->fpu_on) {
			asm volatile("clts");
			c->fpu_on = true;
		}
		load(area_of(t));
	} else if (c->fpu_on) {
		write_cr0(read_cr0() | CR0_TS);
		c->fpu_on = false;
	}
}

void fpu_free(struct thread *t)
{
	if (!t->fpu)
		return;
	kfree(t->fpu, area_size());
	budget_release(t->process->budget, CHARGE_KERNEL, area_size());
	t->fpu = NULL;
}
