/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "usnicexplain.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "request.h"

struct lines {
	char **v;
	uint32_t n;
	bool bad; /* out of memory */
};

__attribute__((format(printf, 2, 3))) static void add(struct lines *l, const char *fmt, ...)
{
	va_list ap;

	if (l->bad || l->n == REQUEST_LINES_MAX)
		return;
	va_start(ap, fmt);
	if (vasprintf(&l->v[l->n], fmt, ap) < 0) {
		l->v[l->n] = NULL;
		l->bad = true;
	} else {
		err_clean(l->v[l->n], strlen(l->v[l->n]));
		l->n++;
	}
	va_end(ap);
}

/* The name that people know it by. */
static const char *name_of(const struct hwmap_device *d)
{
	return d->ibdev[0] ? d->ibdev : d->netdev[0] ? d->netdev : d->pci;
}

static const char *place_of(const struct hwmap_device *d, char *buf, size_t size)
{
	if (d->numa < 0)
		snprintf(buf, size, "NUMA node unknown");
	else
		snprintf(buf, size, "NUMA node %d", d->numa);
	return buf;
}

static void tell_ranks(const struct usnic_said *s, const uint32_t *gtasks,
		       const struct hwmap_cpus *const *ranks, struct lines *l)
{
	const struct hwmap_ask ask =
		usnic_spec_ask(s->spec, ranks, s->ntasks, s->used, s->any_state);
	const uint32_t n = s->spec->per_node ? 1 : s->ntasks, count = s->spec->count;
	char why[160], place[32], who[32];

	for (uint32_t i = 0; i < n; i++)
		for (uint32_t k = 0; k < count; k++) {
			const struct hwmap_grant *g = &s->choice->grants[i * count + k];
			const struct hwmap_device *d = hwmap_device(s->map, g->device);

			snprintf(who, sizeof(who), "rank %u", gtasks[i]);
			add(l, "--usnic: %s: %s (%s, %s, %s), distance %u: %s",
			    s->spec->per_node ? "all ranks of this node" : who, name_of(d),
			    d->uverbs, d->netdev[0] ? d->netdev : "no netdev",
			    place_of(d, place, sizeof(place)), g->distance,
			    hwmap_why(s->map, &ask, s->choice, i, k, why, sizeof(why)));
		}
}

static bool was_given(const struct usnic_said *s, uint32_t device)
{
	const uint32_t n = (s->spec->per_node ? 1 : s->ntasks) * s->spec->count;

	for (uint32_t i = 0; i < n; i++)
		if (s->choice->grants[i].device == device)
			return true;
	return false;
}

static void tell_others(const struct usnic_said *s, struct lines *l)
{
	for (uint32_t i = 0; i < hwmap_ndevices(s->map); i++) {
		const struct hwmap_device *d = hwmap_device(s->map, i);
		char place[32];

		if (!d->uverbs[0] || was_given(s, i))
			continue;
		if (d->slots == 0)
			add(l, "--usnic: not given: %s: its VFs are, not the PF", name_of(d));
		else if (s->denied && s->denied[i])
			add(l, "--usnic: not given: %s: Slurm's GRES does not grant it",
			    name_of(d));
		else if (hwmap_state_dead(d->state))
			add(l, "--usnic: not given: %s: its link is not up", name_of(d));
		else if (s->used && s->used[i] >= d->slots)
			add(l, "--usnic: not given: %s: all %u of its VFs are leased", name_of(d),
			    d->slots);
		else
			add(l,
			    "--usnic: not given: %s (%s): others came first by the policy or "
			    "device=",
			    name_of(d), place_of(d, place, sizeof(place)));
	}
}

static void warn_of_links(const struct usnic_said *s, struct lines *l)
{
	for (uint32_t i = 0; i < hwmap_ndevices(s->map); i++) {
		const struct hwmap_device *d = hwmap_device(s->map, i);

		if (was_given(s, i) && hwmap_state_dead(d->state))
			add(l,
			    "warning: --usnic: %s is given although its link is not up "
			    "(preflight=warn)",
			    name_of(d));
	}
}

int usnic_explain(const struct usnic_said *s, const uint32_t *gtasks,
		  const struct hwmap_cpus *const *ranks, char ***ret, uint32_t *ret_n,
		  struct err *e)
{
	struct lines l = { calloc(REQUEST_LINES_MAX + 1, sizeof(*l.v)), 0, false };

	if (l.v && s->spec->explain) {
		tell_ranks(s, gtasks, ranks, &l);
		tell_others(s, &l);
	}
	if (l.v && s->warn)
		warn_of_links(s, &l);
	if (!l.v || l.bad) {
		for (uint32_t i = 0; l.v && i < l.n; i++)
			free(l.v[i]);
		free(l.v);
		return err_set(e, "out of memory");
	}
	*ret = l.v;
	*ret_n = l.n;
	return 0;
}
