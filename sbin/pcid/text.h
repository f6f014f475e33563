/*
 * text: functions in words, after the manner of lspci: a line each, or all there is to tell about one. Pure, over
 * struct config.
 */
#pragma once
#include "function.h"

/* A piece of memory that is filled up; what does not fit any more is left out, and the end says so. */
struct text { char *data; size_t len, room; };

void text_line(struct text *t, const struct pci_function *f);
void text_details(struct text *t, const struct config *c, const struct pci_function *f);
