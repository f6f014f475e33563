/*
 * ec_model: an embedded controller for tests, as one program in firmware is: it takes a byte when it comes to it, does what that asks, and puts
 * the answer out when there is room; only then it takes the next. It lies in memory that outlives whoever speaks to it.
 *
 * What a host must not do is counted: writing while the input is full, reading what is not there.
 */
#pragma once
#include "ec.h"
#include <stdlib.h>
#include <string.h>

enum model_kind {
	MODEL_SOUND, MODEL_ABSENT,      /* an empty bus */
	MODEL_DEAF,                     /* takes nothing: the input stays full */
	MODEL_MUTE,                     /* takes all, answers nothing */
	MODEL_FULL,                     /* its output is never empty */
	MODEL_RANDOM,                   /* status and data at random */
	MODEL_ENDLESS,                  /* an event after each event */
	MODEL_ZEROS,                    /* says that there is an event, but never which */
};

struct model {
	enum model_kind kind;
	uint8_t ram[256];
	uint64_t now, take_ns, answer_ns;       /* how long it takes for each */
	uint64_t at;                            /* when it does the next thing */
	bool ibf, obf, burst, knows_burst, command, answering;
	uint8_t in, out, answer, state, address;
	uint8_t events[16];
	uint32_t n_events, transactions, accesses, sins;
	uint64_t seed;
};

static struct model *model;             /* set by the test */

static void model_event(uint8_t number)
{
	if (model->n_events < 16)
		model->events[model->n_events++] = number;
}

static void model_answer(uint8_t value)
{
	model->answer = value;
	model->answering = true;
	model->at = model->now + model->answer_ns;
}

static uint8_t model_next_event(void)
{
	if (model->kind == MODEL_ENDLESS)
		return 0x42;
	if (model->kind == MODEL_ZEROS || model->n_events == 0)
		return 0;
	uint8_t number = model->events[0];
	model->n_events--;
	for (uint32_t i = 0; i < model->n_events; i++)
		model->events[i] = model->events[i + 1];
	return number;
}

/* One byte from the host; a command ends what was before it. */
static void model_take(void)
{
	model->ibf = false;
	if (model->command) {
		model->transactions++;
		model->state = model->in;
		switch (model->in) {
		case 0x82:
			model->burst = model->knows_burst;
			if (model->knows_burst)
				model_answer(0x90);
			break;
		case 0x83: model->burst = false; break;
		case 0x84: model_answer(model_next_event()); break;
		}
		return;
	}
	switch (model->state) {
	case 0x80: model_answer(model->ram[model->in]); model->state = 0; break;
	case 0x81: model->address = model->in; model->state = 1; break;
	case 1:    model->ram[model->address] = model->in; model->state = 0; break;
	}
}

static void model_go(void)
{
	for (bool more = true; more;) {
		more = false;
		if (model->answering) {
			if (model->now >= model->at && !model->obf && model->kind != MODEL_MUTE) {
				model->out = model->answer;
				model->answering = false;
				model->obf = more = true;
				model->at = model->now + model->take_ns;
			}
		} else if (model->ibf && model->now >= model->at && model->kind != MODEL_DEAF) {
			model_take();
			more = true;
		}
	}
}

static uint8_t model_random(void)
{
	model->seed = model->seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint8_t)(model->seed >> 56);
}

static bool model_has_event(void)
{
	return model->n_events > 0 || model->kind == MODEL_ENDLESS || model->kind == MODEL_ZEROS;
}

static uint8_t model_read(enum ec_port port)
{
	model->accesses++;
	model->now += 1000;
	if (model->kind == MODEL_ABSENT)
		return 0xff;
	if (model->kind == MODEL_RANDOM)
		return model_random();
	model_go();
	if (port == EC_COMMAND)
		return (uint8_t)(model->obf | model->ibf << 1 | model->burst << 4 | model_has_event() << 5);
	model->sins += !model->obf;
	model->obf = model->kind == MODEL_FULL;
	return model->out;
}

static void model_write(enum ec_port port, uint8_t value)
{
	model->accesses++;
	model->now += 1000;
	if (model->kind == MODEL_ABSENT || model->kind == MODEL_RANDOM)
		return;
	model_go();
	model->sins += model->ibf;
	model->in = value;
	model->command = port == EC_COMMAND;
	model->ibf = true;
	if (!model->answering)
		model->at = model->now + model->take_ns;
}

static void model_pause(uint32_t us)
{
	model->now += us * 1000ull;
}

static uint64_t model_now(void)
{
	return model->now;
}

static void model_begin(struct model *m)
{
	*m = (struct model){ .take_ns = 2000, .answer_ns = 20000, .knows_burst = true, .seed = 1 };
	for (int i = 0; i < 256; i++)
		m->ram[i] = (uint8_t)(i ^ 0x5a);
	model = m;
}
