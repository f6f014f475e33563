/*
 * reason: see reason.h.
 */
#include "reason.h"
#include <stdio.h>

/* Intel SDM vol. 3A, table 6-1. */
static const char *exception_name(int64_t vector)
{
	static const char *const names[] = {
		"divide error", "debug exception", "NMI", "breakpoint", "overflow", "bound range exceeded", "invalid opcode",
		"no coprocessor", "double fault", NULL, "invalid TSS", "segment not present", "stack fault",
		"general protection fault", "page fault", NULL, "x87 error", "alignment check", "machine check", "SIMD error",
	};
	return vector >= 0 && (size_t)vector < ARRAY_LEN(names) && names[vector] ? names[vector] : "exception";
}

void reason_text(char *buf, size_t size, const struct process_info *info)
{
	switch (info->exit_kind) {
	case EXIT_NORMAL:
		snprintf(buf, size, "exited with status %lld", (long long)info->exit_status);
		break;
	case EXIT_KILLED:
		snprintf(buf, size, "%s", info->exit_status == KILL_HEARTBEAT ? "killed: no heartbeat" : "killed");
		break;
	case EXIT_FAULT:
		snprintf(buf, size, "%s (%lld) at 0x%llx, rip 0x%llx", exception_name(info->exit_status),
		         (long long)info->exit_status, (unsigned long long)info->fault_address,
		         (unsigned long long)info->fault_rip);
		break;
	default:
		snprintf(buf, size, "running");
	}
}

bool reason_is_fault(const struct process_info *info)
{
	return info->exit_kind == EXIT_NORMAL || info->exit_kind == EXIT_FAULT
	       || (info->exit_kind == EXIT_KILLED && info->exit_status == KILL_HEARTBEAT);
}
