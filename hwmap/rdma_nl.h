/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rdma_nl.h - what RDMA netlink knows and sysfs doesn't (include/uapi/rdma/rdma_netlink.h;
 * drivers/infiniband/core/nldev.c): which devices are open, and the netdev of a soft one.
 *
 * It speaks of the caller's network namespace, and of processes of its pid namespace.  Nothing
 * here needs a privilege.  Devices that come or go between two questions are left out.
 */
#ifndef BERTH_HWMAP_RDMA_NL_H
#define BERTH_HWMAP_RDMA_NL_H

#include "hwmap.h"

#define RDMA_NL_DEVICES_MAX 16384

struct nlmsghdr;

struct rdma_nl_device {
	char name[HWMAP_NAME_MAX];
	char netdev[HWMAP_NAME_MAX]; /* of port 1, after rdma_nl_ask_netdev; "": none */
	uint32_t index;		     /* netlink's */
	uint64_t contexts;	     /* how often it is open for user space */
};

/* What has been told so far. */
struct rdma_nl_told {
	struct rdma_nl_device *devices; /* by index */
	size_t n;
	bool exclusive; /* each device belongs to one network namespace */
};

struct rdma_nl;

/* Ask for all devices and how often they are open. -1: this kernel doesn't say, as is noted. */
int rdma_nl_open(struct rdma_nl **ret, struct hwmap_notes *notes);
void rdma_nl_close(struct rdma_nl *nl); /* takes NULL */

const struct rdma_nl_told *rdma_nl_told(const struct rdma_nl *nl);

/* The netdev below a device, or "". */
const char *rdma_nl_ask_netdev(struct rdma_nl *nl, uint32_t index);

/*
 * Take over what one message of the kernel says; the message is whole (nlmsg_ok), its content is
 * not trusted.  -1: no memory.  The caller frees told->devices.
 */
int rdma_nl_decode(struct rdma_nl_told *told, struct nlmsghdr *h);

#endif
