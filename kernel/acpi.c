/*
 * acpi: reads the static tables (ACPI 6.5 chapter 5) into `acpi`, once, while booting.
 *
 * Firmware writes these tables, and firmware has bugs: nothing is believed. An address is read only
 * after acpi_readable() said that the HHDM reaches all of it; a table counts only with a sane length
 * and a right checksum; a record only if it ends inside its table. What is wrong is named in the log
 * and left out, and the kernel goes on with less: without a MADT there is one CPU and no IO-APIC.
 *
 * Tables may lie at any address, so fields are copied out, never dereferenced in place.
 */
#include <kernel/acpi.h>
#include <kernel/arch.h>
#include <kernel/log.h>

enum {
	HEADER_LEN = 36,
	TABLE_MAX  = 16 << 20,          /* the largest DSDTs seen are below 1 MiB */
	ROOT_ENTRIES_MAX = 1024,
};
_Static_assert(sizeof(struct acpi_header) == HEADER_LEN, "ACPI 6.5 table 5.4");

struct acpi_info acpi;

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

/* The table at phys, all of it checked. signature NULL: any. */
static bool open_table(uint64_t phys, const char *signature, struct table *t)
{
	const char *name = signature ? signature : "a table";

	if (phys == 0)
		return false;
	if (!acpi_readable(phys, HEADER_LEN)) {
		klog("acpi: %s at 0x%lx is not in memory", name, phys);
		return false;
	}
	t->phys = phys;
	t->bytes = HHDM(phys);
	t->len = load32(t->bytes + 4);
	if (signature && !is_signature(t->bytes, signature)) {
		klog("acpi: no %s at 0x%lx but \"%.*s\"", signature, phys, 4, (const char *)t->bytes);
		return false;
	}
	if (t->len < HEADER_LEN || t->len > TABLE_MAX || !acpi_readable(phys, t->len)) {
		klog("acpi: %.*s at 0x%lx has an impossible length, %u", 4, (const char *)t->bytes, phys, t->len);
		return false;
	}
	if (!sums_to_zero(t->bytes, t->len)) {
		klog("acpi: %.*s at 0x%lx has a wrong checksum, ignored", 4, (const char *)t->bytes, phys);
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
	for (uint32_t i = 0; i < acpi.n_cpus; i++)
		if (acpi.cpus[i].apic_id == apic_id)
			return;         /* listed as local APIC and as x2APIC */
	if (acpi.n_cpus == ACPI_CPUS_MAX) {
		klog("acpi: more than %d processors, APIC %u is left out", ACPI_CPUS_MAX, apic_id);
		return;
	}
	acpi.cpus[acpi.n_cpus].apic_id = apic_id;
	acpi.cpus[acpi.n_cpus++].acpi_uid = uid;
}

static void add_ioapic(uint8_t id, uint32_t address, uint32_t gsi_base)
{
	if (address == 0 || address % 16) {
		klog("acpi: IO-APIC %u at 0x%x is impossible", id, address);
		return;
	}
	for (uint32_t i = 0; i < acpi.n_ioapics; i++)
		if (acpi.ioapics[i].gsi_base == gsi_base || acpi.ioapics[i].address == address) {
			klog("acpi: IO-APIC %u repeats another's address or interrupts", id);
			return;
		}
	if (acpi.n_ioapics == ACPI_IOAPICS_MAX) {
		klog("acpi: more than %d IO-APICs", ACPI_IOAPICS_MAX);
		return;
	}
	acpi.ioapics[acpi.n_ioapics].id = id;
	acpi.ioapics[acpi.n_ioapics].address = address;
	acpi.ioapics[acpi.n_ioapics++].gsi_base = gsi_base;
}

/*
 * MPS INTI flags (table 5.26): polarity in bits 0..1, trigger mode in bits 2..3; 1 is high or edge,
 * 3 is low or level, 0 is the bus's own way, which for ISA and NMI is high and edge. 2 is reserved.
 */
static bool inti_low(uint16_t flags)   { return (flags & 3) == 3; }
static bool inti_level(uint16_t flags) { return (flags >> 2 & 3) == 3; }

static void add_override(uint8_t bus, uint8_t irq, uint32_t gsi, uint16_t flags)
{
	if (bus != 0 || irq >= 16) {
		klog("acpi: interrupt override of bus %u irq %u is not of ISA", bus, irq);
		return;
	}
	for (uint32_t i = 0; i < acpi.n_isos; i++)
		if (acpi.isos[i].irq == irq) {
			klog("acpi: irq %u is overridden twice", irq);
			return;
		}
	if (acpi.n_isos == ACPI_ISOS_MAX)
		return;                 /* cannot be: sixteen irqs, each once */
	acpi.isos[acpi.n_isos].irq = irq;
	acpi.isos[acpi.n_isos].gsi = gsi;
	acpi.isos[acpi.n_isos].level = inti_level(flags);
	acpi.isos[acpi.n_isos++].active_low = inti_low(flags);
}

static void add_nmi(uint32_t uid, uint16_t flags, uint8_t lint)
{
	if (lint > 1 || acpi.n_nmis == ACPI_NMIS_MAX)
		return;
	acpi.nmis[acpi.n_nmis].acpi_uid = uid;
	acpi.nmis[acpi.n_nmis].lint = lint;
	acpi.nmis[acpi.n_nmis].level = inti_level(flags);
	acpi.nmis[acpi.n_nmis++].active_low = inti_low(flags);
}

static void read_madt(const struct table *t)
{
	enum { LOCAL_APIC = 0, IO_APIC = 1, OVERRIDE = 2, LOCAL_NMI = 4, ADDRESS = 5, X2APIC = 9, X2APIC_NMI = 10 };
	static const uint8_t least[] = { [LOCAL_APIC] = 8, [IO_APIC] = 12, [OVERRIDE] = 10, [LOCAL_NMI] = 6,
	                                 [ADDRESS] = 12, [X2APIC] = 16, [X2APIC_NMI] = 12 };
	enum { RECORDS = 44 };

	if (t->len < RECORDS) {
		klog("acpi: APIC table is too short, %u bytes", t->len);
		return;
	}
	acpi.local_apic = load32(t->bytes + 36);
	acpi.has_8259 = load32(t->bytes + 40) & 1;
	for (uint32_t at = RECORDS, len; at + 2 <= t->len; at += len) {
		const uint8_t *r = t->bytes + at;
		uint8_t type = r[0];
		len = r[1];
		if (len < 2 || len > t->len - at || (type < sizeof(least) && len < least[type])) {
			klog("acpi: APIC record of type %u at %u has impossible length %u; the rest is ignored", type, at, len);
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
			acpi.local_apic = load64(r + 4);
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
	if (t->len < 56 || t->bytes[40] != 0 || load64(t->bytes + 44) % 8) {
		klog("acpi: HPET table is unusable");
		return;
	}
	if (!acpi.hpet)
		acpi.hpet = load64(t->bytes + 44);
}

static void read_mcfg(const struct table *t)
{
	for (uint32_t at = 44; at + 16 <= t->len; at += 16) {
		const uint8_t *r = t->bytes + at;
		uint64_t base = load64(r);
		if (load16(r + 8) != 0)
			continue;               /* segment 0 alone is what the chip sets of PCs have */
		if (base == 0 || base % MiB || r[10] > r[11]) {
			klog("acpi: MCFG is unusable: 0x%lx, bus %u to %u", base, r[10], r[11]);
			continue;
		}
		acpi.mcfg = base;
		acpi.mcfg_bus_first = r[10];
		acpi.mcfg_bus_last = r[11];
		return;
	}
}

static void read_fadt(const struct table *t)
{
	struct table dsdt;
	uint64_t wide = t->len >= 148 ? load64(t->bytes + 140) : 0;
	uint64_t narrow = t->len >= 44 ? load32(t->bytes + 40) : 0;

	if (acpi.fadt)
		return;
	acpi.fadt = t->phys;
	/* X_DSDT wins over DSDT where it is filled in (5.2.9); where it leads nowhere, the old field may. */
	if (open_table(wide, "DSDT", &dsdt) || open_table(narrow, "DSDT", &dsdt))
		acpi.dsdt = dsdt.phys;
	else
		klog("acpi: no DSDT");
	/* The boot architecture flags mean something from ACPI 2.0 on, whose FADT has revision 3. */
	if (t->len >= 111 && t->bytes[8] >= 3) {
		uint16_t flags = load16(t->bytes + 109);
		acpi.no_8042 = !(flags & 1 << 1);
		acpi.no_vga = flags & 1 << 2;
		acpi.no_rtc = flags & 1 << 5;
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
		klog("acpi: %u tables are too many, %d are read", n, ROOT_ENTRIES_MAX);
		n = ROOT_ENTRIES_MAX;
	}
	for (uint32_t i = 0; i < n; i++) {
		uint64_t phys = load(root->bytes + HEADER_LEN + i * width, width);
		struct table t;
		if (phys == 0)
			continue;
		if (!acpi_readable(phys, HEADER_LEN)) {
			klog("acpi: a table at 0x%lx is not in memory", phys);
			continue;
		}
		for (size_t k = 0; k < ARRAY_LEN(readers); k++) {
			if (!is_signature(HHDM(phys), readers[k].signature) || seen[k])
				continue;
			if (open_table(phys, readers[k].signature, &t)) {
				seen[k] = true;
				readers[k].read(&t);
			}
		}
	}
}

void acpi_init(uint64_t rsdp)
{
	struct table root;
	const uint8_t *p;

	acpi = (struct acpi_info){ 0 };
	if (rsdp == 0) {
		klog("acpi: none");
		return;
	}
	/* The first 20 bytes are ACPI 1.0's, with a checksum of their own (5.2.5.3). */
	if (!acpi_readable(rsdp, 20)) {
		klog("acpi: RSDP at 0x%lx is not in memory", rsdp);
		return;
	}
	p = HHDM(rsdp);
	if (!is_signature(p, "RSD ") || !is_signature(p + 4, "PTR ") || !sums_to_zero(p, 20)) {
		klog("acpi: RSDP at 0x%lx is broken", rsdp);
		return;
	}
	if (p[15] >= 2 && acpi_readable(rsdp, 36) && sums_to_zero(p, 36) && open_table(load64(p + 24), "XSDT", &root)) {
		read_root(&root, 8);
	} else if (open_table(load32(p + 16), "RSDT", &root)) {
		if (p[15] >= 2)
			klog("acpi: XSDT is broken, the RSDT is used");
		read_root(&root, 4);
	} else {
		klog("acpi: neither XSDT nor RSDT");
		return;
	}
	klog("acpi: %u CPUs, %u IO-APICs%s%s%s%s", acpi.n_cpus, acpi.n_ioapics, acpi.hpet ? ", HPET" : "",
	     acpi.mcfg ? ", MCFG" : "", acpi.dsdt ? ", DSDT" : "", acpi.has_8259 ? ", 8259" : "");
}
