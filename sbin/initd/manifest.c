/*
 * manifest: see manifest.h. The first mistake ends the reading: a service with half of its
 * authority would fail in ways harder to read than a line number.
 */
#include "manifest.h"
#include <abi/objects.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum key {
	KEY_EXEC, KEY_ARGS, KEY_PROVIDES, KEY_OPENS, KEY_LEVEL, KEY_PRIORITY, KEY_START, KEY_RESTART, KEY_MEMORY, KEY_KERNEL,
	KEY_HANDLES, KEY_THREADS, KEY_COMMANDS, KEY_PROCESSES, KEY_STATE, KEY_SHELF, KEY_TTY, KEY_HEARTBEAT, KEY_RESOURCE, KEY_PCI, KEY_SUBMITS, KEYS,
};

static const char *const key_names[KEYS] = {
	"exec", "args", "provides", "opens", "level", "priority", "start", "restart", "budget.memory", "budget.kernel",
	"budget.handles", "budget.threads", "budget.commands", "budget.processes", "state", "shelf", "tty", "heartbeat", "resource", "pci",
	"submits",
};

static bool refuse(struct manifest_error *e, const char *format, ...) printf_like(2, 3);
static bool refuse(struct manifest_error *e, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(e->reason, sizeof(e->reason), format, args);
	va_end(args);
	return false;
}

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* The next word of *text; returns its length, 0: no more. */
static size_t word(const char **text, const char **start)
{
	const char *p = *text;

	while (blank(*p))
		p++;
	*start = p;
	while (*p && !blank(*p))
		p++;
	*text = p;
	return (size_t)(p - *start);
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 99;
}

/* Digits at *p up to anything else. False: none, or more than 64 bits. */
static bool digits(const char **p, int base, uint64_t *value)
{
	const char *begin = *p;
	uint64_t v = 0;

	for (; digit(**p) < base; ++*p)
		if (__builtin_mul_overflow(v, (uint64_t)base, &v) || __builtin_add_overflow(v, (uint64_t)digit(**p), &v))
			return false;
	*value = v;
	return *p > begin;
}

/* "4096", "64K", "2M", "1G". */
static bool amount(const char *text, uint64_t *value)
{
	uint64_t unit = 1;

	if (!digits(&text, 10, value))
		return false;
	switch (*text) {
	case 'K': unit = KiB; text++; break;
	case 'M': unit = MiB; text++; break;
	case 'G': unit = GiB; text++; break;
	}
	return !*text && !__builtin_mul_overflow(*value, unit, value);
}

static bool choice(const char *value, const char *const *names, const uint32_t *values, size_t n, uint32_t *chosen)
{
	for (size_t i = 0; i < n; i++) {
		if (!strcmp(value, names[i])) {
			*chosen = values[i];
			return true;
		}
	}
	return false;
}

/* As the kernel's scheme_valid: [a-z][a-z0-9+.-]*. */
static bool scheme_ok(const char *s, size_t len)
{
	if (len == 0 || len > MANIFEST_SCHEME_MAX || s[0] < 'a' || s[0] > 'z')
		return false;
	for (size_t i = 1; i < len; i++)
		if (!((s[i] >= 'a' && s[i] <= 'z') || (s[i] >= '0' && s[i] <= '9') || s[i] == '+' || s[i] == '.' || s[i] == '-'))
			return false;
	return true;
}

/* Adds names to a list. `all`: where to note a "*"; NULL: it is no name here. */
static bool schemes(const char *value, char (*list)[MANIFEST_SCHEME_MAX + 1], uint32_t *n, uint32_t max, bool *all,
                    struct manifest_error *e)
{
	const char *s;
	size_t len;

	while ((len = word(&value, &s)) > 0) {
		if (all && len == 1 && *s == '*') {
			*all = true;
			continue;
		}
		if (!scheme_ok(s, len))
			return refuse(e, "\"%.*s\" is not a scheme name", (int)MIN(len, (size_t)40), s);
		for (uint32_t i = 0; i < *n; i++)
			if (strlen(list[i]) == len && !memcmp(list[i], s, len))
				return refuse(e, "scheme \"%s\" is named twice", list[i]);
		if (*n == max)
			return refuse(e, "more than %u schemes", max);
		memcpy(list[*n], s, len);
		list[*n][len] = 0;
		++*n;
	}
	return true;
}

static bool arguments(struct manifest *m, const char *value, struct manifest_error *e)
{
	const char *s;
	size_t len, at = 0;

	while ((len = word(&value, &s)) > 0) {
		if (m->n_args == MANIFEST_ARGS)
			return refuse(e, "more than %d arguments", MANIFEST_ARGS);
		memcpy(m->args + at, s, len);       /* never longer than the value itself */
		at += len;
		m->args[at++] = 0;
		m->n_args++;
	}
	return true;
}

/* "BASE+COUNT", both in hexadecimal, or COUNT in decimal digits where `count_base` says so. */
static bool range(const char *text, int count_base, uint64_t limit, struct manifest_resource *r)
{
	uint64_t end;

	return digits(&text, 16, &r->base) && *text++ == '+' && digits(&text, count_base, &r->count) && !*text && r->count > 0
	       && !__builtin_add_overflow(r->base, r->count, &end) && end <= limit;
}

static bool resource(struct manifest *m, const char *value, struct manifest_error *e)
{
	struct manifest_resource r = { 0 };

	if (m->n_resources == MANIFEST_RESOURCES)
		return refuse(e, "more than %d resources", MANIFEST_RESOURCES);
	if (!strcmp(value, "info")) {
		r.kind = GRANT_INFO;
	} else if (!strcmp(value, "info-manage")) {
		r.kind = GRANT_INFO_MANAGE;
	} else if (!strcmp(value, "boot")) {
		r.kind = GRANT_BOOT;
	} else if (!strcmp(value, "devices")) {
		r.kind = GRANT_DEVICES;
	} else if (!strcmp(value, "framebuffer")) {
		r.kind = GRANT_FRAMEBUFFER;
	} else if (!strncmp(value, "ioports:", 8)) {
		r.kind = GRANT_IOPORTS;
		if (!range(value + 8, 10, 0x10000, &r))
			return refuse(e, "ioports wants HEX+COUNT below 10000");
	} else if (!strcmp(value, "irq:sci")) {
		r.kind = GRANT_SCI;
	} else if (!strncmp(value, "irq:", 4)) {
		const char *p = value + 4;
		r.kind = GRANT_IRQ;
		r.count = 1;
		if (!digits(&p, 10, &r.base) || (*p == '+' && (p++, !digits(&p, 10, &r.count))) || *p || r.base > UINT32_MAX || !r.count || r.count > UINT32_MAX)
			return refuse(e, "irq wants a number, FIRST+COUNT, or sci");
	} else if (!strncmp(value, "phys:", 5)) {
		r.kind = GRANT_PHYS;
		if (!range(value + 5, 16, 1ull << 52, &r))
			return refuse(e, "phys wants HEX+HEX below 2^52");
	} else if (!strncmp(value, "dma:", 4)) {
		r.kind = GRANT_DMA;
		if (!range(value + 4, 16, 1ull << 32, &r))
			return refuse(e, "dma wants HEX+HEX below 2^32");
	} else {
		return refuse(e, "unknown resource \"%.40s\"", value);
	}
	m->resources[m->n_resources++] = r;
	return true;
}

static bool pci(struct manifest *m, const char *value, struct manifest_error *e)
{
	const char *p = value + 6, *begin = p;
	struct manifest_pci r = { 0 };
	uint64_t high, low;

	if (m->n_pci == MANIFEST_PCI)
		return refuse(e, "more than %d kinds of devices", MANIFEST_PCI);
	if (!strncmp(value, "class:", 6) && digits(&p, 16, &high) && !*p && (p - begin == 2 || p - begin == 4 || p - begin == 6)) {
		unsigned shift = 4 * (unsigned)(6 - (p - begin));
		r.value = (uint32_t)high << shift;
		r.mask = 0xffffff & UINT32_MAX << shift;
	} else if (p = begin = value + 3, !strncmp(value, "id:", 3) && digits(&p, 16, &high) && p - begin == 4 && *p++ == ':' &&
	           (begin = p, digits(&p, 16, &low)) && p - begin == 4 && !*p) {
		r = (struct manifest_pci){ true, (uint32_t)(high << 16 | low), UINT32_MAX };
	} else {
		return refuse(e, "pci wants class:CC, class:CCSS, class:CCSSPP or id:VVVV:DDDD");
	}
	m->pci[m->n_pci++] = r;
	return true;
}

int manifest_fits(const struct manifest *m, uint16_t vendor, uint16_t device, uint32_t class)
{
	int best = 0;

	for (uint32_t i = 0; i < m->n_pci; i++) {
		const struct manifest_pci *r = &m->pci[i];
		uint32_t value = r->by_id ? (uint32_t)vendor << 16 | device : class;
		if ((value & r->mask) == r->value)
			best = MAX(best, r->by_id ? 2 : 1);
	}
	return best;
}

static bool number(const char *value, uint64_t *out, struct manifest_error *e)
{
	return amount(value, out) || refuse(e, "\"%.40s\" is not a number (K, M and G may follow it)", value);
}

/* "60%". */
static bool part(const char *value, uint32_t *percent)
{
	uint64_t v;

	if (!digits(&value, 10, &v) || strcmp(value, "%") != 0 || v < 1 || v > 100)
		return false;
	*percent = (uint32_t)v;
	return true;
}

static bool set(struct manifest *m, enum key key, const char *value, struct manifest_error *e)
{
	static const char *const priorities[] = { "idle", "normal", "interactive", "service", "driver" };
	static const uint32_t priority_values[] = { PRIORITY_IDLE, PRIORITY_NORMAL, PRIORITY_INTERACTIVE, PRIORITY_SERVICE, PRIORITY_DRIVER };
	static const char *const starts[] = { "boot", "first-use" };
	static const char *const restarts[] = { "always", "on-fault", "never" };
	static const char *const switches[] = { "no", "yes" };
	static const uint32_t counting[] = { 0, 1, 2 };
	uint64_t v;
	uint32_t c;

	switch (key) {
	case KEY_EXEC:
		if (strncmp(value, "initfs:///", 10) || !value[10])
			return refuse(e, "exec must begin with initfs:///");
		strcpy(m->exec, value);
		return true;
	case KEY_ARGS:      return arguments(m, value, e);
	case KEY_PROVIDES:  return schemes(value, m->provides, &m->n_provides, MANIFEST_SCHEMES, NULL, e);
	case KEY_OPENS: {
		bool all = false;
		bool good = schemes(value, m->opens, &m->n_opens, MANIFEST_OPENS, &all, e);
		m->opens_all = all;
		return good;
	}
	case KEY_SUBMITS: {
		uint32_t first = m->n_opens;
		bool good = schemes(value, m->opens, &m->n_opens, MANIFEST_OPENS, NULL, e);
		for (uint32_t i = first; i < m->n_opens; i++)
			m->submits |= 1u << i;
		return good;
	}
	case KEY_LEVEL:
		if (!amount(value, &v) || v < 1 || v > 100)
			return refuse(e, "level must be 1 to 100");
		m->level = (uint32_t)v;
		return true;
	case KEY_PRIORITY:
		if (!choice(value, priorities, priority_values, ARRAY_LEN(priorities), &m->priority))
			return refuse(e, "priority must be idle, normal, interactive, service or driver");
		return true;
	case KEY_START:
		if (!choice(value, starts, counting, ARRAY_LEN(starts), &c))
			return refuse(e, "start must be boot or first-use");
		m->start = (int)c;
		return true;
	case KEY_RESTART:
		if (!choice(value, restarts, counting, ARRAY_LEN(restarts), &c))
			return refuse(e, "restart must be always, on-fault or never");
		m->restart = (int)c;
		return true;
	case KEY_MEMORY:    return part(value, &m->budget.memory_percent) || number(value, &m->budget.memory, e);
	case KEY_KERNEL:    return part(value, &m->budget.kernel_percent) || number(value, &m->budget.kernel, e);
	case KEY_HANDLES:   return number(value, &m->budget.handles, e);
	case KEY_THREADS:   return number(value, &m->budget.threads, e);
	case KEY_COMMANDS:  return number(value, &m->budget.commands, e);
	case KEY_PROCESSES: return number(value, &m->budget.processes, e);
	case KEY_STATE:
		if (!number(value, &m->state, e))
			return false;
		return (m->state > 0 && m->state <= MANIFEST_STATE_MAX) || refuse(e, "state must be 1 to 32M");
	case KEY_SHELF:
		if (!choice(value, switches, counting, ARRAY_LEN(switches), &c))
			return refuse(e, "shelf must be yes or no");
		m->shelf = c;
		return true;
	case KEY_TTY:
		if (!strstr(value, "://"))
			return refuse(e, "tty wants a URI");
		strcpy(m->tty, value);
		return true;
	case KEY_HEARTBEAT:
		if (!amount(value, &v) || v > MANIFEST_HEARTBEAT_MAX || (v > 0 && v < MANIFEST_HEARTBEAT_MIN))
			return refuse(e, "heartbeat must be 0 or 500 to 3600000 ms");
		m->heartbeat = (uint32_t)v;
		return true;
	case KEY_RESOURCE:  return resource(m, value, e);
	case KEY_PCI:       return pci(m, value, e);
	default:            return false;
	}
}

/* One line, without its newline: nothing, or key = value. `seen`: bits of the keys so far. */
static bool line_parse(struct manifest *m, const char *line, size_t len, uint32_t *seen, struct manifest_error *e)
{
	char value[MANIFEST_VALUE_MAX + 1];

	for (size_t i = 0; i < len; i++) {
		if (line[i] == '#')
			len = i;
		else if ((uint8_t)line[i] < ' ' && !blank(line[i]))
			return refuse(e, "it holds a control character");
	}
	while (len > 0 && blank(line[len - 1]))
		len--;
	while (len > 0 && blank(*line))
		line++, len--;
	if (len == 0)
		return true;

	const char *equals = memchr(line, '=', len);
	if (!equals)
		return refuse(e, "it is not \"key = value\"");
	size_t key_len = (size_t)(equals - line), value_len = len - key_len - 1;
	while (key_len > 0 && blank(line[key_len - 1]))
		key_len--;
	const char *v = equals + 1;
	while (value_len > 0 && blank(*v))
		v++, value_len--;
	if (value_len > MANIFEST_VALUE_MAX)
		return refuse(e, "the value is longer than %d bytes", MANIFEST_VALUE_MAX);
	memcpy(value, v, value_len);
	value[value_len] = 0;

	for (enum key k = 0; k < KEYS; k++) {
		if (strlen(key_names[k]) != key_len || memcmp(key_names[k], line, key_len))
			continue;
		if (k != KEY_RESOURCE && k != KEY_PCI && (*seen & 1u << k))
			return refuse(e, "%s is set twice", key_names[k]);
		*seen |= 1u << k;
		if (value_len == 0 && k != KEY_ARGS && k != KEY_PROVIDES && k != KEY_OPENS)
			return refuse(e, "%s has no value", key_names[k]);
		return set(m, k, value, e);
	}
	return refuse(e, "unknown key \"%.*s\"", (int)MIN(key_len, (size_t)40), line);
}

bool manifest_name_ok(const char *name)
{
	size_t n = strlen(name);

	if (n == 0 || n > MANIFEST_NAME_MAX || name[0] < 'a' || name[0] > 'z')
		return false;
	for (size_t i = 0; i < n; i++)
		if (!((name[i] >= 'a' && name[i] <= 'z') || (name[i] >= '0' && name[i] <= '9') || name[i] == '.' || name[i] == '-'))
			return false;
	return true;
}

bool manifest_parse(struct manifest *m, const char *name, const char *text, size_t len, struct manifest_error *e)
{
	uint32_t seen = 0;

	memset(m, 0, sizeof(*m));
	m->budget = (struct manifest_budget){ UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, 0, 0 };
	m->priority = PRIORITY_SERVICE;
	m->level = 100;
	m->state = PAGE_SIZE;
	m->heartbeat = 2000;
	e->line = 0;
	if (!manifest_name_ok(name))
		return refuse(e, "the file's name cannot name a service (a-z, 0-9, '.', '-', at most %d bytes)", MANIFEST_NAME_MAX);
	snprintf(m->name, sizeof(m->name), "%s", name);

	for (size_t at = 0; at < len;) {
		const char *end = memchr(text + at, '\n', len - at);
		size_t line_len = end ? (size_t)(end - (text + at)) : len - at;
		e->line++;
		if (!line_parse(m, text + at, line_len, &seen, e))
			return false;
		at += line_len + 1;
	}
	e->line = 0;
	if (!m->exec[0])
		return refuse(e, "exec is missing");
	if (m->n_pci && m->n_provides)
		return refuse(e, "what is started for each device cannot provide a scheme");
	if (m->n_pci && seen & 1u << KEY_START)
		return refuse(e, "what is started for each device starts with it");
	if (m->n_pci && strlen(name) > MANIFEST_NAME_MAX - MANIFEST_PLACE)
		return refuse(e, "the name leaves no room for a device's place (at most %d bytes)", MANIFEST_NAME_MAX - MANIFEST_PLACE);
	return true;
}
