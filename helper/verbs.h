/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * verbs.h - can the libibverbs of an image drive any device?  It finds none, and says so to
 * nobody, where the providers that it loads at run time were left out of the image; MPI
 * libraries then take TCP.
 */
#ifndef BERTH_VERBS_H
#define BERTH_VERBS_H

#define VERBS_ABI_MAX 8

enum verbs_found {
	VERBS_UNKNOWN,	   /* no libibverbs where it is looked for, or nothing wrong with it */
	VERBS_NO_PROVIDER, /* it has none at all */
	VERBS_NO_PROVIDER_OF_ABI, /* none of the ABI that it loads */
};

/*
 * root is a directory, "" for this process's own root.  Looks where Debian and Red Hat put
 * libibverbs.so.1 (/usr/lib, /usr/lib64, /usr/lib/TRIPLET), and for PROVIDER-rdmavN.so below
 * libibverbs/ beside it.  N, the private ABI of libibverbs and its providers, is in the names
 * that the library looks for (load_driver in rdma-core's libibverbs/dynamic_driver.c): abi is
 * that, or "" where the library does not tell.  What is at another place is nothing that can
 * be known from outside.
 */
enum verbs_found verbs_look(const char *root, char abi[VERBS_ABI_MAX]);

#endif
