/* SPDX-License-Identifier: BSD-3-Clause */
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <rdma/rdma_netlink.h>
#include <string.h>

#include "../../hwmap/rdma_nl.h"
#include "unit.h"

static struct rdma_nl_told told;

static void empty(void)
{
	free(told.devices);
	memset(&told, 0, sizeof(told));
}

static struct nl_msg *message(int command)
{
	struct nl_msg *msg =
		nlmsg_alloc_simple(RDMA_NL_GET_TYPE(RDMA_NL_NLDEV, command), NLM_F_MULTI);

	ck_assert_ptr_nonnull(msg);
	return msg;
}

static void decode(struct nl_msg *msg)
{
	ck_assert_int_eq(rdma_nl_decode(&told, nlmsg_hdr(msg)), 0);
	nlmsg_free(msg);
}

static void device(uint32_t index, const char *name)
{
	struct nl_msg *msg = message(RDMA_NLDEV_CMD_GET);

	nla_put_u32(msg, RDMA_NLDEV_ATTR_DEV_INDEX, index);
	nla_put_string(msg, RDMA_NLDEV_ATTR_DEV_NAME, name);
	nla_put_u32(msg, RDMA_NLDEV_ATTR_PORT_INDEX, 1);
	nla_put_u64(msg, RDMA_NLDEV_ATTR_CAP_FLAGS, 42);
	decode(msg);
}

static void entry(struct nl_msg *msg, const char *name, uint64_t n)
{
	struct nlattr *nest = nla_nest_start(msg, RDMA_NLDEV_ATTR_RES_SUMMARY_ENTRY);

	nla_put_string(msg, RDMA_NLDEV_ATTR_RES_SUMMARY_ENTRY_NAME, name);
	nla_put_u64(msg, RDMA_NLDEV_ATTR_RES_SUMMARY_ENTRY_CURR, n);
	nla_nest_end(msg, nest);
}

static void resources(uint32_t index, uint64_t contexts)
{
	struct nl_msg *msg = message(RDMA_NLDEV_CMD_RES_GET);
	struct nlattr *table;

	nla_put_u32(msg, RDMA_NLDEV_ATTR_DEV_INDEX, index);
	table = nla_nest_start(msg, RDMA_NLDEV_ATTR_RES_SUMMARY);
	entry(msg, "pd", 7);
	entry(msg, "qp", 3);
	entry(msg, "ctx", contexts);
	nla_nest_end(msg, table);
	decode(msg);
}

static void port(uint32_t index, uint32_t number, const char *netdev)
{
	struct nl_msg *msg = message(RDMA_NLDEV_CMD_PORT_GET);

	nla_put_u32(msg, RDMA_NLDEV_ATTR_DEV_INDEX, index);
	nla_put_u32(msg, RDMA_NLDEV_ATTR_PORT_INDEX, number);
	if (netdev)
		nla_put_string(msg, RDMA_NLDEV_ATTR_NDEV_NAME, netdev);
	decode(msg);
}

START_TEST(devices)
{
	device(0, "mlx5_0");
	device(2, "rxe0");
	device(1, "usnic_0"); /* out of order */
	device(2, "rxe0");    /* twice */
	ck_assert_uint_eq(told.n, 3);
	ck_assert_str_eq(told.devices[0].name, "mlx5_0");
	ck_assert_str_eq(told.devices[1].name, "usnic_0");
	ck_assert_str_eq(told.devices[2].name, "rxe0");
	resources(2, 5);
	ck_assert_uint_eq(told.devices[2].contexts, 5);
	ck_assert_uint_eq(told.devices[1].contexts, 0);
	port(2, 2, "eth9");
	port(2, 1, "eth3");
	port(0, 1, NULL);
	ck_assert_str_eq(told.devices[2].netdev, "eth3");
	ck_assert_str_eq(told.devices[0].netdev, "");
}
END_TEST

START_TEST(unknown_devices)
{
	device(5, "mlx5_0");
	resources(4, 1);
	port(6, 1, "eth0");
	ck_assert_uint_eq(told.n, 1);
	ck_assert_uint_eq(told.devices[0].contexts, 0);
}
END_TEST

START_TEST(odd_names)
{
	char name[100];

	memset(name, 'x', 99);
	name[99] = '\0';
	device(0, name);
	device(1, "");
	device(2, "../../x");
	device(3, "a\nb");
	ck_assert_uint_eq(told.n, 0);
	device(4, "ok");
	port(4, 1, "a/b");
	ck_assert_str_eq(told.devices[0].netdev, "");
}
END_TEST

START_TEST(namespaces)
{
	struct nl_msg *msg = message(RDMA_NLDEV_CMD_SYS_GET);

	nla_put_u8(msg, RDMA_NLDEV_SYS_ATTR_NETNS_MODE, 1);
	decode(msg);
	ck_assert(!told.exclusive);
	msg = message(RDMA_NLDEV_CMD_SYS_GET);
	decode(msg);
	ck_assert(!told.exclusive);
	msg = message(RDMA_NLDEV_CMD_SYS_GET);
	nla_put_u8(msg, RDMA_NLDEV_SYS_ATTR_NETNS_MODE, 0);
	decode(msg);
	ck_assert(told.exclusive);
}
END_TEST

/* Attributes that are shorter than they have to be, or of another type. */
START_TEST(short_attributes)
{
	struct nl_msg *msg = message(RDMA_NLDEV_CMD_GET);
	struct nlattr *table;

	nla_put_u8(msg, RDMA_NLDEV_ATTR_DEV_INDEX, 1);
	nla_put_string(msg, RDMA_NLDEV_ATTR_DEV_NAME, "mlx5_0");
	decode(msg);
	ck_assert_uint_eq(told.n, 0);
	msg = message(RDMA_NLDEV_CMD_GET);
	nla_put_u32(msg, RDMA_NLDEV_ATTR_DEV_INDEX, 1);
	nla_put(msg, RDMA_NLDEV_ATTR_DEV_NAME, 3, "abc"); /* without a NUL */
	decode(msg);
	ck_assert_uint_eq(told.n, 0);
	device(1, "abc");
	msg = message(RDMA_NLDEV_CMD_RES_GET);
	nla_put_u32(msg, RDMA_NLDEV_ATTR_DEV_INDEX, 1);
	table = nla_nest_start(msg, RDMA_NLDEV_ATTR_RES_SUMMARY);
	nla_put_u8(msg, RDMA_NLDEV_ATTR_RES_SUMMARY_ENTRY, 1);
	nla_put_u8(msg, 77, 1);
	nla_nest_end(msg, table);
	decode(msg);
	ck_assert_uint_eq(told.devices[0].contexts, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("hwmap_rdma");
	TCase *tc = tcase_create("hwmap_rdma");

	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(tc, NULL, empty);
	tcase_add_test(tc, devices);
	tcase_add_test(tc, unknown_devices);
	tcase_add_test(tc, odd_names);
	tcase_add_test(tc, namespaces);
	tcase_add_test(tc, short_attributes);
	return unit_run(s);
}
