/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE 1
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "../helper/config.h"
#include "../helper/verbs.h"
#include "jobenv.h"
#include "local.h"
#include "remote.h"
#include "remote_impl.h"
#include "stepinfo.h"

/* Queues and eager buffers of a few ranks; what is less is no limit that anybody meant. */
#define MEMLOCK_NEED ((rlim_t)16 << 20)

#define LONG_BITS (8 * sizeof(long))

/*
 * Memory that a NIC reads and writes is locked.  Slurm sets the submit host's limit later,
 * from this variable, unless it is gone (src/slurmd/slurmstepd/ulimits.c).
 */
int remote_devices_memlock(spank_t sp, const char *limit, struct err *e)
{
	struct rlimit r, old;

	r.rlim_cur = strcmp(limit, "unlimited") == 0 ? RLIM_INFINITY : strtoull(limit, NULL, 10);
	r.rlim_max = r.rlim_cur;
	if (setrlimit(RLIMIT_MEMLOCK, &r) < 0) {
		/* slurmd lacks CAP_SYS_RESOURCE: as far as it goes; preflight tells if that is too low */
		if (errno != EPERM || getrlimit(RLIMIT_MEMLOCK, &old) < 0)
			return err_sys(e, errno, "cannot set the limit of locked memory to %s",
				       limit);
		old.rlim_cur = old.rlim_max;
		if (setrlimit(RLIMIT_MEMLOCK, &old) < 0)
			return err_sys(e, errno, "cannot raise the limit of locked memory");
	}
	spank_unsetenv(sp, "SLURM_RLIMIT_MEMLOCK");
	return 0;
}

/* Sets what the user has not; names and values of what it set go to `set`. */
static int set_variables(spank_t sp, char *const *env, uint32_t n, bool hint, bool tell, FILE *set,
			 struct err *e)
{
	for (uint32_t i = 0; i < n; i++) {
		char *eq = strchr(env[i], '='), was[1];
		spank_err_t rc;

		if (!eq)
			continue;
		*eq = '\0';
		rc = hint ? spank_getenv(sp, env[i], was, sizeof(was)) : ESPANK_ENV_NOEXIST;
		if (rc == ESPANK_SUCCESS || rc == ESPANK_NOSPACE) {
			if (tell)
				slurm_spank_log("berth: %s: %s is set and stays as it is; Berth's "
						"would be %.200s",
						remote_step.node ? remote_step.node : "this node",
						env[i], eq + 1);
			continue;
		}
		if (jobenv_set(sp, env[i], eq + 1, e) < 0)
			return -1;
		fprintf(set, "%s=%s;", env[i], eq + 1);
	}
	return 0;
}

static int set_all_variables(spank_t sp, const struct granted *g, struct err *e)
{
	char *text = NULL;
	size_t size;
	FILE *set = open_memstream(&text, &size);
	int rc = -1;

	if (set)
		rc = set_variables(sp, g->env, g->nenv, false, false, set, e) < 0
			     ? -1
			     : set_variables(sp, g->hints, g->nhints, true, g->nlines > 0, set, e);
	if (!set || fclose(set) != 0)
		rc = err_set(e, "out of memory");
	if (rc == 0)
		rc = jobenv_set(sp, USNIC_SET_CARRIER, text, e);
	free(text);
	return rc;
}

/* 0, or -1 with *e where the site wants the step to fail. */
static int preflight_fails(const struct granted *g, enum remote_topic topic, const char *line,
			   struct err *e)
{
	if (g->preflight == PREFLIGHT_STRICT)
		return err_set(e, "%s", line);
	remote_say(topic, line);
	return 0;
}

/* Can this very task, in its cgroups, open what it was given? */
static int preflight_open(const struct granted *g, struct err *e)
{
	for (uint32_t i = 0; i < g->nnodes && g->preflight != PREFLIGHT_OFF; i++) {
		struct err line = { "" };
		int fd = open(g->nodes[i], O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);

		if (fd >= 0) {
			close(fd);
			continue;
		}
		err_sys(&line, errno,
			"--usnic: the granted device %s cannot be opened, expected that the node's "
			"driver, Slurm's device limits (gres) and confine= allow it",
			g->nodes[i]);
		if (preflight_fails(g, SAY_DEVICE, line.text, e) < 0)
			return -1;
	}
	return 0;
}

static int preflight_memlock(const struct granted *g, struct err *e)
{
	struct err line = { "" };
	struct rlimit r;

	if (g->preflight == PREFLIGHT_OFF || getrlimit(RLIMIT_MEMLOCK, &r) < 0 ||
	    r.rlim_max >= MEMLOCK_NEED)
		return 0;
	err_set(&line,
		"--usnic: only %llu KiB of memory can be locked, expected %llu or more: memlock= in "
		"plugstack.conf, or LimitMEMLOCK= of slurmd's service, is too low",
		(unsigned long long)r.rlim_max >> 10, (unsigned long long)MEMLOCK_NEED >> 10);
	return preflight_fails(g, SAY_MEMLOCK, line.text, e);
}

/*
 * usNIC (usnic_0, or usnicp6s0f0 where udev renames) is driven by libfabric itself; all
 * else that opens uverbs nodes in an image does it by the image's libibverbs.
 */
static int preflight_providers(const struct granted *g, struct err *e)
{
	static const char name[] = "BERTH_IBDEV=", usnic[] = "usnic";
	char abi[VERBS_ABI_MAX], ibdev[VERBS_NAME_MAX] = "";
	const char *provider;
	struct err line = { "" };

	if (g->preflight == PREFLIGHT_OFF || !remote_step.container)
		return 0;
	/* the first of them: a step's devices are mostly of one kind */
	for (uint32_t i = 0; i < g->nenv; i++)
		if (strncmp(g->env[i], name, strlen(name)) == 0)
			snprintf(ibdev, sizeof(ibdev), "%.*s",
				 (int)strcspn(g->env[i] + strlen(name), ","),
				 g->env[i] + strlen(name));
	if (strncmp(ibdev, usnic, strlen(usnic)) == 0)
		return 0;
	provider = verbs_provider("", ibdev);
	switch (verbs_look("", provider, abi)) {
	case VERBS_UNKNOWN: return 0;
	case VERBS_NO_PROVIDER:
		err_set(&line,
			"--usnic: the image has libibverbs, but no provider for it, so no device will "
			"be found; expected those of rdma-core (Debian: ibverbs-providers)");
		break;
	case VERBS_NO_PROVIDER_OF_ABI:
		err_set(&line,
			"--usnic: the image's libibverbs has only providers of another ABI, so no "
			"device will be found; expected files *-rdmav%s.so, of the same rdma-core",
			abi);
		break;
	case VERBS_NO_PROVIDER_OF_NIC:
		err_set(&line,
			"--usnic: the image's libibverbs has no provider for %s, so that device will "
			"not be found; expected lib%s-rdmav%s.so, of the same rdma-core",
			ibdev, provider ? provider : "", abi);
		break;
	}
	return preflight_fails(g, SAY_PROVIDER, line.text, e);
}

static int use_granted(spank_t sp, const struct granted *g, struct err *e)
{
	for (uint32_t i = 0; i < g->nlines; i++)
		slurm_spank_log("berth: %s: %s", remote_step.node ? remote_step.node : "this node",
				g->lines[i]);
	if (preflight_memlock(g, e) < 0 || preflight_providers(g, e) < 0 ||
	    preflight_open(g, e) < 0)
		return -1;
	return set_all_variables(sp, g, e);
}

int remote_devices_take(spank_t sp, struct err *e)
{
	const int timeout_ms = remote_step.join_timeout_ms + remote_step.wait_ms;
	struct granted g;
	char *why = NULL;
	int sig = 0, rc = -1;

	switch (client_ready(&remote_step.client, remote_step.task, timeout_ms, &g, &why, &sig,
			     e)) {
	case CLIENT_JOINED:
		rc = use_granted(sp, &g, e);
		granted_done(&g);
		break;
	case CLIENT_FAILED:
		if (why)
			err_set(e, "%s", why);
		break;
	case CLIENT_DEAD: client_ended("the task started", e); break;
	case CLIENT_TIMEOUT:
		err_set(e,
			"the step's network devices were not ready after %d s; see slurmd's log, or "
			"raise timeout= in plugstack.conf",
			timeout_ms / 1000);
		break;
	case CLIENT_SIGNAL: remote_end_by(sig); break;
	case CLIENT_BROKEN: break;
	}
	free(why);
	return rc;
}

/* --- task_post_fork --- */

/* The extern step has no task that could ask for its cgroup to be narrowed: slurmstepd does. */
static void confine_extern(spank_t sp)
{
	struct granted g = { 0 };
	struct err e = { "" };
	enum client_answer answer;
	char *why = NULL;
	uint32_t id = 0;
	int sig;

	if (spank_get_item(sp, S_JOB_STEPID, &id) != ESPANK_SUCCESS || id != STEP_EXTERN)
		return;
	answer = client_ready(&remote_step.client, 0, remote_step.join_timeout_ms, &g, &why, &sig,
			      &e);
	if (answer == CLIENT_DEAD)
		client_ended("the step started", &e);
	if (answer != CLIENT_JOINED)
		slurm_error("berth: the extern step is not kept from network devices: %s",
			    why ? why : e.text);
	granted_done(&g);
	free(why);
}

void remote_task_post_fork(spank_t sp)
{
	unsigned long set[REQUEST_CPU_WORDS * 32 / LONG_BITS];
	uint32_t words[REQUEST_CPU_WORDS] = { 0 };
	struct rank k = { 0 };
	pid_t pid = 0;

	if (!remote_step.confined || remote_step.failure.text[0])
		return;
	if (!remote_step.usnic) {
		confine_extern(sp);
		return;
	}
	if (spank_get_item(sp, S_TASK_ID, &k.task) != ESPANK_SUCCESS ||
	    spank_get_item(sp, S_TASK_GLOBAL_ID, &k.gtask) != ESPANK_SUCCESS ||
	    spank_get_item(sp, S_TASK_PID, &pid) != ESPANK_SUCCESS)
		return; /* the helper misses it, and says so to the task */
	k.pid = (uint32_t)pid;
	memset(set, 0, sizeof(set));
	if (sched_getaffinity(pid, sizeof(set), (cpu_set_t *)set) == 0) {
		for (unsigned i = 0; i < REQUEST_CPU_WORDS; i++)
			words[i] = (uint32_t)(set[i * 32 / LONG_BITS] >> i * 32 % LONG_BITS);
		k.cpus = words;
		k.ncpus = REQUEST_CPU_WORDS;
	}
	client_rank(&remote_step.client, &k);
}
