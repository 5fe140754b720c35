/* SPDX-License-Identifier: BSD-3-Clause */
/* The child's side of opener.h: everything here runs as the user, without privilege. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "account.h"
#include "bundle.h"
#include "envfile.h"
#include "ids.h"
#include "imageenv.h"
#include "mountspec.h"
#include "opener.h"
#include "rootfs.h"
#include "run.h"
#include "sys.h"
#include "warm.h"
#include "wire.h"

#define PROGRAM_MS 10000
#define HOST_ACCOUNTS_MAX (1024 * 1024) /* larger ones are left to NSS */

struct child {
	const struct request *r;
	const struct config *c;
	int sock;
	struct bundle bundle; /* of an OCI image */
	bool has_bundle;
	int bundle_fd; /* the bundle's directory */
	struct account account;
	bool has_account;
	char note[PLAN_NOTE_MAX];
	char guess[PATH_MAX];	       /* canonical path of the job's PWD, or "" */
	char path[REQUEST_OPTION_MAX]; /* the image's PATH, or "" */
};

static void die(struct child *ch, const struct err *e) __attribute__((noreturn));
static void die(struct child *ch, const struct err *e)
{
	unsigned char buf[ERR_TEXT_MAX + 16];
	struct wire w = wire_writer(buf, sizeof(buf));

	wire_put_u32(&w, OPENER_ERROR);
	wire_put_str(&w, e->text);
	(void)msg_send(ch->sock, buf, w.len, NULL, 0);
	_exit(1);
}

static void say(struct child *ch, struct wire *w, const int *fds, unsigned nfds)
{
	struct err e = { "" };

	if (w->bad) {
		err_set(&e, "the image's environment is larger than %d bytes", ENV_MAX_BYTES);
		die(ch, &e);
	}
	if (msg_send(ch->sock, w->p, w->len, fds, nfds) < 0)
		_exit(1);
}

static void say_plain(struct child *ch, enum opener_msg type)
{
	uint32_t t = type;

	if (msg_send(ch->sock, &t, sizeof(t), NULL, 0) < 0)
		_exit(1);
}

/* ---- the image ---- */

static void read_bundle(struct child *ch, int dir, struct err *e)
{
	char *argv[] = { (char *)BERTH_LIBEXECDIR "/berth-oci", NULL }, *text;
	size_t len;
	int json = openat(dir, "config.json", O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (json < 0) {
		err_sys(e, errno, "%s/config.json", ch->r->image);
		die(ch, e);
	}
	text = run_program(argv, json, BUNDLE_MAX, PROGRAM_MS, &len, e);
	sys_close(&json);
	if (!text || bundle_parse(text, len, REQUEST_MOUNTS_MAX, &ch->bundle, e) < 0) {
		struct err why = { "" };

		err_set(&why, "%s/config.json: %s", ch->r->image, e->text);
		die(ch, &why);
	}
	free(text);
	ch->has_bundle = true;
	ch->bundle_fd = dir;
}

static void send_image(struct child *ch)
{
	const char *path = ch->r->image;
	struct image_info info;
	struct statfs fs;
	struct err e = { "" };
	unsigned char buf[64];
	struct wire w = wire_writer(buf, sizeof(buf));
	/* not blocking: a FIFO is refused by what it is, not by a hang */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0) {
		if (errno == ENOENT)
			err_set(&e,
				"image %s: no such file on this node; is its file system mounted here?",
				path);
		else if (errno == EACCES)
			err_set(&e,
				"image %s: not readable by you (uid %u); check the permissions of the "
				"file and of each directory above it",
				path, ch->r->uid);
		else
			err_sys(&e, errno, "image %s", path);
		die(ch, &e);
	}
	if (image_classify(fd, path, &info, &e) < 0)
		die(ch, &e);
	if (info.kind == IMAGE_OCI) {
		int dir = fd;

		read_bundle(ch, dir, &e);
		fd = openat(dir, ch->bundle.root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0) {
			err_sys(&e, errno, "image %s: its root directory \"%s\"", path,
				ch->bundle.root);
			die(ch, &e);
		}
	}
	if (fstatfs(fd, &fs) < 0) {
		err_sys(&e, errno, "image %s", path);
		die(ch, &e);
	}
	wire_put_u32(&w, OPENER_IMAGE);
	wire_put_u32(&w, info.kind);
	wire_put_u64(&w, info.offset);
	wire_put_u64(&w, info.length);
	wire_put_u64(&w, (uint64_t)fs.f_type);
	say(ch, &w, &fd, 1);
	close(fd);
}

/* ---- what is bound in ---- */

static void send_bind(struct child *ch, enum origin origin, const struct mount_spec *m, int fd)
{
	unsigned char buf[REQUEST_OPTION_MAX + 64];
	struct wire w = wire_writer(buf, sizeof(buf));
	uint32_t flags = (m->ro ? BIND_RO : 0) | (m->slave ? BIND_SLAVE : 0) |
			 (m->noexec ? BIND_NOEXEC : 0) | (m->kind == MOUNT_TMPFS ? BIND_TMPFS : 0);
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
		flags |= BIND_DIR;
	wire_put_u32(&w, OPENER_BIND);
	wire_put_u32(&w, origin);
	wire_put_u32(&w, flags);
	wire_put_u32(&w, m->tmpfs_mode);
	wire_put_u64(&w, m->tmpfs_size);
	wire_put_str(&w, m->dst);
	say(ch, &w, &fd, fd >= 0 ? 1 : 0);
}

/*
 * A bind of path on itself that is left out quietly when the user cannot reach it; with
 * canonical (PATH_MAX bytes) on the path that the kernel gives for it, which is written
 * there.
 */
static void send_same(struct child *ch, enum origin origin, const char *path, int flags,
		      char *canonical)
{
	struct mount_spec m = {
		.kind = MOUNT_BIND,
		.dst = (char *)path,
	};
	int fd = open(path, O_PATH | O_CLOEXEC | flags);

	if (fd < 0)
		return;
	if (canonical) {
		m.dst = canonical;
		if (sys_path_of(fd, canonical, PATH_MAX) < 0 || canonical[0] != '/') {
			canonical[0] = '\0';
			close(fd);
			return;
		}
	}
	if (origin != ORIGIN_CWD || ch->c->mount_cwd)
		send_bind(ch, origin, &m, fd);
	close(fd);
}

static void send_list(struct child *ch, enum origin origin, const struct mount_list *l, int base)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct mount_spec *m = &l->v[i];
		struct err e = { "" };
		int fd = -1;

		if (m->kind == MOUNT_BIND) {
			if (base < 0 && m->src[0] != '/') {
				err_set(&e, "mount source \"%.200s\": expected an absolute path",
					m->src);
				die(ch, &e);
			}
			const int at = base < 0 ? AT_FDCWD : base;

			/* as a directory first, which makes autofs mount it */
			fd = openat(at, m->src, O_PATH | O_DIRECTORY | O_CLOEXEC);
			if (fd < 0 && errno == ENOTDIR)
				fd = openat(at, m->src, O_PATH | O_CLOEXEC);
			if (fd < 0 && m->nofail &&
			    (errno == ENOENT || errno == ENOTDIR || errno == EACCES))
				continue;
			if (fd < 0) {
				err_sys(&e, errno, "mount source %.200s", m->src);
				die(ch, &e);
			}
		}
		send_bind(ch, origin, m, fd);
		sys_close(&fd);
	}
}

static void send_text_list(struct child *ch, enum origin origin, const char *text)
{
	struct mount_list l = { 0 };
	struct err e = { "" };

	if (!text)
		return;
	if (mount_list_parse(text, REQUEST_MOUNTS_MAX, &l, &e) < 0)
		die(ch, &e);
	send_list(ch, origin, &l, -1);
	mount_list_done(&l);
}

/* The node's own files know nearly every user, and reading them costs no process. */
static bool account_in_files(struct child *ch)
{
	size_t plen = 0, glen = 0;
	char *passwd = sys_read_at(AT_FDCWD, "/etc/passwd", HOST_ACCOUNTS_MAX, &plen);
	char *group = sys_read_at(AT_FDCWD, "/etc/group", HOST_ACCOUNTS_MAX, &glen);
	bool found = passwd && group &&
		     account_from_files(passwd, plen, group, glen, ch->r->uid, ch->r->gid,
					&ch->account) == 0 &&
		     account_groups_from_file(group, glen, ch->r->groups, ch->r->ngroups,
					      ch->r->gid, &ch->account) == 0;

	free(passwd);
	free(group);
	return found;
}

static void read_account(struct child *ch)
{
	char ids[2 + ACCOUNT_GROUPS_MAX][16]; /* uid, gid, further groups */
	char *argv[1 + sizeof(ids) / sizeof(ids[0]) + 1] = { (char *)BERTH_LIBEXECDIR
							     "/berth-passwd" };
	struct err e = { "" }, why = { "" };
	size_t len, n = 0;
	char *text;

	ch->has_account = account_in_files(ch);
	if (ch->has_account)
		return;
	snprintf(ids[n++], sizeof(ids[0]), "%u", ch->r->uid);
	snprintf(ids[n++], sizeof(ids[0]), "%u", ch->r->gid);
	for (uint32_t i = 0; i < ch->r->ngroups && n < sizeof(ids) / sizeof(ids[0]); i++)
		if (ch->r->groups[i] != ch->r->gid)
			snprintf(ids[n++], sizeof(ids[0]), "%u", ch->r->groups[i]);
	for (size_t i = 0; i < n; i++)
		argv[1 + i] = ids[i];
	text = run_program(argv, -1, sizeof(struct account), PROGRAM_MS, &len, &e);
	if (!text || account_parse(text, len, &ch->account, &e) < 0) {
		err_set(&why,
			"this node's user database does not tell of user %u (%.200s); "
			"`getent passwd %u` should, there",
			ch->r->uid, e.text, ch->r->uid);
		die(ch, &why);
	}
	free(text);
	ch->has_account = true;
}

static void send_binds(struct child *ch)
{
	const bool home = ch->r->mount_home == UNSET ? ch->c->mount_home : ch->r->mount_home == YES;
	unsigned char buf[PATH_MAX + 64];
	struct wire w = wire_writer(buf, sizeof(buf));

	if (home || ch->c->account)
		read_account(ch);
	send_text_list(ch, ORIGIN_SITE, ch->c->mounts);
	if (home && ch->account.home[0] == '/' && ch->account.home[1])
		send_same(ch, ORIGIN_HOME, ch->account.home, O_DIRECTORY, NULL);
	if (ch->r->script)
		send_same(ch, ORIGIN_SCRIPT, ch->r->script, O_NOFOLLOW, NULL);
	if (ch->has_bundle)
		send_list(ch, ORIGIN_BUNDLE, &ch->bundle.mounts, ch->bundle_fd);
	send_text_list(ch, ORIGIN_USER, ch->r->mounts);
	/*
	 * slurmstepd says the working directory late, at user_init.  It is nearly always the
	 * job's PWD, so the container is built with that meanwhile.
	 */
	if (ch->r->pwd && ch->r->pwd[0] == '/')
		send_same(ch, ORIGIN_CWD, ch->r->pwd, O_DIRECTORY, ch->guess);
	wire_put_u32(&w, OPENER_OPENED);
	wire_put_str(&w, ch->guess);
	say(ch, &w, NULL, 0);
}

/* ---- the image's /etc ---- */

static void collect_env(struct child *ch, int root, struct env_list *env, struct err *e)
{
	const struct imageenv_ask ask = {
		.account = ch->has_account ? &ch->account : NULL,
		.bundle = ch->has_bundle ? &ch->bundle.env : NULL,
		.keep = ch->r->env_names,
	};

	if (imageenv_collect(root, &ask, env, ch->note, sizeof(ch->note), e) < 0)
		die(ch, e);
}

/* passwd and group with the user's lines, as memfds in fds[0..1]; false: not wanted. */
static bool account_files(struct child *ch, int root, int fds[2], struct err *e)
{
	/* with --container-remap-root the user is uid 0 inside */
	const bool root_inside = ch->r->remap_root == YES;
	const uid_t uid = root_inside ? 0 : ch->r->uid;
	const gid_t gid = root_inside ? 0 : ch->r->gid;
	size_t plen = 0, glen = 0, n;
	char *passwd, *group, *text;
	int shell;

	if (!ch->c->account || !ch->has_account)
		return false;
	if (root_inside) {
		strcpy(ch->account.name, "root");
		strcpy(ch->account.group, "root");
		ch->account.nmore = 0; /* they all are nobody's there */
	}
	shell = sys_openat2(root, ch->account.shell, O_PATH, 0,
			    RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
	if (shell < 0)
		snprintf(ch->account.shell, sizeof(ch->account.shell), "/bin/sh");
	sys_close(&shell);
	passwd = imageenv_read(root, "etc/passwd", ACCOUNT_FILE_MAX, &plen);
	group = imageenv_read(root, "etc/group", ACCOUNT_FILE_MAX, &glen);
	text = account_passwd(passwd, plen, &ch->account, uid, gid, &n, e);
	fds[0] = text ? sys_memfd("passwd", text, n) : -1;
	free(text);
	text = account_group(group, glen, &ch->account, gid, &n, e);
	fds[1] = text ? sys_memfd("group", text, n) : -1;
	free(text);
	free(passwd);
	free(group);
	if (fds[0] < 0 || fds[1] < 0) {
		err_sys(e, errno, "cannot make the container's passwd and group");
		die(ch, e);
	}
	return true;
}

static void send_env(struct child *ch, int root)
{
	const size_t size = ENV_MAX_BYTES + ENV_MAX_VARS * 8 + 8192;
	unsigned char *buf = malloc(size);
	struct env_list env = { 0 };
	struct err e = { "" };
	int fds[2] = { -1, -1 };
	const char *path;
	struct wire w;
	bool files;

	if (!buf)
		_exit(1);
	/* an image that cannot even list its root is damaged, or its FUSE server is gone */
	if (faccessat(root, ".", X_OK, 0) < 0) {
		err_sys(&e, errno, "image %s: its root directory cannot be read", ch->r->image);
		die(ch, &e);
	}
	collect_env(ch, root, &env, &e);
	path = env_get(&env, "PATH");
	snprintf(ch->path, sizeof(ch->path), "%s", path ? path : "");
	files = account_files(ch, root, fds, &e);
	w = wire_writer(buf, size);
	wire_put_u32(&w, OPENER_ENV);
	wire_put_str(&w, ch->has_bundle ? ch->bundle.cwd : NULL);
	wire_put_str(&w, ch->note);
	wire_put_u32(&w, (uint32_t)env.n);
	for (size_t i = 0; i < env.n; i++)
		wire_put_str(&w, env.v[i]);
	say(ch, &w, fds, files ? 2 : 0);
	sys_close(&fds[0]);
	sys_close(&fds[1]);
	env_list_done(&env);
	free(buf);
}

/* ---- the last phase ---- */

static void send_last(struct child *ch, const char *cwd)
{
	char path[PATH_MAX];

	for (int i = 0; i < ROOTFS_PMIX; i++)
		if (rootfs_pmix_path(ch->r, ch->c, i, path, sizeof(path)))
			send_same(ch, ORIGIN_PMIX, path, O_DIRECTORY | O_NOFOLLOW, NULL);
	if (strcmp(cwd, ch->guess) != 0)
		send_same(ch, ORIGIN_CWD, cwd, O_DIRECTORY, NULL);
	say_plain(ch, OPENER_DONE);
}

/* Wait for one message of the helper; its end is ours. */
static const char *hear(struct child *ch, void *buf, size_t size, enum opener_msg type, int *fd)
{
	int fds[REQUEST_FDS_MAX];
	unsigned nfds = 1;
	ssize_t n = msg_recv(ch->sock, buf, size, fds, &nfds, NULL, -1);
	struct wire w = wire_reader(buf, n > 0 ? (size_t)n : 0);

	if (wire_get_u32(&w) != type || w.bad || nfds != (fd ? 1u : 0u))
		_exit(1);
	if (fd)
		*fd = fds[0];
	return fd ? "" : wire_get_str(&w);
}

static void warm_if_told(struct child *ch, int root)
{
	const struct warm ask = {
		.root = root,
		.command = ch->r->command,
		.script = ch->r->script,
		.path = ch->path[0] ? ch->path : NULL,
		.cwd = ch->guess[0] ? ch->guess : NULL,
		.stop = ch->sock,
	};
	uint32_t type = 0;

	if (recv(ch->sock, &type, sizeof(type), MSG_PEEK) != sizeof(type) || type != OPENER_WARM)
		return;
	(void)recv(ch->sock, &type, sizeof(type), 0);
	warm_command(&ask);
}

void opener_child(const struct request *r, const struct config *c, int base, int sock)
{
	static char buf[REQUEST_OPTION_MAX + 64];
	const struct ids who = { r->uid, r->gid, r->groups, r->ngroups };
	struct child ch = { .r = r, .c = c, .sock = sock, .bundle_fd = -1 };
	int *const keep[] = { &ch.sock, &base };
	struct err e = { "" };
	int root;

	if (sys_keep_fds(keep, 2) < 0)
		_exit(1);
	if (config_check_trusted(c, &e) < 0)
		die(&ch, &e);
	if (base >= 0 && setns(base, CLONE_NEWNS) < 0) {
		err_sys(&e, errno, "cannot enter the job's mount namespace");
		die(&ch, &e);
	}
	if (chdir("/") < 0 || ids_become(&who, IDS_SHIELD, &e) < 0) {
		err_sys(&e, errno, "cannot become user %u", r->uid);
		die(&ch, &e);
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	send_image(&ch);
	send_binds(&ch);
	hear(&ch, buf, sizeof(buf), OPENER_ROOT, &root);
	send_env(&ch, root);
	warm_if_told(&ch, root);
	close(root);
	send_last(&ch, hear(&ch, buf, sizeof(buf), OPENER_CWD, NULL));
	_exit(0);
}
