/*
 * text: a growing piece of text, and how sysd writes what the kernel tells about itself (pure).
 */
#pragma once
#include <abi/objects.h>
#include <abi/rights.h>

struct text {
	char  *data;                /* heap, owned; NULL: empty */
	size_t len, room;
	bool   failed;              /* out of memory: what was added since is missing */
};

void text_add(struct text *t, const char *format, ...) printf_like(2, 3);
void text_free(struct text *t);

const char *state_name(const struct process_info *p);          /* "running" ... */
const char *object_name(uint32_t type);                        /* "process" ... */
void text_rights(char out[16], uint32_t rights);               /* "rwxmdt..", a letter per right, '-' for none */
/* Quoted so that a hostile process name cannot break a table or drive a terminal: bytes below '!' and DEL become '?'. */
void text_name(char out[PROCESS_NAME_MAX], const char name[PROCESS_NAME_MAX]);

void text_process_head(struct text *t);
void text_process_row(struct text *t, const struct process_info *p);
void text_process_info(struct text *t, const struct process_info *p);
void text_handle_row(struct text *t, const struct handle_info *h);
void text_kstat(struct text *t, const struct kstat *k);
