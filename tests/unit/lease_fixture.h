/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lease_fixture.h - what the tests of leases have in common: a state directory, two devices with four
 * slots each, a choice without distances, and processes that hold.
 */
#ifndef BERTH_LEASE_FIXTURE_H
#define BERTH_LEASE_FIXTURE_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../helper/lease.h"
#include "unit.h"

static char top[] = "/tmp/berth-test-lease.XXXXXX";
static int state = -1, dir = -1;
static struct hwmap_device two[2]; /* usnic_0 and usnic_1, four slots each */
static const struct lease_watch nothing;

/* ---- what a caller does ---- */

static uint32_t failures; /* that simple_pick reported */
static int told = -1;	  /* a byte is written here at each */

/* The first device with room, in order: what hwmap_pick does without distances. */
static inline int simple_pick(const uint32_t *used, uint32_t *device, uint32_t want, void *arg,
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

static inline struct lease_ask ask(uint32_t want, uint32_t job)
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

static inline int try_take(struct lease_ask a, struct lease *ret, struct err *e)
{
	a.arg = &a;
	return lease_take(dir, &a, ret, e);
}

static inline struct lease taken(struct lease_ask a)
{
	struct lease l;
	struct err e = { "" };

	ck_assert_msg(try_take(a, &l, &e) == 0, "%s", e.text);
	ck_assert_str_eq(e.text, "");
	ck_assert_uint_eq(l.n, a.want);
	return l;
}

/* Refused, with one line that holds part. */
static inline void refused(struct lease_ask a, const char *part)
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

static inline void count_one(const struct lease_found *f, void *arg)
{
	struct count *c = arg;

	*(f->held ? &c->held : &c->quarantine) += 1;
	c->damaged += !f->r.sound;
}

static inline struct count counted(const struct lease_watch *w)
{
	struct count c = { 0 };
	struct err e = { "" };

	ck_assert_msg(lease_list(dir, w, count_one, &c, &e) == 0, "%s", e.text);
	return c;
}

static inline unsigned records(void)
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
static inline pid_t holder(struct lease_ask a, int give_back)
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

static inline void killed(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
}

static inline void setup(void)
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

static inline void empty(int in)
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

static inline void teardown(void)
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

#endif
