/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "step_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "cgroups.h"
#include "devices.h"
#include "sys.h"
#include "usnic.h"

static void answer_failed(struct step *s, int reply, char *buf)
{
	struct failed f = { s->told ? NULL : s->e.text };
	ssize_t n = failed_encode(buf, REQUEST_PACKET_MAX, &f);

	s->told = true;
	if (n > 0)
		(void)msg_send(reply, buf, (size_t)n, NULL, 0);
}

static void answer_joined(struct step *s, int reply, int view, char *buf)
{
	struct joined j = s->joined;
	int fds[REQUEST_FDS_MAX];
	unsigned nfds = (unsigned)__builtin_popcount(s->container.ns);
	ssize_t n;

	memcpy(fds, s->container.fd, nfds * sizeof(*fds));
	if (view >= 0) {
		j.ns |= NS_DEVICES;
		fds[nfds++] = view;
	}
	n = joined_encode(buf, REQUEST_PACKET_MAX, &j);
	if (n > 0)
		(void)msg_send(reply, buf, (size_t)n, fds, nfds);
}

static void answer_join(struct step *s, uint32_t task, int reply)
{
	char *buf = malloc(REQUEST_PACKET_MAX);
	int view = -1;

	if (!buf)
		return;
	if (!s->e.text[0] && !(s->container.ns & NS_MNT))
		err_set(&s->e, "the working directory of the step is not known");
	if (!s->e.text[0] && s->usnic)
		view = usnic_view(s->usnic, task, &s->e);
	if (s->e.text[0])
		answer_failed(s, reply, buf);
	else
		answer_joined(s, reply, view, buf);
	free(buf);
}

void step_tasks_post(struct step *s)
{
	char *buf = malloc(REQUEST_PACKET_MAX);
	int room = 2 * REQUEST_PACKET_MAX;

	/* with --usnic each task has an answer of its own */
	if (buf && s->board >= 0 && !s->e.text[0] && !s->usnic && (s->container.ns & NS_MNT)) {
		(void)setsockopt(s->board, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
		answer_joined(s, s->board, -1, buf);
	}
	sys_close(&s->board);
	free(buf);
}

/* The number of the task that a message is from; one that no task has where there is none. */
static uint32_t task_of(const void *buf, size_t len, enum msg_type type)
{
	char *text = NULL, *end;
	struct err e = { "" };
	unsigned long n = UINT32_MAX;

	if (plain_decode(buf, len, type, &text, &e) == 0 && text && text[0] >= '0' &&
	    text[0] <= '9') {
		n = strtoul(text, &end, 10);
		if (*end || n > UINT32_MAX)
			n = UINT32_MAX;
	}
	free(text);
	return (uint32_t)n;
}

void step_tasks_on_join(struct step *s, const void *buf, size_t len, const int *fds, unsigned nfds)
{
	const uint32_t task = task_of(buf, len, MSG_JOIN);

	if (nfds == 2 && s->sound && !s->rebased && !s->r.join && s->cwd)
		step_build_rebase(s, fds[1]);
	if (nfds >= 1)
		answer_join(s, task, fds[0]);
}

static void leave_cgroups(struct step *s)
{
	if (!s->left_cgroups)
		cgroups_leave();
	s->left_cgroups = true;
}

/* confine=always: no NIC for a step that has not asked for one. */
static int keep_from_nics(struct step *s, pid_t pid)
{
	if (!(s->c.confine & CONFINE_ALWAYS) || s->rules)
		return 0;
	s->rules = devices_open(pid, DEVICES_STEP, &s->e);
	return s->rules ? devices_apply(s->rules, DEVICES_OTHERS, NULL, 0, &s->e) : -1;
}

/* The answer to a task of such a step. */
static void answer_kept(struct step *s, pid_t pid, int reply)
{
	const struct granted none = { .preflight = PREFLIGHT_OFF };
	char *buf = malloc(REQUEST_PACKET_MAX);
	ssize_t n = -1;

	if (!buf)
		return;
	if (!s->e.text[0] && keep_from_nics(s, pid) == 0)
		n = granted_encode(buf, REQUEST_PACKET_MAX, &none);
	if (n > 0)
		(void)msg_send(reply, buf, (size_t)n, NULL, 0);
	else
		answer_failed(s, reply, buf);
	free(buf);
}

/* Tell a task what it has, if that is decided; else it waits. */
static void answer_ready(struct step *s, uint32_t task)
{
	char *buf;
	struct granted g = { 0 };
	ssize_t n = -1;

	if (!s->e.text[0] && usnic_state(s->usnic) == USNIC_WAITS)
		return;
	buf = malloc(REQUEST_PACKET_MAX);
	if (!s->e.text[0] && usnic_state(s->usnic) == USNIC_MISSES_RANKS)
		err_set(&s->e, "--usnic: Slurm has not told the CPUs of all tasks");
	if (buf && !s->e.text[0] && usnic_ready(s->usnic, task, &g, &s->e) == 0) {
		n = granted_encode(buf, REQUEST_PACKET_MAX, &g);
		if (n > 0)
			(void)msg_send(s->ready_reply[task], buf, (size_t)n, NULL, 0);
		else
			err_set(&s->e, "--usnic: the answer to a task does not fit in a message");
		granted_done(&g);
	}
	if (buf && n < 0)
		answer_failed(s, s->ready_reply[task], buf);
	free(buf);
	sys_close(&s->ready_reply[task]);
}

static void answer_waiting(struct step *s)
{
	for (uint32_t i = 0; i < s->r.ntasks; i++)
		if (s->ready_reply[i] >= 0)
			answer_ready(s, i);
}

/* slurmstepd holds the leases, too: the descriptor waits in its socket, and needs no more. */
static void share_leases(struct step *s)
{
	char buf[64];
	int fd = usnic_lease_fd(s->usnic);
	ssize_t n = plain_encode(buf, sizeof(buf), MSG_LEASES, NULL);

	if (fd >= 0 && n > 0)
		(void)msg_send(s->main, buf, (size_t)n, &fd, 1);
}

void step_tasks_on_rank(struct step *s, const void *buf, size_t len)
{
	struct rank k;

	if (s->e.text[0] || !s->usnic || rank_decode(buf, len, &k, &s->e) < 0)
		return;
	if (s->step_cgroup < 0)
		s->step_cgroup = cgroups_open_step((pid_t)k.pid);
	if (usnic_rank(s->usnic, &k, s->step_cgroup, &s->e) == 0 &&
	    usnic_state(s->usnic) == USNIC_CHOSEN)
		share_leases(s);
	rank_done(&k);
}

void step_tasks_retry(struct step *s)
{
	if (s->e.text[0] || !s->usnic || usnic_due_ms(s->usnic) != 0)
		return;
	if (usnic_retry(s->usnic, &s->e) == 0 && usnic_state(s->usnic) == USNIC_CHOSEN)
		share_leases(s);
	answer_waiting(s);
}

/* A task stands in its final cgroups: the FUSE server can follow it there. */
void step_tasks_on_ready(struct step *s, const void *buf, size_t len, pid_t pid, int *reply)
{
	const uint32_t task = task_of(buf, len, MSG_READY);

	if (pid <= 0)
		return;
	if (s->step_cgroup < 0)
		s->step_cgroup = cgroups_open_step(pid);
	/* a task that asks waits for nothing but its answer */
	if (s->usnic && task < s->r.ntasks && s->ready_reply[task] < 0 && *reply >= 0) {
		s->ready_reply[task] = *reply;
		*reply = -1;
		answer_ready(s, task);
	} else if (!s->usnic && *reply >= 0) {
		answer_kept(s, pid, *reply);
	}
	/* what takes time comes when no task waits for us any more */
	if (s->left_cgroups || (s->usnic && ++s->nready < s->r.ntasks))
		return;
	rootfs_cancel(&s->builder);
	opener_stop(&s->opener);
	/* slurmstepd's are the step's, too, should the task have ended by now */
	if (s->fuse.pid > 0 && cgroups_join_step(pid, s->fuse.pid) < 0)
		(void)cgroups_join_step(s->stepd, s->fuse.pid);
	leave_cgroups(s);
}

void step_tasks_on_drain(struct step *s)
{
	char buf[64];
	ssize_t n = plain_encode(buf, sizeof(buf), MSG_DRAINED, NULL);

	fuse_stop(&s->fuse);
	/* where no task came as far as READY */
	rootfs_cancel(&s->builder);
	opener_stop(&s->opener);
	leave_cgroups(s);
	if (s->usnic)
		usnic_release(s->usnic);
	if (n > 0)
		(void)msg_send(s->main, buf, (size_t)n, NULL, 0);
}
