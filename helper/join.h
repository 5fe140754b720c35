/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * join.h - --container-join: one helper asks another for its container.
 *
 * Every helper listens on a socket named after its step and node in the state directory
 * (root only).  Both ends are root and check it; the uid in the request must be the step's.
 */
#ifndef BERTH_JOIN_H
#define BERTH_JOIN_H

#include "err.h"
#include "request.h"
#include "rootfs.h"

/* Listen for r's step in the state directory. fd or -1 with *e. */
int join_listen(int state, const struct request *r, struct err *e);

/* Remove the name. */
void join_unlisten(int state, const struct request *r);

/* Remove the names that killed helpers have left: nobody is bound to them. */
void join_sweep(int state);

/*
 * Accept one connection on listen_fd and answer it: the container with the message j
 * to a root process that names uid, else one line of refusal.
 */
void join_serve(int listen_fd, uid_t uid, const struct container *c, const struct joined *j);

/*
 * Ask for the container that r->join names ("JOB.STEP", or "STEP" of r's own job; a
 * step is a number, "batch" or "interactive").  *ret_env gets its environment (freed
 * with joined_done).  0 or -1 with *e; a step that is not there and one of another user
 * give the same line.
 */
int join_ask(int state, const struct request *r, int timeout_ms, struct container *ret,
	     struct joined *ret_env, struct err *e);

/* Parse r->join's form. 0 or -1 with *e. */
int join_parse(const char *text, uint32_t job, uint32_t *ret_job, uint32_t *ret_step,
	       struct err *e);

#endif
