/*
 * acpi: reads the static tables (ACPI 6.5 chapter 5) into the kernel's struct boot_info-> Pure: what memory there
 * is and where complaints go, the caller answers, so the same file runs under the host's sanitizers.
 *
 * Firmware writes these tables, and firmware has bugs: nothing is believed. An address is read only after
 * memory_at() said that all of it is memory; a table counts only with a sane length and a right checksum; a record
 * only if it ends inside its table. What is wrong is named in the kernel's log and left out, and the boot goes on
 * with less: without a MADT there is one CPU and no IO-APIC.
 *
 * Tables may lie at any address, so fields are copied out, never dereferenced in place.
 */
#include "acpi.h"

enum {
	HEADER_LEN = 36,                /* table 5.4 */
	TABLE_MAX  = 16 << 20,          /* the largest DSDTs seen are below 1 MiB */
	ROOT_ENTRIES_MAX = 1024,
	COMPLAINTS_MAX = 32,            /* fits the room for notes; a table of nothing but mistakes has thousands */
};

static struct boot_acpi *info;          /* being filled */
static uint64_t phys_end;
static uint32_t complaints;
static uint16_t iso_flags[ACPI_ISOS_MAX];      /* MPS INTI flags of info->isos, whole */

#define complain(...) do { if (complaints++ < COMPLAINTS_MAX) note("acpi: " __VA_ARGS__); } while (0)

/* A table whose length and checksum were found right. */
struct table { const uint8_t *bytes; uint32_t len; uint64_t phys; };

static uint64_t load(const uint8_t *p, unsigned bytes)
{
	uint64_t v = 0;
	for (unsigned i = 0; i < bytes; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return v;
}
static uint16_t load16(const uint8_t *p) { return (uint16_t)load(p, 2); }
static uint32_t load32(const uint8_t *p) { return (uint32_t)load(p, 4); }
static uint64_t load64(const uint8_t *p) { return load(p, 8); }

static bool sums_to_zero(const uint8_t *p, size_t len)
{
	uint8_t sum = 0;
	for (size_t i = 0; i < len; i++)
		sum = (uint8_t)(sum + p[i]);
	return sum == 0;
}

static bool is_signature(const uint8_t *p, const char *signature)
{
	for (unsigned i = 0; i < 4; i++)
		if (p[i] != (uint8_t)signature[i])
			return false;
	return true;
}

/* A signature as text. */
struct name { char text[5]; };
static struct name name_of(const uint8_t *p)
{
	struct name n = { "" };
	for (unsigned i = 0; i < 4; i++)
		n.text[i] = p[i] >= ' ' && p[i] < 0x7f ? (char)p[i] : '?';
	return n;
}

/* The table at phys, all of it checked. */
static bool open_table(uint64_t phys, const char *signature, struct table *t)
{
	if (phys == 0)
		return false;
	t->phys = phys;
	t->bytes = memory_at(phys, HEADER_LEN);
	if (!t->bytes) {
		complain("%s at 0x%x is not in memory", signature, phys);
		return false;
	}
	t->len = load32(t->bytes + 4);
	if (!is_signature(t->bytes, signature)) {
		complain("no %s at 0x%x but \"%s\"", signature, phys, name_of(t->bytes).text);
		return false;
	}
	if (t->len < HEADER_LEN || t->len > TABLE_MAX || !memory_at(phys, t->len)) {
		complain("%s at 0x%x has an impossible length, %u", signature, phys, (uint64_t)t->len);
		return false;
	}
	if (!sums_to_zero(t->bytes, t->len)) {
		complain("%s at 0x%x has a wrong checksum, ignored", signature, phys);
		return false;
	}
	return true;
}

/* ---- MADT: processors and interrupt controllers (5.2.12) ---- */

static void add_cpu(uint32_t apic_id, uint32_t uid, uint32_t flags)
{
	/* Not Enabled: absent, or may be plugged in later (Online Capable); not a CPU now (5.2.12.2). */
	if (!(flags & 1))
		return;
	for (uint32_t i = 0; i < info->n_cpus; i++)
		if (info->cpus[i].apic_id == apic_id)
			return;         /* listed as local APIC and as x2APIC */
	if (info->n_cpus == ACPI_CPUS_MAX) {
		complain("more than %u processors, APIC %u is left out", (uint64_t)ACPI_CPUS_MAX, (uint64_t)apic_id);
		return;
	}
	info->cpus[info->n_cpus].apic_id = apic_id;
	info->cpus[info->n_cpus++].acpi_uid = uid;
}

static void add_ioapic(uint8_t id, uint32_t address, uint32_t gsi_base)
{
	if (address == 0 || address % 16) {
		complain("IO-APIC %u at 0x%x is impossible", (uint64_t)id, (uint64_t)address);
		return;
	}
	for (uint32_t i = 0; i < info->n_ioapics; i++)
		if (info->ioapics[i].gsi_base == gsi_base || info->ioapics[i].address == address) {
			complain("IO-APIC %u repeats another's address or interrupts", (uint64_t)id);
			return;
		}
	if (info->n_ioapics == ACPI_IOAPICS_MAX) {
		complain("more than %u IO-APICs", (uint64_t)ACPI_IOAPICS_MAX);
		return;
	}
	info->ioapics[info->n_ioapics].id = id;
	info->ioapics[info->n_ioapics].address = address;
	info->ioapics[info->n_ioapics++].gsi_base = gsi_base;
}

/*
 * MPS INTI flags (table 5.26): polarity in bits 0..1, trigger mode in bits 2..3; 1 is high or edge,
 * 3 is low or level, 0 is the bus's own way, which for ISA and NMI is high and edge. 2 is reserved.
 */
static bool inti_low(uint16_t flags)   { return (flags & 3) == 3; }
static bool inti_level(uint16_t flags) { return (flags >> 2 & 3) == 3; }

static void add_override(uint8_t bus, uint8_t irq, uint32_t gsi, uint16_t flags)
{
	if (bus != 0 || irq >= ACPI_ISOS_MAX) {
		complain("interrupt override of bus %u irq %u is not of ISA", (uint64_t)bus, (uint64_t)irq);
		return;
	}
	for (uint32_t i = 0; i < info->n_isos; i++)
		if (info->isos[i].irq == irq) {
			complain("irq %u is overridden twice", (uint64_t)irq);
			return;
		}
	/* Sixteen irqs, each once: there is room. */
	info->isos[info->n_isos].irq = irq;
	info->isos[info->n_isos].gsi = gsi;
	iso_flags[info->n_isos] = flags;
	info->isos[info->n_isos].level = inti_level(flags);
	info->isos[info->n_isos++].active_low = inti_low(flags);
}

static void add_nmi(uint32_t uid, uint16_t flags, uint8_t lint)
{
	if (lint > 1 || info->n_nmis == ACPI_NMIS_MAX)
		return;
	info->nmis[info->n_nmis].acpi_uid = uid;
	info->nmis[info->n_nmis].lint = lint;
	info->nmis[info->n_nmis].level = inti_level(flags);
	info->nmis[info->n_nmis++].active_low = inti_low(flags);
}

static void read_madt(const struct table *t)
{
	enum { LOCAL_APIC = 0, IO_APIC = 1, OVERRIDE = 2, LOCAL_NMI = 4, ADDRESS = 5, X2APIC = 9, X2APIC_NMI = 10 };
	static const uint8_t least[] = { [LOCAL_APIC] = 8, [IO_APIC] = 12, [OVERRIDE] = 10, [LOCAL_NMI] = 6,
	                                 [ADDRESS] = 12, [X2APIC] = 16, [X2APIC_NMI] = 12 };
	enum { RECORDS = 44 };

	if (t->len < RECORDS) {
		complain("APIC table is too short, %u bytes", (uint64_t)t->len);
		return;
	}
	info->local_apic = load32(t->bytes + 36);
	info->has_8259 = load32(t->bytes + 40) & 1;
	for (uint32_t at = RECORDS, len; at + 2 <= t->len; at += len) {
		const uint8_t *r = t->bytes + at;
		uint8_t type = r[0];
		len = r[1];
		if (len < 2 || len > t->len - at || (type < sizeof(least) && len < least[type])) {
			complain("APIC record of type %u at %u has impossible length %u; the rest is ignored",
				 (uint64_t)type, (uint64_t)at, (uint64_t)len);
			return;
		}
		switch (type) {
		case LOCAL_APIC:
			if (r[3] != 0xff)               /* 255 is the broadcast address */
				add_cpu(r[3], r[2], load32(r + 4));
			break;
		case IO_APIC:
			add_ioapic(r[2], load32(r + 4), load32(r + 8));
			break;
		case OVERRIDE:
			add_override(r[2], r[3], load32(r + 4), load16(r + 8));
			break;
		case LOCAL_NMI:
			add_nmi(r[2] == 0xff ? ACPI_UID_ALL : r[2], load16(r + 3), r[5]);
			break;
		case ADDRESS:
			info->local_apic = load64(r + 4);
			break;
		case X2APIC:
			if (load32(r + 4) != 0xffffffff)
				add_cpu(load32(r + 4), load32(r + 12), load32(r + 8));
			break;
		case X2APIC_NMI:
			add_nmi(load32(r + 4), load16(r + 2), r[8]);
			break;
		default:
			break;                          /* SAPICs, wake-up mailboxes, GICs: not ours */
		}
	}
}

/* ---- the others ---- */

/* HPET (IA-PC HPET 1.0a section 3.2.4): its base is a generic address that must be in memory space. */
static void read_hpet(const struct table *t)
{
	if (t->len < 56 || t->bytes[40] != 0 || load64(t->bytes + 44) % 8 || load64(t->bytes + 44) >= phys_end) {
		complain("HPET table is unusable");
		return;
	}
	if (!info->hpet)
		info->hpet = load64(t->bytes + 44);
}

static void read_mcfg(const struct table *t)
{
	for (uint32_t at = 44; at + 16 <= t->len; at += 16) {
		const uint8_t *r = t->bytes + at;
		uint64_t base = load64(r);
		if (load16(r + 8) != 0)
			continue;               /* segment 0 alone is what the chip sets of PCs have */
		if (base == 0 || base % MiB || base >= phys_end || r[10] > r[11]) {
			complain("MCFG is unusable: 0x%x, bus %u to %u", base, (uint64_t)r[10], (uint64_t)r[11]);
			continue;
		}
		info->mcfg = base;
		info->mcfg_bus_first = r[10];
		info->mcfg_bus_last = r[11];
		return;
	}
}

/* The port of a block of PM1 event registers; 0: there is none, or it is no port. The wide field wins where it is filled in (5.2.9). */
static uint16_t pm1_block(const struct table *t, size_t narrow, size_t wide)
{
	enum { IO_SPACE = 1, GAS_ADDRESS = 4, GAS_LEN = 12 };
	uint64_t port = load32(t->bytes + narrow);

	if (t->len >= wide + GAS_LEN && load64(t->bytes + wide + GAS_ADDRESS))
		port = t->bytes[wide] == IO_SPACE ? load64(t->bytes + wide + GAS_ADDRESS) : 0;
	return port <= 0xff00 ? (uint16_t)port : 0;
}

/* Unless the power button is no fixed one (PWR_BUTTON). */
static void read_pm1(const struct table *t)
{
	enum { PM1A_EVENT = 56, PM1B_EVENT = 60, PM1_EVENT_LEN = 88, FLAGS = 112, POWER_BUTTON = 1 << 4, X_PM1A_EVENT = 148, X_PM1B_EVENT = 160 };

	if (!info->sci.present || t->bytes[PM1_EVENT_LEN] < 4 || load32(t->bytes + FLAGS) & POWER_BUTTON)
		return;
	info->pm1_status[0] = pm1_block(t, PM1A_EVENT, X_PM1A_EVENT);
	info->pm1_status[1] = pm1_block(t, PM1B_EVENT, X_PM1B_EVENT);
	for (uint32_t i = 0; i < ARRAY_LEN(info->pm1_status); i++)
		info->pm1_enable[i] = info->pm1_status[i] ? (uint16_t)(info->pm1_status[i] + t->bytes[PM1_EVENT_LEN] / 2) : 0;
}

static void read_fadt(const struct table *t)
{
	struct table dsdt;
	uint64_t wide = t->len >= 148 ? load64(t->bytes + 140) : 0;
	uint64_t narrow = t->len >= 44 ? load32(t->bytes + 40) : 0;

	if (info->fadt)
		return;
	info->fadt = t->phys;
	/* X_DSDT wins over DSDT where it is filled in (5.2.9); where it leads nowhere, the old field may. */
	if (open_table(wide, "DSDT", &dsdt) || open_table(narrow, "DSDT", &dsdt))
		info->dsdt = dsdt.phys;
	else
		complain("no DSDT");
	info->sci.present = t->len >= 116 && !(load32(t->bytes + 112) & 1 << 20);       /* HW_REDUCED_ACPI */
	info->sci.gsi = info->sci.present ? load16(t->bytes + 46) : 0;
	read_pm1(t);
	info->rtc_century = t->len >= 109 ? t->bytes[108] : 0;
	/* The boot architecture flags mean something from ACPI 2.0 on, whose FADT has revision 3. */
	if (t->len >= 111 && t->bytes[8] >= 3) {
		uint16_t flags = load16(t->bytes + 109);
		info->no_8042 = !(flags & 1 << 1);
		info->no_vga = flags >> 2 & 1;
		info->no_rtc = flags >> 5 & 1;
	}
}

/*
 * SCI_INT is level and active low, and a number of ISA's on machines with 8259s; there an override says where it went (5.2.9). One
 * whose flags leave polarity or trigger to the bus does not mean ISA's way.
 */
static void place_sci(void)
{
	info->sci.level = info->sci.active_low = info->sci.present;
	for (uint32_t i = 0; info->sci.present && i < info->n_isos; i++)
		if (info->isos[i].irq == info->sci.gsi) {
			info->sci.gsi = info->isos[i].gsi;
			info->sci.level = (iso_flags[i] >> 2 & 3) != 1;
			info->sci.active_low = (iso_flags[i] & 3) != 1;
			return;
		}
}

/* Every table the root table (XSDT or RSDT, entries of `width` bytes) points to. */
static void read_root(const struct table *root, unsigned width)
{
	static const struct { const char *signature; void (*read)(const struct table *); } readers[] = {
		{ "APIC", read_madt }, { "HPET", read_hpet }, { "MCFG", read_mcfg }, { "FACP", read_fadt },
	};
	uint32_t n = (root->len - HEADER_LEN) / width;
	bool     seen[ARRAY_LEN(readers)] = { 0 };

	if (n > ROOT_ENTRIES_MAX) {
		complain("%u tables are too many, %u are read", (uint64_t)n, (uint64_t)ROOT_ENTRIES_MAX);
		n = ROOT_ENTRIES_MAX;
	}
	for (uint32_t i = 0; i < n; i++) {
		uint64_t phys = load(root->bytes + HEADER_LEN + i * width, width);
		struct table t;
		const uint8_t *head = memory_at(phys, HEADER_LEN);
		if (phys == 0)
			continue;
		if (!head) {
			complain("a table at 0x%x is not in memory", phys);
			continue;
		}
		for (size_t k = 0; k < ARRAY_LEN(readers); k++) {
			if (!is_signature(head, readers[k].signature) || seen[k])
				continue;
			if (open_table(phys, readers[k].signature, &t)) {
				seen[k] = true;
				readers[k].read(&t);
			}
		}
	}
}

/* The root of them all; false: there is none. */
static bool read_all(uint64_t rsdp)
{
	struct table root;
	const uint8_t *p = memory_at(rsdp, 20);         /* ACPI 1.0's part, with a checksum of its own (5.2.5.3) */

	if (!p) {
		complain("RSDP at 0x%x is not in memory", rsdp);
		return false;
	}
	if (!is_signature(p, "RSD ") || !is_signature(p + 4, "PTR ") || !sums_to_zero(p, 20)) {
		complain("RSDP at 0x%x is broken", rsdp);
		return false;
	}
	if (p[15] >= 2 && memory_at(rsdp, 36) && sums_to_zero(p, 36) && open_table(load64(p + 24), "XSDT", &root)) {
		read_root(&root, 8);
	} else if (open_table(load32(p + 16), "RSDT", &root)) {
		if (p[15] >= 2)
			complain("XSDT is broken, the RSDT is used");
		read_root(&root, 4);
	} else {
		complain("neither XSDT nor RSDT");
		return false;
	}
	return true;
}

void acpi_read(struct boot_acpi *to, uint64_t rsdp, uint64_t end)
{
	info = to;
	*info = (struct boot_acpi){ 0 };
	phys_end = end;
	complaints = 0;
	if (rsdp == 0) {
		note("acpi: none");
		return;
	}
	bool found = read_all(rsdp);
	place_sci();
	if (complaints > COMPLAINTS_MAX)
		note("acpi: %u more complaints are left out", (uint64_t)complaints - COMPLAINTS_MAX);
	if (found)
		note("acpi: %u CPUs, %u IO-APICs%s%s%s%s", (uint64_t)info->n_cpus, (uint64_t)info->n_ioapics,
		     info->hpet ? ", HPET" : "", info->mcfg ? ", MCFG" : "", info->dsdt ? ", DSDT" : "",
		     info->has_8259 ? ", 8259" : "");
}
