/*
 * node: what a badge of pcid's Port names, and how paths lead to it (pure). A minted badge says it all itself, so pcid keeps
 * nothing about open files.
 */
#pragma once
#include <abi/types.h>

enum node_kind {
	NODE_ROOT,                  /* pci:// as a directory; the root Session's badge is 0 */
	NODE_LIST,                  /* pci:// as text */
	NODE_FUNCTION,              /* pci://00:1f.2 as a directory */
	NODE_DETAILS,               /* ... as text */
	NODE_CONFIG,                /* pci://00:1f.2/config */
	NODE_DEVICE,                /* pci://00:1f.2/device: for its driver */
	NODE_OFFER,                 /* pci://00:1f.2 as a directory, for the driver that initd starts */
	NODE_KINDS,
};

struct node { enum node_kind kind; uint16_t at; uint32_t serial; };     /* serial: which driver of a NODE_DEVICE, which arrival in its slot of a NODE_OFFER; else 0 */

uint64_t node_badge(struct node n);
must_use bool node_from_badge(uint64_t badge, struct node *n);      /* false: no badge of ours */
/* Follows a path of `len` bytes from a directory; directories come out as such. ERR_NOT_FOUND, ERR_NOT_DIRECTORY. */
must_use status_t node_walk(struct node from, const char *path, size_t len, struct node *to);
static inline bool node_is_directory(enum node_kind kind)
{
	return kind == NODE_ROOT || kind == NODE_FUNCTION || kind == NODE_OFFER;
}
