/*
 * namespace: which scheme is answered by which Session, for the processes that see it.
 */
#include <kernel/ipc.h>
#include <kernel/mm.h>
#include <kernel/syscall.h>
#include <kernel/uri.h>

struct namespace *ns_create(struct budget *payer, status_t *why)
{
	struct namespace *ns = (struct namespace *)object_create(OBJ_NAMESPACE, sizeof(*ns), payer, why);
	if (ns)
		list_init(&ns->sockets);
	return ns;
}

static struct ns_binding *find_locked(struct namespace *ns, const char *scheme, size_t len)
{
	for (uint32_t i = 0; i < ns->n; i++)
		if (!strncmp(ns->entries[i].scheme, scheme, len) && !ns->entries[i].scheme[len])
			return &ns->entries[i];
	return NULL;
}

status_t ns_bind(struct namespace *ns, const char *scheme, size_t len, struct session *s, uint32_t rights)
{
	struct session *old = NULL;
	status_t st = OK;
	/* unix:// is the kernel's own entry of every Namespace (socket.c). */
	if (!scheme_valid(scheme, len) || (len == 4 && !memcmp(scheme, "unix", 4)))
		return ERR_INVALID;
	spin_lock(&ns->lock);
	struct ns_binding *b = find_locked(ns, scheme, len);
	if (b) {
		old = b->session;
	} else if (ns->n == NS_ENTRIES_MAX) {
		st = ERR_NO_SPACE;
	} else {
		b = &ns->entries[ns->n++];
		mem_zero(b->scheme, sizeof(b->scheme));
		memcpy(b->scheme, scheme, len);
	}
	if (b) {
		object_handle_get(&s->obj);
		b->session = s;
		b->rights = rights;
	}
	spin_unlock(&ns->lock);
	if (old)
		object_handle_put(&old->obj);
	return st;
}

status_t ns_lookup(struct namespace *ns, const char *scheme, size_t len, struct session **s, uint32_t *rights)
{
	spin_lock(&ns->lock);
	struct ns_binding *b = len && len <= SCHEME_MAX ? find_locked(ns, scheme, len) : NULL;
	if (b) {
		*s = OBJ_GET(b->session);
		*rights = b->rights;
	}
	spin_unlock(&ns->lock);
	return b ? OK : ERR_NOT_FOUND;
}

bool ns_destroy(struct object *o)
{
	struct namespace *ns = (struct namespace *)o;
	while (ns->n)
		object_handle_put(&ns->entries[--ns->n].session->obj);
	return true;
}

uint32_t ns_names(struct namespace *ns, struct ns_entry *out, uint32_t max)
{
	spin_lock(&ns->lock);
	uint32_t n = MIN(ns->n, max);
	for (uint32_t i = 0; i < n; i++)
		memcpy(out[i].scheme, ns->entries[i].scheme, sizeof(out[i].scheme));
	spin_unlock(&ns->lock);
	return n;
}

/* ---- system calls ---- */

status_t sys_ns_create(handle_t *h)
{
	status_t why = OK;
	struct namespace *ns = ns_create(CURRENT_PROCESS->budget, &why);
	return object_install((struct object *)ns, RIGHT_ALL, h, why);
}

/* One's own Namespace is no handle, so it cannot be changed through 0. */
static status_t ns_for_change(handle_t h, struct namespace **ns)
{
	return h ? LOOKUP(h, OBJ_NAMESPACE, RIGHT_MANAGE, ns) : ERR_DENIED;
}

static status_t scheme_in(user_in_t text, uint64_t len, char scheme[SCHEME_MAX + 1])
{
	if (!len || len > SCHEME_MAX)
		return ERR_INVALID;
	scheme[len] = 0;
	return copy_in(scheme, text, len);
}

status_t sys_ns_bind(handle_t h, user_in_t text, uint64_t len, handle_t session)
{
	struct namespace *ns;
	struct session *s;
	uint32_t rights;
	char scheme[SCHEME_MAX + 1];
	status_t st = ns_for_change(h, &ns);
	if (st == OK)
		st = handle_lookup(CURRENT_PROCESS->table, session, OBJ_SESSION, RIGHT_CALL | RIGHT_TRANSFER, (struct object **)&s, &rights);
	if (st == OK)
		st = scheme_in(text, len, scheme);
	return st < 0 ? st : ns_bind(ns, scheme, len, s, rights);
}

status_t sys_ns_unbind(handle_t h, user_in_t text, uint64_t len)
{
	struct namespace *ns;
	struct session *old = NULL;
	char scheme[SCHEME_MAX + 1];
	status_t st = ns_for_change(h, &ns);
	if (st == OK)
		st = scheme_in(text, len, scheme);
	if (st < 0)
		return st;
	spin_lock(&ns->lock);
	struct ns_binding *b = find_locked(ns, scheme, len);
	if (b) {
		old = b->session;
		*b = ns->entries[--ns->n];
	}
	spin_unlock(&ns->lock);
	if (!old)
		return ERR_NOT_FOUND;
	object_handle_put(&old->obj);
	return OK;
}

static status_t names_out(struct namespace *ns, user_out_t buf, uint32_t count, uint32_t *got)
{
	struct ns_entry e[NS_ENTRIES_MAX];
	uint32_t n = ns_names(ns, e, MIN(count, NS_ENTRIES_MAX));
	status_t st = copy_out(buf, e, n * sizeof(e[0]));
	if (st == OK)
		*got = n;
	return st;
}

status_t sys_ns_list(handle_t h, user_out_t buf, uint32_t count, uint32_t *got)
{
	struct namespace *ns = CURRENT_PROCESS->ns;
	status_t st = h ? LOOKUP(h, OBJ_NAMESPACE, RIGHT_INSPECT, &ns) : OK;
	return st < 0 ? st : names_out(ns, buf, count, got);
}

status_t sys_process_namespace(handle_t h, user_out_t buf, uint32_t count, uint32_t *got)
{
	struct process *p = CURRENT_PROCESS;
	status_t st = h ? LOOKUP(h, OBJ_PROCESS, RIGHT_INSPECT, &p) : OK;
	return st < 0 ? st : names_out(p->ns, buf, count, got);
}

status_t sys_proto_create(handle_t h, user_in_t text, uint64_t len, handle_t port, uint64_t badge, uint32_t rights)
{
	struct namespace *ns;
	struct port *p;
	char scheme[SCHEME_MAX + 1];
	status_t st = ns_for_change(h, &ns), why = OK;
	if (st == OK)
		st = LOOKUP(port, OBJ_PORT, RIGHT_MANAGE, &p);
	if (st == OK)
		st = scheme_in(text, len, scheme);
	if (st < 0)
		return st;
	struct session *s = session_create(p, badge, rights, 0, CURRENT_PROCESS->budget, &why);
	if (!s)
		return why;
	st = ns_bind(ns, scheme, len, s, RIGHT_ALL);
	OBJ_PUT(s);
	return st;
}

status_t sys_namespace_self(uint32_t rights, handle_t *h)
{
	return handle_install(CURRENT_PROCESS->table, &CURRENT_PROCESS->ns->obj, rights & (RIGHT_INSPECT | RIGHT_DUP | RIGHT_TRANSFER), 0, h);
}
