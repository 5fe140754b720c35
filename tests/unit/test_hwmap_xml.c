/* SPDX-License-Identifier: BSD-3-Clause */
/* Scans with a topology from XML. */
#define _GNU_SOURCE 1
#include <hwloc.h>
#include <stdarg.h>
#include <unistd.h>

#include "../../hwmap/topo_hwloc.h"
#include "scan_fixture.h"

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

int main(void)
{
	Suite *s = suite_create("hwmap_xml");
	TCase *tc = tcase_create("hwmap_xml");

	suite_add_tcase(s, tc);
	tcase_set_timeout(tc, 60); /* thousands of small files on a busy disk */
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, xml_beside);
	tcase_add_test(tc, xml_given);
	tcase_add_test(tc, xml_alone);
	tcase_add_test(tc, xml_broken);
	return unit_run(s);
}
