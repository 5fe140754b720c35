/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rdmabusy.h - is an RDMA device open, says the kernel.  Plain netlink, since the library
 * for it reads the environment, and this is asked by root.
 */
#ifndef BERTH_RDMABUSY_H
#define BERTH_RDMABUSY_H

#include <stddef.h>
#include <stdint.h>

/*
 * How many user contexts the device ibdev has, of this network namespace (drivers/infiniband/
 * core/nldev.c, RDMA_NLDEV_CMD_RES_GET: "ctx" of the summary).  0 where there is no such device,
 * or no RDMA in this kernel; -1: the kernel cannot be asked, or does not answer within a second.
 */
int64_t rdmabusy_contexts(const char *ibdev);

/*
 * One message of the answer, from its attributes on: the contexts of ibdev, or -1 if it speaks
 * of another device or is damaged.  Any bytes may be given.
 */
int64_t rdmabusy_decode(const void *attributes, size_t len, const char *ibdev);

#endif
