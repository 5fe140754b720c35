/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fusemount UID GID IMAGE DIR [OPTION]: mounts DIR as the file system of that user, with
 * squashfuse_ll as its server, and becomes the server.  With OPTION allow_other others
 * get in, without it not even root.  For tests that need a file system which can be
 * stopped, or one that refuses root as a root-squashing server does.
 */
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	char options[256], target[32];
	uid_t uid;
	gid_t gid;
	int dev;

	if (argc < 5)
		return 2;
	uid = (uid_t)atoi(argv[1]);
	gid = (gid_t)atoi(argv[2]);
	dev = open("/dev/fuse", O_RDWR);
	snprintf(options, sizeof(options),
		 "fd=%d,rootmode=40000,user_id=%u,group_id=%u,default_permissions%s%s", dev, uid,
		 gid, argc > 5 ? "," : "", argc > 5 ? argv[5] : "");
	snprintf(target, sizeof(target), "/dev/fd/%d", dev);
	if (dev < 0 ||
	    mount("fusemount", argv[4], "fuse", MS_NOSUID | MS_NODEV | MS_RDONLY, options) < 0 ||
	    setgroups(0, NULL) < 0 || setgid(gid) < 0 || setuid(uid) < 0) {
		perror("fusemount");
		return 1;
	}
	execl("/usr/bin/squashfuse_ll", "squashfuse_ll", "-f", argv[3], target, NULL);
	perror("squashfuse_ll");
	return 1;
}
