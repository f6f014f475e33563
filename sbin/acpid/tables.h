/*
 * tables: the names that ACPI's tables have as files. Pure.
 */
#pragma once
#include <abi/types.h>

#define TABLES_MAX      128         /* real machines have some forty */
#define TABLE_NAME_MAX  12

struct table_entry {
	char        name[TABLE_NAME_MAX];   /* signature; from the second of a kind on with its number: SSDT, SSDT2, SSDT3 */
	char        signature[4];
	const void *data;                   /* borrowed for ever: `size` bytes */
	uint32_t    size;
};

struct tables { struct table_entry at[TABLES_MAX]; uint32_t n; };

/* Enters a table. False: there is no room. Whatever is in `signature`, the name is made of letters, digits and '_'. */
must_use bool tables_add(struct tables *t, const char signature[4], const void *data, uint32_t size);
/* The first `len` bytes of `name` name it; NULL: none. */
const struct table_entry *tables_find(const struct tables *t, const char *name, size_t len);
/* One line a table: name, bytes, OEM and its table. Returns the length, at most room. */
size_t tables_text(const struct tables *t, char *buf, size_t room);
