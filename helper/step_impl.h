/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * step_impl.h - the state of a step's helper, for the files step*.c alone: step.c has its
 * life and its messages, step_build.c makes the container, step_tasks.c answers tasks.
 */
#ifndef BERTH_STEP_IMPL_H
#define BERTH_STEP_IMPL_H

#include <stdbool.h>
#include <sys/types.h>

#include "config.h"
#include "err.h"
#include "fuse.h"
#include "opener.h"
#include "plan.h"
#include "request.h"
#include "rootfs.h"

struct devices;
struct usnic;

struct step {
	int main;  /* to slurmstepd and its tasks */
	int board; /* where the answer to JOIN that holds for all tasks is left; -1: done, or none */
	int alive; /* pidfd of slurmstepd */
	pid_t stepd;
	int state; /* the state directory */
	struct request r;
	struct config c;
	struct err e; /* why there is no container; "" while all is well */
	bool told;    /* one task has been given e's text */
	bool bye;     /* slurmstepd has said that the step is over */

	struct opener opener;
	struct builder builder;
	struct plan plan;
	struct fuse_server fuse;
	int image_root; /* detached mount */
	int hold;	/* connection to the keeper: the image is in use */
	int keeper;	/* connection to the keeper, before it has answered */
	bool user_kernel_mount;
	bool fresh;  /* the keeper has mounted the image for this step: nothing of it is cached */
	bool warmed; /* the opener was told to read ahead, or need not */

	char *cwd;
	bool sound;   /* request and configuration are: what failed may be tried again */
	bool rebased; /* built in the job's own mount namespace */
	struct container container;
	struct joined joined; /* env: borrowed from plan, or from the joined step */
	bool joined_own;      /* joined's strings are ours to free */
	int join_fd;	      /* where other steps ask for this container */
	int step_cgroup;
	bool left_cgroups;

	struct usnic *usnic;   /* NULL: the step has no --usnic */
	struct devices *rules; /* of a step without, with confine=always */
	int *ready_reply;      /* per task: where it waits for its devices; -1 */
	uint32_t nready;
	char memlock[24];
};

int step_timeout_ms(const struct step *s);

/* The state directory, opened and found to be root's own. */
int step_open_state(struct step *s);

/* Everything that can be done before the job's working directory is known. */
int step_build_prepare(struct step *s);

/* The working directory has arrived: user_init of the step. */
void step_build_on_cwd(struct step *s, const void *buf, size_t len);

/*
 * A task is in another mount namespace than slurmstepd: job_container/tmpfs or
 * namespace/tmpfs is at work, and the job's own /tmp counts.  Build again from there.
 */
void step_build_rebase(struct step *s, int base);

void step_build_drop(struct step *s);

/* All that is needed of a new mount has been looked up: let the opener read ahead in it, once. */
void step_build_warm(struct step *s);

/* Messages of tasks and of slurmstepd about them; fds stay the caller's, but for *reply. */
void step_tasks_on_join(struct step *s, const void *buf, size_t len, const int *fds, unsigned nfds);

/* The container is ready, or there will be none: leave the answer for all tasks on the board. */
void step_tasks_post(struct step *s);
void step_tasks_on_rank(struct step *s, const void *buf, size_t len);
void step_tasks_on_ready(struct step *s, const void *buf, size_t len, pid_t pid, int *reply);
void step_tasks_on_drain(struct step *s);

/* It may be time to look for free VFs again. */
void step_tasks_retry(struct step *s);

#endif
