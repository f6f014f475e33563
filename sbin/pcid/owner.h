/*
 * owner: who drives which function (pure). In the state Frame, so that a driver keeps its function when pcid dies. A record is there before
 * the OPEN that makes it is answered: whoever dies in between, the OPEN comes again and is answered the same; but if its caller has died, too, it
 * does not come, there is no Session, and no CLOSE will ever erase the record.
 */
#pragma once
#include "line.h"

enum { OWNERS_MAX = LINE_USERS_MAX };

struct owner {
	uint64_t badge;         /* of its Session; written last and erased last. 0: free */
	uint64_t op_id;         /* of the OPEN that made it */
	uint64_t offered;       /* by us to initd, which started it */
	uint64_t unheard;       /* 0: the Session has been used. Else the life of pcid that answered the OPEN last, or was about to */
};

/* An OPEN of a function's device. life: which of pcid's; each has a greater number, from 1 on. */
struct claim { uint64_t op_id, life; bool redelivered, offered; };
enum claim_verdict {
	CLAIM_FREE,             /* nobody drives it */
	CLAIM_AGAIN,            /* that OPEN has made the record: it is answered once more */
	CLAIM_OVER,             /* who drove it is no more, though its CLOSE may be still to come */
	CLAIM_BUSY,
};

/* NULL: nobody drives that function. */
struct owner *owner_of(struct owner owners[OWNERS_MAX], uint16_t at);
/* o: who drives it, or NULL. */
enum claim_verdict owner_judge(const struct owner *o, const struct claim *c);
