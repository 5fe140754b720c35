/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pick - how long hwmap_pick takes: 256 ranks on a node of 16 NICs with 64 VFs each.
 *
 *   make tests/bench/pick && tests/bench/pick [RUNS]
 *
 * "numa": 16 NUMA nodes of 16 CPUs, a NIC at each, distances as firmware has them.
 * "distinct": all 256 ranks see all 16 NICs at different distances.  Pooled NICs are one
 * device each, the others 64 VFs of one slot.  The median and the longest of RUNS are shown.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../hwmap/map.h"

#define NICS 16U
#define VFS 64U
#define RANKS 256U

static uint32_t any(uint32_t below)
{
	static uint64_t state = 42;

	state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(state >> 33) % below;
}

static uint16_t numa_distance(uint32_t a, uint32_t b)
{
	return a == b ? 10 : a / 4 == b / 4 ? 12 : 32;
}

static struct hwmap *machine(bool pooled, bool distinct)
{
	uint32_t per_nic = pooled ? 1 : VFS, nplaces = distinct ? RANKS : NICS;
	struct hwmap *m = hwmap_new(NICS * per_nic, nplaces);

	if (!m)
		return NULL;
	for (uint32_t cpu = 0; cpu < RANKS; cpu++)
		hwmap_cpus_set(&m->places[cpu * nplaces / RANKS].cpus, cpu);
	for (uint32_t i = 0; i < m->ndevices; i++) {
		uint32_t nic = i / per_nic;
		uint16_t *row = &m->distance[(size_t)i * nplaces];

		snprintf(m->devices[i].ibdev, HWMAP_NAME_MAX, "usnic_%u", i);
		m->devices[i].nic = nic;
		m->devices[i].slots = pooled ? VFS : 1;
		if (i % per_nic > 0)
			memcpy(row, row - nplaces, nplaces * sizeof(*row));
		for (uint32_t p = 0; i % per_nic == 0 && p < nplaces; p++)
			row[p] = distinct ? (uint16_t)(10 + any(60000)) : numa_distance(nic, p);
	}
	return m;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int measure(const struct hwmap *m, const struct hwmap_ask *ask, size_t runs, double *ms)
{
	for (size_t i = 0; i < runs; i++) {
		struct hwmap_choice c;
		struct err e = { "" };
		double from = now();

		if (hwmap_pick(m, ask, &c, &e) < 0) {
			fprintf(stderr, "pick: %s\n", e.text);
			return -1;
		}
		ms[i] = now() - from;
		hwmap_choice_done(&c);
	}
	qsort(ms, runs, sizeof(*ms), by_value);
	return 0;
}

/* Lease slots at random until no more are left than the ranks ask for, and ten. */
static void lease(const struct hwmap *m, uint32_t left, uint32_t *used)
{
	uint32_t free_slots = NICS * VFS;

	memset(used, 0, m->ndevices * sizeof(*used));
	while (free_slots > left + 10) {
		uint32_t i = any(m->ndevices);

		if (used[i] < m->devices[i].slots) {
			used[i]++;
			free_slots--;
		}
	}
}

static int one_case(const struct hwmap *m, const char *title, struct hwmap_ask *ask, bool full,
		    size_t runs)
{
	static const char *const policies[] = { "prefer", "local", "spread", "rail" };
	uint32_t *used = calloc(m->ndevices, sizeof(*used));
	double *ms = calloc(runs, sizeof(*ms));
	int rc = -1;

	if (used && ms) {
		if (full)
			lease(m, RANKS * ask->count, used);
		ask->used = used;
		rc = measure(m, ask, runs, ms);
	}
	if (rc == 0)
		printf("%-26s %-7s %5u %-6s %8.3f %8.3f\n", title, policies[ask->policy],
		       ask->count, full ? "nearly" : "no", ms[runs / 2], ms[runs - 1]);
	free(used);
	free(ms);
	return rc;
}

int main(int argc, char **argv)
{
	static struct hwmap_cpus cpus[RANKS];
	const struct hwmap_cpus *ranks[RANKS];
	size_t runs = argc > 1 ? strtoul(argv[1], NULL, 10) : 101;
	int rc = runs > 0 ? 0 : -1;

	for (uint32_t r = 0; r < RANKS; r++) {
		hwmap_cpus_set(&cpus[r], r);
		ranks[r] = &cpus[r];
	}
	printf("%-26s %-7s %5s %-6s %8s %8s\n", "node", "policy", "count", "full", "median",
	       "most ms");
	for (int shape = 0; rc == 0 && shape < 4; shape++) {
		bool pooled = !(shape & 1), distinct = shape & 2;
		struct hwmap *m = machine(pooled, distinct);
		char title[64];

		snprintf(title, sizeof(title), "%s, %s", distinct ? "distinct" : "numa",
			 pooled ? "16 pooled" : "1024 VFs");
		for (int i = 0; m && rc == 0 && i < 12; i++) {
			struct hwmap_ask ask = { .ranks = ranks, .nranks = RANKS };

			ask.policy = i < 6 ? HWMAP_PREFER : HWMAP_SPREAD;
			ask.count = (uint32_t[]){ 1, 2, 4 }[i % 6 / 2];
			rc = one_case(m, title, &ask, i % 2, runs);
		}
		if (!m)
			rc = -1;
		hwmap_free(m);
	}
	return rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
