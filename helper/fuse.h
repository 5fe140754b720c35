/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuse.h - an image that a user can write is read by a FUSE server that runs as that
 * user; the kernel's own squashfs and erofs code never sees its bytes.
 */
#ifndef BERTH_FUSE_H
#define BERTH_FUSE_H

#include <sys/types.h>

#include "config.h"
#include "err.h"
#include "ids.h"
#include "image.h"

struct fuse_server {
	pid_t pid; /* 0: none */
	int pidfd;
	int errors; /* read end of its standard error */
};
#define FUSE_SERVER_NONE ((struct fuse_server){ 0, -1, -1 })

/*
 * Mount a FUSE file system (ro, nosuid, nodev, default_permissions, no allow_other:
 * nobody but who->uid gets in, root included) and start squashfuse_ll or erofsfuse
 * for it: as the user, without privileges, with an empty environment, a system call
 * filter, all signals but SIGKILL blocked (scancel's SIGTERM is for the tasks), and
 * SIGKILL at the helper's death.  The connection ends with the server's last
 * descriptor.  *ret_mount is detached.  0, or -1 with *e: also where the node has no
 * /dev/fuse or no server program, with the remedies named.
 */
int fuse_start(const struct config *c, const struct ids *who, const struct image_info *info,
	       int image, struct fuse_server *ret, int *ret_mount, struct err *e);

/* What the server said when it ended, in e; nothing if it still runs. */
void fuse_reason(struct fuse_server *s, struct err *e);

/* Kill and reap the server; a server that was never started is fine. */
void fuse_stop(struct fuse_server *s);

/*
 * Filter for the server (fuse_filter.c): no sockets,
 * mounts, namespaces, tracing, keys or modules.  0 or -1 with errno.  Needs
 * no_new_privs.
 */
int fuse_filter_install(void);

#endif
