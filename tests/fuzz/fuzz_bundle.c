/* SPDX-License-Identifier: BSD-3-Clause */
/* What berth-oci prints. */
#include "fuzz.h"

#include "../../helper/bundle.h"
#include "../../helper/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bundle b;
	struct err e = { "" };
	int rc = bundle_parse((const char *)data, size, REQUEST_MOUNTS_MAX, &b, &e);

	fuzz_check_err(rc, &e);
	if (rc == 0) {
		FUZZ_CHECK(b.root && b.root[0]);
		FUZZ_CHECK(!b.cwd || b.cwd[0] == '/');
		FUZZ_CHECK(b.mounts.n <= REQUEST_MOUNTS_MAX);
		bundle_done(&b);
	}
	return 0;
}
