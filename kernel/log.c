/*
 * log: the last LOG_RING_BYTES of what the kernel and the programs had to say.
 *
 * A line is built on the writer's stack (time, text made harmless, newline), then copied into the
 * ring under `ring_lock`, then shown under `console_lock`. Two locks, because a serial port takes
 * milliseconds for a line and readers of the ring shall not wait for it. Neither is ever held by
 * panic (panic.c writes to the consoles directly), so a panic inside this file still gets its
 * words out.
 *
 * Bytes are numbered from the first one ever written; byte n lives at ring[n % LOG_RING_BYTES]
 * until byte n + LOG_RING_BYTES replaces it.
 */
#include <kernel/arch.h>
#include <kernel/log.h>
#include <kernel/spinlock.h>

enum {
	TEXT_MAX   = 512,
	PREFIX_MAX = 32,        /* "[18446744073.000] " and room */
};

static struct spinlock ring_lock;
static char     ring[LOG_RING_BYTES];
static uint64_t ring_end;               /* number of the next byte; under ring_lock */

static struct spinlock console_lock;
static bool to_serial, to_screen;       /* under console_lock */
static bool serial_taken, screen_taken; /* somebody else's; under console_lock */

/*
 * Length of the printable UTF-8 character at text (1..4), or 0: a control character (C0, DEL, C1)
 * or no UTF-8 (RFC 3629: overlong forms, surrogates and values past U+10FFFF are none). A terminal
 * must not be driven by whoever may write a log line.
 */
static size_t printable(const uint8_t *text, size_t len)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint8_t first = text[0];
	size_t  n = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;

	if (n == 1)
		return first >= 0x20 && first != 0x7f;
	if (n == 0 || n > len)
		return 0;
	uint32_t c = first & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (text[i] & 0x3f);
	}
	if (c < least[n] || c < 0xa0 || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	return n;
}

static size_t clean_copy(char *to, const char *from, size_t len)
{
	for (size_t i = 0; i < len; ) {
		size_t n = printable((const uint8_t *)from + i, len - i);
		if (n == 0)
			to[i++] = '.';
		for (; n > 0; n--, i++)
			to[i] = from[i];
	}
	return len;
}

static void emit(const char *text, size_t len)
{
	char     line[PREFIX_MAX + TEXT_MAX + 1];

	spin_lock(&ring_lock);
	/* Under the lock: times do not go backwards from line to line. */
	uint64_t ms = clock_tsc_hz ? clock_ns() / NS_PER_MS : 0;
	size_t   n = kformat(line, PREFIX_MAX, "[%lu.%03lu] ", ms / 1000, ms % 1000);
	n += clean_copy(line + n, text, MIN(len, (size_t)TEXT_MAX));
	line[n++] = '\n';
	for (size_t i = 0; i < n; i++)
		ring[ring_end++ % LOG_RING_BYTES] = line[i];
	spin_unlock(&ring_lock);

	spin_lock(&console_lock);
	if (to_serial)
		serial_write(line, n);
	if (to_screen)
		fbcon_write(line, n);
	spin_unlock(&console_lock);
}

void klog(const char *format, ...)
{
	char    text[TEXT_MAX + 1];
	va_list args;

	va_start(args, format);
	size_t n = kvformat(text, sizeof(text), format, args);
	va_end(args);
	emit(text, n);
}

void log_append(const char *text, size_t len)
{
	if (len > 0 && text[len - 1] == '\n')   /* one line with its newline is still one line */
		len--;
	emit(text, len);
}

size_t log_copy(uint64_t *seq, char *buf, size_t len)
{
	spin_lock(&ring_lock);
	uint64_t oldest = ring_end > LOG_RING_BYTES ? ring_end - LOG_RING_BYTES : 0;
	uint64_t from = MIN(MAX(*seq, oldest), ring_end);
	size_t   n = MIN(len, ring_end - from);

	for (size_t i = 0; i < n; i++)
		buf[i] = ring[(from + i) % LOG_RING_BYTES];
	*seq = from + n;
	spin_unlock(&ring_lock);
	return n;
}

/* What the ring holds, for a console that comes late. */
static void show_all(bool serial, bool screen)
{
	char     piece[256];
	uint64_t seq = 0;

	for (size_t n; (n = log_copy(&seq, piece, sizeof(piece))) > 0; ) {
		if (serial)
			serial_write(piece, n);
		if (screen)
			fbcon_write(piece, n);
	}
}

static void consoles_locked(bool serial, bool screen)
{
	show_all(serial && !to_serial, screen && !to_screen);
	if (to_screen && !screen)
		fbcon_reset();                  /* whoever draws next leaves no trace of ours; a panic starts afresh */
	to_serial = serial;
	to_screen = screen;
}

void log_console(bool serial, bool screen)
{
	spin_lock(&console_lock);
	consoles_locked(serial, screen);
	spin_unlock(&console_lock);
}

void log_loud(void)
{
	spin_lock(&console_lock);
	consoles_locked(to_serial || !serial_taken, to_screen || !screen_taken);
	spin_unlock(&console_lock);
}

void log_screen_off(void)
{
	spin_lock(&console_lock);
	to_screen = false;
	screen_taken = true;
	fbcon_reset();
	spin_unlock(&console_lock);
}

void log_serial_off(void)
{
	spin_lock(&console_lock);
	to_serial = false;
	serial_taken = true;
	spin_unlock(&console_lock);
}
