/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * berth.c - the plugin as Slurm sees it: name, version, and one entry point per
 * hook, which finds the side that has to act.
 *
 * Slurm refuses a plugin whose plugin_version is not of its own release.  The calls
 * and structures used here are the same from 22.05 to 26.05, so the variable is set
 * to the release that is running when the file is loaded.  For a release that is
 * not on the list it keeps the one it was built for, and Slurm refuses as ever.
 */
#define _GNU_SOURCE 1
#include <stdbool.h>
#include <stdint.h>
#include <slurm/spank.h>

#include "local.h"
#include "native.h"
#include "options.h"
#include "remote.h"
#include "timing.h"

extern const char plugin_name[], plugin_type[];
extern unsigned int plugin_version;
extern const unsigned int spank_plugin_version;
extern int slurm_spank_init_failure_mode;

const char plugin_name[] = "berth";
const char plugin_type[] = "spank";
unsigned int plugin_version = SLURM_VERSION_NUMBER;
const unsigned int spank_plugin_version = 1;

/* 26.05: an init that fails (a configuration error of Slurm's own) ends the job, not the node. */
int slurm_spank_init_failure_mode = 3012; /* ESPANK_JOB_FAILURE */

/* Upper half of slurm_api_version() to release. */
static const struct {
	unsigned api, major, minor;
} releases[] = {
	{ 38, 22, 5 },	{ 39, 23, 2 }, { 40, 23, 11 }, { 41, 24, 5 },
	{ 42, 24, 11 }, { 43, 25, 5 }, { 44, 25, 11 }, { 45, 26, 5 },
};

__attribute__((constructor)) static void set_version(void)
{
	unsigned running = native_api();

	for (unsigned i = 0; i < sizeof(releases) / sizeof(releases[0]); i++)
		if (releases[i].api == running)
			plugin_version = SLURM_VERSION_NUM(releases[i].major, releases[i].minor, 0);
}

static bool is_local(spank_context_t c)
{
	return c == S_CTX_LOCAL || c == S_CTX_ALLOCATOR;
}

/* For the submit side, where an error ends srun, sbatch or salloc. */
static int report(int rc, const struct err *e)
{
	if (rc < 0)
		slurm_error("berth: %s", e->text);
	return rc;
}

int slurm_spank_init(spank_t sp, int ac, char **av)
{
	spank_context_t c = spank_context();
	struct err e = { "" };
	int64_t enter;
	int rc = 0;

	if (is_local(c)) {
		native_init();
		rc = local_init(c == S_CTX_ALLOCATOR, &e);
		if (rc == 0)
			rc = options_register(sp, &e);
		return report(rc, &e);
	}
	if (c == S_CTX_REMOTE) {
		enter = timing_clock();
		remote_init(sp, ac, av);
		timing_note("init", enter);
	}
	if (c == S_CTX_SLURMD)
		remote_slurmd_start(ac, av);
	return 0;
}

int slurm_spank_init_post_opt(spank_t sp, int ac, char **av)
{
	spank_context_t c = spank_context();
	struct err e = { "" };
	int64_t enter;
	int rc;

	if (is_local(c)) {
		native_recall();
		rc = local_post_opt(sp, c == S_CTX_ALLOCATOR, &e);
		if (rc == 0)
			native_hide(sp, c == S_CTX_ALLOCATOR);
		return report(rc, &e);
	}
	if (c == S_CTX_REMOTE) {
		enter = timing_now();
		remote_post_opt(sp, ac, av);
		timing_note("init_post_opt", enter);
	}
	return 0;
}

int slurm_spank_user_init(spank_t sp, int ac, char **av)
{
	int64_t enter = timing_now();

	(void)sp, (void)ac, (void)av;
	remote_user_init();
	timing_note("user_init", enter);
	return 0;
}

int slurm_spank_task_init_privileged(spank_t sp, int ac, char **av)
{
	int64_t enter = timing_now();
	int rc = remote_task_privileged(sp);

	(void)ac, (void)av;
	timing_note("task_init_privileged", enter);
	return rc;
}

int slurm_spank_task_post_fork(spank_t sp, int ac, char **av)
{
	int64_t enter = timing_now();

	(void)ac, (void)av;
	remote_task_post_fork(sp);
	timing_note("task_post_fork", enter);
	return 0;
}

int slurm_spank_task_init(spank_t sp, int ac, char **av)
{
	int64_t enter = timing_now();
	int rc = remote_task_init(sp);

	(void)ac, (void)av;
	timing_note("task_init", enter);
	return rc;
}

int slurm_spank_task_exit(spank_t sp, int ac, char **av)
{
	int64_t enter = timing_now();

	(void)sp, (void)ac, (void)av;
	remote_task_exit();
	timing_note("task_exit", enter);
	return 0;
}

int slurm_spank_exit(spank_t sp, int ac, char **av)
{
	int64_t enter = timing_now();

	(void)sp, (void)ac, (void)av;
	if (spank_context() != S_CTX_REMOTE)
		return 0;
	remote_exit();
	timing_note("exit", enter);
	timing_close();
	return 0;
}
