/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A map file is a head, the places, the devices and the distances, as they lie in memory: who
 * writes and who reads are of one build on one node.  Where they are not, the head's sizes or
 * MAPFILE_VERSION differ, and the map is made anew.
 */
#include "map.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define MAPFILE_MAGIC "berthmap"
#define MAPFILE_VERSION 2 /* to be raised when a field changes its meaning */

struct mapfile_head {
	char magic[8];
	uint32_t version;
	uint32_t head_size, place_size, device_size; /* of the structs */
	uint32_t nplaces, ndevices;
	char stamp[HWMAP_STAMP_MAX];
};

/* Memory goes to the file as it is: there must be nothing between the fields. */
_Static_assert(sizeof(struct mapfile_head) == 8 + 6 * 4 + HWMAP_STAMP_MAX, "padding");
_Static_assert(sizeof(struct hwmap_place) == HWMAP_CPUS_MAX / 8 + 8, "padding");
_Static_assert(sizeof(struct hwmap_device) ==
		       11 * 4 + 2 * 2 + 5 * HWMAP_NAME_MAX + 2 * HWMAP_PCI_MAX + HWMAP_CPUS_MAX / 8,
	       "padding");

static int mapfile_put(int fd, const void *data, size_t size, struct err *e)
{
	const char *p = data;

	while (size) {
		ssize_t n = write(fd, p, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, errno, "the map cannot be written");
		p += n;
		size -= (size_t)n;
	}
	return 0;
}

/* How many of size bytes there are, or -1. */
static ssize_t mapfile_get(int fd, void *data, size_t size, struct err *e)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = read(fd, (char *)data + done, size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, errno, "the map cannot be read");
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

static int mapfile_get_all(int fd, void *data, size_t size, struct err *e)
{
	ssize_t n = mapfile_get(fd, data, size, e);

	if (n >= 0 && (size_t)n < size)
		return err_set(e, "the map file is cut off");
	return n < 0 ? -1 : 0;
}

int hwmap_write(const struct hwmap *m, int fd, struct err *e)
{
	struct mapfile_head head = {
		.version = MAPFILE_VERSION,
		.head_size = sizeof(head),
		.place_size = sizeof(*m->places),
		.device_size = sizeof(*m->devices),
		.nplaces = m->nplaces,
		.ndevices = m->ndevices,
	};
	size_t cells = (size_t)m->ndevices * m->nplaces;

	if (hwmap_check(m, e) < 0)
		return -1;
	memcpy(head.magic, MAPFILE_MAGIC, sizeof(head.magic));
	memcpy(head.stamp, m->stamp, sizeof(head.stamp));
	if (mapfile_put(fd, &head, sizeof(head), e) < 0 ||
	    mapfile_put(fd, m->places, m->nplaces * sizeof(*m->places), e) < 0 ||
	    mapfile_put(fd, m->devices, m->ndevices * sizeof(*m->devices), e) < 0)
		return -1;
	return mapfile_put(fd, m->distance, cells * sizeof(*m->distance), e);
}

static int mapfile_get_head(int fd, struct mapfile_head *head, struct err *e)
{
	if (mapfile_get_all(fd, head, sizeof(*head), e) < 0)
		return -1;
	if (memcmp(head->magic, MAPFILE_MAGIC, sizeof(head->magic)) != 0)
		return err_set(e, "not a map file");
	if (head->version != MAPFILE_VERSION || head->head_size != sizeof(*head) ||
	    head->place_size != sizeof(struct hwmap_place) ||
	    head->device_size != sizeof(struct hwmap_device))
		return err_set(e, "the map file is of another version of Berth");
	if (head->nplaces == 0 || head->nplaces > HWMAP_PLACES_MAX ||
	    head->ndevices > HWMAP_DEVICES_MAX)
		return err_set(e, "the map file tells of %u places and %u devices; at most %d, %d",
			       head->nplaces, head->ndevices, HWMAP_PLACES_MAX, HWMAP_DEVICES_MAX);
	return 0;
}

int hwmap_read(int fd, struct hwmap **ret, struct err *e)
{
	struct mapfile_head head;
	struct hwmap *m;
	size_t cells;
	ssize_t more;
	char c;

	if (mapfile_get_head(fd, &head, e) < 0)
		return -1;
	m = hwmap_new(head.ndevices, head.nplaces);
	if (!m)
		return err_sys(e, ENOMEM, "the map cannot be read");
	memcpy(m->stamp, head.stamp, sizeof(m->stamp));
	cells = (size_t)m->ndevices * m->nplaces;
	if (mapfile_get_all(fd, m->places, m->nplaces * sizeof(*m->places), e) < 0 ||
	    mapfile_get_all(fd, m->devices, m->ndevices * sizeof(*m->devices), e) < 0 ||
	    mapfile_get_all(fd, m->distance, cells * sizeof(*m->distance), e) < 0)
		goto fail;
	more = mapfile_get(fd, &c, 1, e);
	if (more > 0)
		err_set(e, "the map file is longer than it says");
	if (more != 0 || hwmap_check(m, e) < 0)
		goto fail;
	*ret = m;
	return 0;
fail:
	hwmap_free(m);
	return -1;
}
