/*
 * start: the page a process finds at rdi when it begins: arguments, environment and named handles.
 * Whoever executes the program lays it out; offsets count bytes from the start of the page.
 */
#pragma once
#include <abi/types.h>

#define START_MAGIC   0x5452415453ull   /* "START" */
#define START_PAGE_MAX (64 * KiB)
#define START_HANDLE_NAME 20

/*
 * Names in use: "stdin" "stdout" "stderr" (Sessions), "cwd" none yet;
 * services: "port" (the Port they serve), "state" (state Frame), "res:NAME" (Resource slices), "boot"
 * (Frame with struct boot_info), "self" (own process), "shelf".
 */
struct start_handle {
	char     name[START_HANDLE_NAME];
	handle_t handle;
};

struct start_info {
	uint64_t magic;             /* START_MAGIC */
	uint32_t size;              /* bytes in use, with all strings */
	uint32_t argc, envc;
	uint32_t n_handles;
	uint32_t argv;              /* offset of uint32_t[argc], each the offset of a string */
	uint32_t envp;              /* offset of uint32_t[envc] */
	uint32_t handles;           /* offset of struct start_handle[n_handles] */
	uint32_t reserved;
	uint64_t image_base;        /* where the program's link address 0 is */
	uint64_t stack_low, stack_high;
};
