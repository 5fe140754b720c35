/* SPDX-License-Identifier: BSD-3-Clause */
/* Scans of trees that no kernel would show, or that change meanwhile. */
#define _GNU_SOURCE 1
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../hwmap/sysfs.h"
#include "scan_fixture.h"

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
	Suite *s = suite_create("hwmap_hostile");
	TCase *tc = tcase_create("hwmap_hostile");

	suite_add_tcase(s, tc);
	tcase_set_timeout(tc, 60); /* thousands of small files on a busy disk */
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, hostile);
	tcase_add_test(tc, bare_trees);
	tcase_add_test(tc, notes_are_bounded);
	tcase_add_test(tc, fifos_do_not_hold);
	tcase_add_test(tc, under_way);
	tcase_add_test(tc, without_the_bus);
	tcase_add_test(tc, reading);
	return unit_run(s);
}
