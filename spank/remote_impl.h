/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * remote_impl.h - one step, as slurmstepd and its tasks know it, for the files remote*.c
 * alone: remote.c has slurmstepd's own hooks, remote_task.c those of a task, and
 * remote_devices.c what a task does about network devices.
 */
#ifndef BERTH_REMOTE_IMPL_H
#define BERTH_REMOTE_IMPL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <slurm/spank.h>

#include "client.h"
#include "lockdown.h"

#define REMOTE_STAND_IN \
	"/tmp" /* where slurmstepd and tasks go that cannot enter the job's directory */

struct remote_step {
	bool active;	      /* this step has a container or VFs, or should have */
	bool container;	      /* ... a container */
	bool usnic;	      /* ... VFs of a NIC */
	bool confined;	      /* the helper narrows its device cgroup before tasks go on */
	struct client client; /* CLIENT_NONE where the start failed */
	struct err failure;   /* why, kept for the tasks */
	char *node;
	uint32_t tasks_left;
	int join_timeout_ms;
	int wait_ms; /* more than that, for VFs that others have */
	struct lockdown_ids ids;
	uint64_t root_mount; /* of slurmstepd; a task in another mount namespace has another */
	atomic_uint *said;   /* bits of enum remote_topic; shared by slurmstepd and its tasks */
	bool workdir;	     /* --container-workdir is given */
	bool cwd_unnamed;    /* the helper could not be told the job's directory */
	bool cwd_stand_in;   /* ... and was told the one that Slurm takes for one it cannot enter */
	/* of one task, between its two hooks */
	bool entered;  /* it is in the container, without privileges */
	uint32_t task; /* its number on this node */
	char *cwd;
	int userns;
};

extern struct remote_step remote_step;

/* What is told once per node, not once per task; and, of READY, told to the helper. */
enum remote_topic {
	SAY_FAILURE = 1,
	SAY_CWD = 2,
	SAY_NOTE = 4,
	SAY_MEMLOCK = 8,
	SAY_DEVICE = 16,
	SAY_PROVIDER = 32,
	TOLD_READY = 64
};

/*
 * The id of the mount that "/" is: it tells mount namespaces apart, as each has mounts of its own
 * (statx(2): STATX_MNT_ID), and takes 1 us, where a look at /proc/self/ns/mnt takes 17.  0, or -1
 * with *e.
 */
int remote_root_mount(uint64_t *ret, struct err *e);

void remote_say(enum remote_topic topic, const char *text);

/* Say it as the failure.  Returns -1, so that a task's hook can end with it. */
int remote_fail(const char *text);

/* Cancelled before the command started: end as the command would have ended. */
void remote_end_by(int sig);

/*
 * In a task, in its final cgroups: wait for its devices, set its variables, make sure that it
 * can open them.  0, or -1 with *e, which stays empty where another task has said why.
 */
int remote_devices_take(spank_t sp, struct err *e);

/* In a task, as root: the limit of locked memory, bytes or "unlimited".  0 or -1 with *e. */
int remote_devices_memlock(spank_t sp, const char *limit, struct err *e);

#endif
