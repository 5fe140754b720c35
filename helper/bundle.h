/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bundle.h - what berth-oci says of an OCI bundle's config.json, read back.
 *
 * berth-oci (oci.c, json-c) runs as the user, without privileges, with the opened
 * config.json as standard input, and prints NUL-terminated records:
 *   root=PATH  cwd=PATH  env=NAME=VALUE (repeated)  mount=SRC<TAB>DST<TAB>ro|rw (repeated;
 *   bind mounts; a tmpfs as "tmpfs<TAB>DST<TAB>ro|rw[+size=BYTES][+mode=OCTAL]", the flags of
 *   mountspec.h); mounts that the container has anyway (proc, sysfs, devpts, mqueue, cgroup,
 *   tmpfs on /dev, shm on /dev/shm) are left out.
 * exit 0; or one line on standard error and exit 1.
 */
#ifndef BERTH_BUNDLE_H
#define BERTH_BUNDLE_H

#include <stddef.h>

#include "envfile.h"
#include "err.h"
#include "mountspec.h"

#define BUNDLE_MAX (256 * 1024) /* bytes of berth-oci's output */

struct bundle {
	char *root; /* as written: relative to the bundle, or absolute */
	char *cwd;  /* absolute; NULL if none */
	struct env_list env;
	struct mount_list mounts; /* src as written: relative to the bundle, or absolute */
};

/* Parse text[0..len) into *ret. 0, or -1 with *e; no more than max mounts. */
int bundle_parse(const char *text, size_t len, size_t max, struct bundle *ret, struct err *e);
void bundle_done(struct bundle *b);

#endif
