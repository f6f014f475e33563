/*
 * offsets: numbers that entry.S shares with C; cpu.c asserts each against the structs.
 */
#pragma once

#define PC_CURRENT   8
#define PC_KSTACK    16
#define PC_USER_RSP  24
#define PC_WORK      32
#define PC_ENTRIES   64
#define PC_HANDLERS  1088

/* struct regs, which is also the start of struct thread */
#define R_R15 0
#define R_R14 8
#define R_R13 16
#define R_R12 24
#define R_RBP 32
#define R_RBX 40
#define R_R11 48
#define R_R10 56
#define R_R9  64
#define R_R8  72
#define R_RAX 80
#define R_RCX 88
#define R_RDX 96
#define R_RSI 104
#define R_RDI 112
#define R_VECTOR 120
#define R_ERROR  128
#define R_RIP    136
#define R_CS     144
#define R_RFLAGS 152
#define R_RSP    160
#define R_SS     168
#define R_SIZE   176

#define SEL_KCODE 0x08
#define SEL_KDATA 0x10
#define SEL_UDATA 0x1b      /* SYSRET: SS = STAR[63:48] + 8, CS = STAR[63:48] + 16 */
#define SEL_UCODE 0x23
#define SEL_TSS   0x28

#define REGS_VECTOR_SYSCALL 0x100
#define IST_STACK_SIZE 8192
