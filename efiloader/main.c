/*
 * main: BOOTX64.EFI, from the firmware's call to the kernel's first instruction.
 *
 *     boot.cfg (config.c) -> menu (menu.c) -> kernel and first process (image.c, elf.c) -> initfs (files.c)
 *     -> what the firmware knows (firmware.c, volume.c, gop.c) -> page tables (paging.c) -> exit (exit.c)
 *
 * What goes wrong is said on screen and COM1, and a key returns to the firmware. Nothing is written anywhere.
 */
#include "loader.h"
#include "cpu.h"

#define CONFIG_PATH "\\boot.cfg"
#define CONFIG_FILE_MAX (1ull << 20)
#define INITFS_FILE_MAX (256ull << 20)

EFI_HANDLE loader_image;
EFI_SYSTEM_TABLE *ST;
EFI_BOOT_SERVICES *BS;

static struct config config;

static void read_config(void)
{
	const char *why;
	uint64_t size = 0;
	char *text = file_read(CONFIG_PATH, BOOT_MEM_LOADER, CONFIG_FILE_MAX, &size, &why);
	if (!text)
		say("%s: %s; starting what is usual\n", CONFIG_PATH, why);
	config_parse(&config, text, text ? size : 0);
	for (uint32_t i = 0; i < config.n_warnings; i++)
		say("%s:%u: %s\n", CONFIG_PATH, (uint64_t)config.warnings[i].line, config.warnings[i].why);
	if (text)
		pages_free(text);
}

static void read_initfs(struct boot_info *info, const char *path)
{
	const char *why;
	void *data = file_read(path, BOOT_MEM_INITFS, INITFS_FILE_MAX, &info->initfs_size, &why);
	if (!data) {
		say("%s: %s; going on without\n", path, why);
		info->initfs_size = 0;
	}
	info->initfs = (uint64_t)data;
}

static void give_cmdline(struct boot_info *info, const char *cmdline)
{
	size_t len = strlen(cmdline);
	char *copy = pages_alloc(len + 1, BOOT_MEM_LOADER, "command line");
	memcpy(copy, cmdline, len + 1);
	info->cmdline = (uint64_t)copy;
	info->cmdline_len = (uint32_t)len;
}

EFI_STATUS EFIAPI efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *table)
{
	uint64_t tsc_loader = rdtsc();
	size_t len;
	loader_image = image;
	ST = table;
	BS = table->BootServices;
	BS->SetWatchdogTimer(0, 0, 0, NULL);
	console_init();
	files_init();
	read_config();
	struct config_entry *entry = menu_choose(&config);
	if (config_word(entry->cmdline, "quiet=0", &len))
		say("Skerry: starting %s\n", entry->name);

	struct boot_info *info = pages_alloc(sizeof(*info), BOOT_MEM_LOADER, "boot information");
	info->magic = BOOT_MAGIC;
	info->version = BOOT_VERSION;
	info->size = sizeof(*info);
	info->tsc_loader = tsc_loader;
	give_cmdline(info, entry->cmdline);
	image_load(&info->kernel, entry->kernel, BOOT_MEM_KERNEL, true, entry->cmdline);
	image_load(&info->initfsd, entry->first, BOOT_MEM_INITFSD, false, entry->cmdline);
	read_initfs(info, entry->initfs);
	firmware_gather(info);
	volume_identify(&info->volume);
	graphics_pick(entry->cmdline);
	paging_build(info);
	exit_to_kernel(info);
}
