/* SPDX-License-Identifier: BSD-3-Clause */
/* config.json through berth-oci; what it prints must be what the helper reads. */
int oci_main(void); /* its own main(); libFuzzer brings another */
#define main oci_main
#include "../../helper/oci.c" /* NOLINT(bugprone-suspicious-include) */
#undef main

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char records[BUNDLE_MAX];
	struct records r = { .buf = records };
	char *text = malloc(size + 1);
	struct bundle b;
	struct err e = { "" };
	int rc;

	(void)oci_main;
	FUZZ_CHECK(text && size <= OCI_CONFIG_MAX);
	memcpy(text, data, size);
	text[size] = '\0';
	rc = oci_convert(text, size, &r, &e);
	fuzz_check_err(rc, &e);
	FUZZ_CHECK(r.len <= BUNDLE_MAX);
	if (rc == 0 && bundle_parse(records, r.len, 1000, &b, &e) == 0)
		bundle_done(&b);
	FUZZ_CHECK(strncmp(e.text, "OCI bundle: unknown", 19) != 0);
	FUZZ_CHECK(strncmp(e.text, "OCI bundle: expected", 20) != 0);
	free(text);
	return 0;
}
