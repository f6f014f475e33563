/*
 * line: see tracing.h. Text from records is foreign: control bytes become '?'.
 */
#include <gen/file.h>
#include <rt/start.h>
#include <stdio.h>
#include <string.h>
#include "tracing.h"

static void add_text(char *buf, size_t size, const char *text)
{
	size_t n = strlen(buf);

	for (size_t i = 0; i < TRACE_TEXT && text[i] && n + 1 < size; i++)
		buf[n++] = text[i] >= ' ' && text[i] != 0x7f ? text[i] : '?';
	buf[n] = 0;
}

static void add_number(char *buf, size_t size, uint64_t v)
{
	size_t n = strlen(buf);

	snprintf(buf + n, size - n, v >> 32 ? " %#llx" : " %llu", (unsigned long long)v);
}

/* Words up to the last that is not 0. */
static void add_words(char *buf, size_t size, const uint64_t w[3])
{
	int last = 2;

	while (last >= 0 && !w[last])
		last--;
	for (int i = 0; i <= last; i++)
		add_number(buf, size, w[i]);
}

void trace_request(char *buf, size_t size, const struct trace_record *r)
{
	const char *name = r->flags & TRACE_CLOSE ? "CLOSE" : file_op_name(r->op);

	if (name)
		snprintf(buf, size, "%s", name);
	else
		snprintf(buf, size, "op %u", r->op);
	if (r->flags & TRACE_PATH) {
		size_t n = strlen(buf);
		snprintf(buf + n, size - n, r->text[TRACE_TEXT - 2] ? " ..." : " ");
		add_text(buf, size, r->text[0] ? r->text : ".");
	}
	add_words(buf, size, r->w);
	size_t n = strlen(buf);
	if (r->in_len && !(r->flags & TRACE_PATH))
		snprintf(buf + n, size - n, " in:%u", r->in_len);
	n = strlen(buf);
	if (r->out_len)
		snprintf(buf + n, size - n, " out:%u", r->out_len);
}

void trace_line(char *buf, size_t size, const struct trace_record *r)
{
	static const char *const kinds[] = {
		[TRACE_SENT] = "sent", [TRACE_FORWARDED] = "forwarded", [TRACE_DELIVERED] = "delivered", [TRACE_RETURNED] = "returned",
		[TRACE_CANCEL] = "cancel", [TRACE_LEFT] = "left", [TRACE_FAILED] = "failed", [TRACE_REQUEUED] = "requeued", [TRACE_COMPLETED] = "completed",
	};
	const char *kind = r->kind < ARRAY_LEN(kinds) && kinds[r->kind] ? kinds[r->kind] : "?";

	snprintf(buf, size, "%llu.%09llu %016llx %016llx %5u/%-5u port %-4llu %-9s ", (unsigned long long)(r->time_ns / NS_PER_SEC),
		(unsigned long long)(r->time_ns % NS_PER_SEC), (unsigned long long)r->request, (unsigned long long)r->command,
		r->pid, r->tid, (unsigned long long)r->port, kind);
	size_t n = strlen(buf);
	switch (r->kind) {
	case TRACE_SENT:
	case TRACE_FORWARDED:
		trace_request(buf + n, size - n, r);
		break;
	case TRACE_DELIVERED:
	case TRACE_REQUEUED:
	case TRACE_COMPLETED:
		add_text(buf, size, r->text);
		break;
	case TRACE_CANCEL:
		break;
	default:
		if (r->status < 0)
			snprintf(buf + n, size - n, "%s", error_name(r->status));
		else
			snprintf(buf + n, size - n, "%d", r->status);
		if (r->status >= 0 && r->kind == TRACE_RETURNED)
			add_words(buf, size, r->w);
	}
}

bool trace_parse(const char *text, size_t len, uint32_t *what, uint64_t *pid)
{
	static const struct { const char *word; uint32_t what; } words[] = { { "on", TRACE_ALL }, { "stop", TRACE_STOP }, { "off", TRACE_OFF } };
	size_t i;

	if (len && text[len - 1] == '\n')
		len--;
	*pid = 0;
	for (i = 0; i < ARRAY_LEN(words); i++)
		if (len == strlen(words[i].word) && !memcmp(text, words[i].word, len)) {
			*what = words[i].what;
			return true;
		}
	if (len < 4 || len > 12 || memcmp(text, "on ", 3))
		return false;
	for (i = 3; i < len && text[i] >= '0' && text[i] <= '9'; i++)
		*pid = *pid * 10 + (uint64_t)(text[i] - '0');
	*what = TRACE_PROCESS;
	return i == len && *pid > 0;
}
