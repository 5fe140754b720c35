/* SPDX-License-Identifier: BSD-3-Clause */
#include "map.h"

#include <stdlib.h>
#include <string.h>

struct hwmap *hwmap_new(uint32_t ndevices, uint32_t nplaces)
{
	struct hwmap *m;
	size_t cells = (size_t)ndevices * nplaces;

	if (ndevices > HWMAP_DEVICES_MAX || nplaces == 0 || nplaces > HWMAP_PLACES_MAX)
		return NULL;
	m = calloc(1, sizeof(*m));
	if (!m)
		return NULL;
	m->ndevices = ndevices;
	m->nplaces = nplaces;
	/* calloc of nothing may be NULL, too */
	m->devices = calloc(ndevices + 1, sizeof(*m->devices));
	m->places = calloc(nplaces, sizeof(*m->places));
	m->distance = malloc((cells + 1) * sizeof(*m->distance));
	if (!m->devices || !m->places || !m->distance) {
		hwmap_free(m);
		return NULL;
	}
	memset(m->distance, 0xff, (cells + 1) * sizeof(*m->distance)); /* HWMAP_FAR */
	return m;
}

void hwmap_free(struct hwmap *m)
{
	if (!m)
		return;
	free(m->devices);
	free(m->places);
	free(m->distance);
	free(m);
}

size_t hwmap_ndevices(const struct hwmap *m)
{
	return m->ndevices;
}

const struct hwmap_device *hwmap_device(const struct hwmap *m, size_t i)
{
	return i < m->ndevices ? &m->devices[i] : NULL;
}

static uint32_t map_common(const struct hwmap_cpus *a, const struct hwmap_cpus *b)
{
	uint32_t n = 0;

	for (size_t i = 0; i < HWMAP_CPUS_MAX / 64; i++)
		if (a->bits[i] & b->bits[i])
			n += (uint32_t)__builtin_popcountll(a->bits[i] & b->bits[i]);
	return n;
}

/* Root code puts names behind a directory's: none may lead out of it. */
static bool map_name_ok(const char *name, size_t size)
{
	char copy[HWMAP_NAME_MAX];
	size_t len = 0;

	/* the plain ones fast: a big map has thousands */
	while (len < size && name[len] > ' ' && name[len] < 0x7f && name[len] != '/')
		len++;
	if (len < size && name[len] == '\0')
		return name[0] != '.' || (strcmp(name, ".") != 0 && strcmp(name, "..") != 0);
	len = strnlen(name, size);
	if (len == size || memchr(name, '/', len))
		return false;
	memcpy(copy, name, len + 1);
	err_clean(copy, len);
	return strcmp(copy, name) == 0;
}

static const char *map_device_wrong(const struct hwmap *m, const struct hwmap_device *d)
{
	if (d->role > HWMAP_SOFT)
		return "role";
	if (d->state > HWMAP_STATE_ACTIVE)
		return "state";
	if (!map_name_ok(d->ibdev, sizeof(d->ibdev)))
		return "ibdev";
	if (!map_name_ok(d->uverbs, sizeof(d->uverbs)))
		return "uverbs";
	if (!map_name_ok(d->netdev, sizeof(d->netdev)))
		return "netdev";
	if (!map_name_ok(d->driver, sizeof(d->driver)))
		return "driver";
	if (!map_name_ok(d->pci, sizeof(d->pci)))
		return "PCI address";
	if (!map_name_ok(d->pf, sizeof(d->pf)))
		return "PF's PCI address";
	if (!map_name_ok(d->vfio, sizeof(d->vfio)))
		return "VFIO group";
	if (d->major >= 1U << 12 || d->minor >= 1U << 20) /* the kernel's MINORBITS */
		return "device number";
	if (d->numa < -1)
		return "NUMA node";
	if (d->port > HWMAP_PORTS_MAX || (d->ibdev[0] && d->port == 0))
		return "port";
	if (d->nic >= m->ndevices)
		return "NIC's number";
	if (d->slots > HWMAP_SLOTS_MAX || d->busy > d->slots)
		return "number of slots";
	return NULL;
}

int hwmap_check(const struct hwmap *m, struct err *e)
{
	struct hwmap_cpus seen = { { 0 } };

	for (uint32_t p = 0; p < m->nplaces; p++) {
		const struct hwmap_cpus *cpus = &m->places[p].cpus;

		if (map_common(cpus, cpus) == 0)
			return err_set(e, "place %u has no CPU", p);
		if (map_common(cpus, &seen) != 0)
			return err_set(e, "place %u has a CPU of another one", p);
		for (size_t i = 0; i < HWMAP_CPUS_MAX / 64; i++)
			seen.bits[i] |= cpus->bits[i];
	}
	for (uint32_t i = 0; i < m->ndevices; i++) {
		const char *wrong = map_device_wrong(m, &m->devices[i]);

		if (wrong)
			return err_set(e, "device %u has a %s that cannot be", i, wrong);
	}
	for (size_t i = 0; i < (size_t)m->ndevices * m->nplaces; i++)
		if (m->distance[i] == 0)
			return err_set(e, "a device has the distance 0");
	if (!memchr(m->stamp, '\0', sizeof(m->stamp)))
		return err_set(e, "the stamp has no end");
	return 0;
}
