/* SPDX-License-Identifier: BSD-3-Clause */
#include "fuzz.h"

#include "../../helper/rdmabusy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t index, pids[8];

	FUZZ_CHECK(rdmabusy_decode(data, size, "mlx5_0", &index) >= -1);
	FUZZ_CHECK(rdmabusy_decode_pids(data, size, pids, 8) <= 8);
	return 0;
}
