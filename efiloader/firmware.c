/*
 * firmware: what else the firmware knows: ACPI and SMBIOS tables, the time, random bytes.
 */
#include "loader.h"
#include "cpu.h"
#include "memmap.h"

static EFI_GUID acpi20_guid = ACPI_20_TABLE_GUID;
static EFI_GUID acpi10_guid = ACPI_TABLE_GUID;
static EFI_GUID smbios3_guid = SMBIOS3_TABLE_GUID;
static EFI_GUID smbios_guid = SMBIOS_TABLE_GUID;
/* EFI_RNG_PROTOCOL (UEFI 2.10 §37.5). */
static EFI_GUID rng_guid = { 0x3152bca5, 0xeade, 0x433d, { 0x86, 0x2e, 0xc0, 0x1c, 0xdc, 0x29, 0x1f, 0x44 } };
struct rng_protocol {
	EFI_STATUS (EFIAPI *get_info)(struct rng_protocol *, UINTN *, EFI_GUID *);
	EFI_STATUS (EFIAPI *get_rng)(struct rng_protocol *, EFI_GUID *, UINTN, UINT8 *);
};

enum { RDRAND_TRIES = 10, TIME_ZONE_NONE = 0x7ff };

static uint64_t table(const EFI_GUID *guid)
{
	for (UINTN i = 0; i < ST->NumberOfTableEntries; i++)
		if (memcmp(&ST->ConfigurationTable[i].VendorGuid, guid, sizeof(*guid)) == 0)
			return (uint64_t)ST->ConfigurationTable[i].VendorTable;
	return 0;
}

static uint64_t table_of(const EFI_GUID *better, const EFI_GUID *older)
{
	uint64_t at = table(better);
	return at ? at : table(older);
}

/* The memory map while ACPI's tables are read. */
static struct boot_mem *map;
static uint32_t n_map;

/* All that the map describes is mapped where it is (UEFI 2.10 §2.3.4), but firmware may catch null pointers. */
const uint8_t *memory_at(uint64_t phys, uint64_t len)
{
	return phys >= PAGE_SIZE && memmap_readable(map, n_map, phys, len) ? (const uint8_t *)phys : NULL;
}

static void gather_tables(struct boot_info *info)
{
	/* The width of physical addresses (Intel SDM 3A §4.1.4). */
	uint32_t bits = cpuid(0x80000000, 0).a >= 0x80000008 ? cpuid(0x80000008, 0).a & 0xff : 36;
	info->rsdp = table_of(&acpi20_guid, &acpi10_guid);
	info->smbios = table_of(&smbios3_guid, &smbios_guid);
	map = memory_map_now(&n_map);
	acpi_read(&info->acpi, info->rsdp, 1ull << MIN(bits, 52u));
	pages_free(map);
}

static bool rng_bytes(uint8_t *to, UINTN n)
{
	struct rng_protocol *rng = NULL;
	if (EFI_ERROR(BS->LocateProtocol(&rng_guid, NULL, (void **)&rng)))
		return false;
	return !EFI_ERROR(rng->get_rng(rng, NULL, n, to));
}

/* Days since 1970 of a date of the Gregorian calendar. */
static int64_t days_since_1970(int64_t year, int64_t month, int64_t day)
{
	/* Years that begin in March put the leap day last. */
	year -= month <= 2;
	int64_t era = year / 400, of_era = year % 400;
	int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void gather_time(struct boot_info *info)
{
	EFI_TIME t;
	info->time_zone_min = TIME_ZONE_NONE;
	memset(&t, 0, sizeof(t));
	if (EFI_ERROR(ST->RuntimeServices->GetTime(&t, NULL)) || t.Year < 1970 || t.Year > 9999 || t.Month < 1 ||
	    t.Month > 12 || t.Day < 1 || t.Day > 31 || t.Hour > 23 || t.Minute > 59 || t.Second > 59)
		return;
	info->time_unix = days_since_1970(t.Year, t.Month, t.Day) * 86400 + t.Hour * 3600 + t.Minute * 60 + t.Second;
	/* UEFI counts minutes that UTC is ahead of local time (UEFI 2.10 §8.3.1: Localtime = UTC - TimeZone). */
	if (t.TimeZone >= -1440 && t.TimeZone <= 1440) {
		info->time_unix += t.TimeZone * 60;
		info->time_zone_min = -t.TimeZone;
	}
}

void firmware_gather(struct boot_info *info)
{
	gather_tables(info);
	info->efi_system_table = (uint64_t)ST;
	gather_time(info);
	if (rng_bytes(info->entropy, sizeof(info->entropy)))
		info->entropy_len = sizeof(info->entropy);
}

static bool rdrand(uint64_t *value)
{
	if (!(cpuid(1, 0).c & CPUID_RDRAND))
		return false;
	for (int tries = 0; tries < RDRAND_TRIES; tries++) {
		uint8_t ok;
		__asm__ volatile("rdrand %0\n\tsetc %1" : "=r"(*value), "=qm"(ok) : : "cc");
		if (ok)
			return true;
	}
	return false;
}

/* Every source there is, mixed by the finalizer of splitmix64. */
uint64_t firmware_random(void)
{
	uint64_t x = rdtsc(), more = 0;
	if (rng_bytes((uint8_t *)&more, sizeof(more)))
		x ^= more;
	if (rdrand(&more))
		x ^= more;
	/* A microsecond's wait takes a number of cycles that depends on more than this program. */
	BS->Stall(1);
	x += rdtsc() * 0x9e3779b97f4a7c15ull;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}
