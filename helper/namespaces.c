/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "namespaces.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ids.h"
#include "sys.h"
#include "userns.h"

struct kind {
	const char *name; /* in /proc/self/ns and in --container-unshare */
	uint32_t bit;
	int clone;
};

static const struct kind kinds[] = {
	{ "mnt", NS_MNT, CLONE_NEWNS },
	{ "net", NS_NET, CLONE_NEWNET },
	{ "ipc", NS_IPC, CLONE_NEWIPC },
	{ "uts", NS_UTS, CLONE_NEWUTS },
};
#define NKINDS (sizeof(kinds) / sizeof(kinds[0]))

int namespaces_parse(const char *list, struct err *e)
{
	uint32_t bits = 0;

	for (const char *p = list ? list : ""; *p;) {
		size_t n = strcspn(p, ","), i = 1; /* "mnt" is not for asking */

		while (i < NKINDS &&
		       (strlen(kinds[i].name) != n || strncmp(kinds[i].name, p, n) != 0))
			i++;
		if (i == NKINDS)
			return err_set(
				e,
				"--container-unshare=%.80s: expected net, ipc or uts, joined by ','",
				list);
		bits |= kinds[i].bit;
		p += n + (p[n] == ',');
	}
	return (int)bits;
}

static int loopback_up(struct err *e)
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int rc, s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	rc = s < 0 ? -1 : ioctl(s, SIOCSIFFLAGS, &ifr);
	if (rc < 0)
		err_sys(e, errno, "cannot bring up the container's loopback interface");
	sys_close(&s);
	return rc;
}

int namespaces_unshare(const char *list, struct container *c, struct err *e)
{
	int bits = namespaces_parse(list, e), flags = 0;

	if (bits < 0)
		return -1;
	c->ns = NS_MNT | (uint32_t)bits;
	for (size_t i = 0; i < NKINDS; i++)
		if (c->ns & kinds[i].bit)
			flags |= kinds[i].clone;
	if (unshare(flags) < 0)
		return err_sys(e, errno, "cannot make the container's namespaces");
	return (c->ns & NS_NET) ? loopback_up(e) : 0;
}

/* Exactly one id of each kind: the user's, as root. */
static int user_namespace(const struct request *r, int proc, struct err *e)
{
	const struct ids who = { r->uid, r->gid, r->groups, r->ngroups };
	char uid_map[64], gid_map[64];
	int ns;

	snprintf(uid_map, sizeof(uid_map), "0 %u 1\n", r->uid);
	snprintf(gid_map, sizeof(gid_map), "0 %u 1\n", r->gid);
	ns = userns_make(&who, uid_map, gid_map, proc);
	if (ns < 0)
		err_sys(e, errno,
			"--container-remap-root: this node makes no user namespace for you");
	return ns;
}

int namespaces_collect(const struct request *r, const struct config *cfg, int proc,
		       struct container *c, struct err *e)
{
	unsigned n = 0;

	for (size_t i = 0; i < NKINDS; i++) {
		char path[32];

		if (!(c->ns & kinds[i].bit))
			continue;
		snprintf(path, sizeof(path), "self/ns/%s", kinds[i].name);
		c->fd[n] = openat(proc, path, O_RDONLY | O_CLOEXEC);
		if (c->fd[n++] < 0)
			return err_sys(e, errno, "cannot open the container's %s namespace",
				       kinds[i].name);
	}
	if (r->remap_root != YES)
		return 0;
	if (!cfg->remap_root)
		return err_set(e, "--container-remap-root: the administrator has not allowed it "
				  "(remap_root=yes in plugstack.conf)");
	c->fd[n] = user_namespace(r, proc, e);
	if (c->fd[n] < 0)
		return -1;
	c->ns |= NS_USER;
	return 0;
}
