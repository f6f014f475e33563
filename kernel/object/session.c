/*
 * session: a client's end of a Port: badge and rights that the server gave it. When nobody holds
 * it any more, its Port gets CLOSE; the Session itself lives until that is answered.
 */
#include <kernel/budget.h>
#include <kernel/ipc.h>
#include <kernel/panic.h>
#include <kernel/syscall.h>

struct session *session_create(struct port *p, uint64_t badge, uint32_t rights, uint32_t flags, struct budget *payer, status_t *why)
{
	struct command *close = flags & RETURN_SILENT ? NULL : command_alloc(payer, why);
	if (!close && !(flags & RETURN_SILENT))
		return NULL;
	struct session *s = (struct session *)object_create(OBJ_SESSION, sizeof(*s), payer, why);
	if (!s) {
		if (close)
			command_free(close);
		return NULL;
	}
	if (close) {
		close->is_close = true;
		/* It lends its server no more than who makes the Session may have. */
		close->priority = (uint8_t)MIN(CURRENT_PROCESS->priority, (uint32_t)PRIORITY_SERVICE);
	}
	s->close = close;
	s->port = OBJ_GET(p);
	__atomic_fetch_add(&p->n_sessions, 1, __ATOMIC_RELAXED);
	s->badge = badge;
	s->rights = rights & SESSION_RIGHTS;
	return s;
}

/* Every command of s is over: the last word goes to its Port. Holds s until it is answered. */
void session_send_close(struct session *s)
{
	struct command *c = s->close;
	s->closing = SESSION_CLOSE_SENT;
	if (c) {
		c->session = s;
		if (port_send(s->port, c, false) == OK)
			return;
		/* Nobody can ever serve there; what port_send dropped was the command only. */
		s->close = NULL;
		command_free(c);
	}
	OBJ_PUT(s);
}

/*
 * The last reference went. A Session says CLOSE once, after its last command, and is held until that is
 * answered; the second time nothing is left to say.
 */
bool session_last_ref(struct object *o)
{
	struct session *s = (struct session *)o;
	if (s->closing != SESSION_OPEN)         /* and it never is again; brief_return has the Port locked */
		return false;
	spin_lock(&s->port->lock);
	bool open = s->closing == SESSION_OPEN, now = open && s->in_flight == 0;
	if (open) {
		object_get(o);
		s->closing = now ? SESSION_CLOSE_SENT : SESSION_CLOSE_PENDING;
	}
	spin_unlock(&s->port->lock);
	if (now && !s->close)           /* not the last after all, if another CPU found it meanwhile */
		return __atomic_sub_fetch(&o->refs, 1, __ATOMIC_SEQ_CST) > 0;
	if (now)
		session_send_close(s);
	return open;
}

bool session_destroy(struct object *o)
{
	struct session *s = (struct session *)o;
	if (s->close)
		command_free(s->close);
	if (s->port)
		__atomic_fetch_sub(&s->port->n_sessions, 1, __ATOMIC_RELAXED);
	OBJ_PUT(s->port);
	return true;
}

status_t sys_session_create(handle_t port, uint64_t badge, uint32_t rights, handle_t *h)
{
	struct port *p;
	status_t st = LOOKUP(port, OBJ_PORT, RIGHT_MANAGE, &p), why = OK;
	if (st < 0)
		return st;
	struct session *s = session_create(p, badge, rights, 0, CURRENT_PROCESS->budget, &why);
	if (!s)
		return why;
	st = handle_install(CURRENT_PROCESS->table, &s->obj, RIGHT_CALL | RIGHT_DUP | RIGHT_TRANSFER | (rights & SESSION_RIGHTS), 0, h);
	OBJ_PUT(s);
	return st;
}
