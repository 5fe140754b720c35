/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * devices.h - the device cgroup of a step: which device nodes its processes can open or
 * make, wherever the node lies.
 *
 * Only ever narrows what Slurm allows.  The rules end with the cgroup; nothing is pinned,
 * and no process has to stay.  cgroup v1 and v2; docs/design.md, "Devices", has the why.
 */
#ifndef BERTH_DEVICES_H
#define BERTH_DEVICES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "err.h"

#define DEVICES_GRANT_MAX 128

struct devices_node {
	char type; /* 'c' or 'b' */
	uint32_t major, minor;
};

enum devices_mode {
	/*
	 * All RDMA, VFIO, and SR-IOV control devices but the granted: char major 231, what
	 * /proc/devices has as infiniband*, vfio*, cxi*, hfi1*, uio and fwctl, what /proc/misc
	 * has as rdma_cm, vfio and iommu.  Other devices stay as Slurm has them.
	 */
	DEVICES_OTHERS,
	/* All but null zero full random urandom tty ptmx pts/N fuse, and the granted. */
	DEVICES_STRICT,
	/* Exactly the devices that are given instead of the granted: for a task of a step that
	   has rules already, what other tasks were granted. */
	DEVICES_LISTED,
};

enum devices_level {
	DEVICES_STEP, /* the step: all of its tasks, and slurmstepd while it is in there */
	DEVICES_TASK, /* one task; see devices_takes */
};

struct devices; /* a cgroup, and what was applied to it */

/*
 * The cgroup of the step or task that process pid stands in: slurmstepd from user_init
 * on, or a task (DEVICES_TASK: from task_init on).  Opened once; pid may end.  NULL with
 * *e, also where pid is in no Slurm step (v1 without ConstrainDevices).
 */
struct devices *devices_open(pid_t pid, enum devices_level level, struct err *e);

/*
 * The same for the task that pid is, of a step that is open already; cheaper.  devices_task_dir does
 * the first part, for who has time before: its descriptor, or -1, which is no error yet, is
 * dir, and taken over.
 */
int devices_task_dir(const struct devices *step, pid_t pid);
struct devices *devices_open_task(const struct devices *step, pid_t pid, int dir, struct err *e);

/* The same for a cgroup directory, v1's devices hierarchy or v2. dir stays the caller's. */
struct devices *devices_open_at(int dir, struct err *e);

/*
 * Whether the cgroup takes rules of ours.  With v2 it does not where Slurm has attached a program
 * of its own that takes none beside it, as it does to each task of a step with GRES whose
 * devices it constrains (src/plugins/cgroup/v2).  An error counts as yes: devices_apply has it.
 */
bool devices_takes(const struct devices *d);

/*
 * Which of n nodes a process in the cgroup may open for reading and writing: ret[i], by the
 * limits of the cgroup and those above.  Asks the kernel, and no driver; nothing is opened.
 * With v2 a child is in the cgroup meanwhile, which so has to be one for processes
 * (DEVICES_TASK).  0 or -1 with *e.
 */
int devices_permits(struct devices *d, const struct devices_node *nodes, size_t n, bool *ret,
		    struct err *e);

/*
 * Restrict the cgroup, and read back.  0 or -1 with *e, which names the restriction and the cgroup; the step
 * has to fail then, and the cgroup may be narrower than before, never wider.  With v1 it is
 * an error if Slurm denies a device that is granted; with v2 that shows when it is opened.
 *
 * It may be called again with the same mode and some of the granted devices of before.
 *
 * With v1 a devices.allow of Slurm's for a task fails, and so the step, if its device is denied
 * here: grant what GRES allocates until the tasks' cgroups are set up (before task_init).
 */
int devices_apply(struct devices *d, enum devices_mode mode, const struct devices_node *granted,
		  size_t n, struct err *e);

/*
 * The first devices_apply, off the step's critical path, with all that may be granted, whether
 * Slurm denies it or not.  The second one costs in proportion to what it takes away.  With v1
 * only that one reads back: what it takes away, and of what came early a part.
 */
int devices_apply_early(struct devices *d, enum devices_mode mode,
			const struct devices_node *granted, size_t n, struct err *e);

/*
 * Whether what devices_apply did is in force, asked of the kernel.  0, or -1 with *e: something
 * took it away, a program of Slurm's is out of force, or a driver came that has devices
 * to be denied.
 */
int devices_check(struct devices *d, struct err *e);

/*
 * The rules in force, one a line as in devices.list: what is allowed as "c 231:193 rwm", what is
 * denied with "deny " before it.  malloced; NULL with *e where devices_check would fail.
 */
char *devices_text(struct devices *d, struct err *e);

/*
 * Take the rules away (v2).  With v1 always -1 with *e: the kernel does not tell Slurm's
 * denials from ours, so there the rules go with the cgroup only.
 */
int devices_drop(struct devices *d, struct err *e);

void devices_close(struct devices *d); /* the rules stay; NULL is fine */

#endif
