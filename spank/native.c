/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE 1
#include "native.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define API_23_02 39

/* Set where --container was hidden: as we set it, and as sbatch does after --export-file (see options.h). */
#define MARK_NAME "BERTH_CONTAINER_HIDDEN"
#define MARK "SLURM_" MARK_NAME
#define MARK_SBATCH "SLURM_SPANK_" MARK_NAME

/* What --container said; srun keeps it for all components of a heterogeneous job. */
static char *hidden;

/* A pointer to data is not one to a function, but dlsym gives both. */
union symbol {
	void *data;
	long (*api_version)(void);
	bool (*option_reset)(void *opt, const char *name);
};

unsigned native_api(void)
{
	union symbol s = { dlsym(RTLD_DEFAULT, "slurm_api_version") };

	return s.data ? (unsigned)(s.api_version() >> 16) : 0;
}

bool native_runs_containers(void)
{
	const char *conf = getenv("SLURM_CONF"), *slash = conf ? strrchr(conf, '/') : NULL;
	char path[PATH_MAX];

	if (slash)
		snprintf(path, sizeof(path), "%.*s/oci.conf", (int)(slash - conf), conf);
	else
		snprintf(path, sizeof(path), "/etc/slurm/oci.conf");
	return access(path, F_OK) == 0;
}

void native_init(void)
{
	unsetenv(MARK);
	unsetenv(MARK_SBATCH);
}

void native_recall(void)
{
	const char *now = getenv("SLURM_CONTAINER");

	if (!now && hidden) {
		setenv("SLURM_CONTAINER", hidden, 1);
	} else if (now) {
		free(hidden);
		hidden = strdup(now);
	}
}

void native_hide(spank_t sp, bool allocator)
{
	union symbol reset = { dlsym(RTLD_DEFAULT, "slurm_option_reset") };
	void *opt = dlsym(RTLD_DEFAULT, "opt"); /* those of the component just read */

	if (!hidden || !reset.data || !opt || native_api() < API_23_02 || native_runs_containers())
		return;
	/* what cannot be told to the node, or not be taken back, stays as it is */
	if (setenv(MARK, "1", 1) < 0 ||
	    (allocator && spank_job_control_setenv(sp, MARK_NAME, "1", 1) != ESPANK_SUCCESS) ||
	    !reset.option_reset(opt, "container"))
		native_init();
}

bool native_hidden(spank_t sp)
{
	char value[8];

	return spank_getenv(sp, MARK, value, sizeof(value)) == ESPANK_SUCCESS ||
	       spank_getenv(sp, MARK_SBATCH, value, sizeof(value)) == ESPANK_SUCCESS;
}
