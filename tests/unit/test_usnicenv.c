/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>

#include "../../helper/usnicenv.h"
#include "unit.h"

static const struct hwmap_device usnic_1 = { .role = HWMAP_POOLED,
					     .ibdev = "usnic_1",
					     .port = 1,
					     .uverbs = "uverbs1",
					     .netdev = "enp7s0f0",
					     .numa = 0 };
static const struct hwmap_device usnic_3 = { .role = HWMAP_POOLED,
					     .ibdev = "usnic_3",
					     .port = 1,
					     .uverbs = "uverbs3",
					     .numa = 1 };
static const struct hwmap_device mlx5_2 = { .role = HWMAP_VF,
					    .ibdev = "mlx5_2",
					    .port = 1,
					    .uverbs = "uverbs2",
					    .netdev = "enp8s0f0v0" };
static const struct hwmap_device mlx4_0 = { .role = HWMAP_PF,
					    .ibdev = "mlx4_0",
					    .port = 2,
					    .uverbs = "uverbs4" };

struct vars {
	char **own, **hints;
	uint32_t nown, nhints;
};

static struct vars make(const char *site, const struct hwmap_device *a,
			const struct hwmap_device *b)
{
	const struct hwmap_device *d[] = { a, b };
	struct vars v;

	ck_assert_int_eq(usnic_env_make(site, d, b ? 2 : 1, &v.own, &v.nown, &v.hints, &v.nhints,
					NULL),
			 0);
	return v;
}

/* The value, or NULL; none stands there twice. */
static const char *value(char **list, uint32_t n, const char *name)
{
	const size_t len = strlen(name);
	const char *found = NULL;

	for (uint32_t i = 0; i < n; i++)
		if (strncmp(list[i], name, len) == 0 && list[i][len] == '=') {
			ck_assert_msg(!found, "%s twice", name);
			found = list[i] + len + 1;
		}
	return found;
}

static void done(struct vars *v)
{
	for (uint32_t i = 0; i < v->nown; i++)
		free(v->own[i]);
	for (uint32_t i = 0; i < v->nhints; i++)
		free(v->hints[i]);
	free(v->own);
	free(v->hints);
}

START_TEST(one_device)
{
	struct vars v = make(NULL, &usnic_1, NULL);

	ck_assert_str_eq(value(v.own, v.nown, "BERTH_DEVICES"), "/dev/infiniband/uverbs1");
	ck_assert_str_eq(value(v.own, v.nown, "BERTH_IBDEV"), "usnic_1");
	ck_assert_str_eq(value(v.own, v.nown, "BERTH_NETDEV"), "enp7s0f0");
	ck_assert_str_eq(value(v.own, v.nown, "BERTH_UVERBS"), "uverbs1");
	ck_assert_str_eq(value(v.own, v.nown, "BERTH_NUMA"), "0");
	ck_assert_str_eq(value(v.hints, v.nhints, "OMPI_MCA_btl_usnic_if_include"), "usnic_1");
	ck_assert_uint_eq(v.nhints, 1);
	done(&v);
}
END_TEST

START_TEST(two_devices)
{
	struct vars v = make(NULL, &usnic_3, &usnic_1);

	ck_assert_str_eq(value(v.own, v.nown, "BERTH_DEVICES"),
			 "/dev/infiniband/uverbs3,/dev/infiniband/uverbs1");
	ck_assert_str_eq(value(v.own, v.nown, "BERTH_NETDEV"), "-,enp7s0f0");
	ck_assert_str_eq(value(v.own, v.nown, "BERTH_NUMA"), "1,0");
	ck_assert_str_eq(value(v.hints, v.nhints, "OMPI_MCA_btl_usnic_if_include"),
			 "usnic_3,usnic_1");
	done(&v);
}
END_TEST

/* UCX, NCCL and libfabric's verbs cannot drive usNIC, and its BTL no other NIC. */
START_TEST(other_nics)
{
	struct vars v = make(NULL, &mlx5_2, &mlx4_0);

	ck_assert_ptr_null(value(v.hints, v.nhints, "OMPI_MCA_btl_usnic_if_include"));
	ck_assert_str_eq(value(v.hints, v.nhints, "OMPI_MCA_btl_openib_if_include"),
			 "mlx5_2,mlx4_0");
	ck_assert_str_eq(value(v.hints, v.nhints, "UCX_NET_DEVICES"), "mlx5_2:1,mlx4_0:2");
	ck_assert_str_eq(value(v.hints, v.nhints, "NCCL_IB_HCA"), "=mlx5_2:1,mlx4_0:2");
	ck_assert_str_eq(value(v.hints, v.nhints, "FI_VERBS_DEVICE_NAME"), "mlx5_2");
	ck_assert_str_eq(value(v.hints, v.nhints, "FI_VERBS_IFACE"), "enp8s0f0v0");
	done(&v);
	/* the first has no netdev */
	v = make(NULL, &mlx4_0, &mlx5_2);
	ck_assert_ptr_null(value(v.hints, v.nhints, "FI_VERBS_IFACE"));
	done(&v);
	/* of two kinds, none fits */
	v = make("MINE=%p", &mlx4_0, &usnic_1);
	ck_assert_uint_eq(v.nhints, 1);
	ck_assert_str_eq(value(v.hints, v.nhints, "MINE"), "mlx4_0:2,usnic_1:1");
	done(&v);
}
END_TEST

START_TEST(site_table)
{
	const char *site = "MY_DEVS=<%u>%%;UCX_NET_DEVICES=%f:2;NCCL_IB_HCA=";
	struct vars v;

	ck_assert_int_eq(usnic_env_check(site, NULL), 0);
	v = make(site, &usnic_1, &usnic_3);
	ck_assert_str_eq(value(v.hints, v.nhints, "MY_DEVS"), "<uverbs1,uverbs3>%");
	ck_assert_str_eq(value(v.hints, v.nhints, "UCX_NET_DEVICES"), "usnic_1:2");
	ck_assert_ptr_null(value(v.hints, v.nhints, "NCCL_IB_HCA"));
	done(&v);
}
END_TEST

START_TEST(bad_tables)
{
	static const char *const bad[] = { "X",	    "=y", "1X=y",     "X=%",   "X=%z",
					   "X y=1", ";",  "A=b;;C=d", "A=\033" };
	char many[1024] = "A=1";

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct err e = { "" };

		ck_assert_msg(usnic_env_check(bad[i], &e) == -1, "%s", bad[i]);
		ck_assert_ptr_nonnull(strstr(e.text, "usnic_env"));
	}
	for (int i = 0; i < USNICENV_MAX; i++)
		strcat(many, ";A=1");
	ck_assert_int_eq(usnic_env_check(many, NULL), -1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("usnicenv");
	TCase *tc = tcase_create("usnicenv");

	suite_add_tcase(s, tc);
	tcase_add_test(tc, one_device);
	tcase_add_test(tc, two_devices);
	tcase_add_test(tc, other_nics);
	tcase_add_test(tc, site_table);
	tcase_add_test(tc, bad_tables);
	return unit_run(s);
}
