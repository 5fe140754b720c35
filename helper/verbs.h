/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * verbs.h - can the libibverbs of an image drive any device?  It finds none, and says so to
 * nobody, where the providers that it loads at run time were left out of the image; MPI
 * libraries then take TCP.
 */
#ifndef BERTH_VERBS_H
#define BERTH_VERBS_H

#include <stdbool.h>

/*
 * root is a directory, "" for this process's own root.  Looks where Debian and Red Hat put
 * libibverbs.so.1 (/usr/lib, /usr/lib64, /usr/lib/TRIPLET), and for PROVIDER-rdmavN.so below
 * libibverbs/ beside it.  true only where there is the one and none of the other; what is at
 * another place is nothing that can be known from outside.
 */
bool verbs_lacks_providers(const char *root);

#endif
