/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * plan.h - what a container shall be made of, as descriptors and numbers: filled
 * from the opener's messages (opener.h), used up by the builder (rootfs.h).
 */
#ifndef BERTH_PLAN_H
#define BERTH_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "image.h"

#define PLAN_BINDS_MAX 256

enum origin {
	ORIGIN_HOME = 1, /* may be left out when it can't be had */
	ORIGIN_CWD,	 /* likewise */
	ORIGIN_SCRIPT,
	ORIGIN_PMIX,
	ORIGIN_SLURM,
	ORIGIN_SITE,   /* mounts= of plugstack.conf */
	ORIGIN_BUNDLE, /* mounts of an OCI bundle */
	ORIGIN_USER,   /* --container-mounts */
	ORIGIN_LAST = ORIGIN_USER,
};

struct plan_bind {
	enum origin origin;
	char *dst;  /* absolute, in the container */
	bool tmpfs; /* no source: a tmpfs of the two values below */
	bool ro, slave, noexec;
	bool dir; /* the source is a directory: root may not be able to look at it */
	unsigned tmpfs_mode;
	uint64_t tmpfs_size;
	int fd; /* O_PATH of the source; -1 with tmpfs */
};

/* What is known only once the image is mounted. */
struct plan_etc {
	char *passwd, *group; /* texts, or NULL */
	size_t passwd_len, group_len;
	char *cwd; /* the image's own working directory, or NULL */
};

void plan_etc_done(struct plan_etc *p);

#define PLAN_NOTE_MAX 512
#define PLAN_UNSET_MAX 3

struct plan {
	int image; /* the opened file, or the root directory */
	struct image_info info;
	uint64_t image_fs; /* f_type of its file system */
	struct plan_bind binds[PLAN_BINDS_MAX];
	size_t nbinds;
	char **env; /* NULL-terminated */
	uint32_t nenv;
	char *unset[PLAN_UNSET_MAX]; /* names, static: the job's variables that do not come along */
	uint32_t nunset;
	char note[PLAN_NOTE_MAX]; /* for the user, of the image's environment */
	struct plan_etc etc;
	char *cwd;	 /* the job's: a guess from its PWD until slurmstepd has said it */
	bool slurmtools; /* links for Slurm's commands are wanted (slurmtools.h) */
};

void plan_init(struct plan *p);
void plan_done(struct plan *p);

/* Forget the binds of one origin. */
void plan_drop(struct plan *p, enum origin origin);

/* Takes over b's dst and fd, also on failure (-1: the plan is full). */
int plan_add(struct plan *p, const struct plan_bind *b);

#endif
