/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz.h - what the fuzz targets share.  tests/fuzz/run runs them.
 */
#ifndef BERTH_FUZZ_H
#define BERTH_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../helper/err.h"

/* libFuzzer's entry point. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever the build's NDEBUG says: a broken promise is a finding. */
#define FUZZ_CHECK(x)            \
	do {                     \
		if (!(x))        \
			abort(); \
	} while (0)

/* A failure leaves one clean line, a success none. */
static inline void fuzz_check_err(int rc, const struct err *e)
{
	char copy[ERR_TEXT_MAX];

	FUZZ_CHECK(rc == 0 || rc == -1);
	FUZZ_CHECK((rc == -1) == (e->text[0] != '\0'));
	FUZZ_CHECK(memchr(e->text, '\0', sizeof(e->text)));
	memcpy(copy, e->text, sizeof(copy));
	err_clean(copy, strlen(copy));
	FUZZ_CHECK(strcmp(copy, e->text) == 0);
}

#endif
