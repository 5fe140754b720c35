/* SPDX-License-Identifier: BSD-3-Clause */
/* slurm_stub.h - Slurm, as far as the tests of the plugin's pure parts need it. */
#ifndef BERTH_SLURM_STUB_H
#define BERTH_SLURM_STUB_H

#include <stddef.h>
#include <slurm/spank.h>

extern struct spank_option *slurm_registered[32];
extern size_t slurm_nregistered;
extern unsigned slurm_errors_said; /* calls of slurm_error() */

/* Around each test: the options registered, none given, an empty job environment. */
void slurm_begin(void);
void slurm_end(void);

/* Call an option's callback as Slurm does. */
int slurm_call(const char *name, const char *arg, int remote);

/* A variable of the job's environment on the node.  The strings stay the caller's. */
void slurm_job_env(const char *name, const char *value);

#endif
