/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "step_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clones.h"
#include "envfile.h"
#include "hostroot.h"
#include "join.h"
#include "keeper.h"
#include "mountspec.h"
#include "slurmtools.h"
#include "sys.h"
#include "trust.h"
#include "usnic.h"
#include "usnicspec.h"

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

/* By the keeper, which is asked only, or by FUSE as the user. */
static int begin_file(struct step *s)
{
	const struct ids who = { s->r.uid, s->r.gid, s->r.groups, s->r.ngroups };
	char why[256];
	struct err e = { "" };
	int rc, trusted = trust_image(s->plan.image, s->plan.image_fs, &s->c.trusted, why,
				      sizeof(why), &e);

	if (trusted < 0)
		return err_set(&s->e, "image %s: %s", s->r.image, e.text);
	s->user_kernel_mount = trusted == 0 && s->c.kernel_mount_user_images;
	if (trusted || s->user_kernel_mount) {
		rc = keeper_ask(s->state, &s->keeper, s->plan.image, &s->plan.info,
				s->c.image_linger);
		return rc < 0 ? err_sys(&s->e, errno, "image %s: cannot ask the keeper of images",
					s->r.image)
			      : 0;
	}
	sys_close(&s->keeper);
	rc = fuse_start(&s->c, &who, &s->plan.info, s->plan.image, &s->fuse, &s->image_root, &e);
	return rc < 0 ? err_set(&s->e, "image %s: %s (not trusted: %s)", s->r.image, e.text, why)
		      : 0;
}

/* base: the mount namespace that the image was opened in, or -1 for ours. */
static int begin_mount(struct step *s, int base)
{
	if (is_file(&s->plan))
		return begin_file(s);
	sys_close(&s->keeper); /* its name let it look like a file of the site's */
	return mount_directory(s, base);
}

/* s->image_root is there afterwards. */
static int finish_mount(struct step *s)
{
	struct err e = { "" };
	bool fresh = false;

	if (s->image_root >= 0)
		return 0;
	if (keeper_get(s->state, &s->keeper, s->plan.image, &s->plan.info, s->c.image_linger,
		       s->alive, step_timeout_ms(s), &s->image_root, &s->hold, &fresh, &e) < 0)
		return err_set(&s->e, "image %s: %s", s->r.image, e.text);
	s->fresh = s->fresh || fresh;
	return 0;
}

static int start_builder(struct step *s, int base)
{
	return rootfs_start(&s->r, &s->c, &s->plan, base, step_timeout_ms(s), &s->builder, &s->e);
}

/* A builder that is given up may have taken the mount with it: make another of the same file. */
static int drop_builder(struct step *s)
{
	rootfs_cancel(&s->builder);
	fuse_stop(&s->fuse);
	sys_close(&s->image_root);
	sys_close(&s->hold);
	/* there is a builder to drop only before the first rebase */
	return begin_mount(s, -1) < 0 ? -1 : finish_mount(s);
}

/* By its name only: a guess that saves time, never the decision (trust.h). */
static bool may_be_trusted(const struct step *s)
{
	for (size_t i = 0; i < s->c.trusted.n; i++)
		if (path_within(s->r.image, s->c.trusted.v[i]))
			return s->keeper < 0;
	return false;
}

/*
 * The host's locales are none of the image's, which says its own, if it has some (as in pyxis).
 * An image's value is set after this.
 */
static void plan_unset(struct plan *p, const char *env_names)
{
	static char *const locale[PLAN_UNSET_MAX] = { (char *)"LANG", (char *)"LANGUAGE",
						      (char *)"LC_ALL" };

	p->nunset = 0;
	for (size_t i = 0; i < PLAN_UNSET_MAX; i++)
		if (!env_names_have(env_names, locale[i], strlen(locale[i])))
			p->unset[p->nunset++] = locale[i];
}

/* What is in the image, by the opener. */
static int take_env(struct step *s)
{
	struct err why = { "" };

	plan_unset(&s->plan, s->r.env_names);
	if (opener_take_env(&s->opener, s->alive, step_timeout_ms(s), &s->plan, &s->e) == 0)
		return s->c.slurm ? slurmtools_accounts(&s->plan.etc, &s->e) : 0;
	if (s->fuse.pid)
		fuse_reason(&s->fuse, &why);
	if (why.text[0]) {
		s->e.text[0] = '\0';
		err_set(&s->e, "image %s: %s", s->r.image, why.text);
	}
	return -1;
}

/* It looks at the image.  A keeper needs a moment longer. */
static int start_opener(struct step *s, int base)
{
	if (s->opener.pid)
		return 0;
	if (may_be_trusted(s))
		s->keeper = keeper_early(s->state);
	return opener_start(&s->r, &s->c, base, &s->opener, &s->e);
}

/*
 * While the kernel mounts the image, the builder does what it can without; while the opener reads
 * in the image, the builder looks for its mount points.
 */
static int prepare_image(struct step *s, int base)
{
	bool early = false;

	if (start_opener(s, base) < 0 ||
	    opener_take_image(&s->opener, s->alive, step_timeout_ms(s), &s->plan, &s->e) < 0 ||
	    begin_mount(s, base) < 0 ||
	    opener_take_binds(&s->opener, s->alive, step_timeout_ms(s), &s->plan, &s->e) < 0 ||
	    (s->c.slurm && slurmtools_plan(&s->c, &s->r, &s->plan, &s->e) < 0))
		return -1;
	/* with the guess at the working directory; in the job's namespace it is known soon */
	if (base < 0 && s->plan.cwd) {
		early = true;
		if (start_builder(s, base) < 0)
			return -1;
	}
	if (finish_mount(s) < 0 || opener_give_root(&s->opener, s->image_root, &s->e) < 0 ||
	    (early && rootfs_image(&s->builder, s->image_root, &s->e) < 0) || take_env(s) < 0)
		return -1;
	return early ? rootfs_etc(&s->builder, &s->plan.etc, &s->e) : 0;
}

static int prepare_usnic(struct step *s)
{
	const uint32_t n = s->r.ntasks;
	struct usnic_spec spec;

	if (usnic_spec_parse("--usnic", s->r.usnic, &spec, &s->e) < 0)
		return -1;
	if (spec.none)
		return 0;
	s->ready_reply = malloc(n * sizeof(*s->ready_reply));
	for (uint32_t i = 0; s->ready_reply && i < n; i++)
		s->ready_reply[i] = -1;
	if (!s->ready_reply)
		return err_set(&s->e, "out of memory");
	return usnic_begin(&s->r, &spec, &s->c, s->state, s->stepd, &s->usnic, &s->e);
}

int step_build_prepare(struct step *s)
{
	const bool image = s->r.image && s->r.image[0] == '/' && !s->r.join;

	/* keeper and opener need a moment: they begin first */
	if (config_parse(&s->c, s->r.args, s->r.nargs, &s->e) < 0 || step_open_state(s) < 0 ||
	    (image && start_opener(s, -1) < 0) || config_check_files(s->r.slurm_conf, &s->e) < 0)
		return -1;
	s->join_fd = join_listen(s->state, &s->r, &s->e);
	if (s->join_fd < 0)
		return -1;
	s->sound = true;
	if (s->r.join)
		return 0;
	if (s->r.usnic && prepare_usnic(s) < 0)
		return -1;
	if (!s->r.image && s->r.usnic)
		return 0;
	if (!image)
		return err_set(&s->e, "image \"%.200s\": expected an absolute path",
			       s->r.image ? s->r.image : "");
	return prepare_image(s, -1);
}

void step_build_warm(struct step *s)
{
	if (!s->warmed && (s->fresh || s->fuse.pid > 0))
		opener_warm(&s->opener);
	s->warmed = true;
}

void step_build_drop(struct step *s)
{
	rootfs_cancel(&s->builder);
	opener_stop(&s->opener);
	fuse_stop(&s->fuse);
	sys_close(&s->image_root);
	sys_close(&s->hold);
	sys_close(&s->keeper);
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
	if (join_ask(s->state, &s->r, step_timeout_ms(s), &s->container, &s->joined, &s->e) < 0)
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
	return rootfs_result(&s->builder, s->alive, step_timeout_ms(s), &s->container, &s->e);
}

/* The builder has been at work since prepare_image, with the right directory. */
static int confirm(struct step *s)
{
	int trees[ROOTFS_PMIX] = { -1, -1 }, rc = take_container(s);

	if (rc == 0)
		rc = pmix_trees(s, trees);
	if (rc == 0)
		rc = rootfs_add_pmix(&s->builder, trees, s->alive, step_timeout_ms(s), &s->e);
	for (int i = 0; i < ROOTFS_PMIX; i++)
		sys_close(&trees[i]);
	return rc;
}

/* The job is elsewhere than its PWD said, or in another mount namespace. */
static int build_again(struct step *s, int base)
{
	if (s->builder.pid && drop_builder(s) < 0)
		return -1;
	if (opener_take_cwd(&s->opener, s->cwd, s->alive, step_timeout_ms(s), &s->plan, &s->e) < 0)
		return -1;
	return start_builder(s, base) < 0 || rootfs_image(&s->builder, s->image_root, &s->e) < 0 ||
			       rootfs_etc(&s->builder, &s->plan.etc, &s->e) < 0
		       ? -1
		       : take_container(s);
}

/* The working directory is known, and with it everything. */
static int build(struct step *s, int base)
{
	int rc;

	if (s->r.join)
		return join_other(s);
	if (!s->r.image && !s->usnic)
		return 0; /* a step that is only kept from devices */
	if (!s->r.image)
		return hostroot_build(base, step_timeout_ms(s), &s->container, &s->e);
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
	s->joined.unset = s->plan.unset;
	s->joined.nunset = s->plan.nunset;
	if (s->plan.note[0] && add_note(s, s->plan.note) < 0)
		return -1;
	if (s->user_kernel_mount)
		return add_note(
			s, "warning: this node lets the kernel mount images that users can write "
			   "(kernel_mount_user_images=yes)");
	return 0;
}

static void finish_joined(struct step *s)
{
	if (s->usnic && s->c.memlock == CONFIG_MEMLOCK_UNLIMITED)
		snprintf(s->memlock, sizeof(s->memlock), "unlimited");
	else if (s->usnic && s->c.memlock != CONFIG_MEMLOCK_LEAVE)
		snprintf(s->memlock, sizeof(s->memlock), "%llu", (unsigned long long)s->c.memlock);
	s->joined.memlock = s->memlock[0] ? s->memlock : NULL;
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

void step_build_on_cwd(struct step *s, const void *buf, size_t len)
{
	char *cwd = NULL;
	struct err e = { "" };

	if (s->cwd || plain_decode(buf, len, MSG_CWD, &cwd, &e) < 0)
		return;
	if (cwd && !strcmp(cwd, MSG_CWD_STEPD)) {
		free(cwd);
		cwd = answer_cwd(s);
	}
	if (!cwd || cwd[0] != '/') {
		free(cwd);
		cwd = strdup("/");
	}
	if (!cwd) {
		err_set(&s->e, "out of memory");
		return;
	}
	s->cwd = cwd;
	if (!s->e.text[0] && build(s, -1) == 0)
		finish_joined(s);
	step_tasks_post(s);
	step_build_warm(s);
	if (!s->e.text[0] && s->usnic)
		(void)usnic_early(s->usnic, &s->e);
}

void step_build_rebase(struct step *s, int base)
{
	s->rebased = true;
	s->e.text[0] = '\0';
	container_done(&s->container);
	step_build_drop(s);
	s->joined = (struct joined){ 0 };
	s->user_kernel_mount = false;
	if ((!s->r.image || prepare_image(s, base) == 0) && build(s, base) == 0)
		finish_joined(s);
}
