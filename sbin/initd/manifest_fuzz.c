/*
 * manifest_fuzz: any bytes as a manifest. Expected: it is taken or refused with a reason, and what
 * is taken stays within its limits.
 */
#include <stdlib.h>
#include "manifest.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct manifest m;
	struct manifest_error e;
	char *text = malloc(size ? size : 1);   /* no zero byte behind it */

	memcpy(text, data, size);
	memset(&e, 0, sizeof(e));
	if (manifest_parse(&m, "fuzz", text, size, &e)) {
		if (m.n_args > MANIFEST_ARGS || m.n_opens > MANIFEST_OPENS || m.n_provides > MANIFEST_SCHEMES || !m.exec[0])
			abort();
	} else if (!e.reason[0]) {
		abort();
	}
	free(text);
	return 0;
}
