/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE 1
#include "remote.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "client.h"
#include "local.h"
#include "lockdown.h"
#include "native.h"
#include "options.h"
#include "stepinfo.h"
#include "timing.h"

#define JOIN_TIMEOUT_S 60 /* without timeout= in the plugstack arguments */
#define DRAIN_TIMEOUT_MS 2000
#define CWD_TIMEOUT_MS 5000 /* the helper may be at work on the image */
#define STAND_IN "/tmp" /* where slurmstepd and tasks go that cannot enter the job's directory */

/* Order of the descriptors in struct client_joined. */
enum { MNT, NET, IPC, UTS, USER };

static struct {
	bool active;	      /* this step has a container, or should have */
	struct client client; /* CLIENT_NONE where the start failed */
	struct err failure;   /* why, kept for the tasks */
	char *node;
	uint32_t tasks_left;
	int join_timeout_ms;
	struct lockdown_ids ids;
	struct stat mntns; /* slurmstepd's mount namespace */
	atomic_uint *said; /* bits of enum topic; shared by slurmstepd and its tasks */
	bool workdir;	   /* --container-workdir is given */
	bool cwd_unnamed;  /* the helper could not be told the job's directory */
	bool cwd_stand_in; /* ... and was told the one that Slurm takes for one it cannot enter */
	/* of one task, between its two hooks */
	bool entered; /* it is in the container, without privileges */
	char *cwd;
	int userns;
} step = { .client = { .sock = -1 }, .userns = -1 };

/* What is told once per node, not once per task. */
enum topic { SAY_FAILURE = 1, SAY_CWD = 2, SAY_NOTE = 4 };

static void say(enum topic topic, const char *text)
{
	if (step.said && (atomic_fetch_or(step.said, topic) & topic))
		return;
	slurm_spank_log("berth: %s: %s", step.node ? step.node : "this node", text);
}

/* Returns -1, so that a task's hook can end with it. */
static int fail(const char *text)
{
	say(SAY_FAILURE, text);
	return -1;
}

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

/*
 * Slurm's SLURM_CONTAINER, put back for the job's scripts; and what 24.11 and 26.05
 * forget to remove of their own carriers.
 */
static void tidy_environment(spank_t sp)
{
	char *buf = malloc(REQUEST_OPTION_MAX);

	if (buf && spank_getenv(sp, CONTAINER_CARRIER, buf, REQUEST_OPTION_MAX) == ESPANK_SUCCESS)
		spank_setenv(sp, "SLURM_CONTAINER", buf, 1);
	free(buf);
	options_unset_slurm(sp);
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
	step.ids = (struct lockdown_ids){ r->uid, r->gid, groups, r->ngroups };
	step.tasks_left = r->ntasks;
	/* cppcheck-suppress memleak -- step.ids has it until remote_exit */
	return 0;
}

/* On failure *e holds the reason and there is no helper. */
static void start_helper(spank_t sp, const struct option_set *o, int ac, char **av, struct err *e)
{
	struct request r;
	int rc;

	if (stepinfo_request(sp, o, ac, av, &r, e) < 0)
		return;
	rc = keep_ids(&r, e);
	if (rc == 0 && stat("/proc/self/ns/mnt", &step.mntns) < 0)
		rc = err_sys(e, errno, "cannot look at slurmstepd's mount namespace");
	if (rc == 0)
		rc = client_start(&step.client, e);
	if (rc == 0 && client_request(&step.client, &r, e) < 0)
		client_end(&step.client);
	stepinfo_request_done(&r);
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

void remote_post_opt(spank_t sp, int ac, char **av)
{
	struct option_set o = { .off = false };
	uint32_t id = STEP_EXTERN;
	const char *node = getenv("SLURMD_NODENAME");
	bool container;
	void *page;

	spank_get_item(sp, S_JOB_STEPID, &id);
	if (id == STEP_EXTERN)
		return;
	if (stepinfo_options(sp, &o, &container, &step.failure) == 0 && container)
		container = !slurm_runs_it(sp, o.v[OPTION_IMAGE]);
	if (container && !step.failure.text[0])
		start_helper(sp, &o, ac, av, &step.failure);
	step.workdir = o.v[OPTION_WORKDIR];
	option_set_done(&o);
	option_set_done(options_given());
	if (!container)
		return;
	tidy_environment(sp);
	step.active = true;
	step.join_timeout_ms = join_timeout_ms(ac, av);
	if (node)
		step.node = strdup(node);
	page = mmap(NULL, sizeof(*step.said), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		    -1, 0);
	if (page != MAP_FAILED)
		step.said = page;
	if (step.failure.text[0])
		slurm_error("berth: %s", step.failure.text);
}

/* --- user_init --- */

/* Tell the job's directory to the helper. false: it could not be named. */
static bool tell_cwd(char cwd[PATH_MAX])
{
	char *path;

	if (getpid() ==
	    step.client.parent) /* removed, unreachable, too long, with control characters */
		return getcwd(cwd, PATH_MAX) && cwd[0] == '/' &&
		       client_say(&step.client, MSG_CWD, cwd);
	/* contain_spank: in a process that has entered the job's namespace, where all begin in "/" */
	path = client_stepd_cwd(&step.client, CWD_TIMEOUT_MS);
	snprintf(cwd, PATH_MAX, "%s", path ? path : "");
	free(path);
	return cwd[0] == '/';
}

void remote_user_init(void)
{
	char cwd[PATH_MAX];

	if (!step.active)
		return;
	step.cwd_unnamed = !tell_cwd(cwd);
	if (step.cwd_unnamed)
		client_say(&step.client, MSG_CWD, NULL);
	else
		step.cwd_stand_in = strcmp(cwd, STAND_IN) == 0;
	client_reap(&step.client, 0);
}

/* --- task_init_privileged --- */

/* An fd of this task's mount namespace where it is not slurmstepd's (job_container). */
static int other_mntns(int *ret, struct err *e)
{
	struct stat st;

	*ret = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	if (*ret < 0 || fstat(*ret, &st) < 0)
		return err_sys(e, errno, "cannot open the task's mount namespace");
	if (st.st_ino == step.mntns.st_ino && st.st_dev == step.mntns.st_dev) {
		close(*ret);
		*ret = -1;
	}
	return 0;
}

static int enter(const struct client_joined *in, struct err *e)
{
	static const struct {
		int which, type;
		const char *name;
	} order[] = { { NET, CLONE_NEWNET, "network" },
		      { IPC, CLONE_NEWIPC, "IPC" },
		      { UTS, CLONE_NEWUTS, "host name" },
		      { MNT, CLONE_NEWNS, "mount" } }; /* last: /proc is another one then */

	if (in->ns[MNT] < 0)
		return err_set(e, "the container helper sent no mount namespace");
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		if (in->ns[order[i].which] >= 0 && setns(in->ns[order[i].which], order[i].type) < 0)
			return err_sys(e, errno, "cannot enter the container's %s namespace",
				       order[i].name);
	/* 22.05 goes on in whatever directory this hook leaves */
	if (chdir("/") < 0)
		return err_sys(e, errno, "cannot enter the container's root directory");
	return 0;
}

/* Slurm looks the command up with this PATH, inside. */
static int take_environment(spank_t sp, const struct joined *j, struct err *e)
{
	for (uint32_t i = 0; i < j->nenv; i++) {
		char *eq = strchr(j->env[i], '=');
		spank_err_t rc;

		if (!eq)
			continue;
		*eq = '\0';
		rc = spank_setenv(sp, j->env[i], eq + 1, 1);
		if (rc != ESPANK_SUCCESS)
			return err_set(e, "Slurm does not take the image's variable %s: error %d",
				       j->env[i], (int)rc);
	}
	return 0;
}

/* Become part of the container that the helper has given. */
static int take_container(spank_t sp, struct client_joined *in, struct err *e)
{
	if (enter(in, e) < 0 || take_environment(sp, &in->j, e) < 0 || lockdown_privileges(e) < 0)
		return -1;
	step.cwd = in->j.cwd;
	in->j.cwd = NULL;
	step.userns = in->ns[USER];
	in->ns[USER] = -1;
	if (in->j.note)
		say(SAY_NOTE, in->j.note);
	return 0;
}

static int joined(spank_t sp, enum client_answer answer, struct client_joined *in, const char *why,
		  struct err *e)
{
	switch (answer) {
	case CLIENT_JOINED:
		if (take_container(sp, in, e) == 0)
			return 0;
		break;
	case CLIENT_FAILED:
		if (why)
			err_set(e, "%s", why);
		else
			return -1; /* another task has said it */
		break;
	case CLIENT_DEAD:
		err_set(e, "the container helper ended before the step started; see slurmd's log");
		break;
	case CLIENT_TIMEOUT:
		err_set(e,
			"the container was not ready after %d s; see slurmd's log, or raise "
			"timeout= in plugstack.conf",
			step.join_timeout_ms / 1000);
		break;
	case CLIENT_SIGNAL: return -1;
	case CLIENT_BROKEN: break;
	}
	return fail(e->text);
}

/* Cancelled before the command started: end as the command would have ended. */
static void end_by(int sig)
{
	sigset_t set;

	signal(sig, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, sig);
	raise(sig);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

int remote_task_privileged(spank_t sp)
{
	enum client_answer answer;
	struct client_joined in;
	struct err e = { "" };
	char *why = NULL;
	int mntns, rc, sig = 0;

	if (!step.active)
		return 0;
	if (step.failure.text[0])
		return fail(step.failure.text);
	if (other_mntns(&mntns, &e) < 0)
		return fail(e.text);
	answer = client_join(&step.client, mntns, step.join_timeout_ms, &in, &why, &sig, &e);
	if (answer == CLIENT_SIGNAL)
		end_by(sig);
	rc = joined(sp, answer, &in, why, &e);
	step.entered = rc == 0;
	if (mntns >= 0)
		close(mntns);
	client_joined_done(&in);
	free(why);
	return rc;
}

/* --- task_init --- */

/* Only a directory inside counts: getcwd's path begins with '/' there. */
static bool enter_cwd(const char *path)
{
	struct open_how how = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
				.resolve = RESOLVE_NO_MAGICLINKS };
	char seen[PATH_MAX];
	int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
	bool inside;

	if (fd < 0)
		return false;
	inside = fchdir(fd) == 0 && getcwd(seen, sizeof(seen)) && seen[0] == '/';
	close(fd);
	return inside;
}

/*
 * The job's directory may be one that only the container has: in the image, or in the
 * job's own /tmp.  slurmstepd could not enter it, but this task of it just has.
 */
static bool cwd_is_inside(void)
{
	char here[PATH_MAX];

	return step.cwd_stand_in && !step.workdir && getcwd(here, sizeof(here)) && here[0] == '/' &&
	       here[1] && strcmp(here, STAND_IN) != 0;
}

static int take_cwd(struct err *e)
{
	struct err line = { "" };

	if (cwd_is_inside())
		return 0;
	if (step.workdir && !enter_cwd(step.cwd ? step.cwd : ""))
		return err_set(e,
			       "--container-workdir=%.200s: no such directory in the container, or "
			       "not yours to enter",
			       step.cwd ? step.cwd : "");
	if (!step.cwd || !enter_cwd(step.cwd)) {
		if (chdir("/") < 0)
			return err_sys(e, errno, "cannot enter the container's root directory");
		err_set(&line,
			"cannot enter the working directory %s in the container, starting in /",
			step.cwd ? step.cwd : "");
	} else if (step.cwd_unnamed && !step.workdir) {
		err_set(&line,
			"the job's working directory is removed or has control characters in "
			"its name, starting in %s",
			step.cwd);
	}
	if (line.text[0])
		say(SAY_CWD, line.text);
	return 0;
}

/* PWD, where it names another directory than the one that the task is in. */
static void correct_pwd(spank_t sp)
{
	char pwd[PATH_MAX], here[PATH_MAX];
	struct stat named, actual;

	if (spank_getenv(sp, "PWD", pwd, sizeof(pwd)) != ESPANK_SUCCESS ||
	    !getcwd(here, sizeof(here)) || here[0] != '/')
		return;
	if (stat(pwd, &named) < 0 || stat(".", &actual) < 0 || named.st_dev != actual.st_dev ||
	    named.st_ino != actual.st_ino)
		spank_setenv(sp, "PWD", here, 1);
}

/* PMI-1 and PMI-2 talk over a socket that the task inherits; its number is in the environment. */
static int pmi_socket(spank_t sp)
{
	char text[16], *end;
	struct stat st;
	long fd;

	if (spank_getenv(sp, "PMI_FD", text, sizeof(text)) != ESPANK_SUCCESS || !text[0])
		return -1;
	fd = strtol(text, &end, 10);
	if (*end || fd < 3 || fd > INT_MAX || fstat((int)fd, &st) < 0 || !S_ISSOCK(st.st_mode))
		return -1;
	return (int)fd;
}

static int task_init(spank_t sp, struct err *e)
{
	if (lockdown_check(&step.ids, e) < 0)
		return -1;
	if (!client_say(&step.client, MSG_READY, NULL))
		return err_set(e, "the container helper ended before the task started; see "
				  "slurmd's log");
	if (step.userns >= 0) {
		if (setns(step.userns, CLONE_NEWUSER) < 0)
			return err_sys(e, errno, "cannot enter the container's user namespace");
		if (lockdown_userns(e) < 0)
			return -1;
	}
	if (take_cwd(e) < 0)
		return -1;
	correct_pwd(sp);
	return lockdown_fds(pmi_socket(sp), e);
}

int remote_task_init(spank_t sp)
{
	struct err e = { "" };

	if (!step.active || (step.entered && task_init(sp, &e) == 0))
		return 0;
	/*
	 * Slurm ignores a hook that fails where plugstack.conf says "optional", and
	 * would run the command as it is.
	 */
	if (step.entered)
		fail(e.text);
	_exit(1);
}

/* --- task_exit and exit --- */

void remote_task_exit(void)
{
	if (!step.active || step.tasks_left == 0 || --step.tasks_left > 0)
		return;
	client_drain(&step.client, DRAIN_TIMEOUT_MS);
	client_reap(&step.client, 0);
}

void remote_exit(void)
{
	if (step.active) {
		if (step.tasks_left > 0) /* a step that never had tasks */
			client_drain(&step.client, DRAIN_TIMEOUT_MS);
		client_end(&step.client);
		free(step.node);
		free((gid_t *)step.ids.groups);
		if (step.said)
			munmap(step.said, sizeof(*step.said));
		step.said = NULL;
		step.active = false;
	}
	option_set_done(options_given());
}
