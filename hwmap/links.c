/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE 1
#include "map.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define PATH_SIZE (HWMAP_NAME_MAX + 64)

/* enum ib_port_state of ib_verbs.h: 1 DOWN, 2 INIT, 3 ARMED, 4 ACTIVE, 5 ACTIVE_DEFER. */
enum hwmap_state hwmap_port_state(int64_t state)
{
	switch (state) {
	case 1: return HWMAP_STATE_DOWN;
	case 2:
	case 3: return HWMAP_STATE_INIT;
	case 4:
	case 5: return HWMAP_STATE_ACTIVE;
	default: return HWMAP_STATE_UNKNOWN;
	}
}

/* "4: ACTIVE".  -1: there is no such port, or it cannot be read. */
static int links_port(const char *ibdev, int port)
{
	char path[PATH_SIZE], text[2];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/sys/class/infiniband/%s/ports/%d/state", ibdev, port);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	n = read(fd, text, sizeof(text));
	close(fd);
	return n == (ssize_t)sizeof(text) && text[0] >= '0' && text[0] <= '9' && text[1] == ':'
		       ? text[0] - '0'
		       : -1;
}

bool hwmap_look(struct hwmap *m, size_t i)
{
	struct hwmap_device *d = &m->devices[i];
	enum hwmap_state best = HWMAP_STATE_UNKNOWN, was = d->state;
	uint16_t of = 0;
	int state = -1;

	/* the best of the ports, as a scan has it */
	for (int port = 1; d->ibdev[0] && port <= HWMAP_PORTS_MAX && best != HWMAP_STATE_ACTIVE;
	     port++) {
		state = links_port(d->ibdev, port);
		if (state < 0)
			break;
		if (hwmap_port_state(state) > best) {
			best = hwmap_port_state(state);
			of = (uint16_t)port;
		}
	}
	if (best != HWMAP_STATE_UNKNOWN) {
		d->state = best;
		d->port = of;
	}
	return d->state != was;
}
