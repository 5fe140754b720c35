/* SPDX-License-Identifier: BSD-3-Clause */
/* The hooks of a task: into the container, as root, and what is left to do as the user. */
#define _GNU_SOURCE 1
#include "remote.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../helper/devview.h"
#include "jobenv.h"
#include "launcher.h"
#include "remote_impl.h"

/* Order of the descriptors in struct client_joined. */
enum { MNT, NET, IPC, UTS, USER, DEVICES };

/* Of slurmstepd and its tasks, no other has come to this yet; where that cannot be known, each is the first. */
static bool first_with(enum remote_topic topic)
{
	return !remote_step.said || !(atomic_fetch_or(remote_step.said, topic) & topic);
}

void remote_say(enum remote_topic topic, const char *text)
{
	if (!first_with(topic))
		return;
	slurm_spank_log("berth: %s: %s", remote_step.node ? remote_step.node : "this node", text);
}

int remote_fail(const char *text)
{
	remote_say(SAY_FAILURE, text);
	return -1;
}

/* --- task_init_privileged --- */

int remote_root_mount(uint64_t *ret, struct err *e)
{
	struct statx st;

	if (statx(AT_FDCWD, "/", 0, STATX_MNT_ID, &st) < 0)
		return err_sys(e, errno, "cannot look at the root directory's mount");
	if (!(st.stx_mask & STATX_MNT_ID))
		return err_set(
			e, "this kernel does not tell mounts apart, expected Linux 5.8 or newer");
	*ret = st.stx_mnt_id;
	return 0;
}

/* An fd of this task's mount namespace where it is not slurmstepd's (job_container), else -1. */
static int other_mntns(int *ret, struct err *e)
{
	uint64_t mount = 0;

	*ret = -1;
	if (remote_root_mount(&mount, e) < 0)
		return -1;
	if (mount == remote_step.root_mount)
		return 0;
	*ret = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	return *ret < 0 ? err_sys(e, errno, "cannot open the task's mount namespace") : 0;
}

/* The task's own devices, in a mount namespace of its own. */
static int attach_devices(int view, struct err *e)
{
	if (unshare(CLONE_NEWNS) < 0)
		return err_sys(e, errno,
			       "--usnic: cannot make a mount namespace for the task's devices");
	if (move_mount(view, "", AT_FDCWD, DEVVIEW_DIR, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_sys(e, errno, "--usnic: cannot mount the task's own " DEVVIEW_DIR);
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
	if (in->ns[DEVICES] >= 0 && attach_devices(in->ns[DEVICES], e) < 0)
		return -1;
	/* 22.05 goes on in whatever directory this hook leaves */
	if (chdir("/") < 0)
		return err_sys(e, errno, "cannot enter the container's root directory");
	return 0;
}

/* Slurm looks the command up with this PATH, inside. */
static int take_environment(spank_t sp, const struct joined *j, struct err *e)
{
	for (uint32_t i = 0; i < j->nunset; i++)
		(void)spank_unsetenv(sp, j->unset[i]); /* it need not be there */
	for (uint32_t i = 0; i < j->nenv; i++) {
		char *eq = strchr(j->env[i], '=');

		if (!eq)
			continue;
		*eq = '\0';
		if (jobenv_set(sp, j->env[i], eq + 1, e) < 0)
			return -1;
	}
	return 0;
}

/* Become part of the container that the helper has given. */
static int take_container(spank_t sp, struct client_joined *in, struct err *e)
{
	/* by a path of the host's */
	if (remote_step.container && launcher_replace(e) < 0)
		return -1;
	if (enter(in, e) < 0 || (in->j.memlock && remote_devices_memlock(sp, in->j.memlock, e) < 0))
		return -1;
	/* on the host a task is what it is without Berth, but for its devices */
	if (remote_step.container &&
	    (take_environment(sp, &in->j, e) < 0 || lockdown_privileges(e) < 0))
		return -1;
	remote_step.cwd = in->j.cwd;
	in->j.cwd = NULL;
	remote_step.userns = in->ns[USER];
	in->ns[USER] = -1;
	if (in->j.note)
		remote_say(SAY_NOTE, in->j.note);
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
	case CLIENT_DEAD: client_ended("the step started", e); break;
	case CLIENT_TIMEOUT:
		err_set(e,
			"the container was not ready after %d s; see slurmd's log, or raise "
			"timeout= in plugstack.conf",
			remote_step.join_timeout_ms / 1000);
		break;
	case CLIENT_SIGNAL: return -1;
	case CLIENT_BROKEN: break;
	}
	return remote_fail(e->text);
}

void remote_end_by(int sig)
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

	if (!remote_step.active)
		return 0;
	if (remote_step.failure.text[0])
		return remote_fail(remote_step.failure.text);
	if (spank_get_item(sp, S_TASK_ID, &remote_step.task) != ESPANK_SUCCESS)
		return remote_fail("Slurm does not tell the task's number");
	if (!remote_step.container && !remote_step.usnic) { /* nothing to enter */
		remote_step.entered = true;
		return 0;
	}
	if (other_mntns(&mntns, &e) < 0)
		return remote_fail(e.text);
	answer = client_join(&remote_step.client, remote_step.task, mntns,
			     remote_step.join_timeout_ms, &in, &why, &sig, &e);
	if (answer == CLIENT_SIGNAL)
		remote_end_by(sig);
	rc = joined(sp, answer, &in, why, &e);
	remote_step.entered = rc == 0;
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

	return remote_step.cwd_stand_in && !remote_step.workdir && getcwd(here, sizeof(here)) &&
	       here[0] == '/' && here[1] && strcmp(here, REMOTE_STAND_IN) != 0;
}

static int take_cwd(struct err *e)
{
	struct err line = { "" };

	if (cwd_is_inside())
		return 0;
	if (remote_step.workdir && !enter_cwd(remote_step.cwd ? remote_step.cwd : ""))
		return err_set(e,
			       "--container-workdir=%.200s: no such directory in the container, or "
			       "not yours to enter",
			       remote_step.cwd ? remote_step.cwd : "");
	if (!remote_step.cwd || !enter_cwd(remote_step.cwd)) {
		if (chdir("/") < 0)
			return err_sys(e, errno, "cannot enter the container's root directory");
		err_set(&line,
			"cannot enter the working directory %s in the container, starting in /",
			remote_step.cwd ? remote_step.cwd : "");
	} else if (remote_step.cwd_unnamed && !remote_step.workdir) {
		err_set(&line,
			"the job's working directory is removed or has control characters in "
			"its name, starting in %s",
			remote_step.cwd);
	}
	if (line.text[0])
		remote_say(SAY_CWD, line.text);
	return 0;
}

/* PWD, where it names another directory than the one that the task is in. */
static void correct_pwd(spank_t sp)
{
	char pwd[PATH_MAX], here[PATH_MAX];
	struct stat named, actual;
	struct err e = { "" };

	if (spank_getenv(sp, "PWD", pwd, sizeof(pwd)) != ESPANK_SUCCESS ||
	    !getcwd(here, sizeof(here)) || here[0] != '/')
		return;
	if (stat(pwd, &named) < 0 || stat(".", &actual) < 0 || named.st_dev != actual.st_dev ||
	    named.st_ino != actual.st_ino)
		jobenv_set(sp, "PWD", here, &e);
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

/*
 * The helper waits for one task in its final cgroups: the first says so, the others only see that
 * it is there.
 */
static int tell_ready(struct err *e)
{
	if (first_with(TOLD_READY) ? client_say(&remote_step.client, MSG_READY, NULL)
				   : client_alive(&remote_step.client))
		return 0;
	return client_ended("the task started", e);
}

static int task_init(spank_t sp, struct err *e)
{
	if (remote_step.container && lockdown_check(&remote_step.ids, e) < 0)
		return -1;
	if ((remote_step.confined ? remote_devices_take(sp, e) : tell_ready(e)) < 0)
		return -1;
	if (!remote_step.container)
		return 0;
	if (remote_step.userns >= 0) {
		if (setns(remote_step.userns, CLONE_NEWUSER) < 0)
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

	if (!remote_step.active || (remote_step.entered && task_init(sp, &e) == 0))
		return 0;
	/*
	 * Slurm ignores a hook that fails where plugstack.conf says "optional", and
	 * would run the command as it is.
	 */
	if (remote_step.entered && e.text[0])
		remote_fail(e.text);
	_exit(1);
}
