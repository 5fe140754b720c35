/* SPDX-License-Identifier: BSD-3-Clause */
/* Leases whose holder has gone while a device may still be in use, and records that do not fit. */
#define _GNU_SOURCE
#include <sched.h>
#include <sys/pidfd.h>
#include <sys/stat.h>

#include "../../helper/lease_lock.h"
#include "lease_fixture.h"

static int is_busy(const struct lease_record *r, void *arg)
{
	const int *answer = arg;

	ck_assert_str_eq(r->device, "usnic_0@0000:06:00.0");
	return *answer;
}

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

int main(void)
{
	Suite *s = suite_create("lease_quarantine");
	TCase *tc = tcase_create("lease_quarantine");

	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, quarantine_while_busy);
	tcase_add_test(tc, release_into_quarantine);
	tcase_add_loop_test(tc, quarantine_while_the_step_has_processes, 0, HIERARCHIES);
	tcase_add_test(tc, another_boot);
	tcase_add_test(tc, damaged_records);
	tcase_add_test(tc, device_with_another_name);
	tcase_add_test(tc, fewer_slots_than_leased);
	return unit_run(s);
}
