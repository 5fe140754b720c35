/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE 1
#include <hwloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../hwmap/map.h"
#include "../../hwmap/notes.h"
#include "../../hwmap/sysfs.h"
#include "../../hwmap/topo_hwloc.h"
#include "../hwmap/machines.h"
#include "unit.h"

static struct tree tree;
static struct hwmap *map;
static struct hwmap_notes notes;

static void setup(void)
{
	tree_temp(&tree);
}

static void teardown(void)
{
	hwmap_free(map);
	hwmap_notes_done(&notes);
	tree_remove(&tree);
	map = NULL;
}

static void scan_with(const char *topology)
{
	struct hwmap_source src = { tree.dir, topology };
	struct err e = { "" };

	hwmap_free(map);
	hwmap_notes_done(&notes);
	map = NULL;
	ck_assert_msg(hwmap_scan(&src, &map, &notes, &e) == 0, "%s", e.text);
	ck_assert_msg(hwmap_check(map, &e) == 0, "%s", e.text);
	ck_assert_str_eq(map->stamp, "");
	ck_assert(!hwmap_fresh(map));
}

static void scan(const char *machine)
{
	ck_assert_int_eq(machines_make(machine, &tree), 0);
	scan_with(NULL);
}

static void no_notes(void)
{
	ck_assert_msg(notes.n == 0, "noted: %s", notes.n ? notes.lines[0] : "");
}

static void noted(const char *what)
{
	for (size_t i = 0; i < notes.n; i++)
		if (strstr(notes.lines[i], what))
			return;
	ck_abort_msg("nothing is noted of %s", what);
}

/* "ROLE STATE ibdev uverbs major:minor netdev driver pci pf vfio numa slots/busy" */
static void device(uint32_t i, const char *expected)
{
	static const char *const roles[] = { "PF", "VF", "POOLED", "SOFT" };
	static const char *const states[] = { "?", "DOWN", "INIT", "ACTIVE" };
	const struct hwmap_device *d = hwmap_device(map, i);
	char text[1024];

	ck_assert_msg(d != NULL, "there is no device %u", i);
#define OR_NONE(X) (d->X[0] ? d->X : "-")
	snprintf(text, sizeof(text), "%s %s %s %s %u:%u %s %s %s %s %s %d %u/%u", roles[d->role],
		 states[d->state], OR_NONE(ibdev), OR_NONE(uverbs), d->major, d->minor,
		 OR_NONE(netdev), OR_NONE(driver), OR_NONE(pci), OR_NONE(pf), OR_NONE(vfio),
		 d->numa, d->slots, d->busy);
	ck_assert_str_eq(text, expected);
}

/* The nearest CPUs, and the distance to each place: "0-7: 10 21". */
static void distances(uint32_t i, const char *expected)
{
	char text[512], cpus[128];
	int n;

	ck_assert_uint_lt(i, map->ndevices);
	n = snprintf(text, sizeof(text),
		     "%s:", hwmap_cpus_text(&map->devices[i].cpus, cpus, sizeof(cpus)));
	for (uint32_t p = 0; p < map->nplaces; p++) {
		unsigned d = map->distance[i * map->nplaces + p];

		n += snprintf(text + n, sizeof(text) - (size_t)n, d == HWMAP_FAR ? " far" : " %u",
			      d);
	}
	ck_assert_str_eq(text, expected);
}

/* "CPUS@NUMA/PACKAGE ..." */
static void places(const char *expected)
{
	char text[1024] = "", cpus[128];
	int n = 0;

	for (uint32_t p = 0; p < map->nplaces; p++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "%s%s@%d/%u", p ? " " : "",
			      hwmap_cpus_text(&map->places[p].cpus, cpus, sizeof(cpus)),
			      map->places[p].numa, map->places[p].package);
	ck_assert_str_eq(text, expected);
}

/* ---- machines ---- */

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

/* ---- hostile trees ---- */

START_TEST(hostile)
{
	scan("hostile");
	ck_assert_uint_eq(map->ndevices, 4);
	/* what is whole is reported as ever */
	device(1, "POOLED ACTIVE usnic_1 uverbs1 231:193 enp7s0f0 enic 0000:07:00.0 0000:07:00.0 - "
		  "0 64/2");
	distances(1, "0-7: 10 21");
	/* without uverbs, ports, driver and numa_node, but with CPUs */
	device(2, "POOLED ? usnic_2 - 0:0 enp8s0f0 - 0000:08:00.0 0000:08:00.0 - 1 64/0");
	distances(2, "8-15: 21 10");
	/* numbers that cannot be are none */
	device(0, "POOLED ACTIVE usnic_0 - 0:0 enp6s0f0 enic 0000:06:00.0 0000:06:00.0 - 0 0/0");
	distances(0, "0-7: 10 21"); /* hwloc has found local_cpus, the mask */
	device(3, "POOLED ACTIVE usnic_3 - 0:0 enp9s0f0 enic 0000:09:00.0 0000:09:00.0 - 1 0/0");
	noted("class/net: not a kernel's name: xxxx");
	noted("class/net: not a kernel's name: a?[31mb");
	noted("class/infiniband/loop");
	noted("class/infiniband/usnic_0/max_vf");
	noted("class/infiniband/usnic_3/max_vf: -5 cannot be");
	noted("class/infiniband_verbs/uverbs0/dev: not a device number: 231:192:1");
	noted("uverbs2 belongs to usnic_99");
	noted("bus/pci/devices/0000:zz:00.0: not a PCI address");
	noted("0000:07:00.0: virtfn0 is no PCI function");
	noted("0000:06:00.0/local_cpulist");
	for (size_t i = 0; i < notes.n; i++)
		for (const char *p = notes.lines[i]; *p; p++)
			ck_assert_msg(*p >= ' ', "a note with a control character");
}
END_TEST

START_TEST(bare_trees)
{
	struct hwmap_source src = { tree.dir, NULL }, gone = { "/nowhere/at/all", NULL };
	struct err e = { "" };

	/* hwloc takes a tree without CPUs for a machine with one */
	tree_file(&tree, "0", "devices/system/cpu/online");
	ck_assert_msg(hwmap_scan(&src, &map, &notes, &e) == 0, "%s", e.text);
	ck_assert_uint_eq(map->ndevices, 0);
	ck_assert_int_eq(hwmap_scan(&gone, &map, NULL, &e), -1);
	ck_assert_msg(strstr(e.text, "/nowhere/at/all") != NULL, "%s", e.text);
}
END_TEST

START_TEST(notes_are_bounded)
{
	ck_assert_int_eq(machines_make("laptop", &tree), 0);
	for (unsigned i = 0; i < 500; i++)
		tree_link(&tree, "x", "class/infiniband/gone%u", i);
	scan_with(NULL);
	ck_assert_uint_eq(map->ndevices, 0);
	ck_assert_uint_eq(notes.n, NOTES_MAX + 1);
	ck_assert_str_eq(notes.lines[NOTES_MAX], "there is more of that kind");
}
END_TEST

START_TEST(fifos_do_not_hold)
{
	char path[8192];

	ck_assert_int_eq(machines_make("many-vfs", &tree), 0);
	tree_drop(&tree, "class/infiniband/usnic_0/ports/1/state");
	snprintf(path, sizeof(path), "%s/class/infiniband/usnic_0/ports/1/state", tree.dir);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	scan_with(NULL);
	ck_assert_uint_eq(map->ndevices, 3);
	ck_assert_int_eq(map->devices[0].state, HWMAP_STATE_UNKNOWN);
}
END_TEST

static _Noreturn void change_for_ever(void)
{
	for (;;) {
		tree_drop(&tree, "class");
		tree_drop(&tree, "bus");
		tree_drop(&tree, "devices/pci0000:40");
		machines_make("single", &tree);
	}
}

/* Devices come and go while they are read. */
START_TEST(under_way)
{
	struct hwmap_source src = { tree.dir, NULL };
	struct err e = { "" };
	pid_t pid;

	ck_assert_int_eq(machines_make("single", &tree), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		change_for_ever();
	for (int i = 0; i < 50; i++) {
		ck_assert_msg(hwmap_scan(&src, &map, &notes, &e) == 0, "%s", e.text);
		ck_assert_msg(hwmap_check(map, &e) == 0, "%s", e.text);
		hwmap_free(map);
		hwmap_notes_done(&notes);
	}
	map = NULL;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}
END_TEST

/* What class/ alone tells. */
START_TEST(without_the_bus)
{
	ck_assert_int_eq(machines_make("single", &tree), 0);
	tree_drop(&tree, "bus");
	scan_with(NULL);
	ck_assert_uint_eq(map->ndevices, 5);
	device(0, "PF ACTIVE bnxt_re0 uverbs0 231:192 enp65s0f0np0 - 0000:41:00.0 0000:41:00.0 - "
		  "-1 1/0");
	distances(0, "0-15: 10");
}
END_TEST

/* ---- topologies from XML ---- */

static void write_xml(const char *synthetic, const char *file)
{
	hwloc_topology_t h;

	ck_assert_int_eq(hwloc_topology_init(&h), 0);
	ck_assert_int_eq(hwloc_topology_set_synthetic(h, synthetic), 0);
	ck_assert_int_eq(hwloc_topology_load(h), 0);
	ck_assert_int_eq(hwloc_topology_export_xml(h, file, 0), 0);
	hwloc_topology_destroy(h);
}

START_TEST(xml_beside)
{
	char file[8192];

	ck_assert_int_eq(machines_make("many-vfs", &tree), 0);
	tree_drop(&tree, "devices/system");
	snprintf(file, sizeof(file), "%s/topology.xml", tree.dir);
	write_xml("pack:2 [numa] l3:1 core:8 pu:1", file);
	scan_with(NULL);
	no_notes();
	places("0-7@0/0 8-15@1/1");
	distances(0, "0-7: 10 20");
	distances(2, "8-15: 20 10");
}
END_TEST

START_TEST(xml_given)
{
	char file[8192];

	ck_assert_int_eq(machines_make("many-vfs", &tree), 0);
	snprintf(file, sizeof(file), "%s/other.xml", tree.dir);
	write_xml("pack:2 numa:2 core:4 pu:1", file);
	scan_with(file);
	places("0-3@0/0 4-7@1/0 8-11@2/1 12-15@3/1");
	distances(0, "0-7: 10 10 20 20"); /* node 0, of which local_cpulist tells more */
}
END_TEST

/* As hwloc's own captures are: no tree at all. */
START_TEST(xml_alone)
{
	struct hwmap_source src = { tree.dir, NULL };
	struct err e = { "" };
	hwloc_topology_t h;
	char file[8192];

	ck_assert_int_eq(machines_make("many-vfs", &tree), 0);
	ck_assert_msg(topo_hwloc_load(&src, TOPO_ALL, &h, &e) == 0, "%s", e.text);
	snprintf(file, sizeof(file), "%s/whole.xml", tree.dir);
	ck_assert_int_eq(hwloc_topology_export_xml(h, file, 0), 0);
	hwloc_topology_destroy(h);
	src.sysfs = NULL;
	src.topology = file;
	ck_assert_msg(hwmap_scan(&src, &map, &notes, &e) == 0, "%s", e.text);
	ck_assert_msg(hwmap_check(map, &e) == 0, "%s", e.text);
	ck_assert_uint_eq(map->ndevices, 3);
	device(0, "POOLED ACTIVE usnic_0 - 0:0 eth4 - 0000:0b:00.0 0000:0b:00.0 - 0 3/0");
	device(1, "POOLED ACTIVE usnic_1 - 0:0 eth5 - 0000:0c:00.0 0000:0c:00.0 - 0 4/0");
	device(2, "POOLED ACTIVE usnic_2 - 0:0 eth6 - 0000:88:00.0 0000:88:00.0 - 1 5/0");
	distances(1, "0-7: 10 20");
	distances(2, "8-15: 20 10");
	ck_assert_uint_eq(notes.n, 1);
	noted("a topology alone");
}
END_TEST

START_TEST(xml_broken)
{
	struct hwmap_source src = { tree.dir, NULL };
	struct err e = { "" };
	char file[8192];

	ck_assert_int_eq(machines_make("laptop", &tree), 0);
	tree_file(&tree, "<topology version=\"2.0\"><object", "broken.xml");
	snprintf(file, sizeof(file), "%s/broken.xml", tree.dir);
	src.topology = file;
	ck_assert_int_eq(hwmap_scan(&src, &map, NULL, &e), -1);
	ck_assert_msg(strstr(e.text, "broken.xml") != NULL, "%s", e.text);
}
END_TEST

/* ---- sysfs.c itself ---- */

START_TEST(reading)
{
	struct sysfs s;
	struct sysfs_names l;
	char buf[16];
	int64_t n;

	tree_file(&tree, "some text  ", "d/text");
	tree_bytes(&tree, "one\ntwo\n", 8, "d/lines");
	tree_bytes(&tree, "0123456789abcde", 15, "d/full");
	tree_bytes(&tree, "0123456789abcdef", 16, "d/more");
	tree_bytes(&tree, "a\0b\n", 4, "d/nul");
	tree_bytes(&tree, "a\033b\n", 4, "d/esc");
	tree_file(&tree, "0x020000", "d/hex");
	tree_file(&tree, "010", "d/ten");
	tree_file(&tree, "4: ACTIVE", "d/state");
	tree_file(&tree, "4x", "d/odd");
	ck_assert_int_eq(sysfs_open(&s, tree.dir, &notes, NULL), 0);
	ck_assert_int_eq(sysfs_text(&s, buf, sizeof(buf), "d/%s", "text"), 9);
	ck_assert_str_eq(buf, "some text");
	ck_assert_int_eq(sysfs_text(&s, buf, sizeof(buf), "d/lines"), 3);
	ck_assert_str_eq(buf, "one");
	ck_assert_int_eq(sysfs_text(&s, buf, sizeof(buf), "d/full"), -1);
	ck_assert_int_eq(sysfs_text(&s, buf, sizeof(buf), "d/more"), -1);
	ck_assert_str_eq(buf, "");
	ck_assert_int_eq(sysfs_text(&s, buf, sizeof(buf), "d/nul"), -1);
	ck_assert_int_eq(sysfs_text(&s, buf, sizeof(buf), "d/esc"), 3);
	ck_assert_str_eq(buf, "a?b");
	ck_assert_int_eq(sysfs_text(&s, buf, sizeof(buf), "d"), -1);
	ck_assert_int_eq(sysfs_number(&s, &n, "d/hex"), 0);
	ck_assert_int_eq(n, 0x20000);
	ck_assert_int_eq(sysfs_number(&s, &n, "d/ten"), 0);
	ck_assert_int_eq(n, 10);
	ck_assert_int_eq(sysfs_number(&s, &n, "d/state"), 0);
	ck_assert_int_eq(n, 4);
	ck_assert_int_eq(sysfs_number(&s, &n, "d/odd"), -1);
	ck_assert_int_eq(sysfs_number(&s, &n, "d/none"), -1);
	for (unsigned i = 0; i < 12; i++)
		tree_file(&tree, "", "l/eth%u", i);
	sysfs_list(&s, &l, "l");
	ck_assert_uint_eq(l.n, 12);
	ck_assert_str_eq(l.names[2], "eth2");
	ck_assert_str_eq(l.names[10], "eth10");
	free(l.names);
	sysfs_list(&s, &l, "none");
	ck_assert_uint_eq(l.n, 0);
	sysfs_close(&s);
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
	tcase_add_test(tc, hostile);
	tcase_add_test(tc, bare_trees);
	tcase_add_test(tc, notes_are_bounded);
	tcase_add_test(tc, fifos_do_not_hold);
	tcase_add_test(tc, under_way);
	tcase_add_test(tc, without_the_bus);
	tcase_add_test(tc, xml_beside);
	tcase_add_test(tc, xml_given);
	tcase_add_test(tc, xml_alone);
	tcase_add_test(tc, xml_broken);
	tcase_add_test(tc, reading);
	return unit_run(s);
}
