/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * verbs.h - can the libibverbs of an image drive a device?  It finds none, and says so to
 * nobody, where the provider that it would load at run time was left out of the image; MPI
 * libraries then take TCP.
 */
#ifndef BERTH_VERBS_H
#define BERTH_VERBS_H

#define VERBS_ABI_MAX 8
#define VERBS_NAME_MAX 64 /* of an RDMA device, as the kernel's IB_DEVICE_NAME_MAX */

enum verbs_found {
	VERBS_UNKNOWN,	   /* no libibverbs where it is looked for, or nothing wrong with it */
	VERBS_NO_PROVIDER, /* it has none at all */
	VERBS_NO_PROVIDER_OF_ABI, /* none of the ABI that it loads */
	VERBS_NO_PROVIDER_OF_NIC, /* some, but not the one that was asked for */
};

/*
 * The provider that drives an RDMA device, by the driver of its function or by being soft-RoCE:
 * "mlx5" of libmlx5-rdmavN.so; a constant.  root: where sys/ is, as below.  NULL where sysfs does
 * not tell, or the driver is not among those whose provider never had another name (the
 * directories of rdma-core's providers/).
 */
const char *verbs_provider(const char *root, const char *ibdev);

/*
 * root is a directory, "" for this process's own root.  Looks where Debian and Red Hat put
 * libibverbs.so.1 (/usr/lib, /usr/lib64, /usr/lib/TRIPLET), and for PROVIDER-rdmavN.so below
 * libibverbs/ beside it.  N, the private ABI of libibverbs and its providers, is in the names
 * that the library looks for (load_driver in rdma-core's libibverbs/dynamic_driver.c): abi is
 * that, or "" where the library does not tell.  provider: the one that is needed, or NULL where
 * that is not known.  What is at another place is nothing that can be known from outside.
 */
enum verbs_found verbs_look(const char *root, const char *provider, char abi[VERBS_ABI_MAX]);

#endif
