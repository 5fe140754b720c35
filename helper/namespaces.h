/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * namespaces.h - the container's other namespaces: net, ipc and uts where the user
 * asked for them, and the user namespace of --container-remap-root.
 */
#ifndef BERTH_NAMESPACES_H
#define BERTH_NAMESPACES_H

#include "rootfs.h"

/* Bits for "net,ipc,uts" (NULL: none); -1 with *e for anything else. */
int namespaces_parse(const char *list, struct err *e);

/*
 * Unshare the mount namespace and those in list; loopback is brought up in a new net
 * namespace.  Sets c->ns.  0 or -1 with *e.
 */
int namespaces_unshare(const char *list, struct container *c, struct err *e);

/*
 * Open c->fd for every bit of c->ns through the procfs root proc; with remap_root
 * wanted (and allowed by the site) also make a user namespace that the user owns, in
 * which exactly one id of each kind is mapped: the user's, to root.  0 or -1 with *e.
 */
int namespaces_collect(const struct request *r, const struct config *cfg, int proc,
		       struct container *c, struct err *e);

#endif
