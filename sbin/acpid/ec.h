/*
 * ec: the protocol of an embedded controller over its two ports (ACPI 6.5 §12.2, §12.3). Pure: ports and time are hooks. One transaction at a
 * time, and every wait has an end.
 *
 * What must outlive an instance lies in struct ec_kept: reading a query's number takes it from the controller, so it is written down until its
 * method is done, and that one was asked for is written down before it is.
 */
#pragma once
#include <abi/types.h>

enum ec_port { EC_DATA, EC_COMMAND /* read: the status */ };
enum ec_state { EC_UNTRIED, EC_WORKING, EC_SILENT, EC_ABSENT };
enum ec_owed { EC_OWED_NOTHING, EC_OWED_BYTE, EC_OWED_QUERY };

#define EC_SIZE    256                          /* bytes in its address space */
#define EC_WAIT_NS (500 * NS_PER_MS)            /* for one byte to be taken or given; what Linux waits, too */
#define EC_TURN_NS (3 * NS_PER_SEC)             /* of waiting, until ec_rest; a wait that has begun is let end */
#define EC_FAILURES 3                           /* in a row, then all is refused at once */
#define EC_AGAIN_NS (10 * NS_PER_SEC)           /* and then one transaction tried after so long */

struct ec_hooks {
	uint8_t (*read)(enum ec_port port);
	void (*write)(enum ec_port port, uint8_t value);
	void (*pause)(uint32_t us);
	uint64_t (*now)(void);                  /* ns */
};

struct ec_kept {
	uint32_t owed;                          /* enum ec_owed: what the controller was asked for and has not been seen to answer */
	uint32_t reserved;
	uint64_t queries[4];                    /* numbers whose methods are not done, a bit each */
};

struct ec {
	const struct ec_hooks *hooks;           /* borrowed */
	struct ec_kept *kept;                   /* borrowed */
	enum ec_state state;
	uint8_t status;                         /* as last read */
	bool no_burst;                          /* it does not know that mode */
	uint32_t failures;                      /* in a row, at most EC_FAILURES */
	uint64_t again_ns;                      /* when one that has failed so often is tried again */
	uint64_t waited_ns;                     /* since ec_rest */
	uint64_t due[4];                        /* of kept->queries, those that this instance has not given out */
};

/*
 * Takes a controller over, perhaps in the middle of an earlier instance's transaction. False: that had asked for a query's number, and none came:
 * it had not asked yet, or it had the number and died in the next instant, and that event is lost.
 */
must_use bool ec_begin(struct ec *ec, const struct ec_hooks *hooks, struct ec_kept *kept);
/* n bytes from `address` on, all below EC_SIZE. Several are moved in burst mode, so that they belong together. ERR_INVALID. ERR_IO: no answer. */
must_use status_t ec_read(struct ec *ec, uint32_t address, uint8_t *bytes, uint32_t n);
must_use status_t ec_write(struct ec *ec, uint32_t address, const uint8_t *bytes, uint32_t n);
/* The number of an event to be handled; it stays written down until ec_settled. ERR_NOT_FOUND: there is none. ERR_IO: no answer. */
must_use status_t ec_query(struct ec *ec, uint8_t *number);
/* Whether ec_query has something to ask or to give: by the status as it is now, or as the last transaction left it. */
must_use bool ec_look(struct ec *ec);
must_use bool ec_pending(const struct ec *ec);
/* All that ec_query has given out is done. */
void ec_settled(struct ec *ec);
/* What is written down of numbers is dropped. False: nothing was. */
must_use bool ec_forget(struct ec_kept *kept);
/* The service has been at its Port: there is time again. */
void ec_rest(struct ec *ec);
