/* SPDX-License-Identifier: BSD-3-Clause */
#include "fuzz.h"

#include "../../helper/rdmabusy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int64_t n = rdmabusy_decode(data, size, "mlx5_0");

	FUZZ_CHECK(n >= -1);
	return 0;
}
