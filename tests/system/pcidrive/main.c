/*
 * pcidrive: drives QEMU's `edu` device (its docs/specs/edu.txt) by what pcid gives: registers, a message as interrupt, memory.
 *
 *	pcidrive URI ROUNDS         each round: interrupts, and 2 KiB to the device and back; then what may not be done
 *	pcidrive URI line ROUNDS    the same, with the interrupt that comes by line; so the next, too: pcidrive URI line die
 *	pcidrive URI die            ends by a fault while a transfer is under way
 *	pcidrive URI take           opens any function, reads what it has, and gives it back
 *	pcidrive URI mark           of an xHCI: shows a register of it that a reset clears, and writes to it
 *	pcidrive device hold        is the driver that initd started for a function: has it, and does nothing
 */
#include <abi/pci.h>
#include <abi/objects.h>
#include <gen/file.h>
#include <rt/file.h>
#include <rt/io.h>
#include <rt/start.h>
#include <rt/svc.h>
#include <stdlib.h>
#include <string.h>

enum {
	EDU_ID = 0x00, EDU_LIVE = 0x04, EDU_STATUS = 0x24, EDU_RAISE = 0x60, EDU_ACK = 0x64, EDU_SOURCE = 0x80, EDU_TARGET = 0x88, EDU_COUNT = 0x90, EDU_COMMAND = 0x98,
	EDU_BUFFER = 0x40000, DMA_RUN = 1, DMA_TO_MEMORY = 2, DMA_IRQ = 4, DMA_DONE = 0x100,
	PIECE = 2048 /* its buffer has 4 KiB, of which QEMU 7.2 does not give the last byte */, WAIT_MS = 5000, RAISES = 20 /* a transfer takes a tenth of a second */,
};

static volatile uint8_t *regs;
static handle_t device, port;
static bool by_line;

static status_t ask(uint32_t code, uint64_t a0, uint64_t a1, uint64_t a2, handle_t *h, uint64_t values[2])
{
	struct msg m = { 0 };
	struct file_ctl_req q = { .code = code, .arg0 = a0, .arg1 = a1, .arg2 = a2 };

	file_ctl_ask(&m, &q);
	status_t st = ipc_call(device, &m);
	if (st == OK && values)
		memcpy(values, m.w, 2 * sizeof(values[0]));
	if (st == OK && h)
		*h = m.handles[0];
	return st;
}

static void expect(const char *what, status_t st, status_t wanted)
{
	if (st != wanted)
		rt_panic("%s: %s, not %s", what, error_name(st), error_name(wanted));
}

static uint32_t get(uint32_t reg)
{
	return *(volatile uint32_t *)(regs + reg);
}

static void set(uint32_t reg, uint32_t value)
{
	*(volatile uint32_t *)(regs + reg) = value;
}

/* Waits for the interrupt, and sees that it is the one. */
static void interrupted(uint32_t status)
{
	struct event e;
	uint64_t now;

	/* One that an earlier driver of the vector caused may come before, or, by line, one that pcid's next instance makes up. */
	for (;;) {
		MUST(clock_now(&now));
		MUST(ipc_accept(port, now + WAIT_MS * NS_PER_MS, &e));
		bool come = get(EDU_STATUS) == status;
		if (come)
			set(EDU_ACK, status);
		if (by_line)
			MUST(ask(CTL_PCI_LINE_SERVED, 0, 0, 0, NULL, NULL));
		if (come)
			return;
	}
}

static void transfer(uint64_t source, uint64_t target, uint32_t command)
{
	*(volatile uint64_t *)(regs + EDU_SOURCE) = source;
	*(volatile uint64_t *)(regs + EDU_TARGET) = target;
	*(volatile uint64_t *)(regs + EDU_COUNT) = PIECE;
	*(volatile uint64_t *)(regs + EDU_COMMAND) = DMA_RUN | command;
}

/* edu cannot be reset: what an earlier driver had begun ends, reaching nothing, before this one lets it reach memory again. */
static void rest(void)
{
	uint64_t now;

	for (unsigned ms = 0; *(volatile uint64_t *)(regs + EDU_COMMAND) & DMA_RUN; ms++) {
		if (ms == WAIT_MS)
			rt_panic("its transfer does not end");
		MUST(clock_now(&now));
		MUST(thread_sleep(now + NS_PER_MS));
	}
	set(EDU_ACK, get(EDU_STATUS));
}

static void refused(const char *uri)
{
	handle_t h;
	uint64_t values[2];

	expect("a second driver", file_open(uri, OPEN_READ | OPEN_WRITE, &h), ERR_BUSY);
	expect("without the right to write", file_open(uri, OPEN_READ, &h), ERR_DENIED);
	expect("a BAR that is none", ask(CTL_PCI_BAR, 1, 0, 0, &h, values), ERR_NOT_FOUND);
	expect("a BAR of many", ask(CTL_PCI_BAR, 1ull << 32, 0, 0, &h, values), ERR_NOT_FOUND);
	expect("beyond a BAR", ask(CTL_PCI_BAR, 0, 1 * MiB, 0, &h, values), ERR_INVALID);
	expect("a second message", ask(CTL_PCI_IRQ, 1, 0, 0, &h, values), ERR_NOT_SUPPORTED);
	expect("its command register", ask(CTL_PCI_WRITE, 4, 2, 7, NULL, NULL), ERR_DENIED);
	expect("its BAR", ask(CTL_PCI_WRITE, 0x10, 4, 0xfee00000, NULL, NULL), ERR_DENIED);
	expect("its MSI", ask(CTL_PCI_WRITE, 0x42, 2, 0, NULL, NULL), ERR_DENIED);
	expect("what is no register", ask(CTL_PCI_WRITE, 0x1000, 4, 0, NULL, NULL), ERR_INVALID);
	expect("across registers", ask(CTL_PCI_READ, 1, 4, 0, NULL, values), ERR_INVALID);
	expect("half of a switch", ask(CTL_PCI_MASTER, 2, 0, 0, NULL, NULL), ERR_INVALID);
	expect("another code", ask(CTL_PCI_WRITE + 1, 0, 0, 0, NULL, NULL), ERR_NOT_SUPPORTED);
	expect("a register that is nobody's", ask(CTL_PCI_WRITE, 0xf0, 4, 0, NULL, NULL), OK);
	expect("its id", ask(CTL_PCI_READ, 0, 4, 0, NULL, values), OK);
	if (values[0] != 0x11e81234)
		rt_panic("the id is %llx", (unsigned long long)values[0]);
}

static void take(void)
{
	uint64_t values[2];
	handle_t h;

	MUST(ask(CTL_PCI_MASTER, 1, 0, 0, NULL, NULL));
	for (unsigned bar = 0; bar < 6; bar++)
		for (uint64_t at = 0; ; at += MAX(values[0], (uint64_t)PAGE_SIZE)) {
			status_t st = ask(CTL_PCI_BAR, bar, at, 0, &h, values);
			if (st == OK) {
				print("BAR %u from %llu: %llu\n", bar, (unsigned long long)at, (unsigned long long)values[0]);
				handle_close(h);
				continue;
			}
			if (st != ERR_DENIED)
				break;
			print("BAR %u from %llu: not given\n", bar, (unsigned long long)at);
			values[0] = PAGE_SIZE;
		}
	uint32_t n = 0;
	status_t st;
	while ((st = ask(CTL_PCI_IRQ, n, 0, 0, &h, values)) == OK) {
		handle_close(h);
		n++;
	}
	print("%u interrupts\n", n);
}

/* CONFIG (xHCI 1.2 §5.4.7), behind the capability registers, which say how many they are. */
static void mark(void)
{
	uint64_t va, values[2];
	handle_t frame;

	MUST(ask(CTL_PCI_BAR, 0, 0, 0, &frame, values));
	MUST(vmem_map(0, frame, 0, 0, PAGE_SIZE, PROT_READ | PROT_WRITE, &va));
	regs = (volatile uint8_t *)va;
	uint32_t config = (get(0) & 0xff) + 0x38;
	print("mark %x\n", get(config));
	set(config, 0x11);
}

/* What an instance before had is had again, at once: that one has ended, whatever pcid knows of it yet. */
static int hold(void)
{
	static const struct file_ops ops;
	static struct svc svc;
	uint64_t values[2];
	handle_t h, self = start_handle("device");

	expect("more than its function", file_open_at(self, "../00:00.0/device", OPEN_READ | OPEN_WRITE, &h), ERR_NOT_FOUND);
	expect("itself, to look at", file_open_at(self, "", OPEN_READ | OPEN_DIRECTORY, &h), OK);
	expect("itself, by who may only look", file_open_at(h, "device", OPEN_READ | OPEN_WRITE, &device), ERR_DENIED);
	handle_close(h);
	MUST(file_open_at(self, "device", OPEN_READ | OPEN_WRITE, &device));
	MUST(ask(CTL_PCI_IRQ, 0, 0, 0, &h, values));
	MUST(ask(CTL_PCI_READ, 0, 4, 0, NULL, values));
	MUST(ask(CTL_PCI_MASTER, 1, 0, 0, NULL, NULL));
	log_print("holds %04llx:%04llx", (unsigned long long)(values[0] & 0xffff), (unsigned long long)(values[0] >> 16));
	MUST(svc_init(&svc, &file_proto, &ops, NULL));
	return svc_run(&svc) == OK ? 0 : 1;
}

/* Asked for again the message has the same Irq. */
static void same_irq(handle_t irq)
{
	struct handle_info one, other;
	uint64_t values[2];
	handle_t again;

	MUST(ask(CTL_PCI_IRQ, 0, 0, 0, &again, values));
	MUST(handle_info(irq, &one));
	MUST(handle_info(again, &other));
	if (one.object_id != other.object_id)
		rt_panic("its message has two Irqs");
	handle_close(again);
}

/* The interrupts reach our Port. */
static void listen(void)
{
	handle_t irq, notify;
	uint64_t values[2];
	const uint64_t bit[4] = { 5 };

	MUST(port_create(0, &port));
	MUST(notify_create(&notify));
	MUST(notify_port(notify, port, 1));
	if (by_line) {
		expect("a bit that is none", file_ctl(device, CTL_PCI_LINE, (const uint64_t[4]){ 64 }, notify, NULL), ERR_INVALID);
		expect("a line without a Notify", file_ctl(device, CTL_PCI_LINE, bit, 0, NULL), ERR_INVALID);
		expect("served without a line", ask(CTL_PCI_LINE_SERVED, 0, 0, 0, NULL, NULL), ERR_NOT_FOUND);
		status_t st = file_ctl(device, CTL_PCI_LINE, bit, notify, NULL);
		if (st < 0)
			rt_panic("its line cannot be had: %s", error_name(st));
		return;
	}
	MUST(ask(CTL_PCI_IRQ, 0, 0, 0, &irq, values));
	same_irq(irq);
	MUST(notify_bind(notify, 0, irq));
}

int main(int argc, char **argv)
{
	struct dma_extent extent[2];
	uint64_t va, memory, values[2], pin, done;
	uint32_t got;
	handle_t frame, dma, buffer;

	by_line = argc == 4 && !strcmp(argv[2], "line");
	if (by_line)
		argv[2] = argv[3];
	else if (argc != 3)
		return 2;
	if (!strcmp(argv[2], "hold"))
		return hold();
	MUST(file_open(argv[1], OPEN_READ | OPEN_WRITE, &device));
	if (!strcmp(argv[2], "take")) {
		take();
		return 0;
	}
	if (!strcmp(argv[2], "mark")) {
		mark();
		return 0;
	}
	bool die = !strcmp(argv[2], "die");
	unsigned rounds = die ? 1 : (unsigned)strtoul(argv[2], NULL, 10);
	MUST(ask(CTL_PCI_BAR, 0, 0, 0, &frame, values));
	if (values[0] != 1 * MiB || values[1] != 0)
		rt_panic("BAR 0 has %llu bytes", (unsigned long long)values[0]);
	MUST(vmem_map(0, frame, 0, 0, 1 * MiB, PROT_READ | PROT_WRITE, &va));
	regs = (volatile uint8_t *)va;
	set(EDU_LIVE, 0x12345678);
	if ((get(EDU_ID) & 0xff) != 0xed || get(EDU_LIVE) != ~0x12345678u)
		rt_panic("this is no edu: %x, %x", get(EDU_ID), get(EDU_LIVE));
	rest();
	MUST(ask(CTL_PCI_DMA, 0, 0, 0, &dma, NULL));
	expect("a Dma that is only for pins", dma_silent(dma), ERR_DENIED);
	listen();
	MUST(frame_create(2 * PAGE_SIZE, FRAME_CONTIGUOUS | FRAME_DMA32, &buffer));
	MUST(vmem_map(0, buffer, 0, 0, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE, &memory));
	MUST(frame_pin(buffer, 0, 2 * PAGE_SIZE, dma, extent, 2, &pin, &got, &done));
	if (done != 2 * PAGE_SIZE || got != 1)
		rt_panic("%u pieces", got);
	MUST(ask(CTL_PCI_MASTER, 1, 0, 0, NULL, NULL));
	for (unsigned i = 1; i <= rounds; i++) {
		for (unsigned k = 0; k < RAISES; k++) {
			set(EDU_RAISE, i);
			interrupted(i);
		}
		memset((void *)memory, (int)i | 0x40, PIECE);
		memset((void *)(memory + PAGE_SIZE), 0, PIECE);
		transfer(extent[0].address, EDU_BUFFER, DMA_IRQ);
		if (die) {
			print("pcidrive: dies\n");
			print_flush();
			__builtin_trap();
		}
		interrupted(DMA_DONE);
		transfer(EDU_BUFFER, extent[0].address + PAGE_SIZE, DMA_TO_MEMORY | DMA_IRQ);
		interrupted(DMA_DONE);
		if (memcmp((void *)memory, (void *)(memory + PAGE_SIZE), PIECE) != 0)
			rt_panic("round %u: what came back is not what went", i);
	}
	/* Without bus mastering the same comes to nothing. */
	MUST(ask(CTL_PCI_MASTER, 0, 0, 0, NULL, NULL));
	memset((void *)(memory + PAGE_SIZE), 0, PIECE);
	transfer(EDU_BUFFER, extent[0].address + PAGE_SIZE, DMA_TO_MEMORY);
	rest();
	if (*(volatile uint8_t *)(memory + PAGE_SIZE))
		rt_panic("it reached memory without being allowed to");
	refused(argv[1]);
	print("pcidrive: %u rounds\n", rounds);
	return 0;
}
