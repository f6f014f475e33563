/*
 * acpid: `acpi://`, what the firmware says about the machine, and its switch. ACPICA reads the tables and runs their AML
 * (machine.c) on what the manifest grants (osl.c).
 *
 *   acpi://             a summary for people; a directory
 *   acpi://tables/NAME  tables as they lie in memory
 *   acpi://irq          interrupt routing of PCI, one pin a line; for programs CTL_ACPI_IRQ
 *
 * The power button: a press is noted in the state Frame, then submitted to initd, which ends everything in order and at last asks us
 * (CTL_ACPI_OFF, on the Session that only initd has). Nobody is waited for.
 *
 * AML takes longer to load than everything else. It begins a moment after the start, or with the first command that wants something
 * of it: who only looks at tables, and whoever waits since the last instance, is answered before.
 *
 * Tables come from outside. If they end us three times in a row (blame.h), the next instance leaves the SSDTs out, of which machines have
 * many; if that is not enough, the one after it runs no AML, and serves the rest.
 */
#include "blame.h"
#include "embedded.h"
#include "ged.h"
#include "machine.h"
#include "osl.h"
#include <abi/file.h>
#include <gen/file.h>
#include <rt/clock.h>
#include <rt/file.h>
#include <rt/io.h>
#include <rt/start.h>
#include <rt/state.h>
#include <rt/svc.h>
#include <stdlib.h>
#include <string.h>

#define SESSION_RIGHTS (RIGHT_READ | RIGHT_CALL | RIGHT_DUP | RIGHT_TRANSFER)
#define STATE_VERSION  7
#define RETRY_NS       NS_PER_SEC
#define BEGIN_NS       NS_PER_MS            /* Notifies come before commands: those that wait when we start are taken first */
#define PRESSED        0x50524553u          /* no stray store of an instance that crashed switches the machine off */
#define TEXT_MAX       (16 * KiB)

/* Badges: ACPI_BADGE_SUPERVISOR is initd's; tables follow from NODE_TABLE on. */
enum { NODE_ROOT = 0, NODE_TABLES = 2, NODE_IRQ = 3, NODE_TABLE = 16 };
enum { BADGE_RETRY = 16, BADGE_BEGIN };
enum { TOKEN_POWEROFF = 1 };

static struct kept {                /* in the state Frame */
	struct blame blame;
	uint32_t pressed;           /* PRESSED: the power button was, and initd has not taken it yet */
	uint32_t begun;             /* an instance has switched events on */
	struct slot_log slots;
	struct machine_gpes gpes;
	struct ged_kept ged;
} *kept;

static struct svc svc;
static struct boot_info boot;
static const char *aml = "not yet";         /* what of it runs, or why none */
static handle_t initd, retry, begin;
static bool asked;                          /* the poweroff is on its way to initd */
static bool begun;                          /* begin_aml has been called */

static void timer(handle_t notify, uint64_t after_ns)
{
	uint64_t now;

	MUST(clock_now(&now));
	MUST(notify_timer(notify, 0, now + after_ns, 0));
}

/* ---- the power button ---- */

/* Sends what is noted. A press that cannot be sent now is sent later. */
static void ask_poweroff(void)
{
	static struct msg m;

	if (kept->pressed != PRESSED || asked || !initd)
		return;
	m = (struct msg){ 0 };
	file_ctl_ask(&m, &(struct file_ctl_req){ .code = CTL_SVC_POWEROFF });
	status_t st = ipc_submit(initd, &m, svc.port, TOKEN_POWEROFF);
	if (st >= 0) {
		asked = true;
		return;
	}
	log_print("initd cannot be asked to power off: %s", error_text(st));
	timer(retry, RETRY_NS);
}

static void on_completion(void *self unused, struct event *e)
{
	if (e->cmd != TOKEN_POWEROFF)
		return;
	asked = false;
	if (e->status >= 0) {
		kept->pressed = 0;
		return;
	}
	log_print("initd does not power off: %s", error_text(e->status));
	timer(retry, RETRY_NS);
}

static void heard(enum machine_event e)
{
	switch (e) {
	case MACHINE_POWER_BUTTON:
		if (kept->pressed == PRESSED)
			break;
		log_print("the power button was pressed");
		kept->pressed = PRESSED;
		break;                  /* on_idle sends it */
	case MACHINE_SLEEP_BUTTON:
		log_print("the sleep button was pressed; there is nothing to do about it");
		break;
	case MACHINE_LID:
		log_print("the lid was opened or closed");
		break;
	}
}

/* ---- slots ---- */

static cmd_id_t waiting;                    /* for what happens in a slot; 0: nobody does */
static uint64_t waiting_seen;

static bool slot_answer(uint64_t seen, uint64_t *number, uint64_t *what)
{
	enum slot_kind kind;
	uint16_t at;

	if (!slots_next(&kept->slots, seen, number, &at, &kind))
		return false;
	*what = (uint64_t)kind << 16 | at;
	return true;
}

static void answer_waiting(status_t st)
{
	struct reply r = { .status = st };

	if (!waiting || (st == OK && !slot_answer(waiting_seen, &r.w[0], &r.w[1])))
		return;
	cmd_id_t cmd = waiting;
	waiting = 0;
	svc_reply(cmd, &r);
}

static void on_slot(uint16_t at, enum slot_kind kind)
{
	slots_note(&kept->slots, at, kind);
	answer_waiting(OK);
}

static status_t wait_for_slot(const struct svc_cmd *c, uint64_t seen, struct file_ctl_rep *p)
{
	if (slot_answer(seen, &p->value0, &p->value1))
		return OK;
	answer_waiting(ERR_CANCELLED);          /* there is one who looks after slots: whoever asked before has ended */
	waiting = c->cmd;
	waiting_seen = seen;
	return SVC_LATER;
}

static void on_cancel(void *self unused, cmd_id_t cmd)
{
	if (cmd == waiting)
		answer_waiting(ERR_CANCELLED);
}

/* ---- AML ---- */

/* Loads and runs it, if that is still to be done. */
static void begin_aml(void)
{
	if (begun)
		return;
	begun = true;
	if (kept->blame.ends >= BLAME_AML) {
		aml = "left alone: it has ended acpid too often, see svc://acpid and log://";
		log_print("the tables have ended acpid %d times in a row: their AML is left alone, no buttons and no routing", BLAME_AML);
		return;
	}
	if (kept->blame.ends >= BLAME_SSDTS)
		log_print("the tables have ended acpid %u times in a row: the SSDTs are left out", kept->blame.ends);
	bool again = kept->begun != 0;
	kept->begun = 1;
	/* What a slot told the last instance may not have been written down. */
	if (again)
		on_slot(SLOT_ANYWHERE, SLOT_BUS_CHECK);
	machine_hear_slots(on_slot);
	if (kept->blame.ends >= BLAME_QUERIES && ec_forget(&kept->gpes.embedded))
		log_print("events of the embedded controller are dropped: their methods have ended acpid");
	if (machine_begin(heard, again, boot.acpi.pm1_status[0] || boot.acpi.pm1_status[1], &kept->gpes) < 0)
		aml = "not running: the tables do not allow it, see log://";
	else
		aml = kept->blame.ends >= BLAME_SSDTS ? "running without SSDTs: with them it ended acpid, see svc://acpid and log://" : "running";
}

/* ---- the protocol ---- */

static const struct table_entry *table_of(uint64_t node)
{
	const struct tables *t = machine_table_list();

	if (node < NODE_TABLE)
		return NULL;
	if (node - NODE_TABLE >= t->n)
		begin_aml();            /* it may load more */
	return node - NODE_TABLE < t->n ? &t->at[node - NODE_TABLE] : NULL;
}

static const struct table_entry *table_named(const char *name, size_t len)
{
	const struct table_entry *e = tables_find(machine_table_list(), name, len);

	if (e)
		return e;
	begin_aml();
	return tables_find(machine_table_list(), name, len);
}

static bool is_directory(uint64_t node)
{
	return node == NODE_ROOT || node == NODE_TABLES;
}

/* The node that a directory's entry is; 0: there is none. */
static uint64_t entry(uint64_t dir, const char *name, size_t len)
{
	if (dir == NODE_TABLES) {
		const struct table_entry *e = table_named(name, len);
		return e ? NODE_TABLE + (uint64_t)(e - machine_table_list()->at) : 0;
	}
	if (len == 6 && !memcmp(name, "tables", 6))
		return NODE_TABLES;
	return len == 3 && !memcmp(name, "irq", 3) ? NODE_IRQ : 0;
}

/* What a Session and a path name. No way leads out of the Session's directory. */
static status_t find(const struct svc_cmd *c, uint64_t *node)
{
	uint64_t base = c->badge == ACPI_BADGE_SUPERVISOR ? NODE_ROOT : c->badge, at = base;

	if (!is_directory(base) && base != NODE_IRQ && !table_of(base))
		return ERR_INVALID;
	for (const char *p = c->path ? c->path : ""; *p;) {
		size_t n = strcspn(p, "/");
		if (n > 0 && !is_directory(at))
			return ERR_NOT_DIRECTORY;
		if (n == 2 && p[0] == '.' && p[1] == '.') {
			at = base;              /* there are only two levels */
		} else if (n > 0 && !(n == 1 && p[0] == '.')) {
			at = entry(at, p, n);
			if (!at)
				return ERR_NOT_FOUND;
		}
		if (p[n] == '/' && n > 0 && !is_directory(at))
			return ERR_NOT_DIRECTORY;
		p += n + (p[n] == '/');
	}
	*node = at;
	return OK;
}

/* With what AML has to say. */
static const struct routes *routes(void)
{
	begin_aml();
	return machine_routes();
}

static char text[TEXT_MAX];

/* A node's content, but of the routing. */
static const void *content(uint64_t node, size_t *size)
{
	const struct table_entry *t = table_of(node);

	if (t) {
		*size = t->size;
		return t->data;
	}
	begin_aml();
	*size = node == NODE_ROOT ? machine_summary(text, sizeof(text), aml)
	      : node == NODE_TABLES ? tables_text(machine_table_list(), text, sizeof(text)) : 0;
	return text;
}

static uint64_t size_of(uint64_t node)
{
	const struct table_entry *t = table_of(node);

	if (node == NODE_IRQ)
		return route_text_size(routes());
	return t ? t->size : 0;         /* the text of a directory is made when it is read */
}

static status_t on_open(void *self unused, struct svc_cmd *c, const struct file_open_req *q, struct file_open_rep *p)
{
	uint64_t node;

	status_t st = find(c, &node);
	if (st < 0)
		return st;
	if ((q->flags & OPEN_DIRECTORY) && !is_directory(node))
		return ERR_NOT_DIRECTORY;
	/* The root is opened for writing by who looks after slots; there is nothing to write. */
	bool keeper = node == NODE_ROOT && q->flags & OPEN_DIRECTORY && q->flags & OPEN_WRITE;
	if (q->flags & (OPEN_APPEND | OPEN_TRUNC | OPEN_CREATE) || (q->flags & OPEN_WRITE && !keeper))
		return ERR_READ_ONLY;
	if (keeper && !(c->rights & RIGHT_WRITE))
		return ERR_DENIED;
	p->type = is_directory(node) ? FILE_DIRECTORY : FILE_REGULAR;
	p->size = size_of(node);
	c->mint = true;
	c->mint_badge = node;
	c->mint_rights = (SESSION_RIGHTS & (c->rights | ~(uint32_t)RIGHT_READ)) | (keeper ? RIGHT_WRITE : 0);
	return OK;
}

static status_t on_read(void *self unused, struct svc_cmd *c, const struct file_read_req *q, struct file_read_rep *p)
{
	uint64_t node;
	size_t size;

	status_t st = find(c, &node);
	if (st < 0)
		return st;
	if (node == NODE_IRQ) {
		p->done = route_text(routes(), q->offset, text, MIN((size_t)c->out_len, sizeof(text)));
		return p->done ? svc_write_out(c->cmd, 0, text, p->done) : OK;
	}
	const void *data = content(node, &size);
	return svc_read_from(c, q->offset, data, size, &p->done);
}

static status_t on_stat(void *self unused, struct svc_cmd *c, const struct file_stat_req *q unused, struct file_stat_rep *p)
{
	uint64_t node;

	status_t st = find(c, &node);
	if (st < 0)
		return st;
	p->type = is_directory(node) ? FILE_DIRECTORY : FILE_REGULAR;
	p->size = size_of(node);
	p->mode = is_directory(node) ? 0555 : 0444;
	p->ino = node + 1;
	return OK;
}

static status_t on_readdir(void *self unused, struct svc_cmd *c, const struct file_readdir_req *q, struct file_readdir_rep *p)
{
	static char buf[4 * KiB] aligned(8);
	size_t room = MIN((size_t)c->out_len, sizeof(buf)), done = 0, size;
	const struct tables *t = machine_table_list();
	uint64_t i = q->cookie, dir;

	status_t st = find(c, &dir);
	if (st < 0)
		return st;
	if (!is_directory(dir))
		return ERR_NOT_DIRECTORY;
	begin_aml();
	for (uint64_t n = dir == NODE_ROOT ? 2 : t->n; i < n; i++, done += size) {
		if (dir == NODE_TABLES)
			size = dirent_put(buf + done, room - done, NODE_TABLE + i + 1, t->at[i].size, FILE_REGULAR, t->at[i].name);
		else if (i == 0)
			size = dirent_put(buf + done, room - done, NODE_TABLES + 1, 0, FILE_DIRECTORY, "tables");
		else
			size = dirent_put(buf + done, room - done, NODE_IRQ + 1, size_of(NODE_IRQ), FILE_REGULAR, "irq");
		if (size == 0)
			break;
	}
	p->done = done;
	p->next = i;
	return done ? svc_write_out(c->cmd, 0, buf, done) : OK;
}

static status_t slots(uint64_t *ours)
{
	bool yes = false;

	begin_aml();
	status_t st = machine_slots(&yes);
	*ours = yes;
	return st;
}

static status_t on_ctl(void *self unused, struct svc_cmd *c, const struct file_ctl_req *q, struct file_ctl_rep *p)
{
	bool supervisor = c->badge == ACPI_BADGE_SUPERVISOR;

	switch (q->code) {
	case CTL_ACPI_OFF:
	case CTL_ACPI_REBOOT:
		if (!supervisor)
			return ERR_DENIED;
		begin_aml();
		return q->code == CTL_ACPI_OFF ? machine_off() : machine_reset();
	case CTL_ACPI_IRQ: {
		if (q->arg0 > UINT16_MAX || q->arg1 < 1 || q->arg1 > 4)
			return ERR_INVALID;
		const struct route *r = route_find(routes(), q->arg0 >> 8 & 255, q->arg0 >> 3 & 31, (uint32_t)q->arg1);
		if (!r)
			return ERR_NOT_FOUND;
		p->value0 = r->gsi;
		p->value1 = (r->level ? IRQ_LEVEL : 0) | (r->active_low ? IRQ_ACTIVE_LOW : 0);
		return OK;
	}
	case CTL_ACPI_SLOTS:
		return c->rights & RIGHT_WRITE ? slots(&p->value0) : ERR_DENIED;
	case CTL_ACPI_SLOT_NEXT:
		return c->rights & RIGHT_WRITE ? wait_for_slot(c, q->arg0, p) : ERR_DENIED;
	case CTL_ACPI_EJECT:
		if (!(c->rights & RIGHT_WRITE))
			return ERR_DENIED;
		if (q->arg0 > UINT16_MAX)
			return ERR_INVALID;
		begin_aml();
		return machine_eject((uint16_t)q->arg0);
	default:
		return ERR_NOT_SUPPORTED;
	}
}

static status_t on_poll(void *self unused, struct svc_cmd *c unused, const struct file_poll_req *q, struct file_poll_rep *p)
{
	p->ready = q->events & POLL_IN;
	return OK;
}

static const struct file_ops ops = {
	.open = on_open, .read = on_read, .stat = on_stat, .readdir = on_readdir, .poll = on_poll, .ctl = on_ctl,
};

static void on_begin(void *self unused)
{
	blame_busy(&kept->blame, clock_value());
}

static void on_notify(void *self unused, uint64_t badge, uint64_t bits)
{
	static bool rung;

	on_begin(NULL);
	switch (badge) {
	case OSL_BADGE_SCI:   osl_interrupt(); break;
	case OSL_BADGE_PAUSE: osl_pause_over(); break;
	case BADGE_BEGIN:
		/* On a slow machine it rings before the first command is taken: those that wait then are taken before it rings again. */
		if (rung)
			begin_aml();
		else
			timer(begin, BEGIN_NS);
		rung = true;
		break;
	default:                                /* OSL_BADGE_WORK, BADGE_RETRY: on_idle does it */
		if (badge >= GED_BADGE && badge < GED_BADGES_END)
			ged_happened(badge, bits);
		break;
	}
}

static void on_idle(void *self unused)
{
	if (osl_work())
		machine_settled();
	ask_poweroff();
	embedded_rest();
	blame_idle(&kept->blame, begun && kept->blame.ends < BLAME_AML, clock_value());
}

/* ---- start ---- */

static unsigned long number_of(const char *name)
{
	const char *value = env_get(name);

	return value ? strtoul(value, NULL, 10) : 0;
}

/* What earlier instances left, and how the last one ended. */
static void recover(void)
{
	static struct state state;

	MUST(state_open(&state, STATE_VERSION, sizeof(struct kept)));
	/* It is a few numbers, looked at here: it cannot be what ends us, and must outlive what does. */
	state_good(&state);
	kept = state.memory;
	ged_keep(&svc, &state, &kept->ged);
	blame_begin(&kept->blame, number_of("FAULTED"), clock_value());
}

int main(int argc unused, char **argv unused)
{
	handle_t frame = start_handle("boot");
	uint64_t done;

	if (!frame || frame_read(frame, 0, &boot, sizeof(boot), &done) < 0 || done < sizeof(boot) || boot.magic != BOOT_MAGIC || !boot.rsdp) {
		log_print("the firmware names no ACPI tables");
		return 0;
	}
	recover();
	MUST(svc_init(&svc, &file_proto, &ops, NULL));
	svc.on_begin = on_begin;
	svc.on_notify = on_notify;
	svc.on_idle = on_idle;
	svc.on_completion = on_completion;
	svc.on_cancel = on_cancel;
	MUST(svc_notify(&svc, BADGE_RETRY, &retry));
	MUST(svc_notify(&svc, BADGE_BEGIN, &begin));
	MUST(port_reserve(svc.port, 1));
	/* initd is below us, and never waits for us. Without it the button does nothing. */
	status_t st = file_open("svc://", OPEN_READ | OPEN_WRITE, &initd);
	if (st < 0)
		log_print("svc://: %s: the power button will do nothing", error_text(st));
	osl_init(&svc, &boot);
	/* One that runs no AML shows all tables. */
	st = machine_tables(kept->blame.ends != BLAME_SSDTS);
	if (st < 0) {
		log_print("the tables cannot be used: %s", error_text(st));
		return 0;
	}
	/* Once the tables are under suspicion, no command may be at hand when they strike: whoever sent it would be blamed. */
	if (kept->blame.ends)
		begin_aml();
	else
		timer(begin, BEGIN_NS);
	on_idle(NULL);
	st = svc_run(&svc);
	if (st < 0)
		rt_panic("the Port failed: %s", error_text(st));
	return 0;
}
