/*
 * file: constants and records of the file operations (abi/proto/file.txt).
 */
#pragma once
#include <abi/types.h>

enum open_flags { OPEN_READ = 1, OPEN_WRITE = 2, OPEN_DIRECTORY = 4, OPEN_CREATE = 8, OPEN_EXCL = 16, OPEN_TRUNC = 32, OPEN_APPEND = 64 };
enum file_type { FILE_REGULAR = 1, FILE_DIRECTORY = 2, FILE_STREAM = 3, FILE_LINK = 4, FILE_DEVICE = 5 };
enum write_flags { WRITE_APPEND = 1 };
enum unlink_flags { UNLINK_DIR = 1 };
enum poll_events { POLL_IN = 1, POLL_OUT = 2, POLL_HUP = 4 };

#define NAME_MAX_BYTES 255

/* READDIR's entries: 8-byte aligned, name zero-terminated; `size` leads to the next. */
struct dirent {
	uint64_t ino;
	uint64_t file_size;
	uint16_t size;              /* of this record */
	uint8_t  type;              /* enum file_type */
	uint8_t  name_len;
	char     name[];
};

/* CTL codes that several services share. */
enum ctl_code {
	CTL_TTY_GET_MODE = 1,       /* -> value0: enum tty_mode bits */
	CTL_TTY_SET_MODE = 2,       /* arg0: bits */
	CTL_TTY_GET_SIZE = 3,       /* -> columns, rows, and the column of the cursor, from 0; 0 also where that is not known */
	CTL_TTY_SIGNAL = 4,         /* handle[0]: Notify (RIGHT_SIGNAL); arg0: bit set on Ctrl-C, arg1: 0 or 1 + bit set on Ctrl-Z, arg2: the same for a new size, arg3: for the end (a pseudo-terminal has hung up); no handle: no more */
	CTL_TTY_SET_SIZE = 5,       /* arg0, arg1: columns, rows, 1..TTY_SIZE_MAX; needs RIGHT_READ */
	CTL_TTY_PTY = 6,            /* a Session of tty://pty gets a place (ERR_LIMIT: none is left). arg0: enum tty_pty -> value0: N of tty://pty/N */
	CTL_TTY_RESET = 7,          /* what a program that died has left on the screen's terminals is undone (modes, colours, alternate screen); text stays. Needs RIGHT_WRITE */
	CTL_SVC_STOP = 16, CTL_SVC_START = 17, CTL_SVC_RESTART = 18, CTL_SVC_KILL = 19,   /* svc://NAME */
	CTL_SVC_POWEROFF = 20, CTL_SVC_REBOOT = 21,                                      /* svc:// */
	/*
	 * From who has the handle "devices" only. arg0: place | vendor << 16 | device << 32, arg1: class; handle[0]: a Session to it, for
	 * its driver. ERR_NOT_FOUND: nobody wants it. GONE: arg0: place; answered when its driver has ended.
	 */
	CTL_SVC_DEVICE = 22, CTL_SVC_DEVICE_GONE = 23,
	CTL_PROC_KILL = 32,         /* proc://PID */
	CTL_TRACE = 33,             /* proc://trace: arg0: enum trace_what, arg1: pid; what it turns on goes off with the Session */
	CTL_TRACE_READ = 34,        /* arg0: number of the first record wanted; out: struct trace_record[] -> how many, number of the first */
	CTL_TIME_GET = 48,          /* time://: -> value0: Unix time in ns less clock_now (i64), value1: enum time_source */
	CTL_TIME_SET = 49,          /* arg0: the same from now on, written to the clock chip, too; needs RIGHT_WRITE */
	CTL_TIME_ALARM = 50,        /* handle[0]: Notify (RIGHT_SIGNAL, DUP, TRANSFER); arg0: Unix time in ns (i64), arg1: bit. One a Session; no handle: no more */
	CTL_ACPI_OFF = 80, CTL_ACPI_REBOOT = 81,        /* acpi://, on initd's own Session only; an answer means: it did not work */
	CTL_ACPI_IRQ = 82,          /* arg0: bus << 8 | device << 3, arg1: pin 1..4 -> value0: GSI, value1: IRQ_LEVEL | IRQ_ACTIVE_LOW */
	/*
	 * For who looks after slots of PCI; acpi:// opened with OPEN_WRITE | OPEN_DIRECTORY. SLOTS asks the firmware for those of PCI Express:
	 * value0: 1: given, 0: they stay its own. ERR_NOT_SUPPORTED: no AML runs. ERR_NOT_FOUND, ERR_BAD_FORMAT: no answer to that.
	 */
	CTL_ACPI_SLOTS = 83,
	/*
	 * arg0: number of the last event that was acted on -> value0: number of the next, value1: kind << 16 | bus << 8 | device << 3 |
	 * function; waits for one. Kinds are Notify's (ACPI 6.5 §5.6.6): 0 a bus is to be looked at (0xffff: all), 1 a device, 3 one is to leave.
	 * ERR_CANCELLED: another asks.
	 */
	CTL_ACPI_SLOT_NEXT = 84,
	CTL_ACPI_EJECT = 87,        /* arg0: bus << 8 | device << 3: nobody uses it any more. ERR_NOT_FOUND: no slot of the firmware's */
};
/* Who said what time it is. */
enum time_source { TIME_UNSET, TIME_RTC, TIME_FIRMWARE, TIME_SET };
/* The Session of acpi:// that initd makes for itself; acpid opens none with this badge. */
#define ACPI_BADGE_SUPERVISOR 1
enum tty_mode {
	TTY_CANONICAL = 1, TTY_ECHO = 2, TTY_SIGNALS = 4, TTY_CR_TO_NL = 8, TTY_NL_TO_CRNL = 16,
	TTY_FLOW = 32,              /* Ctrl-S stops output, Ctrl-Q lets it go on */
	TTY_SUSPEND = 64,           /* with TTY_SIGNALS: Ctrl-Z is a signal, too */
	TTY_DEFAULT = 63, TTY_MODES = 127,
};
enum { TTY_SIZE_MAX = 9999 };
/* Who may open a pseudo-terminal's other side: whoever has the master's Session, by its path "slave"; with NAMED also by URI whoever has tty://. */
enum tty_pty { TTY_PTY_PRIVATE, TTY_PTY_NAMED };
