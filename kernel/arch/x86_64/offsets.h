/*
 * offsets: numbers that entry.S shares with C; cpu.c asserts each against the structs.
 */
#pragma once

#define PC_CURRENT   8
#define PC_KSTACK    16
#define PC_USER_RSP  24
#define PC_WORK      32
#define PC_CPU       36
#define PC_VMEM      40
#define PC_ACCEPTED  48
#define PC_RUN_TOP   56
#define PC_ENTRIES   64
#define PC_HANDLERS  1088
#define PC_RSP0      2120
#define PC_FPU_ON    2264
#define PC_CALLS     2224           /* ways[CALL_SHORT] */
#define PC_RETURNS   2240           /* ways[RETURN_SHORT] */

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

/* struct thread */
#define T_PROCESS    176
#define T_TABLE      184
#define T_VMEM       192
#define T_COMMAND    200
#define T_SERVING    208
#define T_FS         216
#define T_GS         224
#define T_WAIT_PORT  232
#define T_RUN        240
#define T_STATE      256    /* and wait, stranger, on_cpu in the next bytes */
#define T_WAIT       257
#define T_ON_CPU     259    /* and special in the next byte */
#define T_SPECIAL    260
#define T_PRIORITY   262
#define T_BASE_PRIORITY 263
#define T_WAITED     264
#define T_STEPS      268
#define T_AFFINITY   520
#define T_SHORT_PATH 528
#define T_UPCALL     624
#define T_UPCALL_ENTRY 632
#define T_UPCALL_STACK 640

/* struct upcall_record */
#define U_RIP        0
#define U_RFLAGS     8
#define U_RSP        16
#define U_DEPTH      24

/* struct table, struct handle_entry (24 bytes, 64 in a chunk) */
#define TB_SLOTS     44
#define TB_CHUNKS    72
#define E_OBJECT     0
#define E_RIGHTS     8
#define E_KEY        12
#define TYPE_PORT    5
#define TYPE_SESSION 6

/* struct session, port, command, vmem */
#define S_PORT       40
#define S_BADGE      48
#define S_RIGHTS     56
#define S_IN_FLIGHT  60
#define S_CLOSING    64
#define O_REFS       8
#define P_LOCK       40
#define P_DEAD       41
#define P_PENDING    48
#define P_SEQ        56
#define P_WAITERS    64
#define P_LEVEL      80
#define P_RESERVE    136
#define P_ACCEPTOR   176
#define P_EXCLUSIVE  185
#define P_SERVER     192
#define P_N_BEFORE   236
#define PR_PID       40
#define PR_LEVEL     48
#define PR_ACCEPTS   360
#define SPECIAL_FPU_BIT 64       /* neither is a value of on_cpu or session.closing */
#define SPECIAL_PINNED_BIT 128
#define WORK_PAGE_BIT    16
#define CR0_TS_BIT   8
#define C_ID         0
#define C_STATE      8      /* and C_EXTRA in the next byte */
#define C_SESSION    16
#define C_CALLER     24
#define C_SERVER     32
#define C_OP_ID      40
#define C_SEQ        48
#define C_NODE       56
#define C_RIGHTS     132
#define C_PATH       160
#define C_COMPLETION 216
#define C_TOKEN      224
#define C_META       248
#define V_ROOT       48
#define V_CPUS       56

#define SEL_KCODE 0x08
#define SEL_KDATA 0x10
#define SEL_UDATA 0x1b      /* SYSRET: SS = STAR[63:48] + 8, CS = STAR[63:48] + 16 */
#define SEL_UCODE 0x23
#define SEL_TSS   0x28

#define REGS_VECTOR_SYSCALL 0x100
#define META_LONG 0xfe00001000000000     /* of IPC_META: flags, or a window of 1 MiB and more */
#define IST_STACK_SIZE 8192
