/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rootfs.h - build one container: a mount namespace (and the other namespaces that
 * were asked for) whose only content is the image with its mounts.
 */
#ifndef BERTH_ROOTFS_H
#define BERTH_ROOTFS_H

#include "config.h"
#include "err.h"
#include "plan.h"
#include "request.h"

#define CONTAINER_NS_MAX 5
#define ROOTFS_PMIX 2

/* A built container: held by its namespaces' descriptors, gone when the last is closed. */
struct container {
	uint32_t ns;		  /* NS_* bits of request.h */
	int fd[CONTAINER_NS_MAX]; /* one for each bit, lowest first; -1 beyond */
	char *cwd;		  /* absolute, inside; the tasks' working directory */
	char *note;		  /* one line for the user, or NULL */
};
#define CONTAINER_NONE ((struct container){ 0, { -1, -1, -1, -1, -1 }, NULL, NULL })

/* A child process that builds a container (it may hang in storage; then it is killed). */
struct builder {
	pid_t pid; /* 0: none */
	int sock;
};
#define BUILDER_NONE ((struct builder){ 0, -1 })

/*
 * Start building, with what is known before the image is mounted: all of p but its env and etc.
 * base: the mount namespace whose /proc, /sys, /tmp, ... the container gets and in which the
 * plan's descriptors were opened; -1: the caller's.  r, c and p are read by the child
 * only, as they are now.  0 or -1 with *e.
 */
int rootfs_start(const struct request *r, const struct config *c, const struct plan *p, int base,
		 int timeout_ms, struct builder *ret, struct err *e);

/*
 * Then, in this order: a detached mount of the image's root directory, which stays the caller's;
 * and what the image has told.  0 or -1 with *e; a builder that has ended says why by
 * rootfs_result.
 */
int rootfs_image(struct builder *b, int image_root, struct err *e);
int rootfs_etc(struct builder *b, const struct plan_etc *p, struct err *e);

/*
 * Take the container that it has built.  alive as in child.h.  The builder stays until it
 * is cancelled, which costs time that no task has to wait for.  0 with *ret the caller's,
 * or -1 with *e.
 */
int rootfs_result(struct builder *b, int alive, int timeout_ms, struct container *ret,
		  struct err *e);

/*
 * After that: have it mount PMIx's directories of the step (detached mounts, -1 where
 * there is none).  0 or -1 with *e.
 */
int rootfs_add_pmix(struct builder *b, const int trees[ROOTFS_PMIX], int alive, int timeout_ms,
		    struct err *e);

/* Kill and reap it. */
void rootfs_cancel(struct builder *b);

/*
 * Where a step's PMIx server (i = 0) and its clients (1) keep their files, on the node and
 * in the container.  false: not known, or in /tmp, which the container has anyway.
 */
bool rootfs_pmix_path(const struct request *r, const struct config *c, int i, char *buf,
		      size_t size);

void container_done(struct container *c);

/* What the helper sends it (wire.h fields). */
enum build_msg {
	BUILD_IMAGE = 1, /* - [image's root] */
	BUILD_ETC,	 /* the image's cwd or "" [passwd, group: files in memory, where wanted] */
	BUILD_PMIX,	 /* bit i: the i-th directory comes with it [those] */
};

/* Body of the child (rootfs_child.c): does not return. */
struct rootfs_task {
	const struct request *r;
	const struct config *c;
	const struct plan *p;
	int base, sock, timeout_ms;
};
void rootfs_child(struct rootfs_task *t) __attribute__((noreturn));

/*
 * mounts.c: is every mount of this process's namespace nosuid, and nodev but for
 * /dev and what is below it?  text is /proc/self/mountinfo.  0 or -1 with *e.
 */
int mounts_verify(const char *text, struct err *e);

/* Is anything mounted below path (not at it)?  text is /proc/self/mountinfo. */
bool mounts_below(const char *text, const char *path);

/* Is path one of the directories that make up a system, or below one (/usr, /etc, ...)? */
bool mounts_system_path(const char *path);

#endif
