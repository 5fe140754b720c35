/* SPDX-License-Identifier: BSD-3-Clause */
/* RDMA netlink: a stream of messages as the kernel could send it. */
#include "fuzz.h"

#include <netlink/msg.h>

#include "../../hwmap/rdma_nl.h"

static void check_told(const struct rdma_nl_told *told)
{
	char copy[HWMAP_NAME_MAX];

	FUZZ_CHECK(told->n <= RDMA_NL_DEVICES_MAX);
	for (size_t i = 0; i < told->n; i++) {
		const struct rdma_nl_device *d = &told->devices[i];

		FUZZ_CHECK(i == 0 || told->devices[i - 1].index < d->index);
		FUZZ_CHECK(memchr(d->name, '\0', sizeof(d->name)) && d->name[0]);
		FUZZ_CHECK(memchr(d->netdev, '\0', sizeof(d->netdev)));
		FUZZ_CHECK(!strchr(d->name, '/') && !strchr(d->netdev, '/'));
		memcpy(copy, d->name, sizeof(copy));
		err_clean(copy, strlen(copy));
		FUZZ_CHECK(strcmp(copy, d->name) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rdma_nl_told told = { NULL, 0, false };
	/* a copy: libnl wants it aligned, and what is read behind it shall be seen */
	uint8_t *copy = malloc(size ? size : 1);
	struct nlmsghdr *h = (struct nlmsghdr *)(void *)copy;
	int left = (int)size;

	FUZZ_CHECK(copy);
	memcpy(copy, data, size);
	while (nlmsg_ok(h, left)) {
		FUZZ_CHECK(rdma_nl_decode(&told, h) == 0);
		h = nlmsg_next(h, &left);
	}
	check_told(&told);
	free(told.devices);
	free(copy);
	return 0;
}
