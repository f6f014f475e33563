/*
 * announce: see announce.h.
 */
#include "announce.h"
#include "node.h"
#include <abi/file.h>
#include <gen/file.h>
#include <rt/io.h>
#include <rt/start.h>
#include <string.h>

/* Each function can come, go, and come again before the first is answered; who does it faster waits for a restart of ours. */
enum { NOTICES_MAX = 3 * PCI_FUNCTIONS_MAX, TOKEN = ANNOUNCE_TOKEN };

struct notice { uint16_t at, vendor, device; bool gone; uint32_t class, serial; };

static handle_t our_port, to_initd;
static struct notice queue[NOTICES_MAX];
static size_t first, n_queued;
static bool under_way;

static status_t tell(const struct notice *n)
{
	struct msg m = { 0 };
	struct file_ctl_req q = { .code = n->gone ? CTL_SVC_DEVICE_GONE : CTL_SVC_DEVICE, .arg0 = n->at, .arg1 = n->class };
	handle_t offer = 0;
	status_t st = OK;

	if (!n->gone) {
		q.arg0 |= (uint64_t)n->vendor << 16 | (uint64_t)n->device << 32;
		st = session_create(our_port, node_badge((struct node){ NODE_OFFER, n->at, n->serial }), RIGHT_READ | RIGHT_WRITE | RIGHT_CALL | RIGHT_DUP | RIGHT_TRANSFER, &offer);
	}
	if (st < 0)
		return st;
	file_ctl_ask(&m, &q);
	m.handles[0] = offer;
	st = ipc_submit(to_initd, &m, our_port, TOKEN);
	if (offer)
		handle_close(offer);
	return st;
}

static void fail(const struct notice *n, status_t st)
{
	char name[PCI_NAME_SIZE];

	pci_name(name, n->at);
	log_print("%s: initd, told that it is %s: %s", name, n->gone ? "gone" : "there", error_text(st));
}

bool announce_go_on(void)
{
	while (n_queued > 0 && !under_way) {
		status_t st = tell(&queue[first]);
		under_way = st == OK;
		if (st == OK)
			return true;
		if (st == ERR_AGAIN)            /* what an instance that was killed had sent is still on its way */
			return false;
		fail(&queue[first], st);
		first = (first + 1) % NOTICES_MAX;
		n_queued--;
	}
	return true;
}

static void add(struct notice n)
{
	if (!to_initd)
		return;
	if (n_queued == NOTICES_MAX) {
		fail(&n, ERR_NO_SPACE);
		return;
	}
	queue[(first + n_queued++) % NOTICES_MAX] = n;
	(void)announce_go_on();
}

void announce_begin(handle_t port, handle_t initd)
{
	our_port = port;
	to_initd = initd;
	status_t st = port_reserve(port, ANNOUNCE_SUBMITS);
	if (st < 0) {
		log_print("initd cannot be told of functions: %s", error_text(st));
		to_initd = 0;
	}
}

void announce_there(const struct pci_function *f, uint32_t serial)
{
	if (pci_is_for_drivers(f))
		add((struct notice){ f->at, f->vendor, f->device, false, f->class, serial });
}

void announce_gone(uint16_t at)
{
	add((struct notice){ .at = at, .gone = true });
}

bool announce_answered(struct event *e, uint16_t *at)
{
	if (!under_way || e->cmd != TOKEN)
		return false;
	bool gone = queue[first].gone;
	*at = queue[first].at;
	/* That nobody wants a function is no failure. */
	if (e->status < 0 && e->status != ERR_NOT_FOUND)
		fail(&queue[first], e->status);
	under_way = false;
	first = (first + 1) % NOTICES_MAX;
	n_queued--;
	(void)announce_go_on();
	return gone;
}
