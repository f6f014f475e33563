/*
 * brief: what fastpath.S calls, with all registers of the current thread saved that C may change.
 */
#pragma once
#include <kernel/ipc.h>
#include <kernel/usercopy.h>

/* `extra` of a command whose path lies in its caller's own room and that has nothing else to drop: it may go the short way back. */
#define COMMAND_BRIEF 2
/* Submitted, with nothing but words and windows. */
#define COMMAND_SUBMITTED 4

/*
 * A call with IPC_PATH or IPC_PATH | IPC_URI, no handles, no deadline: copies the path to the thread's room and finds the
 * Session (borrowed) and the rights that the handle gives; what the server is to see in r15 is left in command->meta.
 * NULL: the long way.
 */
struct brief_target { struct session *session; uint64_t rights; };
struct brief_target brief_path(struct thread *t);
/*
 * return_accept without handles: a command that may be answered the short way, with its Port locked, and the Session
 * that the answer mints in its caller's table. NULL: the long way.
 */
struct brief_answer { struct command *command; uint64_t handle; };
struct brief_answer brief_return(struct thread *t);
/* submit of words and windows to a thread that waits. False: the long way. */
bool brief_submit(struct thread *t);
/* cmd_read and cmd_write of the command that the thread accepted last, within a page: bytes copied; < 0: the long way. */
int64_t brief_cmd_read(cmd_id_t id, uint64_t offset, uint64_t user, uint64_t len);
int64_t brief_cmd_write(cmd_id_t id, uint64_t offset, uint64_t user, uint64_t len);
