/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgroups.h"
#include "child.h"
#include "keeper_wire.h"
#include "loop.h"
#include "request.h"
#include "sys.h"

#define IMAGES_MAX 1024
#define CLIENTS_MAX 4096
#define KEY_NUMBERS 10
#define IDLE_MS 200   /* an idle keeper's last look for a new client */
#define SETTLE_MS 100 /* the first image may take longer than anybody can wait */

struct key {
	uint64_t v[KEY_NUMBERS]; /* as key_of has them; compared with memcmp */
};

struct image {
	bool used; /* the slot is taken */
	struct key key;
	int pidfd; /* of the child that mounts it; -1 when it has ended */
	pid_t pid;
	int mount;	 /* O_PATH of the mounted root; -1 before */
	unsigned users;	 /* clients that hold or wait for it */
	unsigned linger; /* seconds, the last client's word */
	int64_t until;	 /* with no users: ms of the monotonic clock */
};

struct client {
	int fd;
	int image; /* index, -1: has not asked yet */
	bool waiting;
};

struct keeper {
	int listen_fd, state;
	struct image images[IMAGES_MAX];
	struct client clients[CLIENTS_MAX];
	unsigned nclients;
	bool answered; /* some client has had its answer */
	bool settled;  /* we have left the host's mounts, and the job that started us */
};

/* ---- the keeper's own small world: a tmpfs with /dev, /proc and /img ---- */

static int enter_own_root(void)
{
	static const char *const options[] = { "mode", "0700", "size", "4m", NULL };
	int dev, proc, root = -1, rc = -1;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -1;
	dev = sys_clone_tree(AT_FDCWD, "/dev", false);
	proc = sys_clone_tree(AT_FDCWD, "/proc", false);
	root = sys_new_fs("tmpfs", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, options);
	/* any directory serves as the place to pivot at: this namespace is ours alone */
	if (dev < 0 || proc < 0 || root < 0 ||
	    move_mount(root, "", AT_FDCWD, "/proc", MOVE_MOUNT_F_EMPTY_PATH) < 0 ||
	    fchdir(root) < 0 || mkdir("dev", 0700) < 0 || mkdir("proc", 0700) < 0 ||
	    mkdir("img", 0700) < 0 ||
	    move_mount(dev, "", AT_FDCWD, "dev", MOVE_MOUNT_F_EMPTY_PATH) < 0 ||
	    move_mount(proc, "", AT_FDCWD, "proc", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		goto done;
	rc = (int)syscall(SYS_pivot_root, ".", ".");
done:
	sys_close(&dev);
	sys_close(&proc);
	sys_close(&root);
	return rc;
}

/*
 * What the first client need not wait for, once it has its answer, or has had none for long.  The
 * host's mounts lie upon the new root, where no path from "/" leads; to take them off costs an
 * RCU grace period, 0.6 ms.  And the job that happened to start us shall not end, freeze or be
 * billed for us.
 */
static void settle(struct keeper *k, struct cgroups_exits *exits, int64_t due_ms)
{
	if (k->settled || (!k->answered && sys_now_ms() < due_ms))
		return;
	k->settled = true;
	if (umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		_exit(1);
	cgroups_take_exits(exits);
}

/* ---- mounting one image, in a child ---- */

static int mount_squashfs(int file, uint64_t offset, uint64_t length)
{
	char name[32];
	const char *options[] = { "source", name, "ro", NULL, NULL };
	int mnt, dev = loop_attach(file, offset, length, name, sizeof(name));

	if (dev < 0)
		return -1;
	mnt = sys_new_fs("squashfs", MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
			 options);
	sys_close(&dev);
	return mnt;
}

static int mount_erofs(int file, uint64_t offset, uint64_t length)
{
	const unsigned attr = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
	struct fd_path self = sys_fd_path(file);
	const char *direct[] = { "source", self.s, "ro", NULL, NULL };
	char name[32];
	const char *looped[] = { "source", name, "ro", NULL, NULL };
	int dev, mnt = sys_new_fs("erofs", attr, direct);

	/* the kernel opens it by name, as root, which a file server may refuse */
	if (mnt >= 0 || (errno != ENOTBLK && errno != EACCES))
		return mnt;
	dev = loop_attach(file, offset, length, name, sizeof(name));
	if (dev < 0)
		return -1;
	mnt = sys_new_fs("erofs", attr, looped);
	sys_close(&dev);
	return mnt;
}

/* Child: exit status is 0 or the errno of what failed. */
static void mount_child(int file, const struct keeper_ask *ask, const char *at)
{
	int *const keep[] = { &file };
	int mnt;

	/* it may hang for as long as storage does: not with our socket, nor longer than we live */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || sys_keep_fds(keep, 1) < 0)
		_exit(errno);
	mnt = ask->kind == IMAGE_EROFS ? mount_erofs(file, ask->offset, ask->length)
				       : mount_squashfs(file, ask->offset, ask->length);

	if (mnt < 0 || mkdir(at, 0700) < 0 ||
	    move_mount(mnt, "", AT_FDCWD, at, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		_exit(errno > 0 && errno < 256 ? errno : EIO);
	_exit(0);
}

static void image_path(const struct keeper *k, const struct image *im, char *buf, size_t size)
{
	snprintf(buf, size, "/img/%u", (unsigned)(im - k->images));
}

static void image_drop(struct keeper *k, struct image *im)
{
	char at[32];

	image_path(k, im, at, sizeof(at));
	sys_close(&im->mount);
	sys_close(&im->pidfd);
	umount2(at, MNT_DETACH);
	rmdir(at);
	im->used = false;
}

static int image_start(struct keeper *k, struct image *im, int file, const struct keeper_ask *ask)
{
	char at[32];

	image_path(k, im, at, sizeof(at));
	im->mount = im->pidfd = -1;
	im->users = 0;
	im->pid = fork();
	if (im->pid == 0)
		mount_child(file, ask, at);
	if (im->pid < 0)
		return -1;
	im->pidfd = pidfd_open(im->pid, 0);
	if (im->pidfd < 0) {
		kill(im->pid, SIGKILL);
		child_reap(im->pid);
		return -1;
	}
	im->used = true;
	return 0;
}

/*
 * The opener has opened it a moment ago, so what this kernel knows of it is new; a file server
 * is not asked, which could hang, and all steps with us.
 */
static bool key_of(int file, const struct keeper_ask *ask, struct key *key)
{
	struct statx st;

	if (statx(file, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_BASIC_STATS, &st) < 0)
		return false;
	*key = (struct key){ {
		(uint64_t)st.stx_dev_major << 32 | st.stx_dev_minor,
		st.stx_ino,
		st.stx_size,
		(uint64_t)st.stx_mtime.tv_sec,
		st.stx_mtime.tv_nsec,
		(uint64_t)st.stx_ctime.tv_sec,
		st.stx_ctime.tv_nsec,
		ask->kind,
		ask->offset,
		ask->length,
	} };
	return true;
}

/* ---- clients ---- */

static void answer(struct keeper *k, struct client *c, const struct image *im, int error,
		   bool fresh)
{
	int tree = -1;

	if (!error) {
		tree = sys_clone_tree(im->mount, "", false);
		if (tree < 0)
			error = errno;
	}
	keeper_reply(c->fd, error, tree, fresh);
	sys_close(&tree);
	c->waiting = false;
	k->answered = true;
}

static void client_drop(struct keeper *k, unsigned i)
{
	struct client *c = &k->clients[i];

	if (c->image >= 0) {
		struct image *im = &k->images[c->image];

		if (--im->users == 0)
			im->until = sys_now_ms() + (int64_t)im->linger * 1000;
	}
	close(c->fd);
	*c = k->clients[--k->nclients];
}

static int find_image(struct keeper *k, const struct key *key)
{
	int free_slot = -1;

	for (int i = 0; i < IMAGES_MAX; i++) {
		if (!k->images[i].used)
			free_slot = free_slot < 0 ? i : free_slot;
		else if (!memcmp(&k->images[i].key, key, sizeof(*key)))
			return i;
	}
	return free_slot;
}

/* false: drop the client. */
static bool client_ask(struct keeper *k, struct client *c)
{
	struct keeper_ask ask;
	int file = -1, i;
	struct key key;
	struct image *im;
	bool keep = false;

	if (c->image >= 0 || keeper_ask_recv(c->fd, &ask, &file) < 0)
		return false;
	if (!key_of(file, &ask, &key) || (i = find_image(k, &key)) < 0) {
		keeper_reply(c->fd, ENOSPC, -1, false);
		goto done;
	}
	im = &k->images[i];
	if (!im->used) {
		im->key = key;
		if (image_start(k, im, file, &ask) < 0) {
			keeper_reply(c->fd, errno, -1, false);
			goto done;
		}
	}
	c->image = i;
	c->waiting = true;
	im->users++;
	im->linger = ask.linger;
	if (im->mount >= 0)
		answer(k, c, im, 0, false);
	keep = true;
done:
	sys_close(&file);
	return keep;
}

static void client_accept(struct keeper *k)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);
	struct sockaddr_un from;
	socklen_t from_len = sizeof(from);
	int fd = accept4(k->listen_fd, (struct sockaddr *)&from, &from_len, SOCK_CLOEXEC);

	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE)
			(void)poll(NULL, 0, 10); /* it still waits, and poll would return at once */
		return;
	}
	if (k->nclients == CLIENTS_MAX ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 || peer.uid != 0) {
		close(fd);
		return;
	}
	k->clients[k->nclients++] = (struct client){ .fd = fd, .image = -1 };
}

/* The child that mounts image i has ended: tell those who wait. */
static void image_finish(struct keeper *k, int i)
{
	struct image *im = &k->images[i];
	int status = 0, error = EIO;
	bool fresh = true; /* to one of those who wait */
	char at[32];

	waitpid(im->pid, &status, 0);
	sys_close(&im->pidfd);
	if (WIFEXITED(status))
		error = WEXITSTATUS(status);
	image_path(k, im, at, sizeof(at));
	if (!error) {
		im->mount = open(at, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (im->mount < 0)
			error = errno;
	}
	for (unsigned c = 0; c < k->nclients; c++)
		if (k->clients[c].image == i && k->clients[c].waiting) {
			answer(k, &k->clients[c], im, error, fresh);
			fresh = false;
			if (error)
				k->clients[c].image = -1;
		}
	if (error)
		image_drop(k, im);
	else if (im->users == 0)
		im->until = sys_now_ms() + (int64_t)im->linger * 1000;
}

/* Drop what has lingered long enough; ms until the next one is due, -1: none, -2: nothing held. */
static int expire(struct keeper *k)
{
	int64_t now = sys_now_ms(), next = -1;
	bool any = false;

	for (int i = 0; i < IMAGES_MAX; i++) {
		struct image *im = &k->images[i];

		if (im->used && im->users == 0 && im->pidfd < 0 && im->until <= now)
			image_drop(k, im);
		if (!im->used)
			continue;
		any = true;
		if (im->users == 0 && im->pidfd < 0 && (next < 0 || im->until - now < next))
			next = im->until - now;
	}
	if (!any && k->nclients == 0)
		return -2;
	return next < 0 ? -1 : (int)(next > 3600000 ? 3600000 : next + 1);
}

/* One round of poll. 0, or -1 when there is nothing left to keep. */
static int serve_once(struct keeper *k, struct pollfd *p)
{
	unsigned n = 0, nimages = 0, nclients = k->nclients;
	int index[IMAGES_MAX], timeout = expire(k), rc;
	const bool idle = timeout == -2;

	if (idle)
		timeout = IDLE_MS;
	else if (!k->settled && (timeout < 0 || timeout > SETTLE_MS))
		timeout = SETTLE_MS;

	p[n++] = (struct pollfd){ .fd = k->listen_fd, .events = POLLIN };
	for (int i = 0; i < IMAGES_MAX; i++)
		if (k->images[i].used && k->images[i].pidfd >= 0) {
			index[nimages++] = i;
			p[n++] = (struct pollfd){ .fd = k->images[i].pidfd, .events = POLLIN };
		}
	for (unsigned i = 0; i < nclients; i++)
		p[n++] = (struct pollfd){ .fd = k->clients[i].fd, .events = POLLIN };
	rc = poll(p, n, timeout);
	if (rc <= 0)
		return idle && rc == 0 ? -1 : 0;
	/* backwards: dropping a client moves the last one into its place */
	for (unsigned i = nclients; i-- > 0;)
		if (p[1 + nimages + i].revents && !client_ask(k, &k->clients[i]))
			client_drop(k, i);
	for (unsigned i = 0; i < nimages; i++)
		if (p[1 + i].revents)
			image_finish(k, index[i]);
	if (p[0].revents)
		client_accept(k);
	return 0;
}

int keeper_main(int listen_fd, int state)
{
	struct rlimit files;
	struct keeper *k = calloc(1, sizeof(*k));
	struct pollfd *p = calloc(1 + IMAGES_MAX + CLIENTS_MAX, sizeof(*p));
	struct cgroups_exits exits;
	int64_t due_ms;

	cgroups_find_exits(&exits);
	if (!k || !p || enter_own_root() < 0) {
		free(p);
		free(k);
		return 1;
	}
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	k->listen_fd = listen_fd;
	k->state = state;
	due_ms = sys_now_ms() + SETTLE_MS;
	for (;;) {
		settle(k, &exits, due_ms);
		if (serve_once(k, p) == 0)
			continue;
		/*
		 * Idle.  Nobody can find the socket once its name is gone; a helper that
		 * connected just before sees end of file and starts a new keeper.
		 */
		unlinkat(state, KEEPER_SOCKET, 0);
		break;
	}
	free(p);
	free(k);
	return 0;
}
