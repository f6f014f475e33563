/*
 * pci: what a driver asks of the Session to its function (pci://00:1f.2/device, opened with OPEN_WRITE; docs/pc.md, sbin/pcid).
 * All are CTL. A handle comes as handle[0] of the answer. Any of them may be asked again: it does and gives the same.
 */
#pragma once
#include <abi/types.h>

enum pci_ctl {
	/*
	 * arg0: BAR, arg1: offset in it -> a Frame, or IoPorts; value0: bytes from arg1 on that it covers, value1: where arg1 is in it.
	 * Less than the rest of the BAR where the table of MSI-X comes next, whose pages are nobody's but pcid's: ERR_DENIED.
	 * ERR_NOT_FOUND: no such BAR that can be used. ERR_BUSY: a page of it is another function's as well.
	 */
	CTL_PCI_BAR = 72,
	/*
	 * arg0: number -> an Irq that comes as MSI-X, or else (0 only) MSI; value0: how many there are. ERR_NOT_SUPPORTED: none, or no such: CTL_PCI_LINE.
	 * ERR_NO_SPACE: the machine has no more vectors, or this function 64.
	 */
	CTL_PCI_IRQ = 73,
	CTL_PCI_DMA = 74,       /* -> the Dma to pin for (frame_pin, frame_unpin) */
	/*
	 * arg0: 1: the function may reach memory, 0: it may not, as after OPEN. Before the first 1 a driver resets its device: not all
	 * can be reset by pcid, and what one was told by a driver before is then done to memory that is somebody else's.
	 */
	CTL_PCI_MASTER = 75,
	CTL_PCI_READ = 76,      /* arg0: register, arg1: width (1, 2, 4) -> value0 */
	CTL_PCI_WRITE = 77,     /* arg0: register, arg1: width, arg2: value. ERR_DENIED: that one is pcid's */
	/*
	 * The interrupt that comes by line (INTx), instead of messages. handle[0]: Notify (RIGHT_SIGNAL, DUP, TRANSFER), arg0: its bit, which
	 * is set from now on when the function has an interrupt, and perhaps once more when pcid starts anew. The function then raises no other until CTL_PCI_LINE_SERVED.
	 * ERR_NOT_SUPPORTED: it has no pin, or is from before PCI 2.3 and could not share its line. ERR_NOT_FOUND: the firmware does not
	 * say where its pin leads. ERR_GONE: there is no acpid to say it. ERR_BUSY: it leads where something else than PCI is.
	 */
	CTL_PCI_LINE = 85,
	CTL_PCI_LINE_SERVED = 86,       /* the device is served. ERR_NOT_FOUND: no CTL_PCI_LINE */
};
