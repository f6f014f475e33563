/*
 * i8042: see i8042.h.
 */
#include <rt/ipc.h>
#include <rt/irq.h>
#include "i8042.h"

enum {
	FIRST_PORT = 0x60, PORTS = 5, IRQ_KEYBOARD = 1, IRQ_AUX = 12,
	DATA = 0, STATUS = 4, COMMAND = 4,
	STATUS_OUTPUT = 1, STATUS_INPUT = 2,
	READ_CONFIG = 0x20, WRITE_CONFIG = 0x60, DISABLE_AUX = 0xa7, ENABLE_AUX = 0xa8, TEST_AUX = 0xa9, SELF_TEST = 0xaa,
	TEST_KEYBOARD = 0xab, DISABLE_KEYBOARD = 0xad, ENABLE_KEYBOARD = 0xae, WRITE_AUX = 0xd4,
	CONFIG_IRQ_KEYBOARD = 1, CONFIG_IRQ_AUX = 2, CONFIG_SYSTEM = 4, CONFIG_NO_KEYBOARD = 0x10, CONFIG_NO_AUX = 0x20, CONFIG_TRANSLATE = 0x40,
	SELF_TEST_PASSED = 0x55, PORT_GOOD = 0,
	KEYBOARD_RESET = 0xff, KEYBOARD_PASSED = 0xaa, KEYBOARD_DISABLE = 0xf5, KEYBOARD_IDENTIFY = 0xf2, KEYBOARD_SET = 0xf0,
	NONE = -1,
	FLUSH_MAX = 128,            /* bytes: more than any buffer on the way holds, so this many in a row is a broken bus */
	SELF_TESTS = 3,             /* some controllers fail the first after power-on */
	IRQ_PATIENCE_MS = 1000,
};
#define TAKE_NS         (50 * NS_PER_MS)        /* until a byte written is taken */
#define ANSWER_NS       (100 * NS_PER_MS)       /* a keyboard has 20 ms */
#define SELF_TEST_NS    (500 * NS_PER_MS)
#define RESET_NS        (1000 * NS_PER_MS)      /* 300 to 500 ms, says the manual */
#define RESET_ALL_NS    (4000 * NS_PER_MS)      /* the manifest's heartbeat is longer */
#define LOOK_NS         (50 * NS_PER_US)

static uint8_t in(struct i8042 *c, uint32_t reg)
{
	uint32_t value = 0xff;      /* as an empty bus reads */

	return io_read(c->ports, reg, 1, &value) < 0 ? 0xff : (uint8_t)value;
}

static void out(struct i8042 *c, uint32_t reg, uint8_t value)
{
	/* The ports are ours and the register is in range: this cannot fail. */
	(void)!io_write(c->ports, reg, 1, value);
}

/* Waits until the bits of the status register are as wanted. */
static bool wait_status(struct i8042 *c, uint8_t bits, uint8_t wanted, uint64_t ns)
{
	uint64_t now, end = 0;

	for (;;) {
		if ((in(c, STATUS) & bits) == wanted)
			return true;
		if (clock_now(&now) < 0)
			return false;
		if (!end)
			end = c->give_up ? MIN(now + ns, c->give_up) : now + ns;
		if (now >= end || thread_sleep(now + LOOK_NS) < 0)
			return false;
	}
}

static bool put(struct i8042 *c, uint32_t reg, uint8_t byte)
{
	if (!wait_status(c, STATUS_INPUT, 0, TAKE_NS))
		return false;
	out(c, reg, byte);
	return true;
}

/* The next byte of the keyboard or the controller; NONE: none in time. What a mouse says is no answer to anything asked here. */
static int get(struct i8042 *c, uint64_t ns)
{
	for (int i = 0; i < FLUSH_MAX && wait_status(c, STATUS_OUTPUT, STATUS_OUTPUT, ns); i++) {
		bool aux = in(c, STATUS) & I8042_AUX;
		uint8_t byte = in(c, DATA);
		if (!aux)
			return byte;
	}
	return NONE;
}

static bool flush(struct i8042 *c)
{
	for (int i = 0; i < FLUSH_MAX; i++) {
		if (!(in(c, STATUS) & STATUS_OUTPUT))
			return true;
		in(c, DATA);
	}
	return false;
}

static int ask(struct i8042 *c, uint8_t command, uint64_t ns)
{
	return put(c, COMMAND, command) ? get(c, ns) : NONE;
}

static bool configure(struct i8042 *c, uint8_t config)
{
	return put(c, COMMAND, WRITE_CONFIG) && put(c, DATA, config);
}

status_t i8042_open(struct i8042 *c, handle_t ports_resource)
{
	*c = (struct i8042){ .set = 2 };
	status_t st = ioports_create(ports_resource, FIRST_PORT, PORTS, &c->ports);
	if (st < 0)
		return st;
	if (in(c, STATUS) != 0xff)
		return OK;
	handle_close(c->ports);
	return ERR_NOT_FOUND;
}

static bool self_test(struct i8042 *c)
{
	for (int i = 0; i < SELF_TESTS; i++)
		if (ask(c, SELF_TEST, SELF_TEST_NS) == SELF_TEST_PASSED)
			return true;
	return false;
}

/* A controller with one port ignores the command to enable the second. */
static bool find_aux(struct i8042 *c)
{
	if (!put(c, COMMAND, ENABLE_AUX))
		return false;
	int config = ask(c, READ_CONFIG, ANSWER_NS);
	if (!put(c, COMMAND, DISABLE_AUX) || !flush(c) || config == NONE || config & CONFIG_NO_AUX)
		return false;
	return ask(c, TEST_AUX, ANSWER_NS) == PORT_GOOD;
}

status_t i8042_reset(struct i8042 *c, const char **why)
{
	uint64_t now;
	int config;

	*why = "takes no command";
	if (clock_now(&now) < 0)
		return ERR_IO;
	c->give_up = now + RESET_ALL_NS;
	if (!put(c, COMMAND, DISABLE_KEYBOARD) || !put(c, COMMAND, DISABLE_AUX))
		return ERR_IO;
	*why = "always has another byte";
	if (!flush(c))
		return ERR_IO;
	*why = "fails its self-test";
	if (!self_test(c))
		return ERR_IO;
	*why = "does not tell its configuration";
	config = ask(c, READ_CONFIG, ANSWER_NS);
	if (config == NONE)
		return ERR_IO;
	/* The self-test may have put anything there. */
	config = (config & ~(CONFIG_IRQ_KEYBOARD | CONFIG_IRQ_AUX | CONFIG_TRANSLATE)) | CONFIG_SYSTEM | CONFIG_NO_KEYBOARD | CONFIG_NO_AUX;
	*why = "does not take its configuration";
	if (!configure(c, (uint8_t)config))
		return ERR_IO;
	int got = ask(c, READ_CONFIG, ANSWER_NS);
	if (got == NONE)
		return ERR_IO;
	c->set = got & CONFIG_TRANSLATE ? 1 : 2;
	c->aux = find_aux(c);
	/* One that fails is tried all the same: some controllers answer the test wrongly, and the keyboard tells. */
	(void)!ask(c, TEST_KEYBOARD, ANSWER_NS);
	return OK;
}

/* A command to the keyboard and its acknowledgement; what else it sends before that is lost. */
static bool keyboard(struct i8042 *c, uint8_t byte)
{
	for (int tries = 0; tries < 3; tries++) {
		if (!put(c, DATA, byte))
			return false;
		int answer = get(c, ANSWER_NS);
		for (int i = 0; i < FLUSH_MAX && answer != NONE && answer != KEYBOARD_ACK && answer != KEYBOARD_RESEND; i++)
			answer = get(c, ANSWER_NS);
		if (answer == KEYBOARD_ACK)
			return true;
		if (answer == NONE)
			return false;
	}
	return false;
}

bool i8042_keyboard_reset(struct i8042 *c)
{
	c->keyboard = false;
	if (!put(c, COMMAND, ENABLE_KEYBOARD) || !flush(c))
		return false;
	if (!keyboard(c, KEYBOARD_RESET) || get(c, RESET_NS) != KEYBOARD_PASSED)
		return false;
	c->keyboard = true;
	/* From here on whatever fails leaves what keyboards do after a reset: set 2, scanning. */
	if (keyboard(c, KEYBOARD_DISABLE) && keyboard(c, KEYBOARD_IDENTIFY))
		while (get(c, ANSWER_NS) != NONE)
			;                       /* AB 83, AB 41, or nothing from an AT keyboard */
	if (keyboard(c, KEYBOARD_SET))
		(void)!keyboard(c, 2);
	return keyboard(c, KEYBOARD_ENABLE);
}

static void take_irqs(struct i8042 *c, handle_t irq_keyboard, handle_t irq_aux)
{
	uint32_t patience = IRQ_PATIENCE_MS;

	c->irq[0] = c->irq[1] = 0;
	(void)!irq_take(irq_keyboard, IRQ_KEYBOARD, IRQ_ISA, &patience, &c->irq[0]);
	if (c->aux)
		(void)!irq_take(irq_aux, IRQ_AUX, IRQ_ISA, &patience, &c->irq[1]);
}

void i8042_resume(struct i8042 *c, handle_t irq_keyboard, handle_t irq_aux)
{
	take_irqs(c, irq_keyboard, irq_aux);
	/* Killed between WRITE_AUX and its byte, that instance has left the controller waiting for one; a command takes its place. */
	(void)!put(c, COMMAND, ENABLE_KEYBOARD);
}

void i8042_start(struct i8042 *c, handle_t irq_keyboard, handle_t irq_aux)
{
	uint8_t config = CONFIG_SYSTEM | CONFIG_IRQ_KEYBOARD | (c->set == 1 ? CONFIG_TRANSLATE : 0);

	take_irqs(c, irq_keyboard, irq_aux);
	c->give_up = 0;
	config |= c->aux ? CONFIG_IRQ_AUX : CONFIG_NO_AUX;
	/* Bytes come by the back-up timer if this fails, too. */
	(void)!(configure(c, config) && put(c, COMMAND, ENABLE_KEYBOARD) && (!c->aux || put(c, COMMAND, ENABLE_AUX)));
}

bool i8042_read(struct i8042 *c, struct io_byte *to, size_t n, uint64_t *sum)
{
	uint32_t done;

	return io_read_bytes(c->ports, DATA, IO_READY(STATUS, STATUS_OUTPUT), to, (uint32_t)n, (uint64_t)sum, &done) == OK && done > 0;
}

status_t i8042_send(struct i8042 *c, bool aux, uint8_t byte)
{
	return (!aux || put(c, COMMAND, WRITE_AUX)) && put(c, DATA, byte) ? OK : ERR_TIMED_OUT;
}

void i8042_ack(struct i8042 *c)
{
	for (int i = 0; i < 2; i++)
		if (c->irq[i])
			irq_ack(c->irq[i]);
}
