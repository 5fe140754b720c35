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

static void begin(const char *name)
{
	const uint32_t index = 3;

	len = 0;
	memset(buf, 0, sizeof(buf));
	put(RDMA_NLDEV_ATTR_DEV_INDEX, &index, sizeof(index));
	put(RDMA_NLDEV_ATTR_DEV_NAME, name, strlen(name) + 1);
}

static void message(const char *name, uint64_t contexts)
{
	size_t at;

	begin(name);
	at = put(RDMA_NLDEV_ATTR_RES_SUMMARY, NULL, 0);
	entry("pd", 9);
	entry("ctx", contexts);
	entry("mr", 7);
	nested(at);
}

/* What RES_CTX_GET tells; pid 0: the process has ended. */
static void openers(const uint32_t *pids, size_t n)
{
	size_t table;

	begin("mlx5_0");
	table = put(RDMA_NLDEV_ATTR_RES_CTX, NULL, 0);
	for (uint32_t i = 0; i < n; i++) {
		size_t at = put(RDMA_NLDEV_ATTR_RES_CTX_ENTRY, NULL, 0);

		put(RDMA_NLDEV_ATTR_RES_CTXN, &i, sizeof(i));
		if (pids[i])
			put(RDMA_NLDEV_ATTR_RES_PID, &pids[i], sizeof(pids[i]));
		nested(at);
	}
	nested(table);
}

START_TEST(counts_contexts)
{
	uint32_t index = 0;

	message("mlx5_0", 2);
	ck_assert_int_eq(rdmabusy_decode(buf, len, "mlx5_0", &index), 2);
	ck_assert_uint_eq(index, 3);
	ck_assert_int_eq(rdmabusy_decode(buf, len, "mlx5_1", &index), -1);
	ck_assert_int_eq(rdmabusy_decode(buf, len, "mlx5_", &index), -1);
	ck_assert_int_eq(rdmabusy_decode(buf, len, "mlx5_00", &index), -1);
	message("mlx5_0", 0);
	ck_assert_int_eq(rdmabusy_decode(buf, len, "mlx5_0", &index), 0);
}
END_TEST

START_TEST(names_openers)
{
	static const uint32_t three[] = { 4242, 0, 17 };
	uint32_t got[4];

	openers(three, 3);
	ck_assert_uint_eq(rdmabusy_decode_pids(buf, len, got, 4), 2);
	ck_assert_uint_eq(got[0], 4242);
	ck_assert_uint_eq(got[1], 17);
	ck_assert_uint_eq(rdmabusy_decode_pids(buf, len, got, 1), 1);
	openers(three, 0);
	ck_assert_uint_eq(rdmabusy_decode_pids(buf, len, got, 4), 0);
}
END_TEST

static void decode(size_t n)
{
	uint32_t index, pids[4];

	(void)rdmabusy_decode(buf, n, "mlx5_0", &index); /* reads nothing beyond: ASan tells */
	(void)rdmabusy_decode_pids(buf, n, pids, 4);
}

static void damage(void)
{
	for (size_t n = 0; n < len; n++)
		decode(n);
	for (size_t i = 0; i < len; i++) {
		buf[i] ^= 0xff;
		decode(len);
		buf[i] ^= 0xff;
	}
}

START_TEST(damaged)
{
	static const uint32_t three[] = { 4242, 0, 17 };

	message("mlx5_0", 2);
	damage();
	openers(three, 3);
	damage();
}
END_TEST

START_TEST(no_such_device)
{
	ck_assert_int_eq(rdmabusy_contexts("no such device", 0), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("rdmabusy");
	TCase *tc = tcase_create("rdmabusy");

	suite_add_tcase(s, tc);
	tcase_add_test(tc, counts_contexts);
	tcase_add_test(tc, names_openers);
	tcase_add_test(tc, damaged);
	tcase_add_test(tc, no_such_device);
	return unit_run(s);
}
