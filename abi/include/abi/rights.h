/*
 * rights: what a handle allows. A copy may have fewer bits, never more.
 */
#pragma once

enum rights {
	RIGHT_READ     = 1 << 0,    /* read content (Frame, file Session) */
	RIGHT_WRITE    = 1 << 1,    /* change content */
	RIGHT_EXEC     = 1 << 2,    /* map executable */
	RIGHT_MAP      = 1 << 3,    /* map a Frame; change a Vmem */
	RIGHT_DUP      = 1 << 4,    /* duplicate the handle */
	RIGHT_TRANSFER = 1 << 5,    /* pass it to another process */
	RIGHT_CALL     = 1 << 6,    /* Session: send commands */
	RIGHT_SERVE    = 1 << 7,    /* Port: accept and return commands */
	RIGHT_MANAGE   = 1 << 8,    /* kill a process, mint Sessions of a Port, bind in a Namespace, slice a Resource */
	RIGHT_INSPECT  = 1 << 9,    /* read an object's state */
	RIGHT_SIGNAL   = 1 << 10,   /* Notify: set bits */
	RIGHT_WAIT     = 1 << 11,   /* Notify: take bits, bind sources */
	RIGHT_ALL      = (1 << 12) - 1,
};
