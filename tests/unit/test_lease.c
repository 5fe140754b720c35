/* SPDX-License-Identifier: BSD-3-Clause */
/* Leases: taking, giving back, waiting, and the death of those who hold. */
#define _GNU_SOURCE
#include <sys/pidfd.h>
#include <sys/socket.h>

#include "../../helper/lease_lock.h"
#include "../../helper/request.h"
#include "lease_fixture.h"

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
	return unit_run(s);
}
