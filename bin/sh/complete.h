/*
 * complete: what Tab makes of the word before the cursor (pure). The first word of a command is a program's name, another one a URI: the name of
 * a scheme first, then what is in its directories.
 *
 *	complete_begin(&c, text, cursor)        false: nothing can be said here
 *	complete_offer(&c, name, type) ...      all names there are, as found in c.where
 *	n = complete_insert(&c, bytes, room)    what all that fit have in common beyond what was typed
 *	complete_list(&c, columns, text, room)  those that fit
 */
#pragma once
#include <abi/types.h>

enum complete_where { COMPLETE_PROGRAMS, COMPLETE_SCHEMES, COMPLETE_FOLDER };
enum { COMPLETE_WORD = 1024, COMPLETE_NAMES = 256, COMPLETE_BYTES = 8192 };

struct complete {
	enum complete_where where;
	char     folder[COMPLETE_WORD];         /* COMPLETE_FOLDER: its URI, with the last '/' */
	char     begun[COMPLETE_WORD];          /* what the names begin with */
	size_t   begun_len;
	/* names that fit */
	uint16_t name[COMPLETE_NAMES];          /* where in `text` each begins */
	unsigned n;
	bool     more;                          /* than could be kept */
	uint8_t  type;                          /* enum file_type of the last one */
	size_t   common;                        /* bytes that all have in common */
	char     text[COMPLETE_BYTES];
	size_t   used;
};

must_use bool complete_begin(struct complete *c, const char *text, size_t cursor);
/* A name, type: enum file_type. Those with control characters or broken UTF-8 are left out: a service may call things anything. */
void complete_offer(struct complete *c, const char *name, uint8_t type);
/* Bytes for the line, with \ before what means something to the shell, at most room; the only one is ended: '/' behind a directory, a space behind others. */
size_t complete_insert(struct complete *c, char *bytes, size_t room);
/* The names in columns, a newline behind each row; the length, at most `room` - 1, and zero-terminated. */
size_t complete_list(struct complete *c, unsigned columns, char *text, size_t room);
