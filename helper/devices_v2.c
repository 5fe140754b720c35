/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Programs of BPF_PROG_TYPE_CGROUP_DEVICE on a cgroup of v2.  A device is open to a process
 * if every program in force for its cgroup allows it.  In force are (kernel/bpf/cgroup.c):
 * going up from the cgroup, the programs of the first one that has any, and those of each
 * further one whose attach flags have BPF_F_ALLOW_MULTI.  So:
 *
 * - A program of ours on the step, always MULTI, is in force for the step and everything below,
 *   whatever Slurm attaches there before or afterwards.
 * - It puts a program of a cgroup above without MULTI (Slurm's of the job: OVERRIDE) out of
 *   force.  That one is attached to the step as well, first.
 * - Beside a program without MULTI on the step itself the kernel takes none (EPERM), and one
 *   without MULTI would replace it in silence; that is never tried.
 *
 * Slurm loads the job's program again for each step of the job: a program may be gone before
 * we have it, and another one with the same instructions may stand in its place.  What is
 * compared is therefore the id or, for a program without maps, the tag.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/magic.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "child.h"
#include "devices_impl.h"
#include "devices_prog.h"
#include "sys.h"

#define IDS_MAX 256 /* BPF_CGROUP_MAX_PROGS is 64 for one cgroup */
#define ROUNDS 16
#define UP_MAX 64

struct ids {
	uint32_t id[IDS_MAX];
	uint32_t n, flags;
};

static int bpf(int cmd, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

/* The programs attached to dir, or (effective) in force for it. flags: as they were attached. */
static int query(int dir, bool effective, struct ids *ret)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.query.target_fd = (uint32_t)dir;
	attr.query.attach_type = BPF_CGROUP_DEVICE;
	attr.query.query_flags = effective ? BPF_F_QUERY_EFFECTIVE : 0;
	attr.query.prog_ids = (uintptr_t)ret->id;
	attr.query.prog_cnt = IDS_MAX;
	if (bpf(BPF_PROG_QUERY, &attr) < 0)
		return -1;
	ret->n = attr.query.prog_cnt;
	ret->flags = attr.query.attach_flags;
	return 0;
}

static bool has(const struct ids *s, uint32_t id)
{
	for (uint32_t i = 0; i < s->n; i++)
		if (s->id[i] == id)
			return true;
	return false;
}

static int open_prog(uint32_t id)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_id = id;
	return bpf(BPF_PROG_GET_FD_BY_ID, &attr);
}

static int info(int prog, struct bpf_prog_info *ret)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	memset(ret, 0, sizeof(*ret));
	attr.info.bpf_fd = (uint32_t)prog;
	attr.info.info_len = sizeof(*ret);
	attr.info.info = (uintptr_t)ret;
	return bpf(BPF_OBJ_GET_INFO_BY_FD, &attr);
}

static int attach(int dir, int prog)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.target_fd = (uint32_t)dir;
	attr.attach_bpf_fd = (uint32_t)prog;
	attr.attach_type = BPF_CGROUP_DEVICE;
	attr.attach_flags = BPF_F_ALLOW_MULTI;
	return bpf(BPF_PROG_ATTACH, &attr);
}

static int detach(int dir, int prog)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.target_fd = (uint32_t)dir;
	attr.attach_bpf_fd = (uint32_t)prog;
	attr.attach_type = BPF_CGROUP_DEVICE;
	return bpf(BPF_PROG_DETACH, &attr);
}

static int load(const struct devices_plan *p)
{
	struct bpf_insn insns[DEVICES_PROG_MAX];
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	attr.insn_cnt = (uint32_t)devices_prog_make(p, insns);
	attr.insns = (uintptr_t)insns;
	attr.license = (uintptr_t) "BSD";
	memcpy(attr.prog_name, "berth_devices", sizeof("berth_devices"));
	return bpf(BPF_PROG_LOAD, &attr);
}

/* Whether program id, or one that does the same, is in force. */
static bool is_in_force(const struct ids *effective, uint32_t id)
{
	struct bpf_prog_info a, b;
	int fd;
	bool found = has(effective, id), known;

	if (found)
		return true;
	fd = open_prog(id);
	known = fd >= 0 && info(fd, &a) == 0 && a.nr_map_ids == 0;
	sys_close(&fd);
	for (uint32_t i = 0; known && !found && i < effective->n; i++) {
		fd = open_prog(effective->id[i]);
		found = fd >= 0 && info(fd, &b) == 0 && b.nr_map_ids == 0 &&
			memcmp(a.tag, b.tag, sizeof(a.tag)) == 0;
		sys_close(&fd);
	}
	return found;
}

/* The directory above dir in the same hierarchy; -1 if there is none to be seen. */
static int open_parent(int dir)
{
	struct statfs fs;
	struct stat here, above;
	int up = openat(dir, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (up >= 0 &&
	    (fstatfs(up, &fs) < 0 || fs.f_type != CGROUP2_SUPER_MAGIC || fstat(dir, &here) < 0 ||
	     fstat(up, &above) < 0 || (here.st_dev == above.st_dev && here.st_ino == above.st_ino)))
		sys_close(&up);
	return up;
}

/* Whether id is attached MULTI to a cgroup above dir, and so stays in force. */
static bool stays(int dir, uint32_t id)
{
	struct ids at;
	bool found = false;
	int up = open_parent(dir);

	for (int i = 0; up >= 0 && !found && i < UP_MAX; i++) {
		int next = open_parent(up);

		found = query(up, false, &at) == 0 && (at.flags & BPF_F_ALLOW_MULTI) &&
			has(&at, id);
		sys_close(&up);
		up = next;
	}
	sys_close(&up);
	return found;
}

static int attach_copy(struct devices *d, uint32_t id)
{
	int fd, rc;

	if (d->n_copies == DEVICES_COPIES_MAX) {
		errno = E2BIG;
		return -1;
	}
	fd = open_prog(id);
	rc = fd < 0 ? -1 : attach(d->dir, fd);
	sys_close(&fd);
	if (rc == 0)
		d->copies[d->n_copies++] = id;
	return rc;
}

/*
 * What has to be in force: what is, and what is for the cgroup above, which another MULTI
 * program here may have put out of force.  In that order: the first is the nearest.
 */
static int required(const struct devices *d, struct ids *ret)
{
	struct ids above = { .n = 0 };
	int up, rc = query(d->dir, true, ret);

	up = open_parent(d->dir);
	if (rc == 0 && up >= 0)
		rc = query(up, true, &above);
	for (uint32_t i = 0; rc == 0 && i < above.n; i++)
		if (!has(ret, above.id[i])) {
			if (ret->n == IDS_MAX) {
				errno = E2BIG;
				rc = -1;
			} else {
				ret->id[ret->n++] = above.id[i];
			}
		}
	sys_close(&up);
	return rc;
}

/* Programs of dir that the kernel takes none beside. */
static bool is_closed(const struct ids *own)
{
	return own->n > 0 && !(own->flags & BPF_F_ALLOW_MULTI);
}

bool devices_v2_takes(const struct devices *d)
{
	struct ids own;

	return query(d->dir, false, &own) < 0 || !is_closed(&own);
}

/* One attempt. 0; 1: something changed meanwhile; -1 with errno. */
static int attach_all(struct devices *d)
{
	struct ids need, own, now;

	if (required(d, &need) < 0 || query(d->dir, false, &own) < 0)
		return -1;
	if (is_closed(&own)) {
		errno = EPERM;
		return -1;
	}
	for (uint32_t i = 0; i < need.n; i++) {
		if (has(&own, need.id[i]) || stays(d->dir, need.id[i]))
			continue;
		if (own.n > 0 && query(d->dir, true, &now) == 0 && is_in_force(&now, need.id[i]))
			continue;
		if (attach_copy(d, need.id[i]) < 0)
			return errno == ENOENT ? 1 : -1;
	}
	if (query(d->dir, false, &own) < 0)
		return -1;
	if (attach(d->dir, d->prog) < 0 && errno != EINVAL) /* EINVAL: it is there */
		return -1;
	if (query(d->dir, true, &now) < 0)
		return -1;
	for (uint32_t i = 0; i < need.n; i++)
		if (!is_in_force(&now, need.id[i]))
			return 1;
	return 0;
}

/* ---- asking: access(2) asks the programs (devcgroup_inode_permission), open(2) the driver, too ---- */

#define ASK_NODES 64 /* made at a time */
#define LOOK_MS 5000

/*
 * In a child in the cgroup: ret[i] for the nodes "0", "1", ... of the directory.  Async-signal-safe.
 */
static void look(int nodes, size_t n, bool *ret)
{
	for (size_t i = 0; i < n; i++) {
		const char name[] = { (char)('0' + i / 10), (char)('0' + i % 10), '\0' };

		ret[i] = faccessat(nodes, name, R_OK | W_OK, 0) == 0;
	}
	_exit(0);
}

/* 0 or -1 with errno. */
static int look_in(int cgroup, int nodes, size_t n, bool *ret)
{
	struct clone_args a = { .flags = CLONE_INTO_CGROUP,
				.exit_signal = SIGCHLD,
				.cgroup = (uint64_t)cgroup };
	pid_t pid = (pid_t)syscall(SYS_clone3, &a, sizeof(a));
	int status = -1;

	if (pid == 0)
		look(nodes, n, ret);
	/* in a frozen cgroup it never runs */
	if (pid < 0 || child_wait(pid, LOOK_MS, &status) < 0)
		return -1;
	if (status == 0)
		return 0;
	errno = ECHILD;
	return -1;
}

/* Up to ASK_NODES nodes; shared: seen by the child, too.  0 or -1 with errno. */
static int ask(const struct devices *d, int dir, const struct devices_node *nodes, size_t n,
	       bool *shared)
{
	bool made[ASK_NODES];
	char name[8];
	int rc;

	for (size_t i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "%02zu", i);
		made[i] = mknodat(dir, name, (nodes[i].type == 'b' ? S_IFBLK : S_IFCHR) | 0600,
				  makedev(nodes[i].major, nodes[i].minor)) == 0;
		/* slurmstepd's own cgroup denies it to us; then no task could be given it */
		if (!made[i] && errno != EPERM)
			return -1;
		shared[i] = false;
	}
	rc = look_in(d->dir, dir, n, shared);
	for (size_t i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "%02zu", i);
		if (made[i] && unlinkat(dir, name, 0) < 0)
			rc = -1;
	}
	return rc;
}

int devices_v2_permits(struct devices *d, const struct devices_node *nodes, size_t n, bool *ret,
		       struct err *e)
{
	const char *const options[] = { "mode", "0700", NULL };
	bool *shared =
		mmap(NULL, ASK_NODES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int dir = sys_new_fs("tmpfs", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, options);
	int rc = shared == MAP_FAILED || dir < 0 ? -1 : 0;

	for (size_t i = 0, some; i < n && rc == 0; i += some) {
		some = n - i < ASK_NODES ? n - i : ASK_NODES;
		rc = ask(d, dir, &nodes[i], some, shared);
		if (rc == 0)
			memcpy(&ret[i], shared, some * sizeof(*ret));
	}
	if (rc < 0)
		err_sys(e, errno, "cannot ask for the device rules of %s", d->name);
	if (shared != MAP_FAILED)
		munmap(shared, ASK_NODES);
	sys_close(&dir);
	return rc;
}

/* ---- narrowing, checked ---- */

int devices_v2_check(struct devices *d, struct err *e)
{
	struct ids now, above = { .n = 0 };
	struct bpf_prog_info own;
	int up = open_parent(d->dir), rc;

	rc = query(d->dir, true, &now);
	if (rc == 0 && up >= 0)
		rc = query(up, true, &above);
	sys_close(&up);
	if (rc < 0 || info(d->prog, &own) < 0)
		return err_sys(e, errno, "cannot ask for the device rules of %s", d->name);
	if (!has(&now, own.id))
		return err_set(e, "the device rules of %s are gone", d->name);
	for (uint32_t i = 0; i < d->n_copies; i++)
		if (!is_in_force(&now, d->copies[i]))
			return err_set(e, "device program %u is out of force in %s", d->copies[i],
				       d->name);
	for (uint32_t i = 0; i < above.n; i++)
		if (!is_in_force(&now, above.id[i]))
			return err_set(e, "device program %u of the job is out of force in %s",
				       above.id[i], d->name);
	return 0;
}

int devices_v2_apply(struct devices *d, struct err *e)
{
	int before = d->prog, rc = 1;

	d->prog = load(&d->plan);
	if (d->prog < 0)
		err_sys(e, errno, "cannot load the device rules of %s", d->name);
	for (int i = 0; d->prog >= 0 && i < ROUNDS && rc == 1; i++)
		rc = attach_all(d);
	if (rc < 0 && errno == EPERM)
		err_set(e,
			"cannot restrict devices in %s: a program is attached there or above "
			"that takes none beside it",
			d->name);
	else if (rc < 0)
		err_sys(e, errno, "cannot restrict devices in %s", d->name);
	else if (rc > 0)
		err_set(e, "cannot restrict devices in %s: other programs there keep changing",
			d->name);
	else if (before >= 0 && detach(d->dir, before) < 0)
		rc = err_sys(e, errno, "cannot replace the device rules of %s", d->name);
	sys_close(&before);
	return rc == 0 ? devices_v2_check(d, e) : -1;
}

int devices_v2_drop(struct devices *d, struct err *e)
{
	if (detach(d->dir, d->prog) < 0)
		return err_sys(e, errno, "cannot take the device rules off %s", d->name);
	sys_close(&d->prog);
	while (d->n_copies > 0) { /* the last one first: the nearest was attached first */
		int fd = open_prog(d->copies[--d->n_copies]);

		if (fd < 0 || detach(d->dir, fd) < 0) {
			err_sys(e, errno, "cannot take a device program off %s", d->name);
			sys_close(&fd);
			return -1;
		}
		sys_close(&fd);
	}
	return 0;
}
