/*
 * state: see rt/state.h. The head is written last when state is made, and its magic is erased first when it is dropped, so
 * that a death in between leaves nothing that looks whole.
 */
#include <rt/io.h>
#include <rt/start.h>
#include <rt/state.h>
#include <stdlib.h>
#include <string.h>

static uint64_t head_sum(const struct state_head *h)
{
	return state_sum(1, h, offsetof(struct state_head, sum));
}

enum state_verdict state_judge(struct state_head *h, uint64_t version, size_t size, bool faulted)
{
	if (h->magic == 0)
		return STATE_FRESH;
	if (h->magic != STATE_MAGIC || h->sum != head_sum(h))
		return STATE_DAMAGED;
	if (h->version != version || h->size != size)
		return STATE_OTHER;
	if (!faulted)
		return STATE_KEEP;
	/* Counted before anything is read: the next fault may come at once. */
	h->faults = h->faults >= STATE_TRIES ? STATE_TRIES : h->faults + 1;
	return h->faults >= STATE_TRIES ? STATE_DEADLY : STATE_KEEP;
}

static bool nothing_recorded(void *ctx unused, uint32_t slot unused)
{
	return false;
}

static status_t make(struct state *s, uint64_t version)
{
	__atomic_store_n(&s->head->magic, 0, __ATOMIC_SEQ_CST);
	memset(s->memory, 0, s->size);
	*s->head = (struct state_head){ .version = version, .size = s->size };
	status_t st = state_sweep(s, nothing_recorded, NULL);
	if (st < 0)
		return st;
	struct state_head h = { .magic = STATE_MAGIC, .version = version, .size = s->size };
	s->head->sum = head_sum(&h);
	__atomic_store_n(&s->head->magic, STATE_MAGIC, __ATOMIC_SEQ_CST);
	s->fresh = true;
	return OK;
}

/* The state Frame, mapped; NULL: there is none that would do. */
static void *map_frame(size_t need)
{
	handle_t frame = start_handle("state");
	struct frame_info info;
	uint64_t va = 0;

	if (!frame)
		return NULL;
	if (frame_info(frame, &info) < 0 || info.size < need) {
		log_print("its state Frame is too small (%llu bytes are needed): nothing will survive its death", (unsigned long long)need);
		return NULL;
	}
	status_t st = vmem_map(0, frame, 0, 0, ALIGN_UP(need, PAGE_SIZE), PROT_READ | PROT_WRITE, &va);
	if (st < 0) {
		log_print("its state Frame cannot be mapped: %s: nothing will survive its death", error_text(st));
		return NULL;
	}
	return (void *)va;
}

status_t state_open(struct state *s, uint64_t version, size_t size)
{
	static const char *const why[] = {
		[STATE_OTHER] = "is of another version", [STATE_DAMAGED] = "is damaged", [STATE_DEADLY] = "was there at three faults in a row",
	};
	size_t need = sizeof(struct state_head) + size;
	void *memory = map_frame(need);

	if (!memory)
		memory = calloc(1, need);
	if (!memory)
		return ERR_NO_MEMORY;
	*s = (struct state){
		.head = memory, .memory = (char *)memory + sizeof(struct state_head), .size = size, .shelf = start_handle("shelf"),
	};
	enum state_verdict v = state_judge(s->head, version, size, env_get("FAULTED") != NULL);
	if (v == STATE_KEEP)
		return OK;
	if (v != STATE_FRESH)
		log_print("the kept state %s; it is dropped", why[v]);
	return make(s, version);
}

status_t state_sweep(const struct state *s, bool (*recorded)(void *ctx, uint32_t slot), void *ctx)
{
	struct handle_info info[32];
	uint32_t next = 0, got = 0;

	if (!s->shelf)
		return OK;
	do {
		status_t st = shelf_list(s->shelf, next, info, ARRAY_LEN(info), &got, &next);
		if (st < 0)
			return st;
		for (uint32_t i = 0; i < got; i++) {
			st = recorded(ctx, info[i].handle) ? OK : shelf_clear(s->shelf, info[i].handle);
			if (st < 0)
				return st;
		}
	} while (next);
	return OK;
}
