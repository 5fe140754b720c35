/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE 1
#include "remote.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../helper/usnicspec.h"
#include "client.h"
#include "jobenv.h"
#include "local.h"
#include "native.h"
#include "options.h"
#include "remote_impl.h"
#include "stepinfo.h"
#include "timing.h"

#define JOIN_TIMEOUT_S 60 /* without timeout= in the plugstack arguments */
#define DRAIN_TIMEOUT_MS 2000
#define CWD_TIMEOUT_MS 5000 /* the helper may be at work on the image */

struct remote_step remote_step = { .client = { .sock = -1, .board = -1 }, .userns = -1 };

/* --- init and init_post_opt --- */

void remote_init(spank_t sp, int ac, char **av)
{
	uint32_t job = 0, id = 0;
	struct err e = { "" };

	spank_get_item(sp, S_JOB_ID, &job);
	spank_get_item(sp, S_JOB_STEPID, &id);
	timing_open(ac, av, job, id);
	if (options_register(sp, &e) < 0)
		slurm_error("berth: %s", e.text);
}

void remote_slurmd_start(int ac, char **av)
{
	DIR *d = opendir("/sys/class/infiniband");
	struct dirent *ent;
	struct err e = { "" };
	bool any = false;

	while (d && !any && (ent = readdir(d)))
		any = ent->d_name[0] != '.';
	if (d)
		closedir(d);
	if (any && client_prepare(ac, av, &e) < 0)
		slurm_error("berth: %s", e.text);
}

static int join_timeout_ms(int ac, char **av)
{
	static const char key[] = "timeout=";
	long s = JOIN_TIMEOUT_S;

	for (int i = 0; i < ac; i++)
		if (strncmp(av[i], key, strlen(key)) == 0)
			s = strtol(av[i] + strlen(key), NULL, 10) + 5;
	/* the helper says what is wrong with a timeout that is no number */
	return s < 1 || s > 3600 + 5 ? JOIN_TIMEOUT_S * 1000 : (int)s * 1000;
}

static int keep_ids(const struct request *r, struct err *e)
{
	gid_t *groups = calloc((size_t)r->ngroups + 1, sizeof(*groups));

	if (!groups)
		return err_set(e, "out of memory");
	if (r->ngroups)
		memcpy(groups, r->groups, r->ngroups * sizeof(*groups));
	remote_step.ids = (struct lockdown_ids){ r->uid, r->gid, groups, r->ngroups };
	remote_step.tasks_left = r->ntasks;
	/* cppcheck-suppress memleak -- remote_step.ids has it until remote_exit */
	return 0;
}

/* On failure *e holds the reason and there is no helper. */
static void start_helper(spank_t sp, const struct option_set *o, int ac, char **av, struct err *e)
{
	struct request r;
	int rc;

	/* its start takes longer than what it is to be told */
	if (client_start(&remote_step.client, e) < 0)
		return;
	rc = stepinfo_request(sp, o, ac, av, &r, e);
	if (rc == 0) {
		rc = keep_ids(&r, e);
		if (rc == 0)
			rc = remote_root_mount(&remote_step.root_mount, e);
		if (rc == 0)
			rc = client_request(&remote_step.client, &r, e);
		stepinfo_request_done(&r);
	}
	if (rc < 0)
		client_end(&remote_step.client);
}

/*
 * With an oci.conf beside slurm.conf, --container names a bundle for the site's OCI
 * runtime, which slurmstepd starts by itself (src/common/oci_config.c).  Then only
 * --container-image is ours.
 */
static bool slurm_runs_it(spank_t sp, const char *image)
{
	char *named = malloc(REQUEST_OPTION_MAX);
	bool yes = false;

	if (named && image && native_runs_containers() && !native_hidden(sp))
		yes = (spank_getenv(sp, CONTAINER_CARRIER, named, REQUEST_OPTION_MAX) ==
			       ESPANK_SUCCESS ||
		       spank_getenv(sp, "SLURM_CONTAINER", named, REQUEST_OPTION_MAX) ==
			       ESPANK_SUCCESS) &&
		      strcmp(named, image) == 0;
	free(named);
	return yes;
}

/* confine=always: NICs are kept from steps that have not asked for them. */
static bool confine_always(int ac, char **av)
{
	static const char key[] = "confine=";
	bool always = false;

	for (int i = 0; i < ac; i++)
		if (strncmp(av[i], key, strlen(key)) == 0)
			always = strstr(av[i], "always");
	return always;
}

/* Slurm's own runtime has the image: for us this is a step on the host. */
static void no_image(struct option_set *o)
{
	remote_step.container = false;
	free(o->v[OPTION_IMAGE]);
	o->v[OPTION_IMAGE] = NULL;
}

/*
 * A step that enters another's container has that one's devices, which are none of its own
 * cgroup's.  A script is no rank: its steps are, and would wait for what it holds.
 */
static bool wants_usnic(uint32_t id, struct option_set *o)
{
	struct usnic_spec s = { .none = true };
	struct err checked = { "" };

	if (o->v[OPTION_USNIC] && !o->v[OPTION_JOIN] &&
	    usnic_spec_parse("--usnic", o->v[OPTION_USNIC], &s, &checked) == 0 && !s.none &&
	    (s.batch || (id != STEP_BATCH && id != STEP_INTERACTIVE))) {
		remote_step.wait_ms = (int)s.wait_s * 1000;
		return true;
	}
	free(o->v[OPTION_USNIC]);
	o->v[OPTION_USNIC] = NULL;
	return false;
}

void remote_post_opt(spank_t sp, int ac, char **av)
{
	struct option_set o = { .off = false };
	uint32_t id = STEP_EXTERN;
	const char *node = getenv("SLURMD_NODENAME");
	void *page;

	spank_get_item(sp, S_JOB_STEPID, &id);
	remote_step.confined = confine_always(ac, av);
	if (id == STEP_EXTERN && !remote_step.confined)
		return;
	if (id == STEP_EXTERN ||
	    stepinfo_options(sp, &o, &remote_step.container, &remote_step.failure) == 0) {
		if (remote_step.container && slurm_runs_it(sp, o.v[OPTION_IMAGE]))
			no_image(&o);
		remote_step.usnic = wants_usnic(id, &o);
		remote_step.confined = remote_step.confined || remote_step.usnic;
		remote_step.active = remote_step.container || remote_step.confined;
		if (remote_step.active)
			start_helper(sp, &o, ac, av, &remote_step.failure);
	} else {
		remote_step.active = true;
	}
	remote_step.workdir = o.v[OPTION_WORKDIR];
	option_set_done(&o);
	option_set_done(options_given());
	if (!remote_step.active)
		return;
	jobenv_rename(sp, CONTAINER_CARRIER, "SLURM_CONTAINER");
	options_unset_slurm(sp);
	remote_step.join_timeout_ms = join_timeout_ms(ac, av);
	if (node)
		remote_step.node = strdup(node);
	page = mmap(NULL, sizeof(*remote_step.said), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (page != MAP_FAILED)
		remote_step.said = page;
	if (remote_step.failure.text[0])
		slurm_error("berth: %s", remote_step.failure.text);
}

/* --- user_init --- */

/* Tell the job's directory to the helper. false: it could not be named. */
static bool tell_cwd(char cwd[PATH_MAX])
{
	char *path;

	if (getpid() ==
	    remote_step.client.parent) /* removed, unreachable, too long, with control characters */
		return getcwd(cwd, PATH_MAX) && cwd[0] == '/' &&
		       client_say(&remote_step.client, MSG_CWD, cwd);
	/* contain_spank: in a process that has entered the job's namespace, where all begin in "/" */
	path = client_stepd_cwd(&remote_step.client, CWD_TIMEOUT_MS);
	snprintf(cwd, PATH_MAX, "%s", path ? path : "");
	free(path);
	return cwd[0] == '/';
}

void remote_user_init(void)
{
	char cwd[PATH_MAX];

	if (!remote_step.active)
		return;
	remote_step.cwd_unnamed = !tell_cwd(cwd);
	if (remote_step.cwd_unnamed)
		client_say(&remote_step.client, MSG_CWD, NULL);
	else
		remote_step.cwd_stand_in = strcmp(cwd, REMOTE_STAND_IN) == 0;
	client_reap(&remote_step.client, 0);
}

/* --- task_exit and exit --- */

void remote_task_exit(void)
{
	if (!remote_step.active || remote_step.tasks_left == 0 || --remote_step.tasks_left > 0)
		return;
	client_drain(&remote_step.client, DRAIN_TIMEOUT_MS);
	client_reap(&remote_step.client, 0);
}

void remote_exit(void)
{
	if (remote_step.active) {
		if (remote_step.tasks_left > 0) /* a step that never had tasks */
			client_drain(&remote_step.client, DRAIN_TIMEOUT_MS);
		client_end(&remote_step.client);
		free(remote_step.node);
		free((gid_t *)remote_step.ids.groups);
		if (remote_step.said)
			munmap(remote_step.said, sizeof(*remote_step.said));
		remote_step.said = NULL;
		remote_step.active = false;
	}
	option_set_done(options_given());
}
