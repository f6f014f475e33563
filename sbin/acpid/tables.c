/*
 * tables: see tables.h. A table begins with the header of ACPI 6.5 §5.2.6; the FACS only with signature and length.
 */
#include "tables.h"
#include <stdio.h>
#include <string.h>

enum { HEADER = 36, OEM_AT = 10, OEM_LEN = 6, OEM_TABLE_AT = 16, OEM_TABLE_LEN = 8 };

static char letter(char c, char other)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : other;
}

bool tables_add(struct tables *t, const char signature[4], const void *data, uint32_t size)
{
	uint32_t same = 1;

	if (t->n == TABLES_MAX)
		return false;
	struct table_entry *e = &t->at[t->n];
	memcpy(e->signature, signature, 4);
	/* By what the name begins with, not by the signature: two that differ only in what cannot be shown must not share one. */
	char name[5];
	for (int i = 0; i < 4; i++)
		name[i] = letter(signature[i], '_');
	name[4] = 0;
	for (uint32_t i = 0; i < t->n; i++)
		same += !memcmp(t->at[i].name, name, 4);
	if (same == 1)
		snprintf(e->name, sizeof(e->name), "%s", name);
	else
		snprintf(e->name, sizeof(e->name), "%s%u", name, same);
	e->data = data;
	e->size = size;
	t->n++;
	return true;
}

const struct table_entry *tables_find(const struct tables *t, const char *name, size_t len)
{
	for (uint32_t i = 0; i < t->n; i++)
		if (strlen(t->at[i].name) == len && !memcmp(t->at[i].name, name, len))
			return &t->at[i];
	return NULL;
}

static void field(char *out, const struct table_entry *e, size_t at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		out[i] = e->size >= HEADER ? letter(((const char *)e->data)[at + i], ' ') : ' ';
	out[len] = 0;
	while (len > 0 && out[len - 1] == ' ')
		out[--len] = 0;
}

size_t tables_text(const struct tables *t, char *buf, size_t room)
{
	size_t len = 0;

	for (uint32_t i = 0; i < t->n; i++) {
		char oem[OEM_LEN + 1], table[OEM_TABLE_LEN + 1];
		field(oem, &t->at[i], OEM_AT, OEM_LEN);
		field(table, &t->at[i], OEM_TABLE_AT, OEM_TABLE_LEN);
		int n = snprintf(buf + len, room - len, "%-11s %7u  %s%s%s\n", t->at[i].name, t->at[i].size, oem, *table ? " " : "", table);
		if (n < 0 || (size_t)n >= room - len)
			break;
		len += (size_t)n;
	}
	return len;
}
