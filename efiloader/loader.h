/*
 * loader: what the files of the loader share. The story is in main.c.
 *
 * Everything runs on the firmware's one processor, before ExitBootServices; only exit.c goes beyond, and there
 * nothing but com1.c may be called.
 */
#pragma once
#include <efi.h>                /* before abi/types.h, whose short words would meet its attributes */
#include <efiprot.h>
#undef __attribute__            /* efibind.h empties it for the compiler whose conventions this target follows */
#include <abi/boot.h>
#include <string.h>
#include "acpi.h"
#include "clock.h"
#include "config.h"
#include "keys.h"

extern EFI_HANDLE loader_image;
extern EFI_SYSTEM_TABLE *ST;
extern EFI_BOOT_SERVICES *BS;

/* --- console.c: text on the firmware's console and on COM1 --- */
void console_init(void);
/* %s char string, %S CHAR16 string, %c, %u, %x (both uint64_t), %r EFI_STATUS in words, %%. "\n" as usual. */
void say(const char *format, ...);
/* Says what failed, waits for a key, gives all memory back and returns to the firmware. */
noreturn void fail(const char *format, ...);
/* note() of acpi.h: a line for the kernel's log, not said here. This tells where they all are. */
const char *notes(uint32_t *len);
/* A key of the console or of COM1 (keys.h); 0: none now. */
uint32_t key_poll(void);
/* Whether the firmware's console writes to that output. */
bool console_writes_to(EFI_HANDLE handle);

/* --- com1.c: the first serial port, polled; works with and without firmware --- */
bool com1_init(void);           /* false: there is none */
void com1_set_up(void);         /* 115200 8N1 */
void com1_write(const char *text, size_t len);
int  com1_read(void);           /* -1: nothing there */

/* --- memory.c: pages above 1 MiB, remembered by what they are for --- */
/* Zeroed; `type` is the kernel's word for them. Never returns without. */
void *pages_alloc(uint64_t bytes, uint32_t type, const char *what);
void pages_free(void *pages);
void pages_free_all(void);
/* The ranges given out, for the memory map. */
struct mem_range;
const struct mem_range *pages_ranges(uint32_t *n);

/* --- files.c: the volume that the loader came from --- */
void files_init(void);
EFI_HANDLE files_device(void);
/* Reads a whole file into pages of `type`; NULL when it cannot be read or is empty, and *why says so. */
void *file_read(const char *path, uint32_t type, uint64_t limit, uint64_t *size, const char **why);

/* --- menu.c --- */
/* The entry to start, its command line perhaps edited. */
struct config_entry *menu_choose(struct config *c);

/* --- the parts of boot_info --- */
void image_load(struct boot_image *out, const char *path, uint32_t type, bool kernel, const char *cmdline);
void graphics_pick(const char *cmdline);                /* gop.c: chooses, changes nothing yet */
void graphics_set(struct boot_framebuffer *fb);         /* sets the mode; text may be gone from here on */
void firmware_gather(struct boot_info *info);           /* firmware.c: tables, time, entropy */
uint64_t firmware_random(void);                         /* for the slide, not for keys */
void volume_identify(struct boot_volume *volume);       /* volume.c */
void pci_list_roots(uint64_t roots[4]);                 /* pci.c: as in boot_info */
void pci_list_masters(void);                            /* before the exit ... */
uint32_t pci_masters_off(void);                         /* ... and after it */
void paging_build(struct boot_info *info);              /* paging.c; needs info->kernel */
/* exit.c: the memory map as it is now, in pages for the caller to free. */
struct boot_mem *memory_map_now(uint32_t *n);
noreturn void exit_to_kernel(struct boot_info *info);   /* exit.c */
