/* SPDX-License-Identifier: BSD-3-Clause */
#include "weigh.h"

/* cpus NULL: all that are in a place. */
static void weigh_places(const struct hwmap *m, const struct hwmap_cpus *cpus, struct weights *ret)
{
	uint32_t words[HWMAP_CPUS_MAX / 64] = { 0 }, nwords = 0;

	for (uint32_t i = 0; i < HWMAP_CPUS_MAX / 64; i++)
		if (!cpus || cpus->bits[i])
			words[nwords++] = i;
	ret->n = 0;
	ret->total = 0;
	for (uint32_t p = 0; p < m->nplaces; p++) {
		const uint64_t *here = m->places[p].cpus.bits;
		uint32_t n = 0;

		for (uint32_t i = 0; i < nwords; i++) {
			uint64_t both = here[words[i]];

			if (cpus)
				both &= cpus->bits[words[i]];
			if (both)
				n += (uint32_t)__builtin_popcountll(both);
		}
		if (n == 0)
			continue;
		ret->place[ret->n] = p;
		ret->cpus[ret->n++] = n;
		ret->total += n;
	}
}

void weigh_cpus(const struct hwmap *m, const struct hwmap_cpus *cpus, struct weights *ret)
{
	ret->n = 0;
	if (cpus)
		weigh_places(m, cpus, ret);
	ret->known = ret->n > 0;
	if (!ret->known)
		weigh_places(m, NULL, ret);
}

uint32_t weigh_distance(const struct hwmap *m, uint32_t i, const struct weights *w)
{
	const uint16_t *row = &m->distance[(size_t)i * m->nplaces];
	uint32_t sum = 0;

	for (uint32_t p = 0; p < w->n; p++) {
		if (row[w->place[p]] == HWMAP_FAR)
			return HWMAP_FAR;
		sum += w->cpus[p] * row[w->place[p]];
	}
	return w->total ? (sum + w->total - 1) / w->total : HWMAP_FAR;
}

uint32_t hwmap_distance(const struct hwmap *m, size_t i, const struct hwmap_cpus *cpus)
{
	struct weights w;

	if (i >= m->ndevices)
		return HWMAP_FAR;
	weigh_cpus(m, cpus, &w);
	return weigh_distance(m, (uint32_t)i, &w);
}
