/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "step.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgroups.h"
#include "clones.h"
#include "config.h"
#include "fuse.h"
#include "join.h"
#include "keeper.h"
#include "mountspec.h"
#include "opener.h"
#include "request.h"
#include "rootfs.h"
#include "slurmtools.h"
#include "survivors.h"
#include "sys.h"
#include "trust.h"

#define REQUEST_MS 30000 /* slurmstepd sends its request at once */

struct step {
	int main;  /* to slurmstepd and its tasks */
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
	int early;	/* connection to the keeper that nothing was asked of yet */
	bool user_kernel_mount;

	char *cwd;
	bool sound;   /* request and configuration are: what failed may be tried again */
	bool rebased; /* built in the job's own mount namespace */
	struct container container;
	struct joined joined; /* env: borrowed from plan, or from the joined step */
	bool joined_own;      /* joined's strings are ours to free */
	int join_fd;	      /* where other steps ask for this container */
	int step_cgroup;
	bool left_cgroups;
};

static int timeout_ms(const struct step *s)
{
	return (int)s->c.timeout * 1000;
}

/* ---- the state directory ---- */

static int open_state(struct step *s)
{
	struct stat st;
	const char *dir = s->c.state_dir;

	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return err_sys(&s->e, errno, "cannot make the state directory %s", dir);
	s->state = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (s->state < 0 || fstat(s->state, &st) < 0)
		return err_sys(&s->e, errno, "the state directory %s", dir);
	if (st.st_uid != 0 || (st.st_mode & 077))
		return err_set(
			&s->e,
			"the state directory %s: is owned by uid %u with mode %04o, expected "
			"root and 0700",
			dir, st.st_uid, st.st_mode & 07777);
	return 0;
}

/* ---- the image ---- */

static bool is_file(const struct plan *p)
{
	return p->info.kind != IMAGE_DIR && p->info.kind != IMAGE_OCI;
}

/* A directory can be cloned only from within the mount namespace that it was opened in. */
static int clone_directory(int fd, int base)
{
	int self, tree, saved;

	if (base < 0)
		return sys_clone_tree(fd, "", false);
	self = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	if (self < 0 || setns(base, CLONE_NEWNS) < 0) {
		sys_close(&self);
		return -1;
	}
	tree = sys_clone_tree(fd, "", false);
	saved = errno;
	if (setns(self, CLONE_NEWNS) < 0)
		_exit(1); /* nothing may be done from the job's view of the node */
	sys_close(&self);
	errno = saved;
	return tree;
}

static int mount_directory(struct step *s, int base)
{
	s->image_root = clone_directory(s->plan.image, base);
	if (s->image_root < 0 ||
	    sys_set_attr(s->image_root, false,
			 MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, 0,
			 MS_PRIVATE) < 0)
		return err_sys(&s->e, errno, "image %s: cannot be mounted", s->r.image);
	return 0;
}

static int mount_file(struct step *s)
{
	const struct ids who = { s->r.uid, s->r.gid, s->r.groups, s->r.ngroups };
	char why[256];
	struct err e = { "" };
	int rc, trusted = trust_image(s->plan.image, &s->c.trusted, why, sizeof(why), &e);

	if (trusted < 0)
		return err_set(&s->e, "image %s: %s", s->r.image, e.text);
	s->user_kernel_mount = trusted == 0 && s->c.kernel_mount_user_images;
	if (trusted || s->user_kernel_mount) {
		rc = keeper_get(s->state, &s->early, s->plan.image, &s->plan.info,
				s->c.image_linger, s->alive, timeout_ms(s), &s->image_root,
				&s->hold, &e);
	} else {
		rc = fuse_start(&s->c, &who, &s->plan.info, s->plan.image, &s->fuse, &s->image_root,
				&e);
		if (rc < 0)
			err_set(&s->e, "image %s: %s (not trusted: %s)", s->r.image, e.text, why);
	}
	return rc < 0 ? err_set(&s->e, "image %s: %s", s->r.image, e.text) : 0;
}

/* base: the mount namespace that the image was opened in, or -1 for ours. */
static int mount_image(struct step *s, int base)
{
	int rc = is_file(&s->plan) ? mount_file(s) : mount_directory(s, base);

	sys_close(&s->early);
	return rc;
}

/* A builder that is given up may have taken the mount with it: make another of the same file. */
static int drop_builder(struct step *s)
{
	rootfs_cancel(&s->builder);
	fuse_stop(&s->fuse);
	sys_close(&s->image_root);
	sys_close(&s->hold);
	return mount_image(s, -1); /* there is a builder to drop only before the first rebase */
}

/* By its name only: a guess that saves time, never the decision (trust.h). */
static bool may_be_trusted(const struct step *s)
{
	for (size_t i = 0; i < s->c.trusted.n; i++)
		if (path_within(s->r.image, s->c.trusted.v[i]))
			return s->early < 0;
	return false;
}

static int prepare_image(struct step *s, int base)
{
	int rc;

	if (opener_start(&s->r, &s->c, base, &s->opener, &s->e) < 0)
		return -1;
	if (may_be_trusted(s))
		s->early = keeper_early(s->state); /* while the opener looks at the image */
	if (opener_take_image(&s->opener, s->alive, timeout_ms(s), &s->plan, &s->e) < 0)
		return -1;
	if (mount_image(s, base) < 0 ||
	    opener_take_binds(&s->opener, s->alive, timeout_ms(s), &s->plan, &s->e) < 0)
		return -1;
	rc = opener_take_env(&s->opener, s->image_root, s->alive, timeout_ms(s), &s->plan, &s->e);
	if (rc < 0 && s->fuse.pid) {
		struct err why = { "" };

		fuse_reason(&s->fuse, &why);
		if (why.text[0]) {
			s->e.text[0] = '\0';
			err_set(&s->e, "image %s: %s", s->r.image, why.text);
		}
	}
	if (rc < 0)
		return -1;
	return s->c.slurm ? slurmtools_plan(&s->c, &s->r, &s->plan, &s->e) : 0;
}

static int start_builder(struct step *s, int base)
{
	return rootfs_start(&s->r, &s->c, &s->plan, s->image_root, base, timeout_ms(s), &s->builder,
			    &s->e);
}

/* Everything that can be done before the job's working directory is known. */
static int prepare(struct step *s)
{
	if (config_parse(&s->c, s->r.args, s->r.nargs, &s->e) < 0 ||
	    config_check_files(&s->c, s->r.slurm_conf, &s->e) < 0 || open_state(s) < 0)
		return -1;
	s->join_fd = join_listen(s->state, &s->r, &s->e);
	if (s->join_fd < 0)
		return -1;
	s->sound = true;
	if (s->r.join)
		return 0;
	if (!s->r.image || s->r.image[0] != '/')
		return err_set(&s->e, "image \"%.200s\": expected an absolute path",
			       s->r.image ? s->r.image : "");
	if (prepare_image(s, -1) < 0)
		return -1;
	return s->plan.cwd ? start_builder(s, -1) : 0;
}

static void drop_image(struct step *s)
{
	rootfs_cancel(&s->builder);
	opener_stop(&s->opener);
	fuse_stop(&s->fuse);
	sys_close(&s->image_root);
	sys_close(&s->hold);
	sys_close(&s->early);
	plan_done(&s->plan);
}

/* ---- the container ---- */

static int add_note(struct step *s, const char *text)
{
	struct container *c = &s->container;
	char *both;
	int n = asprintf(&both, "%s%s%s", c->note ? c->note : "", c->note ? "; " : "", text);

	if (n < 0)
		return err_set(&s->e, "out of memory");
	free(c->note);
	c->note = both;
	return 0;
}

static int join_other(struct step *s)
{
	if (s->r.script)
		return err_set(&s->e,
			       "--container-join: the running container does not have your batch "
			       "script; use srun --container-join in the script");
	if (join_ask(s->state, &s->r, timeout_ms(s), &s->container, &s->joined, &s->e) < 0)
		return -1;
	free(s->joined.cwd);
	free(s->joined.note);
	s->joined_own = true;
	return 0;
}

/*
 * PMIx's directories as detached mounts; -1 where there is none.  slurmstepd has made
 * them for the user: what is not a directory of his is not it.
 */
static int pmix_trees(struct step *s, int trees[ROOTFS_PMIX])
{
	char path[4096];

	for (int i = 0; i < ROOTFS_PMIX; i++) {
		struct stat st;
		int fd;

		if (!rootfs_pmix_path(&s->r, &s->c, i, path, sizeof(path)))
			continue;
		fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0 && fstat(fd, &st) == 0 && st.st_uid == s->r.uid)
			trees[i] = clones_directory(fd, path, &s->e);
		sys_close(&fd);
		if (s->e.text[0])
			return -1;
	}
	return 0;
}

static int take_container(struct step *s)
{
	return rootfs_result(&s->builder, s->alive, timeout_ms(s), &s->container, &s->e);
}

/* The builder has been at work since prepare_image, with the right directory. */
static int confirm(struct step *s)
{
	int trees[ROOTFS_PMIX] = { -1, -1 }, rc = take_container(s);

	if (rc == 0)
		rc = pmix_trees(s, trees);
	if (rc == 0)
		rc = rootfs_add_pmix(&s->builder, trees, s->alive, timeout_ms(s), &s->e);
	for (int i = 0; i < ROOTFS_PMIX; i++)
		sys_close(&trees[i]);
	return rc;
}

/* The job is elsewhere than its PWD said, or in another mount namespace. */
static int build_again(struct step *s, int base)
{
	if (s->builder.pid && drop_builder(s) < 0)
		return -1;
	if (opener_take_cwd(&s->opener, s->cwd, s->alive, timeout_ms(s), &s->plan, &s->e) < 0)
		return -1;
	return start_builder(s, base) < 0 ? -1 : take_container(s);
}

/* The working directory is known, and with it everything. */
static int build(struct step *s, int base)
{
	int rc;

	if (s->r.join)
		return join_other(s);
	if (s->builder.pid && strcmp(s->plan.cwd, s->cwd) == 0)
		rc = confirm(s);
	else
		rc = build_again(s, base);
	if (rc < 0)
		return -1;
	/* the container has it now; what is left here would only pin it */
	sys_close(&s->image_root);
	s->joined.env = s->plan.env;
	s->joined.nenv = s->plan.nenv;
	if (s->user_kernel_mount)
		return add_note(
			s, "warning: this node lets the kernel mount images that users can write "
			   "(kernel_mount_user_images=yes)");
	return 0;
}

static void finish_joined(struct step *s)
{
	s->joined.cwd = s->container.cwd;
	s->joined.note = s->container.note;
	s->joined.ns = s->container.ns;
}

/*
 * The hook ran in a process that has another one (contain_spank): slurmstepd's own,
 * which is the job's until the hook ends, so it waits for the answer.  NULL: it is removed.
 */
static char *answer_cwd(struct step *s)
{
	static const char gone[] = " (deleted)";
	char buf[REQUEST_OPTION_MAX + 64], path[REQUEST_OPTION_MAX], link[32];
	ssize_t n, len;

	snprintf(link, sizeof(link), "/proc/%d/cwd", (int)s->stepd);
	len = readlink(link, path, sizeof(path) - 1);
	path[len > 0 ? len : 0] = '\0';
	if (len > (ssize_t)strlen(gone) && !strcmp(path + len - strlen(gone), gone))
		path[0] = '\0';
	/* one with control characters is no message */
	n = path[0] == '/' ? plain_encode(buf, sizeof(buf), MSG_CWD, path) : -1;
	if (n < 0) {
		path[0] = '\0';
		n = plain_encode(buf, sizeof(buf), MSG_CWD, NULL);
	}
	if (n > 0)
		(void)msg_send(s->main, buf, (size_t)n, NULL, 0);
	return path[0] ? strdup(path) : NULL;
}

/* The working directory has arrived: user_init of the step. */
static void on_cwd(struct step *s, const void *buf, size_t len)
{
	char *cwd = NULL;
	struct err e = { "" };

	if (s->cwd || plain_decode(buf, len, MSG_CWD, &cwd, &e) < 0)
		return;
	if (cwd && !strcmp(cwd, MSG_CWD_STEPD)) {
		free(cwd);
		cwd = answer_cwd(s);
	}
	s->cwd = cwd && cwd[0] == '/' ? cwd : strdup("/");
	if (cwd != s->cwd)
		free(cwd);
	if (!s->cwd)
		err_set(&s->e, "out of memory");
	if (!s->e.text[0] && build(s, -1) == 0)
		finish_joined(s);
}

/*
 * A task is in another mount namespace than slurmstepd: job_container/tmpfs or
 * namespace/tmpfs is at work, and the job's own /tmp counts.  Build again from there.
 */
static void rebase(struct step *s, int base)
{
	s->rebased = true;
	s->e.text[0] = '\0';
	container_done(&s->container);
	drop_image(s);
	s->joined = (struct joined){ 0 };
	s->user_kernel_mount = false;
	if (prepare_image(s, base) == 0 && build(s, base) == 0)
		finish_joined(s);
}

/* ---- tasks ---- */

static void answer_join(struct step *s, int reply)
{
	char *buf = malloc(REQUEST_PACKET_MAX);
	ssize_t n;

	if (!buf)
		return;
	if (!s->e.text[0] && !(s->container.ns & NS_MNT))
		err_set(&s->e, "the working directory of the step is not known");
	if (s->e.text[0]) {
		struct failed f = { s->told ? NULL : s->e.text };

		s->told = true;
		n = failed_encode(buf, REQUEST_PACKET_MAX, &f);
		if (n > 0)
			(void)msg_send(reply, buf, (size_t)n, NULL, 0);
	} else {
		n = joined_encode(buf, REQUEST_PACKET_MAX, &s->joined);
		if (n > 0)
			(void)msg_send(reply, buf, (size_t)n, s->container.fd,
				       (unsigned)__builtin_popcount(s->container.ns));
		s->joined.note = NULL; /* said once */
	}
	free(buf);
}

static void on_join(struct step *s, const int *fds, unsigned nfds)
{
	if (nfds == 2 && s->sound && !s->rebased && !s->r.join && s->cwd)
		rebase(s, fds[1]);
	if (nfds >= 1)
		answer_join(s, fds[0]);
}

static void leave_cgroups(struct step *s)
{
	if (!s->left_cgroups)
		cgroups_leave();
	s->left_cgroups = true;
}

/* A task stands in its final cgroups: the FUSE server can follow it there. */
static void on_ready(struct step *s, pid_t task)
{
	if (task <= 0)
		return;
	if (s->step_cgroup < 0)
		s->step_cgroup = cgroups_open_step(task);
	if (s->left_cgroups)
		return;
	rootfs_cancel(&s->builder);
	opener_stop(&s->opener);
	if (s->fuse.pid > 0)
		(void)cgroups_join_step(task, s->fuse.pid);
	leave_cgroups(s);
}

static void on_drain(struct step *s)
{
	char buf[64];
	ssize_t n = plain_encode(buf, sizeof(buf), MSG_DRAINED, NULL);

	fuse_stop(&s->fuse);
	/* where no task came as far as READY */
	rootfs_cancel(&s->builder);
	opener_stop(&s->opener);
	leave_cgroups(s);
	if (n > 0)
		(void)msg_send(s->main, buf, (size_t)n, NULL, 0);
}

/* One message of the main socket. false: it is over. */
static bool on_message(struct step *s, char *buf)
{
	int fds[REQUEST_FDS_MAX];
	unsigned nfds = 2;
	pid_t pid = 0;
	ssize_t n = msg_recv(s->main, buf, REQUEST_PACKET_MAX, fds, &nfds, &pid, 0);

	if (n <= 0)
		return n < 0 && errno != ECONNRESET;
	switch (msg_type(buf, (size_t)n)) {
	case MSG_CWD: on_cwd(s, buf, (size_t)n); break;
	case MSG_JOIN: on_join(s, fds, nfds); break;
	case MSG_READY: on_ready(s, pid); break;
	case MSG_DRAIN: on_drain(s); break;
	case MSG_BYE: s->bye = true; break;
	default: break;
	}
	for (unsigned i = 0; i < nfds; i++)
		sys_close(&fds[i]);
	return !s->bye;
}

static void serve(struct step *s, char *buf)
{
	for (;;) {
		struct pollfd p[3] = {
			{ s->main, POLLIN, 0 },
			{ s->alive, POLLIN, 0 },
			{ s->join_fd, POLLIN, 0 },
		};

		if (poll(p, 3, -1) < 0) {
			if (errno == EINTR)
				continue;
			return;
		}
		if (p[0].revents) {
			if (!on_message(s, buf))
				return;
		} else if (p[1].revents) {
			return; /* slurmstepd is dead, and nothing is left to read */
		}
		if (p[2].revents)
			join_serve(s->join_fd, s->r.uid, &s->container, &s->joined);
	}
}

/* ---- beginning and end ---- */

static int take_request(struct step *s, char *buf)
{
	const int on = 1;
	struct ucred peer;
	socklen_t len = sizeof(peer);
	int fds[REQUEST_FDS_MAX];
	unsigned nfds = 0;
	ssize_t n;

	if (setsockopt(s->main, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0 ||
	    getsockopt(s->main, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 || peer.uid != 0)
		return -1;
	s->stepd = peer.pid;
	s->alive = pidfd_open(peer.pid, 0);
	if (s->alive < 0)
		return -1;
	n = msg_recv(s->main, buf, REQUEST_PACKET_MAX, fds, &nfds, NULL, REQUEST_MS);
	if (n <= 0)
		return -1;
	if (request_decode(buf, (size_t)n, &s->r, &s->e) < 0)
		return err_set(&s->e, "the plugin and the helper do not understand each other");
	return 0;
}

static void finish(struct step *s)
{
	if (!s->bye && !s->r.join && (s->container.ns & NS_MNT))
		survivors_kill(s->container.fd[0], s->step_cgroup);
	if (s->join_fd >= 0)
		join_unlisten(s->state, &s->r);
	if (s->state >= 0)
		join_sweep(s->state);
	sys_close(&s->join_fd);
	container_done(&s->container);
	s->joined.cwd = s->joined.note = NULL;
	if (s->joined_own)
		joined_done(&s->joined);
	drop_image(s);
	sys_close(&s->step_cgroup);
	sys_close(&s->state);
	free(s->cwd);
	config_done(&s->c);
	request_done(&s->r);
}

int step_main(int main_fd)
{
	struct step *s = calloc(1, sizeof(*s));
	char *buf = malloc(REQUEST_PACKET_MAX);

	if (!s || !buf) {
		free(s);
		free(buf);
		return 1;
	}
	s->main = main_fd;
	s->alive = s->state = s->image_root = s->hold = s->early = -1;
	s->join_fd = s->step_cgroup = -1;
	s->opener = OPENER_NONE;
	s->builder = BUILDER_NONE;
	s->fuse = FUSE_SERVER_NONE;
	s->container = CONTAINER_NONE;
	plan_init(&s->plan);
	if (config_init(&s->c) == 0 && take_request(s, buf) == 0) {
		(void)prepare(s);
		serve(s, buf);
	} else if (s->e.text[0]) {
		serve(s, buf);
	}
	finish(s);
	free(buf);
	free(s);
	return 0;
}
