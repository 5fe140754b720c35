/* SPDX-License-Identifier: BSD-3-Clause */
/* Leases: taking, giving back, dying, quarantine, and a directory that is not as it should be. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../helper/lease.h"
#include "../../helper/lease_lock.h"
#include "../../helper/request.h"
#include "unit.h"

static char top[] = "/tmp/berth-test-lease.XXXXXX";
static int state = -1, dir = -1;
static struct hwmap_device two[2]; /* usnic_0 and usnic_1, four slots each */
static const struct lease_watch nothing;

/* ---- what a caller does ---- */

static uint32_t failures; /* that simple_pick reported */
static int told = -1;	  /* a byte is written here at each */

/* The first device with room, in order: what hwmap_pick does without distances. */
static int simple_pick(const uint32_t *used, uint32_t *device, uint32_t want, void *arg,
		       struct err *e)
{
	const struct lease_ask *a = arg;
	uint32_t n = 0, left = 0;

	for (uint32_t d = 0; d < a->ndevices; d++)
		for (uint32_t s = used[d]; s < a->devices[d].slots; s++, left++)
			if (n < want)
				device[n++] = d;
	if (n == want)
		return 0;
	if (e) {
		failures++;
		if (told >= 0)
			(void)!write(told, "x", 1);
	}
	return err_set(e, "%u slots asked, %u free", want, left);
}

static struct lease_ask ask(uint32_t want, uint32_t job)
{
	struct lease_ask a = {
		.devices = two,
		.ndevices = 2,
		.want = want,
		.pick = simple_pick,
		.job = job,
		.uid = 1000,
		.user = "ann",
		.cgroup = -1,
		.alive = -1,
	};

	return a;
}

static int try_take(struct lease_ask a, struct lease *ret, struct err *e)
{
	a.arg = &a;
	return lease_take(dir, &a, ret, e);
}

static struct lease taken(struct lease_ask a)
{
	struct lease l;
	struct err e = { "" };

	ck_assert_msg(try_take(a, &l, &e) == 0, "%s", e.text);
	ck_assert_str_eq(e.text, "");
	ck_assert_uint_eq(l.n, a.want);
	return l;
}

/* Refused, with one line that holds part. */
static void refused(struct lease_ask a, const char *part)
{
	struct lease l = LEASE_NONE;
	struct err e = { "" };

	ck_assert_int_eq(try_take(a, &l, &e), -1);
	ck_assert_msg(strstr(e.text, part) != NULL, "\"%s\" lacks \"%s\"", e.text, part);
	ck_assert_int_eq(l.fd, -1);
}

struct count {
	unsigned held, quarantine, damaged;
};

static void count_one(const struct lease_found *f, void *arg)
{
	struct count *c = arg;

	*(f->held ? &c->held : &c->quarantine) += 1;
	c->damaged += !f->r.sound;
}

static struct count counted(const struct lease_watch *w)
{
	struct count c = { 0 };
	struct err e = { "" };

	ck_assert_msg(lease_list(dir, w, count_one, &c, &e) == 0, "%s", e.text);
	return c;
}

static unsigned records(void)
{
	int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fdopendir(copy);
	struct dirent *ent;
	unsigned n = 0;

	while ((ent = readdir(d)))
		n += strchr(ent->d_name, '#') != NULL;
	closedir(d);
	return n;
}

/* A child that takes, says so, and holds until it is killed or its pipe says to give back. */
static pid_t holder(struct lease_ask a, int give_back)
{
	int p[2];
	pid_t pid;
	char c;

	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		struct lease l;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (try_take(a, &l, NULL) < 0 || write(p[1], "x", 1) != 1)
			_exit(1);
		if (give_back < 0 || read(give_back, &c, 1) != 1)
			pause();
		lease_release(&l, &nothing);
		_exit(0);
	}
	close(p[1]);
	ck_assert_int_eq(read(p[0], &c, 1), 1);
	close(p[0]);
	return pid;
}

static void killed(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
}

static int is_busy(const struct lease_record *r, void *arg)
{
	const int *answer = arg;

	ck_assert_str_eq(r->device, "usnic_0@0000:06:00.0");
	return *answer;
}

static void setup(void)
{
	struct err e = { "" };

	strcpy(strrchr(top, '.'), ".XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(top));
	state = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = lease_dir(state, true, &e);
	ck_assert_msg(dir >= 0, "%s", e.text);
	for (int i = 0; i < 2; i++) {
		two[i] = (struct hwmap_device){ .role = HWMAP_POOLED, .major = 231, .slots = 4 };
		snprintf(two[i].ibdev, sizeof(two[i].ibdev), "usnic_%d", i);
		snprintf(two[i].pci, sizeof(two[i].pci), "0000:0%d:00.0", 6 + i);
		two[i].minor = 192 + (uint32_t)i;
	}
	failures = 0;
	told = -1;
}

static void empty(int in)
{
	int copy = openat(in, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *ent;

	while (d && (ent = readdir(d)))
		if (strcmp(ent->d_name, ".") != 0 && strcmp(ent->d_name, "..") != 0)
			(void)(unlinkat(in, ent->d_name, 0) == 0 ||
			       unlinkat(in, ent->d_name, AT_REMOVEDIR));
	if (d)
		closedir(d);
}

static void teardown(void)
{
	close(dir);
	close(state);
	while (umount2(top, MNT_DETACH) == 0)
		;
	state = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = openat(state, "leases", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	empty(dir);
	empty(state);
	close(dir);
	close(state);
	ck_assert_int_eq(rmdir(top), 0);
}

/* ---- taking and giving back ---- */

START_TEST(take_and_release)
{
	struct lease l = taken(ask(3, 1)), m, none = LEASE_NONE;

	for (uint32_t i = 0; i < 3; i++) {
		ck_assert_uint_eq(l.slots[i].device, 0);
		ck_assert_uint_eq(l.slots[i].slot, i);
	}
	ck_assert_str_eq(l.slots[2].name, "usnic_0@0000:06:00.0#2");
	ck_assert_uint_eq(counted(&nothing).held, 3);
	m = taken(ask(5, 2)); /* the rest, and no more */
	ck_assert_uint_eq(m.slots[0].device, 0);
	ck_assert_uint_eq(m.slots[0].slot, 3);
	ck_assert_uint_eq(m.slots[4].device, 1);
	ck_assert(!lease_release(&l, &nothing));
	ck_assert_int_eq(l.fd, -1);
	ck_assert_uint_eq(counted(&nothing).held, 5);
	l = taken(ask(2, 3));
	ck_assert(lease_over(&l, &nothing));
	ck_assert(!lease_release(&l, &nothing));
	ck_assert(!lease_release(&m, &nothing));
	ck_assert(!lease_release(&m, &nothing)); /* twice does no harm */
	ck_assert(!lease_release(&none, &nothing));
	ck_assert_uint_eq(records(), 0);
}
END_TEST

START_TEST(close_on_exec)
{
	struct lease l = taken(ask(1, 1));

	ck_assert_int_eq(fcntl(l.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	ck_assert_int_eq(fcntl(l.dir, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	lease_release(&l, &nothing);
}
END_TEST

START_TEST(not_enough)
{
	struct lease l = taken(ask(3, 1234)), m;
	struct lease_ask b = ask(3, 77);

	b.step = 0xfffffffb;
	b.user = NULL;
	m = taken(b);
	refused(ask(3, 9), "3 slots asked, 2 free; in use: ");
	refused(ask(3, 9), "3 by 1234.0 (ann, for ");
	refused(ask(3, 9), "3 by 77.batch (uid 1000, for ");
	ck_assert_uint_eq(records(), 6); /* nothing in part */
	lease_release(&l, &nothing);
	lease_release(&m, &nothing);
	/* where nobody is in the way, nobody is named */
	l = taken(ask(1, 1));
	refused(ask(9, 9), "9 slots asked, 7 free");
	lease_release(&l, &nothing);
	refused(ask(0, 9), "0 slots asked");
}
END_TEST

static int bad_pick(const uint32_t *used, uint32_t *device, uint32_t want, void *arg, struct err *e)
{
	(void)used;
	(void)e;
	for (uint32_t i = 0; i < want; i++)
		device[i] = *(uint32_t *)arg;
	return 0;
}

START_TEST(bad_choice)
{
	struct lease_ask a = ask(5, 1);
	struct lease l;
	struct err e = { "" };
	uint32_t d = 1;

	a.pick = bad_pick;
	a.arg = &d;
	ck_assert_int_eq(lease_take(dir, &a, &l, &e), -1); /* five of four */
	ck_assert(strstr(e.text, "device 1 was chosen"));
	ck_assert_uint_eq(records(), 0);
	e.text[0] = '\0';
	d = 2;
	ck_assert_int_eq(lease_take(dir, &a, &l, &e), -1);
	ck_assert(strstr(e.text, "device 2 was chosen"));
	two[0].ibdev[0] = two[0].pci[0] = '\0'; /* one that cannot be told from others */
	l = taken(ask(4, 1));
	ck_assert_uint_eq(l.slots[0].device, 1);
	lease_release(&l, &nothing);
}
END_TEST

/* ---- waiting ---- */

START_TEST(wait_until_released)
{
	struct lease_ask a = ask(4, 2);
	struct lease l;
	int p[2], status;
	pid_t pid;

	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	pid = holder(ask(6, 1), p[0]);
	told = p[1]; /* the first failure makes the holder give back */
	a.wait = 3600;
	l = taken(a);
	ck_assert_uint_ge(failures, 1);
	lease_release(&l, &nothing);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	close(p[0]);
	close(p[1]);
}
END_TEST

START_TEST(no_wait_for_the_impossible)
{
	struct lease l = taken(ask(1, 1));
	struct lease_ask a = ask(9, 2);

	a.wait = 3600;
	refused(a, "9 slots asked");
	lease_release(&l, &nothing);
}
END_TEST

START_TEST(wait_ends_with_the_waiter)
{
	struct lease l = taken(ask(8, 1));
	struct lease_ask a = ask(1, 2);
	int p[2];

	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	a.wait = 3600;
	a.alive = p[0];
	close(p[1]); /* as a pidfd: there is something to read */
	refused(a, "the step has ended");
	lease_release(&l, &nothing);
	close(p[0]);
}
END_TEST

START_TEST(wait_for_the_mutex_ends_with_the_waiter)
{
	struct lease l = taken(ask(1, 1));
	struct lease_ask a = ask(1, 2);
	int p[2];

	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	a.alive = p[0];
	close(p[1]);
	ck_assert_int_eq(lease_lock_enter(l.fd, -1, NULL), 0);
	refused(a, "the step has ended");
	ck_assert_int_eq(lease_lock_leave(l.fd, NULL), 0);
	lease_release(&l, &nothing);
	close(p[0]);
}
END_TEST

/* ---- dying ---- */

START_TEST(death_frees)
{
	pid_t pid = holder(ask(8, 1), -1);
	struct lease l;

	refused(ask(1, 2), "8 by 1.0 (ann");
	killed(pid);
	ck_assert_uint_eq(records(), 8); /* nobody has cleaned up, and nobody has to */
	ck_assert_uint_eq(counted(&nothing).held, 0);
	ck_assert_uint_eq(counted(&nothing).quarantine, 0);
	l = taken(ask(8, 3));
	lease_release(&l, &nothing);
	ck_assert_uint_eq(records(), 0);
}
END_TEST

/* The helper takes, passes the lease to slurmstepd, and is killed. */
START_TEST(passed_on)
{
	int s[2], fd = -1;
	unsigned nfds = 1;
	struct lease l;
	pid_t pid;
	char c;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s), 0);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (try_take(ask(8, 1), &l, NULL) == 0)
			(void)msg_send(s[1], "x", 1, &l.fd, 1);
		pause();
		_exit(0);
	}
	ck_assert_int_eq(msg_recv(s[0], &c, 1, &fd, &nfds, NULL, -1), 1);
	ck_assert_uint_eq(nfds, 1);
	killed(pid);
	refused(ask(1, 2), "8 by 1.0 (ann");
	close(fd);
	l = taken(ask(8, 2));
	lease_release(&l, &nothing);
	close(s[0]);
	close(s[1]);
}
END_TEST

START_TEST(second_holder_keeps)
{
	struct lease l = taken(ask(8, 1));
	int other = fcntl(l.fd, F_DUPFD_CLOEXEC, 0); /* as slurmstepd has it */
	struct lease saved = l;

	close(l.fd);
	refused(ask(1, 2), "8 by 1.0 (ann");
	ck_assert_uint_eq(counted(&nothing).held, 8);
	close(other);
	ck_assert_uint_eq(counted(&nothing).held, 0);
	saved.fd = -1;
	lease_release(&saved, &nothing);

	/* but giving back counts at once, whoever has it open */
	l = taken(ask(8, 1));
	other = fcntl(l.fd, F_DUPFD_CLOEXEC, 0);
	lease_release(&l, &nothing);
	l = taken(ask(8, 2));
	lease_release(&l, &nothing);
	close(other);
}
END_TEST

/* ---- quarantine ---- */

START_TEST(quarantine_while_busy)
{
	int busy = 1;
	struct lease_ask a = ask(4, 1), b = ask(5, 2);
	struct lease l;

	b.watch = (struct lease_watch){ .busy = is_busy, .arg = &busy };
	killed(holder(a, -1));
	ck_assert_uint_eq(counted(&b.watch).quarantine, 4);
	refused(b, "4 by 1.0 (ann, for ");
	refused(b, "ended but still in use)");
	busy = -1; /* cannot tell */
	refused(b, "4 free");
	busy = 0;
	ck_assert_uint_eq(counted(&b.watch).quarantine, 0);
	ck_assert_uint_eq(records(), 4); /* a listing changes nothing */
	l = taken(b);
	ck_assert_uint_eq(records(), 5);
	lease_release(&l, &nothing);
}
END_TEST

START_TEST(release_into_quarantine)
{
	int busy = 1;
	struct lease_ask a = ask(2, 1);
	struct lease l;

	a.watch = (struct lease_watch){ .busy = is_busy, .arg = &busy };
	l = taken(a);
	ck_assert(!lease_over(&l, &a.watch));
	ck_assert(lease_release(&l, &a.watch));
	ck_assert_uint_eq(counted(&a.watch).quarantine, 2);
	busy = 0;
	l = taken(a);
	ck_assert_uint_eq(l.slots[0].slot, 0);
	ck_assert(!lease_release(&l, &a.watch));
	ck_assert_uint_eq(records(), 0);
}
END_TEST

static const char *const hierarchies[] = { "/sys/fs/cgroup/freezer", "/sys/fs/cgroup/unified",
					   "/sys/fs/cgroup" };
#define HIERARCHIES ((int)(sizeof(hierarchies) / sizeof(*hierarchies)))

/* A cgroup of our own with another one in it; NULL: none can be made there. */
static const char *make_cgroup(int hierarchy)
{
	static char path[128];
	char sub[160];

	snprintf(path, sizeof(path), "%s/cgroup.procs", hierarchies[hierarchy]);
	if (access(path, W_OK) < 0)
		return NULL;
	snprintf(path, sizeof(path), "%s/berth-test-%d", hierarchies[hierarchy], getpid());
	snprintf(sub, sizeof(sub), "%s/task_0", path);
	return mkdir(path, 0755) == 0 && mkdir(sub, 0755) == 0 ? path : NULL;
}

static pid_t child_in(const char *cgroup)
{
	char procs[192], number[16];
	pid_t pid = fork();
	int fd;

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pause();
		_exit(0);
	}
	snprintf(procs, sizeof(procs), "%s/task_0/cgroup.procs", cgroup);
	snprintf(number, sizeof(number), "%d", pid);
	fd = open(procs, O_WRONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_gt(write(fd, number, strlen(number)), 0);
	close(fd);
	return pid;
}

static void remove_cgroup(const char *cgroup)
{
	char sub[160];

	snprintf(sub, sizeof(sub), "%s/task_0", cgroup);
	ck_assert_int_eq(rmdir(sub), 0);
	ck_assert_int_eq(rmdir(cgroup), 0);
}

START_TEST(quarantine_while_the_step_has_processes)
{
	const char *cgroup = make_cgroup(_i);
	struct lease_ask a = ask(8, 1), b = ask(1, 2);
	struct lease_watch stepd = nothing;
	struct lease l;
	pid_t task;

	if (!cgroup) {
		fprintf(stderr, "skipped: quarantine by cgroup: none can be made in %s\n",
			hierarchies[_i]);
		return;
	}
	a.cgroup = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	task = child_in(cgroup);
	killed(holder(a, -1));
	ck_assert_uint_eq(counted(&nothing).quarantine, 8);
	refused(b, "8 by 1.0 (ann, for ");
	killed(task);
	ck_assert_uint_eq(counted(&nothing).quarantine, 0);
	l = taken(b); /* empty */
	lease_release(&l, &nothing);

	/* giving back with a task left; slurmstepd itself does not count */
	task = child_in(cgroup);
	l = taken(a);
	stepd.stepd = task;
	ck_assert(lease_release(&l, &nothing));
	ck_assert_uint_eq(counted(&nothing).quarantine, 8);
	ck_assert_uint_eq(counted(&stepd).quarantine, 0);
	killed(task);
	l = taken(a);
	task = child_in(cgroup);
	stepd.stepd = task;
	ck_assert(!lease_release(&l, &stepd));
	killed(task);

	/* the name alone is not the cgroup */
	killed(holder(a, -1));
	close(a.cgroup);
	remove_cgroup(cgroup);
	ck_assert_uint_eq(counted(&nothing).quarantine, 0);
	ck_assert_ptr_eq(make_cgroup(_i), cgroup);
	task = child_in(cgroup);
	ck_assert_uint_eq(counted(&nothing).quarantine, 0);
	l = taken(ask(8, 3));
	lease_release(&l, &nothing);
	killed(task);
	remove_cgroup(cgroup);
}
END_TEST

START_TEST(another_boot)
{
	int busy = 1;
	struct lease_watch w = { .busy = is_busy, .arg = &busy };
	struct lease l;

	ck_assert_int_eq(symlinkat("v1 boot=b job=1 step=0 uid=0 user= since=1 dev=231:192 "
				   "cgroup=1:/sys/fs/cgroup",
				   dir, "usnic_0@0000:06:00.0#0"),
			 0);
	l = taken(ask(1, 1));
	ck_assert_uint_eq(l.slots[0].slot, 0);
	ck_assert_uint_eq(counted(&w).held, 1);
	lease_release(&l, &nothing);
	ck_assert_uint_eq(records(), 0);
}
END_TEST

START_TEST(damaged_records)
{
	int busy = 1, fd;
	struct lease_ask a = ask(8, 1), b = ask(8, 2);
	struct lease l;

	ck_assert_int_eq(symlinkat("v1 boot=", dir, "usnic_0@0000:06:00.0#0"), 0);
	ck_assert_int_eq(symlinkat("/etc/passwd", dir, "usnic_0@0000:06:00.0#1"), 0);
	fd = openat(dir, "usnic_0@0000:06:00.0#2", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	close(fd);
	ck_assert_int_eq(symlinkat("x", dir, "usnic_0@0000:06:00.0#03"), 0); /* no slot's name */
	b.watch = (struct lease_watch){ .busy = is_busy, .arg = &busy };
	ck_assert_uint_eq(counted(&b.watch).damaged, 3);
	refused(b, "5 free; in use: 3 by a step whose record is damaged");
	refused(a, "5 free"); /* nobody can say that it is over */
	busy = 0;
	l = taken(b);
	lease_release(&l, &nothing);
	ck_assert_uint_eq(records(), 1);
	ck_assert_int_eq(unlinkat(dir, "usnic_0@0000:06:00.0#03", 0), 0);
}
END_TEST

START_TEST(device_with_another_name)
{
	struct lease l = taken(ask(1, 1)), m;
	struct lease_ask a = ask(4, 2);

	a.ndevices = 1;
	strcpy(two[0].ibdev, "rocep6s0"); /* renamed */
	refused(a, "3 free; in use: 1 by 1.0");
	two[0].minor = 200; /* and by its function alone */
	refused(a, "3 free; in use: 1 by 1.0");
	strcpy(two[0].pci, "0000:08:00.0");
	m = taken(a);
	lease_release(&m, &nothing);
	two[0].minor = 192; /* another one has the node that is leased */
	refused(a, "3 free; in use: 1 by 1.0");
	lease_release(&l, &nothing);
}
END_TEST

START_TEST(fewer_slots_than_leased)
{
	struct lease_ask a = ask(4, 1), b = ask(1, 2);
	struct lease l;

	l = taken(a);
	for (int i = 0; i < 2; i++) /* give back slots 0 and 1 alone */
		unlinkat(dir, l.slots[i].name, 0);
	b.ndevices = 1;
	two[0].slots = 2;
	refused(b, "0 free");
	lease_release(&l, &nothing);
	l = taken(b);
	lease_release(&l, &nothing);
}
END_TEST

/* ---- the directory ---- */

START_TEST(directory)
{
	struct err e = { "" };
	char lock[128];

	close(dir);
	ck_assert_int_eq(unlinkat(state, "leases", AT_REMOVEDIR), 0);
	ck_assert_int_eq(lease_dir(state, false, &e), -1);
	ck_assert_str_eq(e.text, "");
	ck_assert_int_eq(symlinkat("/tmp", state, "leases"), 0);
	ck_assert_int_eq(lease_dir(state, true, &e), -1);
	ck_assert_str_ne(e.text, "");
	ck_assert_int_eq(unlinkat(state, "leases", 0), 0);
	e.text[0] = '\0';
	ck_assert_int_eq(mkdirat(state, "leases", 0700), 0);
	ck_assert_int_eq(fchmodat(state, "leases", 0750, 0), 0);
	ck_assert_int_eq(lease_dir(state, true, &e), -1);
	ck_assert(strstr(e.text, "040750, expected"));
	ck_assert_int_eq(fchmodat(state, "leases", 0700, 0), 0);
	dir = lease_dir(state, false, NULL);
	ck_assert_int_ge(dir, 0);
	ck_assert_uint_eq(counted(&nothing).held, 0);

	snprintf(lock, sizeof(lock), "%s/target", top);
	ck_assert_int_eq(symlinkat(lock, dir, "lock"), 0);
	refused(ask(1, 1), "the lock file");
	ck_assert_int_eq(access(lock, F_OK), -1);
	ck_assert_int_eq(unlinkat(dir, "lock", 0), 0);
	ck_assert_int_eq(mkfifoat(dir, "lock", 0600), 0);
	refused(ask(1, 1), "the lock file");
	ck_assert_int_eq(unlinkat(dir, "lock", 0), 0);
}
END_TEST

/* With every limit on descriptors up to one that suffices: a clear error, and nothing left. */
START_TEST(few_descriptors)
{
	const struct rlimit old = { 1024, 1024 };
	struct lease l = LEASE_NONE;
	int rc = -1;

	for (rlim_t n = (rlim_t)dir; rc < 0; n++) {
		struct rlimit few = { n, old.rlim_max };
		struct err e = { "" };

		ck_assert_uint_lt(n, 100);
		ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
		rc = try_take(ask(8, 1), &l, &e);
		few.rlim_cur = old.rlim_max;
		ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
		if (rc < 0) {
			ck_assert_msg(strstr(e.text, "Too many open files") != NULL, "%s", e.text);
			ck_assert_uint_eq(records(), 0);
		}
	}
	lease_release(&l, &nothing);
}
END_TEST

/* As root: a file system with so many inodes, in a mount namespace of its own. */
static bool small_fs(const char *options)
{
	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", top, "tmpfs", 0, options) < 0) {
		fprintf(stderr, "skipped: full and read-only file systems: no mount here\n");
		return false;
	}
	close(dir);
	close(state);
	state = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = lease_dir(state, true, NULL);
	return true;
}

START_TEST(full)
{
	struct lease l;

	/* the root, the directory, the lock and two records */
	if (!small_fs("nr_inodes=5"))
		return;
	ck_assert_int_ge(dir, 0);
	refused(ask(3, 1), "usnic_0@0000:06:00.0#2 cannot be recorded: No space left on device");
	ck_assert_uint_eq(records(), 0);
	l = taken(ask(2, 1));
	lease_release(&l, &nothing);
	ck_assert_int_eq(unlinkat(dir, "lock", 0), 0);
	for (int i = 0; i < 3; i++) {
		char name[] = "0";

		name[0] = (char)('0' + i);
		ck_assert_int_eq(symlinkat("x", state, name), 0);
	}
	refused(ask(1, 1), "the lock file: No space left on device");
}
END_TEST

START_TEST(read_only)
{
	struct lease l, m;
	struct err e = { "" };

	if (!small_fs("size=1m"))
		return;
	l = taken(ask(2, 1));
	killed(holder(ask(2, 2), -1));
	ck_assert_int_eq(mount(NULL, top, NULL, MS_REMOUNT | MS_RDONLY, NULL), -1);
	m = l; /* its descriptor keeps the file system from that: bind it read-only */
	ck_assert_int_eq(mount(top, top, NULL, MS_BIND, NULL), 0);
	ck_assert_int_eq(mount(NULL, top, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), 0);
	close(dir);
	close(state);
	state = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = lease_dir(state, true, &e);
	ck_assert_msg(dir >= 0, "%s", e.text);
	ck_assert_uint_eq(counted(&nothing).held, 2);
	refused(ask(1, 3), "the lock file: Read-only file system");
	lease_release(&m, &nothing); /* by its own way */
	ck_assert_uint_eq(counted(&nothing).held, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("lease");
	TCase *tc = tcase_create("lease");

	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, take_and_release);
	tcase_add_test(tc, close_on_exec);
	tcase_add_test(tc, not_enough);
	tcase_add_test(tc, bad_choice);
	tcase_add_test(tc, wait_until_released);
	tcase_add_test(tc, no_wait_for_the_impossible);
	tcase_add_test(tc, wait_ends_with_the_waiter);
	tcase_add_test(tc, wait_for_the_mutex_ends_with_the_waiter);
	tcase_add_test(tc, death_frees);
	tcase_add_test(tc, passed_on);
	tcase_add_test(tc, second_holder_keeps);
	tcase_add_test(tc, quarantine_while_busy);
	tcase_add_test(tc, release_into_quarantine);
	tcase_add_loop_test(tc, quarantine_while_the_step_has_processes, 0, HIERARCHIES);
	tcase_add_test(tc, another_boot);
	tcase_add_test(tc, damaged_records);
	tcase_add_test(tc, device_with_another_name);
	tcase_add_test(tc, fewer_slots_than_leased);
	tcase_add_test(tc, directory);
	tcase_add_test(tc, few_descriptors);
	tcase_add_test(tc, full);
	tcase_add_test(tc, read_only);
	return unit_run(s);
}
