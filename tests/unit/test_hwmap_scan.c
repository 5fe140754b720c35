/* SPDX-License-Identifier: BSD-3-Clause */
/* Scans of machines. */
#define _GNU_SOURCE 1
#include "scan_fixture.h"

START_TEST(c240)
{
	scan("c240");
	no_notes();
	places("0-7@0/0 8-15@1/1");
	ck_assert_uint_eq(map->ndevices, 4);
	device(0, "POOLED ACTIVE usnic_0 uverbs0 231:192 enp6s0f0 enic 0000:06:00.0 0000:06:00.0 - "
		  "0 64/0");
	device(1, "POOLED ACTIVE usnic_1 uverbs1 231:193 enp7s0f0 enic 0000:07:00.0 0000:07:00.0 - "
		  "0 64/2");
	device(2, "POOLED ACTIVE usnic_2 uverbs2 231:194 enp8s0f0 enic 0000:08:00.0 0000:08:00.0 - "
		  "1 64/0");
	device(3, "POOLED ACTIVE usnic_3 uverbs3 231:195 enp9s0f0 enic 0000:09:00.0 0000:09:00.0 - "
		  "1 64/0");
	distances(0, "0-7: 10 21");
	distances(3, "8-15: 21 10");
	for (uint32_t i = 0; i < 4; i++) {
		ck_assert_uint_eq(map->devices[i].nic, i);
		ck_assert_uint_eq(map->devices[i].sriov_total, 64);
		ck_assert_uint_eq(map->devices[i].sriov_num, 64);
		ck_assert_uint_eq(map->devices[i].qp_per_vf, 6);
		ck_assert_uint_eq(map->devices[i].cq_per_vf, 6);
	}
}
END_TEST

START_TEST(many_vfs)
{
	scan("many-vfs");
	no_notes();
	ck_assert_uint_eq(map->ndevices, 3);
	device(0, "POOLED ACTIVE usnic_0 uverbs0 231:192 eth4 enic 0000:0b:00.0 0000:0b:00.0 - 0 "
		  "3/0");
	device(2, "POOLED ACTIVE usnic_2 uverbs2 231:194 eth6 enic 0000:88:00.0 0000:88:00.0 - 1 "
		  "5/0");
	distances(1, "0-7: 10 20");
	distances(2, "8-15: 20 10");
}
END_TEST

START_TEST(eight_rail)
{
	scan("eight-rail");
	no_notes();
	ck_assert_uint_eq(map->ndevices, 8);
	device(0, "PF ACTIVE mlx5_4 uverbs4 231:196 ib4 mlx5_core 0000:14:00.0 0000:14:00.0 - 0 "
		  "1/0");
	device(7, "PF DOWN mlx5_3 uverbs3 231:195 ib3 mlx5_core 0000:84:00.0 0000:84:00.0 - 1 1/0");
	distances(3, "0-31: 10 21");
	distances(4, "32-63: 21 10");
}
END_TEST

START_TEST(single)
{
	scan("single");
	no_notes();
	ck_assert_uint_eq(map->ndevices, 5);
	device(0, "PF ACTIVE bnxt_re0 uverbs0 231:192 enp65s0f0np0 bnxt_en 0000:41:00.0 "
		  "0000:41:00.0 - 0 0/0");
	device(4, "VF ACTIVE bnxt_re4 uverbs4 231:196 enp65s0f0v3 bnxt_en 0000:41:00.4 "
		  "0000:41:00.0 - 0 1/0");
	ck_assert_uint_eq(map->devices[0].sriov_total, 128);
	ck_assert_uint_eq(map->devices[0].sriov_num, 4);
	ck_assert_uint_eq(map->devices[4].sriov_total, 0);
	for (uint32_t i = 0; i < 5; i++) {
		ck_assert_uint_eq(map->devices[i].nic, 0);
		distances(i, "0-15: 10");
	}
}
END_TEST

START_TEST(two_ports)
{
	ck_assert_int_eq(machines_make("single", &tree), 0);
	tree_file(&tree, "1: DOWN", "class/infiniband/bnxt_re0/ports/1/state");
	tree_file(&tree, "4: ACTIVE", "class/infiniband/bnxt_re0/ports/2/state");
	tree_file(&tree, "1: DOWN", "class/infiniband/bnxt_re1/ports/1/state");
	tree_file(&tree, "1: DOWN", "class/infiniband/bnxt_re1/ports/2/state");
	scan_with(NULL);
	no_notes();
	ck_assert_uint_eq(map->devices[0].port, 2);
	ck_assert_int_eq(map->devices[0].state, HWMAP_STATE_ACTIVE);
	ck_assert_uint_eq(map->devices[1].port, 1);
	ck_assert_int_eq(map->devices[1].state, HWMAP_STATE_DOWN);
	ck_assert_uint_eq(map->devices[2].port, 1);
}
END_TEST

/* Libraries need the interface with the address: of a bond that is not the slave. */
START_TEST(bond)
{
	ck_assert_int_eq(machines_make("single", &tree), 0);
	tree_net(&tree, "virtual", "bond0", "1");
	tree_file(&tree, "bond0", "class/infiniband/bnxt_re0/ports/1/gid_attrs/ndevs/0");
	tree_file(&tree, "elsewhere", "class/infiniband/bnxt_re1/ports/1/gid_attrs/ndevs/0");
	scan_with(NULL);
	no_notes();
	ck_assert_str_eq(map->devices[0].netdev, "bond0");
	ck_assert_str_eq(map->devices[1].netdev, "enp65s0f0v0");
}
END_TEST

START_TEST(laptop)
{
	scan("laptop");
	no_notes();
	ck_assert_uint_eq(map->ndevices, 0);
	places("0-7@0/0");
}
END_TEST

START_TEST(kinds)
{
	scan("kinds");
	no_notes();
	ck_assert_uint_eq(map->ndevices, 14);
	device(0, "PF ? - - 0:0 - vfio-pci 0000:00:05.0 0000:00:05.0 noiommu-0 1 1/0");
	device(1, "PF ACTIVE - - 0:0 eth2 igb 0000:01:00.0 0000:01:00.0 - 0 0/0");
	device(2, "VF DOWN - - 0:0 eth10 igbvf 0000:01:00.1 0000:01:00.0 - 0 1/0");
	device(3, "VF DOWN - - 0:0 eth9 igbvf 0000:01:00.2 0000:01:00.0 - 0 1/0");
	device(4, "VF ? - - 0:0 - vfio-pci 0000:01:00.3 0000:01:00.0 43 0 1/0");
	device(5, "VF ? - - 0:0 - mlx5_vfio_pci 0000:01:00.4 0000:01:00.0 44 0 1/0");
	/* what the host has for itself is shown, not given away */
	device(6, "PF ACTIVE - - 0:0 eth3 igb 0000:02:00.0 0000:02:00.0 - 0 0/0");
	device(7, "PF ACTIVE - - 0:0 vt0 virtio-pci 0000:03:00.0 0000:03:00.0 - 0 0/0");
	device(8,
	       "VF ACTIVE rxe0 uverbs0 231:192 vt1 virtio-pci 0000:03:00.1 0000:03:00.0 - 0 1/0");
	device(9,
	       "VF ACTIVE rxe1 uverbs1 231:193 vt2 virtio-pci 0000:03:00.2 0000:03:00.0 - 0 1/0");
	/* of several netdevs the one that represents no VF */
	device(10, "PF ACTIVE mlx5_0 uverbs2 231:194 zzz mlx5_core 0000:04:00.0 0000:04:00.0 - 0 "
		   "0/0");
	device(12, "VF INIT mlx5_2 uverbs4 231:196 vf2 mlx5_core 0000:04:00.2 0000:04:00.0 - 0 "
		   "1/0");
	device(13, "SOFT ACTIVE rxe_br uverbs5 231:197 br0 rdma_rxe - - - -1 1/0");
	distances(13, ": far far");
	ck_assert_uint_eq(map->devices[5].nic, 1);
	ck_assert_uint_eq(map->devices[13].nic, 5);
}
END_TEST

START_TEST(cpuless)
{
	scan("cpuless");
	no_notes();
	places("0-3@0/0 4-7@1/1");
	distances(0, "0-3: 10 20");
	distances(1, "4-7: 23 13");
	ck_assert_int_eq(map->devices[1].numa, 3);
}
END_TEST

START_TEST(no_node)
{
	scan("no-node");
	ck_assert_uint_eq(notes.n, 1);
	noted("0000:00:03.0/numa_node: there is no node 7");
	distances(0, ": far far");
	distances(1, "4-7: 21 10");
	distances(2, ": far far");
	ck_assert_int_eq(map->devices[0].numa, -1);
	ck_assert_int_eq(map->devices[2].numa, -1);
}
END_TEST

START_TEST(one_node_unknown)
{
	scan("one-node-unknown");
	no_notes();
	distances(0, "0-3: 10");
	ck_assert_int_eq(map->devices[0].numa, -1);
}
END_TEST

START_TEST(snc)
{
	scan("snc");
	no_notes();
	places("0-3@0/0 4-7@1/0 8-11@2/1 12-15@3/1");
	distances(0, "4-7: 11 10 21 21");
	distances(1, "8-15: 21 21 10 10");
	ck_assert_int_eq(map->devices[1].numa, -1);
}
END_TEST

START_TEST(asymmetric)
{
	scan("asymmetric");
	no_notes();
	places("0-7@0/0 8-11@1/0 12-15@2/1");
	distances(0, "12-15: 32 28 10");
}
END_TEST

START_TEST(offline)
{
	scan("offline");
	no_notes();
	places("0-2@0/0 4,6-7@1/1");
	distances(0, "4,6-7: 21 10");
}
END_TEST

START_TEST(no_matrix)
{
	scan("no-matrix");
	no_notes();
	places("0-1@0/0 2-3@1/0 4-5@2/1 6-7@3/1");
	distances(0, "0-1: 10 15 20 20");
}
END_TEST

START_TEST(flat_matrix)
{
	scan("flat-matrix");
	no_notes();
	distances(0, "0-1: 10 20 21 21");
}
END_TEST

START_TEST(numa_off)
{
	scan("numa-off");
	no_notes();
	places("0-3@0/0 4-7@0/1");
	distances(0, "0-7: 10 10");
	distances(1, "4-7: 11 10");
	distances(2, "0-7: 10 10");
}
END_TEST

START_TEST(part_of_a_node)
{
	scan("part");
	no_notes();
	places("0-3@0/0 4-7@0/0 8-15@1/1");
	distances(0, "4-7: 11 10 21");
	distances(1, "0-7: 10 10 21");
	distances(2, "8-15: 21 21 10");
}
END_TEST

/* A site that knows better than its firmware tells hwloc, by hwloc's own variable. */
START_TEST(corrected_by_hwloc)
{
	setenv("HWLOC_PCI_LOCALITY", "0000:00 0x0000000f", 1);
	scan("no-node");
	unsetenv("HWLOC_PCI_LOCALITY");
	distances(0, "0-3: 10 21");
	distances(1, "4-7: 21 10"); /* /sys tells, so nobody else is asked */
	distances(2, "0-3: 10 21");
	ck_assert_int_eq(map->devices[0].numa, -1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("hwmap_scan");
	TCase *tc = tcase_create("hwmap_scan");

	suite_add_tcase(s, tc);
	tcase_set_timeout(tc, 60); /* thousands of small files on a busy disk */
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, c240);
	tcase_add_test(tc, many_vfs);
	tcase_add_test(tc, eight_rail);
	tcase_add_test(tc, single);
	tcase_add_test(tc, two_ports);
	tcase_add_test(tc, bond);
	tcase_add_test(tc, laptop);
	tcase_add_test(tc, kinds);
	tcase_add_test(tc, cpuless);
	tcase_add_test(tc, no_node);
	tcase_add_test(tc, one_node_unknown);
	tcase_add_test(tc, snc);
	tcase_add_test(tc, asymmetric);
	tcase_add_test(tc, offline);
	tcase_add_test(tc, no_matrix);
	tcase_add_test(tc, flat_matrix);
	tcase_add_test(tc, numa_off);
	tcase_add_test(tc, part_of_a_node);
	tcase_add_test(tc, corrected_by_hwloc);
	return unit_run(s);
}
