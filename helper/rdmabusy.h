/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rdmabusy.h - is an RDMA device open, says the kernel.  Plain netlink, since the library
 * for it reads the environment, and this is asked by root.
 */
#ifndef BERTH_RDMABUSY_H
#define BERTH_RDMABUSY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define RDMABUSY_ANYBODY ((uid_t)-1)

/*
 * How many user contexts the device ibdev has, of this network namespace (drivers/infiniband/
 * core/nldev.c, RDMA_NLDEV_CMD_RES_GET: "ctx" of the summary), without those that a living
 * process of others than user uid has opened (RDMA_NLDEV_CMD_RES_CTX_GET, Linux 5.2: services
 * such as ibacm open each device).  One whose opener has ended counts: its descriptor may have
 * been handed on.  uid RDMABUSY_ANYBODY: all count.  0 where there is no such device, or no RDMA
 * in this kernel; -1: the kernel cannot be asked, or does not answer within a second.
 */
int64_t rdmabusy_contexts(const char *ibdev, uid_t uid);

/*
 * One message of the summary, from its attributes on: the contexts of ibdev with *ret_index,
 * the kernel's number of it, or -1 if it speaks of another device or is damaged.  Any bytes
 * may be given.
 */
int64_t rdmabusy_decode(const void *attributes, size_t len, const char *ibdev, uint32_t *ret_index);

/*
 * One message of RDMA_NLDEV_CMD_RES_CTX_GET: up to max pids of processes that have a context,
 * one for each.  Returns how many.  Any bytes may be given.
 */
size_t rdmabusy_decode_pids(const void *attributes, size_t len, uint32_t *ret, size_t max);

#endif
