/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hwmap [ROUNDS] - what a scan of 16 NICs with 64 VFs each costs beside hwloc's load of the same
 * tree, and what a map file costs.  Medians over ROUNDS (default 21), interleaved; milliseconds.
 *
 * The tree is the machine `big` of tests/hwmap, made in /dev/shm: a file there costs about as much
 * to read as one of /sys.
 */
#define _GNU_SOURCE 1
#include <hwloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "../../hwmap/map.h"
#include "../../hwmap/topo_hwloc.h"
#include "../hwmap/machines.h"

#define ROUNDS_MAX 1000

enum what { HWLOC_ALL, HWLOC_IO, SCAN, HWLOC_CPUS, READ, FRESH, NWHAT };

static const char *const titles[NWHAT] = {
	"hwloc's load, I/O important, all else",
	"hwloc's load, I/O important, no cores and caches",
	"hwmap_scan",
	"of that: hwloc's load, no I/O",
	"hwmap_read",
	"hwmap_fresh, of this machine",
};

static double took[NWHAT][ROUNDS_MAX];
static struct tree tree;
static struct hwmap *map;
static int file;

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "hwmap: %s\n", what);
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void load(enum topo_detail detail)
{
	struct hwmap_source src = { tree.dir, NULL };
	struct err e = { "" };
	hwloc_topology_t h;

	if (topo_hwloc_load(&src, detail, &h, &e) < 0)
		fail(e.text);
	if (detail != TOPO_CPUS && hwloc_get_nbobjs_by_type(h, HWLOC_OBJ_PCI_DEVICE) < 1024)
		fail("hwloc does not see the VFs");
	hwloc_topology_destroy(h);
}

static void scan(void)
{
	struct hwmap_source src = { tree.dir, NULL };
	struct err e = { "" };

	hwmap_free(map);
	map = NULL;
	if (hwmap_scan(&src, &map, NULL, &e) < 0)
		fail(e.text);
	if (hwmap_ndevices(map) != 16 * 65)
		fail("hwmap_scan does not see the VFs");
}

static void read_file(void)
{
	struct hwmap *m = NULL;
	struct err e = { "" };

	if (lseek(file, 0, SEEK_SET) < 0 || hwmap_read(file, &m, &e) < 0)
		fail(e.text);
	hwmap_free(m);
}

static void once(enum what what, int round)
{
	double from = now();

	switch (what) {
	case HWLOC_ALL: load(TOPO_ALL); break;
	case HWLOC_IO: load(TOPO_IO); break;
	case SCAN: scan(); break;
	case HWLOC_CPUS: load(TOPO_CPUS); break;
	case READ: read_file(); break;
	default: hwmap_fresh(map); break;
	}
	took[what][round] = now() - from;
}

static int order(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 21;
	struct err e = { "" };

	if (argc > 2 || rounds < 1 || rounds > ROUNDS_MAX)
		fail("usage: hwmap [ROUNDS]");
	if (access("/dev/shm", W_OK) == 0)
		setenv("TMPDIR", "/dev/shm", 1);
	tree_temp(&tree);
	machines_make("big", &tree);
	scan();
	file = memfd_create("map", MFD_CLOEXEC);
	if (file < 0 || hwmap_write(map, file, &e) < 0)
		fail(e.text);
	for (int i = 0; i < rounds; i++)
		for (int w = 0; w < NWHAT; w++)
			once((enum what)w, i);
	printf("%d rounds; a map file of %lld bytes\n%10s %10s\n", rounds,
	       (long long)lseek(file, 0, SEEK_END), "median ms", "least ms");
	for (int w = 0; w < NWHAT; w++) {
		qsort(took[w], (size_t)rounds, sizeof(double), order);
		printf("%10.3f %10.3f  %s\n", took[w][rounds / 2], took[w][0], titles[w]);
	}
	printf("%10.2f             hwmap_scan / hwloc's load, no cores and caches\n",
	       took[SCAN][rounds / 2] / took[HWLOC_IO][rounds / 2]);
	hwmap_free(map);
	tree_remove(&tree);
	return 0;
}
