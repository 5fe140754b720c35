/* SPDX-License-Identifier: BSD-3-Clause */
/* Choices on odd nodes and for odd ranks; docs/choice.md refers to these tests by their names. */
#include "pick_fixture.h"

START_TEST(unbound_rank)
{
	two_sockets(64);
	rank(NULL);
	rank("");
	picks("0 1");
	why(0, 0, "rank is not bound: same distance everywhere");
	why(1, 0, "rank is not bound: same distance everywhere");
	distance(0, 0, 16); /* (10 + 21) / 2, rounded up */
	done();
}
END_TEST

START_TEST(unbound_rank_on_an_asymmetric_node)
{
	node(2, 3);
	device(0, 0, 0, 64, (uint16_t[]){ 10, 20, 40 });
	device(1, 1, 1, 64, (uint16_t[]){ 20, 10, 20 });
	rank(NULL);
	picks("1");
	why(0, 0, "rank is not bound, nearest: mean distance 17");
	done();
}
END_TEST

START_TEST(rank_on_two_numa_nodes)
{
	two_sockets(64);
	rank("0-5"); /* four CPUs here, two there */
	rank("2-7");
	picks("0 1");
	why(0, 0, "nearest: mean distance 14");
	distance(0, 0, 14); /* (4 * 10 + 2 * 21) / 6, rounded up */
	done();
}
END_TEST

START_TEST(numa_node_without_cpus)
{
	node(2, 2);
	device(0, 0, 2, 64, (uint16_t[]){ 17, 28 });
	device(1, 1, 3, 64, (uint16_t[]){ 28, 17 });
	rank("0");
	rank("4");
	picks("0 1");
	why(0, 0, "nearest: NUMA node 2, distance 17");
	done();
}
END_TEST

START_TEST(device_without_numa_node)
{
	two_sockets(1);
	f.m->devices[0].numa = -1;
	for (uint32_t p = 0; p < 2; p++)
		f.m->distance[p] = HWMAP_FAR;
	ranks(2, "0");
	picks("0 1"); /* the known one, far as it is, was taken first; both are */
	distance(0, 0, HWMAP_FAR);
	why(0, 0,
	    "nobody knows how far it is, nearest that is free: other ranks have all of "
	    "usnic_1 that was free");
	f.ask.nranks = 1;
	picks("1");
	f.ask.device = "usnic_0"; /* it alone: nothing is nearer */
	f.ask.policy = HWMAP_LOCAL;
	picks("0");
	why(0, 0, "nobody knows how far it is");
	done();
}
END_TEST

/* A laptop, or a virtual machine: one place, and the kernel knows no NUMA node. */
START_TEST(node_of_one_place)
{
	node(1, 1);
	device(0, 0, -1, 8, (uint16_t[]){ 10 });
	rank("2");
	rank(NULL);
	f.ask.policy = HWMAP_LOCAL;
	picks("0 0");
	why(0, 0, "nearest: distance 10");
	why(1, 0, "rank is not bound: same distance everywhere");
	done();
}
END_TEST

START_TEST(asymmetric_node)
{
	node(1, 2);
	device(0, 0, 0, 64, (uint16_t[]){ 10, 21 });
	rank("0");
	rank("4");
	f.ask.policy = HWMAP_LOCAL; /* as near as any, if not near */
	picks("0 0");
	why(0, 0, "same NUMA node 0");
	why(1, 0, "nearest: NUMA node 0, distance 21");
	done();
}
END_TEST

/* Two sockets of two clusters each; NICs at the clusters 0 and 3. */
START_TEST(sub_numa_clusters)
{
	node(2, 4);
	device(0, 0, 0, 64, (uint16_t[]){ 10, 12, 21, 21 });
	device(1, 1, 3, 64, (uint16_t[]){ 21, 21, 12, 10 });
	rank("0");
	rank("4");
	rank("8");
	rank("12");
	picks("0 0 1 1");
	why(1, 0, "nearest: NUMA node 0, distance 12");
	why(3, 0, "same NUMA node 3");
	done();
}
END_TEST

/* A NUMA node of two places: a device belongs to a part of its CPUs. */
START_TEST(places_of_one_numa_node)
{
	node(2, 2);
	f.m->places[1].numa = 0;
	device(0, 0, 0, 1, (uint16_t[]){ 10, 11 });
	device(1, 1, 0, 1, (uint16_t[]){ 11, 10 });
	rank("4");
	rank("0");
	picks("1 0");
	f.ask.nranks = 1;
	f.ask.device = "usnic_0";
	picks("0");
	why(0, 0, "same NUMA node 0");
	done();
}
END_TEST

START_TEST(offline_cpus)
{
	two_sockets(64);
	rank("100");   /* none that the map has: as if not bound */
	rank("4,100"); /* one of them counts */
	picks("0 1");
	why(0, 0, "the rank's CPUs are not in the map: same distance everywhere");
	why(1, 0, "same NUMA node 1");
	distance(1, 0, 10);
	done();
}
END_TEST

/* A link that is down makes the nearest NIC no less the nearest. */
START_TEST(link_down)
{
	two_sockets(64);
	f.m->devices[0].state = HWMAP_STATE_DOWN;
	rank("0");
	picks("1");
	why(0, 0, "NUMA node 1, distance 21, nearest that is free: usnic_0 is down");
	f.ask.policy = HWMAP_LOCAL;
	refused("1 slot is asked for of the NICs nearest to some ranks (1 rank, 1 each), 0 free: "
		"usnic_0 0 of 64 (64 without link)");
	f.ask.any_state = true;
	picks("0");
	f.m->devices[0].state = HWMAP_STATE_UNKNOWN;
	f.ask.any_state = false;
	picks("0");
	f.m->devices[0].state = HWMAP_STATE_INIT;
	f.ask.policy = HWMAP_PREFER;
	picks("1");
	why(0, 0, "NUMA node 1, distance 21, nearest that is free: usnic_0 is down");
	done();
}
END_TEST

/* For a rank that opens it, only what has a node counts. */
START_TEST(uverbs_wanted)
{
	two_sockets(64);
	f.m->devices[0].uverbs[0] = '\0';
	rank("0");
	picks("0");
	f.ask.uverbs = true;
	picks("1");
	f.m->devices[1].uverbs[0] = '\0';
	refused("this node has no device with a uverbs node that could be given to a rank");
	done();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("pick_odd");
	TCase *odd = tcase_create("odd");

	tcase_add_test(odd, unbound_rank);
	tcase_add_test(odd, unbound_rank_on_an_asymmetric_node);
	tcase_add_test(odd, rank_on_two_numa_nodes);
	tcase_add_test(odd, numa_node_without_cpus);
	tcase_add_test(odd, device_without_numa_node);
	tcase_add_test(odd, node_of_one_place);
	tcase_add_test(odd, asymmetric_node);
	tcase_add_test(odd, sub_numa_clusters);
	tcase_add_test(odd, places_of_one_numa_node);
	tcase_add_test(odd, offline_cpus);
	tcase_add_test(odd, link_down);
	tcase_add_test(odd, uverbs_wanted);
	suite_add_tcase(s, odd);
	return unit_run(s);
}
