/* SPDX-License-Identifier: BSD-3-Clause */
/* A choice: any map, any ask.  What is chosen is there, free, and allowed; else one line says why. */
#include "fuzz.h"

#include "../../hwmap/map.h"

#define DEVICES_MAX 64
#define RANKS_MAX 64

struct input {
	const uint8_t *data;
	size_t size;
};

/* The next byte; 0 when all are used. */
static uint8_t next(struct input *in)
{
	if (in->size == 0)
		return 0;
	in->size--;
	return *in->data++;
}

/* Small numbers mostly, and now and then a huge one. */
static uint32_t number(struct input *in)
{
	uint8_t b = next(in);

	return b < 0xf0 ? b % 8 : b == 0xff ? UINT32_MAX : (uint32_t)next(in) << (b & 0xf);
}

static void random_cpus(struct input *in, struct hwmap_cpus *c)
{
	for (uint8_t n = next(in) % 5; n > 0; n--)
		hwmap_cpus_set(c, next(in) % 4 ? next(in) % 32U : next(in) * 16U);
}

static struct hwmap *random_map(struct input *in)
{
	struct hwmap *m = hwmap_new(next(in) % (DEVICES_MAX + 1), 1 + next(in) % 8U);

	FUZZ_CHECK(m);
	for (uint32_t p = 0; p < m->nplaces; p++) {
		random_cpus(in, &m->places[p].cpus);
		m->places[p].numa = (int32_t)number(in);
	}
	for (uint32_t i = 0; i < m->ndevices; i++) {
		struct hwmap_device *d = &m->devices[i];

		d->nic = next(in) % 16U;
		d->slots = number(in);
		d->state = (enum hwmap_state)(next(in) % 4);
		d->numa = (int32_t)next(in) - 1;
		d->ibdev[0] = (char)next(in);
		d->netdev[0] = (char)next(in);
		for (uint32_t p = 0; p < m->nplaces; p++)
			m->distance[i * m->nplaces + p] = (uint16_t)(10 + number(in));
	}
	return m;
}

static void check_choice(const struct hwmap *m, const struct hwmap_ask *ask,
			 const struct hwmap_choice *c)
{
	uint32_t taken[DEVICES_MAX] = { 0 };
	char text[256];

	FUZZ_CHECK(c->nranks == ask->nranks && c->count == ask->count && c->grants);
	for (uint32_t i = 0; i < c->nranks * c->count; i++) {
		const struct hwmap_grant *g = &c->grants[i];
		const struct hwmap_cpus *cpus = ask->ranks[i / c->count];

		FUZZ_CHECK(g->device < m->ndevices);
		FUZZ_CHECK(ask->any_state || !hwmap_state_dead(m->devices[g->device].state));
		FUZZ_CHECK(g->distance == hwmap_distance(m, g->device, cpus));
		if (!ask->per_node || i < c->count)
			taken[g->device]++;
		if (i < 16) {
			hwmap_why(m, ask, c, i / c->count, i % c->count, text, sizeof(text));
			FUZZ_CHECK(text[0] != '\0');
		}
	}
	for (uint32_t i = 0; i < m->ndevices; i++)
		FUZZ_CHECK((uint64_t)taken[i] + (ask->used && taken[i] ? ask->used[i] : 0) <=
			   m->devices[i].slots);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct hwmap_cpus cpus[8] = { 0 };
	const struct hwmap_cpus *ranks[RANKS_MAX];
	uint32_t used[DEVICES_MAX];
	char pattern[16] = "";
	struct hwmap *m = random_map(&in);
	struct hwmap_ask ask = { .ranks = ranks };
	struct hwmap_choice c;
	struct err e = { "" };
	int rc;

	ask.nranks = next(&in) % (RANKS_MAX + 1);
	ask.count = next(&in) < 0xf8 ? 1 + next(&in) % 8U : number(&in);
	ask.policy = (enum hwmap_policy)(next(&in) % 5);
	ask.rails = next(&in) % 4 ? 0 : number(&in);
	ask.per_node = next(&in) % 4 == 0;
	ask.any_state = next(&in) % 2;
	for (uint32_t i = 0; i < 8; i++)
		random_cpus(&in, &cpus[i]);
	for (uint32_t r = 0; r < RANKS_MAX; r++)
		ranks[r] = next(&in) % 9 ? &cpus[next(&in) % 8] : NULL;
	for (uint32_t i = 0; i < m->ndevices; i++)
		used[i] = number(&in);
	ask.used = next(&in) % 2 ? used : NULL;
	for (uint32_t i = 0; i < sizeof(pattern) - 1; i++)
		pattern[i] = (char)next(&in);
	ask.device = next(&in) % 2 ? pattern : NULL;

	rc = hwmap_pick(m, &ask, &c, &e);
	fuzz_check_err(rc, &e);
	if (rc == 0) {
		check_choice(m, &ask, &c);
		hwmap_choice_done(&c);
	}
	hwmap_free(m);
	return 0;
}
