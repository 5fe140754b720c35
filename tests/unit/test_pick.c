/* SPDX-License-Identifier: BSD-3-Clause */
/* Choices on named machines; docs/choice.md refers to these tests by their names. */
#include "pick_fixture.h"

START_TEST(each_rank_gets_the_nearest)
{
	two_sockets(64);
	rank("0");
	rank("4-7");
	rank("1");
	picks("0 1 0");
	why(0, 0, "same NUMA node 0");
	why(1, 0, "same NUMA node 1");
	distance(0, 0, 10);
	done();
}
END_TEST

/* Greedy would give the first rank its nearest, and leave the farthest to the second. */
START_TEST(all_ranks_at_once)
{
	node(2, 2);
	device(0, 0, 0, 1, (uint16_t[]){ 10, 12 });
	device(1, 1, 1, 1, (uint16_t[]){ 11, 40 });
	rank("0");
	rank("4");
	picks("1 0");
	why(0, 0,
	    "NUMA node 1, distance 11, nearest that is free: other ranks have all of "
	    "usnic_0 that was free");
	done();
}
END_TEST

/* One rank far away and the others near is worse than all a little away, whatever the sum. */
START_TEST(the_worst_comes_first)
{
	node(2, 2);
	device(0, 0, 0, 1, (uint16_t[]){ 10, 20 });
	device(1, 1, 1, 1, (uint16_t[]){ 20, 31 });
	rank("0");
	rank("4");
	picks("1 0");
	done();
}
END_TEST

START_TEST(even_where_distances_are_equal)
{
	static uint32_t used[] = { 3, 0 };

	two_sockets(64);
	ranks(4, NULL);
	picks("0 0 1 1");
	f.ask.used = used;
	picks("0 1 1 1"); /* 3 + 1, 0 + 3 */
	done();
}
END_TEST

START_TEST(local_or_not_at_all)
{
	static uint32_t used[] = { 62, 0 };

	two_sockets(64);
	ranks(2, "0");
	f.ask.policy = HWMAP_LOCAL;
	f.ask.used = used;
	picks("0 0");
	rank("4");
	rank("2");
	refused("3 slots are asked for of the NICs nearest to some ranks (3 ranks, 1 each), 2 free: "
		"usnic_0 2 of 64 (62 leased)");
	f.ask.policy = HWMAP_PREFER;
	picks("0 0 1 1");
	why(3, 0,
	    "NUMA node 1, distance 21, nearest that is free: other ranks have all of usnic_0 "
	    "that was free");
	used[0] = 64;
	picks("1 1 1 1");
	why(3, 0, "NUMA node 1, distance 21, nearest that is free: all 64 of usnic_0 are leased");
	done();
}
END_TEST

START_TEST(spread_evens_first)
{
	static uint32_t used[] = { 1, 0 };

	two_sockets(64);
	ranks(4, "0");
	f.ask.policy = HWMAP_SPREAD;
	picks("0 0 1 1");
	why(3, 0, "NUMA node 1, distance 21, even load: usnic_0 is in use 2 times now");
	f.ask.used = used;
	f.ask.nranks = 3;
	picks("0 1 1");
	why(0, 0, "same NUMA node 0");
	done();
}
END_TEST

START_TEST(rails)
{
	node(4, 2);
	for (uint32_t i = 0; i < 4; i++)
		device(i, i, (int32_t)(i / 2), 2,
		       i < 2 ? (uint16_t[]){ 10, 21 } : (uint16_t[]){ 21, 10 });
	ranks(6, "0");
	f.ask.policy = HWMAP_RAIL;
	picks("0 1 2 3 0 1");
	why(5, 0, "rail 1 of 4");
	f.ask.rails = 3;
	picks("0 1 2 0 1 2");
	f.ask.device = "!usnic_1";
	picks("0 2 3 0 2 3");
	f.ask.rails = 4;
	refused("4 rails are asked for, but there are 3 NICs: usnic_0, usnic_2, usnic_3");
	f.ask.rails = 0;
	f.ask.count = 2; /* of the one NIC */
	f.ask.nranks = 3;
	picks("0+0 2+2 3+3");
	f.m->devices[2].state = HWMAP_STATE_DOWN; /* its rank goes to no other rail */
	refused("2 slots are asked for of one rail's NIC (1 rank, 2 each), 0 free: "
		"usnic_2 0 of 2 (2 without link)");
	f.ask.per_node = true;
	refused("rails are given to ranks, slots per node to all of them: ask for one of the two");
	done();
}
END_TEST

START_TEST(several_slots_of_different_nics)
{
	two_sockets(64);
	f.ask.count = 2;
	rank("0");
	rank("4");
	picks("0+1 1+0"); /* the nearest first */
	why(0, 1, "NUMA node 1, distance 21, nearest that is free: the rank has usnic_0 already");
	f.ask.count = 3; /* then two of one, and not three */
	picks("0+0+1 1+1+0");
	done();
}
END_TEST

/* Two ranks can't have both NICs each: then each has two of the one that it is near to. */
START_TEST(several_slots_of_one_nic)
{
	two_sockets(2);
	device(1, 1, 1, 3, (uint16_t[]){ 21, 10 });
	f.ask.count = 2;
	rank("0");
	rank("4");
	picks("0+1 1+0");
	rank(NULL);
	refused("6 slots are asked for (3 ranks, 2 each), 5 free: usnic_0 2 of 2, usnic_1 3 of 3");
	f.ask.nranks = 2;
	f.ask.device = "usnic_1|usnic_0";
	f.m->devices[0].slots = 1;
	picks("0+1 1+1");
	done();
}
END_TEST

/* VFs that are devices of their own are never given twice, in the map's order. */
START_TEST(vfs_are_devices)
{
	node(6, 2);
	for (uint32_t i = 0; i < 6; i++)
		device(i, i / 3, (int32_t)(i / 3), 1,
		       i < 3 ? (uint16_t[]){ 10, 21 } : (uint16_t[]){ 21, 10 });
	rank("4");
	rank("0");
	rank("4");
	rank("0");
	picks("3 0 4 1");
	f.ask.used = (uint32_t[]){ 1, 0, 0, 0, 1, 0 };
	picks("3 1 5 2");
	f.ask.used = NULL;
	f.ask.count = 3;
	f.ask.nranks = 2;
	picks("3+4+0 1+2+5");
	done();
}
END_TEST

START_TEST(slots_per_node)
{
	node(3, 3);
	device(0, 0, 0, 64, (uint16_t[]){ 10, 40, 40 });
	device(1, 1, 1, 64, (uint16_t[]){ 21, 21, 30 });
	device(2, 2, 2, 64, (uint16_t[]){ 40, 40, 10 });
	f.ask.per_node = true;
	rank("0");
	rank("4");
	rank("8");
	picks("1 1 1"); /* its farthest rank is at 30 */
	why(0, 0, "NUMA node 1, distance 21, shared by 3 ranks, the farthest at 30");
	why(1, 0, "same NUMA node 1, shared by 3 ranks, the farthest at 30");
	f.ask.count = 2; /* a third rank on one of the two others' side decides */
	rank("1");
	picks("0+1 1+0 1+0 0+1");
	f.ask.policy = HWMAP_LOCAL;
	refused("no NIC is the nearest to all 4 ranks, which are to share it");
	f.ask.nranks = 1;
	f.ask.count = 65;
	refused("65 slots are asked for of the NICs nearest to some ranks (for the node), 64 free: "
		"usnic_0 64 of 64");
	done();
}
END_TEST

START_TEST(ties_are_broken_the_same_way)
{
	node(4, 1);
	for (uint32_t i = 0; i < 4; i++)
		device(i, i, 0, 4, (uint16_t[]){ 10 });
	ranks(8, "0-3");
	for (int i = 0; i < 3; i++)
		picks("0 0 1 1 2 2 3 3");
	f.ask.nranks = 2;
	picks("0 1");
	done();
}
END_TEST

START_TEST(patterns)
{
	static const struct {
		const char *pattern, *devices;
	} means[] = {
		{ NULL, "0 1" },
		{ "*", "0 1" },
		{ "usnic_0", "0" },
		{ "usnic_[1-9]", "1" },
		{ "!usnic_0", "1" },
		{ "eth1", "1" },
		{ "uverbs0", "0" },
		{ "0000:07:*", "1" },
		{ "enic", "0 1" },
		{ "usnic_1|usnic_0", "0 1" },
		{ "enic|!eth1", "0" },
		{ "!eth1|enic", "0" },
		{ "nothing|eth0|!else", "0" },
		{ "usnic_?", "0 1" },
	};

	two_sockets(1);
	for (size_t i = 0; i < sizeof(means) / sizeof(means[0]); i++) {
		f.ask.device = means[i].pattern;
		f.ask.nranks = strchr(means[i].devices, ' ') ? 2 : 1;
		picks(means[i].devices);
	}
	f.ask.nranks = 1;
	f.ask.device = "mlx5_*";
	refused("no device matches \"mlx5_*\"; there are usnic_0, usnic_1");
	f.ask.device = "USNIC_0";
	refused("no device matches \"USNIC_0\"; there are usnic_0, usnic_1");
	f.ask.device = "";
	refused("device pattern \"\": nothing stands beside a \"|\"");
	f.ask.device = "usnic_0|";
	refused("device pattern \"usnic_0|\": nothing stands beside a \"|\"");
	f.ask.device = "!";
	refused("device pattern \"!\": nothing stands behind a \"!\"");
	f.ask.device = "\033[2J";
	refused("no device matches \"?[2J\"; there are usnic_0, usnic_1");
	done();
}
END_TEST

START_TEST(too_much)
{
	static char pattern[2048];

	two_sockets(4);
	refused("0 ranks ask for devices, expected 1 to 4096");
	f.ask.nranks = 4097;
	refused("4097 ranks ask for devices, expected 1 to 4096");
	f.ask.nranks = 9;
	refused("9 slots are asked for (9 ranks, 1 each), 8 free: usnic_0 4 of 4, usnic_1 4 of 4");
	f.ask.used = (uint32_t[]){ UINT32_MAX, 1 };
	f.m->devices[1].state = HWMAP_STATE_DOWN;
	refused("9 slots are asked for (9 ranks, 1 each), 0 free: usnic_0 0 of 4 (4 leased), "
		"usnic_1 0 of 4 (1 leased, 3 without link)");
	f.ask.count = UINT32_MAX;
	refused("4294967295 slots for each of 9 ranks are asked for, at most 65536 in all");
	f.ask.count = 0;
	refused("0 slots are asked for, expected at least 1");
	f.ask.count = 1;
	memset(pattern, '*', sizeof(pattern) - 1);
	f.ask.device = pattern;
	refused("the device pattern has 2047 bytes, at most 1023 are taken");
	memset(pattern, 0, sizeof(pattern));
	for (int i = 0; i < 40; i++)
		strcat(pattern, "a|");
	refused("device pattern \"a|a|a|a|a|a|a|a|a|a|a|a|a|a|a|a|a|a|a|a|a|a|a|a|a|a|a|a|a|a|a|a|"
		"a|a|a|a|a|a|a|a|\": more than 32 alternatives");
	f.ask.device = NULL;
	f.ask.policy = (enum hwmap_policy)4;
	refused("policy 4 is not known");
	f.ask.policy = HWMAP_PREFER;
	f.m->devices[0].nic = 2;
	refused("the map is broken: device 0 is of NIC 2 and has 4 slots");
	done();
}
END_TEST

START_TEST(too_much_to_weigh)
{
	node(1025, 1);
	for (uint32_t i = 0; i < 1025; i++)
		device(i, i, 0, 2, (uint16_t[]){ 10 });
	rank("0");
	refused("more than 1024 NICs or kinds of VFs: choose with a device pattern");
	f.ask.device = "!usnic_1024";
	picks("0");
	f.ask.count = 1100;
	refused("1100 slots of 1024 NICs or kinds of VFs, for 1 kinds of ranks, are too many to "
		"weigh: choose with a device pattern");
	done();
}
END_TEST

START_TEST(nothing_there)
{
	node(0, 1);
	rank("0");
	refused("this node has no device that could be given to a rank");
	done();
	node(1, 1);
	device(0, 0, 0, 0, NULL); /* a PF whose VFs are elsewhere */
	rank("0");
	refused("this node has no device that could be given to a rank");
	done();
}
END_TEST

START_TEST(names_are_filtered)
{
	char text[16];

	two_sockets(1);
	snprintf(f.m->devices[0].ibdev, HWMAP_NAME_MAX, "a\033[2Jb");
	ranks(3, "0");
	refused("3 slots are asked for (3 ranks, 1 each), 2 free: a?[2Jb 1 of 1, usnic_1 1 of 1");
	f.ask.nranks = 2;
	picks("0 1");
	why(1, 0,
	    "NUMA node 1, distance 21, nearest that is free: other ranks have all of a?[2Jb "
	    "that was free");
	ck_assert_str_eq(hwmap_why(f.m, &f.ask, &f.c, 0, 0, text, 6), "same ");
	ck_assert_str_eq(hwmap_why(f.m, &f.ask, &f.c, 2, 0, text, sizeof(text)), "");
	ck_assert_str_eq(hwmap_why(f.m, &f.ask, &f.c, 0, 1, text, sizeof(text)), "");
	done();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("pick");
	TCase *best = tcase_create("best"), *no = tcase_create("no");

	tcase_add_test(best, each_rank_gets_the_nearest);
	tcase_add_test(best, all_ranks_at_once);
	tcase_add_test(best, the_worst_comes_first);
	tcase_add_test(best, even_where_distances_are_equal);
	tcase_add_test(best, local_or_not_at_all);
	tcase_add_test(best, spread_evens_first);
	tcase_add_test(best, rails);
	tcase_add_test(best, several_slots_of_different_nics);
	tcase_add_test(best, several_slots_of_one_nic);
	tcase_add_test(best, vfs_are_devices);
	tcase_add_test(best, slots_per_node);
	tcase_add_test(best, ties_are_broken_the_same_way);
	tcase_add_test(best, patterns);
	suite_add_tcase(s, best);
	tcase_add_test(no, too_much);
	tcase_add_test(no, too_much_to_weigh);
	tcase_add_test(no, nothing_there);
	tcase_add_test(no, names_are_filtered);
	suite_add_tcase(s, no);
	return unit_run(s);
}
