/*
 * cpu: descriptor tables, features and vector state of the processors.
 */
#pragma once
#include <kernel/percpu.h>
#include <kernel/regs.h>

struct cpu_features { bool smep, smap, umip, fsgsbase, nx, gb_pages, pge, pat, xsave, x2apic; uint32_t xsave_size; uint64_t xcr0; };
extern struct cpu_features cpu_features;

void cpu_early_init(void);      /* the boot CPU: GDT, TSS, IDT, percpu; exceptions work after it */
void cpu_protect_init(void);    /* CR0/CR4/EFER bits, SYSCALL MSRs, SMAP patches; before the final tables */
void cpu_stack_init(void);      /* the boot CPU's stack, once the final tables are there */
struct percpu *cpu_create(uint32_t apic_id);    /* of another CPU, the next in number. NULL: no memory */
void cpu_begin(struct percpu *c);       /* that CPU: its descriptor tables, control registers, the kernel's page tables */
noreturn void cpu_idle(void);            /* never returns; waits for interrupts and runs what becomes ready */
void cpu_no_longer_idle(void);           /* an interrupt came */

/* fpu.c: vector state is switched eagerly for threads that ever used it (CVE-2018-3665). */
void fpu_init(void);
status_t fpu_first_use(struct thread *t);       /* #NM */
void fpu_save(struct thread *t);         /* it has an area */
void fpu_load(struct thread *t);         /* its state, or none and #NM again */
void fpu_free(struct thread *t);

void arch_leave_vmem(struct vmem *vm);          /* this CPU must not hold its tables any more */
void arch_switch_to(struct thread *t);          /* TSS, CR3, FS/GS bases */
void arch_hand_over(struct thread *from, struct thread *to);    /* arch_save_bases, then arch_switch_to; inline everywhere */
void arch_save_bases(struct thread *t);
void arch_load_bases(struct thread *t);

noreturn void user_restore(struct regs *r);
noreturn void stack_reset_call(void (*fn)(void));
