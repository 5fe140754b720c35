/* SPDX-License-Identifier: BSD-3-Clause */
#include <linux/netlink.h>
#include <rdma/rdma_netlink.h>
#include <stdint.h>
#include <string.h>

#include "../../helper/rdmabusy.h"
#include "unit.h"

static unsigned char buf[1024];
static size_t len;

static size_t put(unsigned type, const void *value, size_t n)
{
	struct nlattr h = { .nla_len = (uint16_t)(sizeof(h) + n), .nla_type = (uint16_t)type };
	size_t at = len;

	memcpy(buf + len, &h, sizeof(h));
	if (n)
		memcpy(buf + len + sizeof(h), value, n);
	len += NLA_ALIGN(sizeof(h) + n);
	return at;
}

/* Close a nest that began at `at`. */
static void nested(size_t at)
{
	struct nlattr h;

	memcpy(&h, buf + at, sizeof(h));
	h.nla_len = (uint16_t)(len - at);
	h.nla_type |= NLA_F_NESTED;
	memcpy(buf + at, &h, sizeof(h));
}

static void entry(const char *name, uint64_t n)
{
	size_t at = put(RDMA_NLDEV_ATTR_RES_SUMMARY_ENTRY, NULL, 0);

	put(RDMA_NLDEV_ATTR_RES_SUMMARY_ENTRY_NAME, name, strlen(name) + 1);
	put(RDMA_NLDEV_ATTR_RES_SUMMARY_ENTRY_CURR, &n, sizeof(n));
	nested(at);
}

static void message(const char *name, uint64_t contexts)
{
	uint32_t index = 3;
	size_t at;

	len = 0;
	memset(buf, 0, sizeof(buf));
	put(RDMA_NLDEV_ATTR_DEV_INDEX, &index, sizeof(index));
	put(RDMA_NLDEV_ATTR_DEV_NAME, name, strlen(name) + 1);
	at = put(RDMA_NLDEV_ATTR_RES_SUMMARY, NULL, 0);
	entry("pd", 9);
	entry("ctx", contexts);
	entry("mr", 7);
	nested(at);
}

START_TEST(counts_contexts)
{
	message("mlx5_0", 2);
	ck_assert_int_eq(rdmabusy_decode(buf, len, "mlx5_0"), 2);
	ck_assert_int_eq(rdmabusy_decode(buf, len, "mlx5_1"), -1);
	ck_assert_int_eq(rdmabusy_decode(buf, len, "mlx5_"), -1);
	ck_assert_int_eq(rdmabusy_decode(buf, len, "mlx5_00"), -1);
	message("mlx5_0", 0);
	ck_assert_int_eq(rdmabusy_decode(buf, len, "mlx5_0"), 0);
}
END_TEST

START_TEST(damaged)
{
	message("mlx5_0", 2);
	for (size_t n = 0; n < len; n++)
		(void)rdmabusy_decode(buf, n, "mlx5_0"); /* reads nothing beyond: ASan tells */
	for (size_t i = 0; i < len; i++) {
		buf[i] ^= 0xff;
		(void)rdmabusy_decode(buf, len, "mlx5_0");
		buf[i] ^= 0xff;
	}
}
END_TEST

START_TEST(no_such_device)
{
	ck_assert_int_eq(rdmabusy_contexts("no such device"), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("rdmabusy");
	TCase *tc = tcase_create("rdmabusy");

	suite_add_tcase(s, tc);
	tcase_add_test(tc, counts_contexts);
	tcase_add_test(tc, damaged);
	tcase_add_test(tc, no_such_device);
	return unit_run(s);
}
