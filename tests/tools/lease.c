/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lease: leases from outside, for tests/leases.  DIR is a state directory.
 *
 *   lease once DIR             takes five slots of eight and gives them back
 *   lease hold DIR             takes them, says so, and holds them until it is killed
 *   lease all DIR              takes all eight, gives them back; fails if a record is left
 *   lease stress DIR [PROCESSES [TAKES [KILLS]]]
 *                              so many processes take and release at random, so often in all,
 *                              while one of them is killed every now and then: so many kills for
 *                              each thousand takes, about.  Says how fast, and whether a slot was
 *                              granted twice or was lost.
 *   lease time DIR             microseconds that taking, and giving back, one and 16 slots
 *                              takes on an idle node, and where 96 of 128 are leased
 *
 * In stress, everybody marks his slots in shared memory.  Of one who was killed, the marks
 * stay until he is waited for; they stand for a device that is still open, so they keep the
 * slot in quarantine.  A mark that is there already when a slot is granted is a slot granted
 * twice.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../helper/lease.h"
#include "../../helper/sys.h"

#define DEVICES 8
#define SLOTS_MAX 16
#define PROCESSES_MAX 1024
#define ROOM_WAIT 60 /* seconds; none is ever needed unless slots are lost */

static struct hwmap_device devices[DEVICES];
static int state, dir;

struct shared {
	atomic_int mark[DEVICES][SLOTS_MAX]; /* pid of who has it */
	atomic_ulong takes, slots, twice, quarantined, failed;
};
static struct shared *shared;

static void make_devices(uint32_t slots)
{
	for (int i = 0; i < DEVICES; i++) {
		snprintf(devices[i].ibdev, sizeof(devices[i].ibdev), "usnic_%d", i);
		snprintf(devices[i].pci, sizeof(devices[i].pci), "0000:%02x:00.0", i);
		devices[i].slots = slots;
	}
}

static uint32_t at_random(uint32_t below)
{
	static uint64_t x;

	if (!x && getrandom(&x, sizeof(x), 0) < 0)
		x = (uint64_t)getpid() << 20 | 1;
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (uint32_t)(x >> 32) % below;
}

/* Spread, from a device at random. */
static int pick(const uint32_t *used, uint32_t *device, uint32_t want, void *arg, struct err *e)
{
	uint32_t room[DEVICES], d = at_random(DEVICES), n = 0, tried = 0;

	(void)arg;
	for (uint32_t i = 0; i < DEVICES; i++)
		room[i] = devices[i].slots - used[i];
	for (; n < want && tried < DEVICES; d = (d + 1) % DEVICES) {
		if (room[d] == 0) {
			tried++;
			continue;
		}
		tried = 0;
		room[d]--;
		device[n++] = d;
	}
	return n == want ? 0 : err_set(e, "%u slots asked, %u free", want, n);
}

/* The only names are those of make_devices. */
static atomic_int *mark_of(const struct lease_record *r)
{
	unsigned long d = strtoul(r->device + strlen("usnic_"), NULL, 10);

	return &shared->mark[d % DEVICES][r->slot % SLOTS_MAX];
}

static int is_marked(const struct lease_record *r, void *arg)
{
	int marked = atomic_load(mark_of(r)) != 0;

	(void)arg;
	atomic_fetch_add(&shared->quarantined, (unsigned)marked);
	return marked;
}

static struct lease_ask ask(uint32_t want)
{
	struct lease_ask a = {
		.devices = devices,
		.ndevices = DEVICES,
		.want = want,
		.pick = pick,
		.job = (uint32_t)getpid(),
		.user = "tester",
		.cgroup = -1,
		.alive = -1,
	};

	if (shared)
		a.watch.busy = is_marked;
	return a;
}

static int take(uint32_t want, unsigned wait, struct lease *l)
{
	struct lease_ask a = ask(want);
	struct err e = { "" };

	a.wait = wait;
	if (lease_take(dir, &a, l, &e) == 0)
		return 0;
	fprintf(stderr, "%s\n", e.text);
	return -1;
}

static void give_back(struct lease *l)
{
	const struct lease_watch nothing = { 0 };

	lease_release(l, shared ? &(struct lease_watch){ .busy = is_marked } : &nothing);
}

static int records(void)
{
	int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), n = 0;
	DIR *d = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *ent;

	while (d && (ent = readdir(d)))
		n += strchr(ent->d_name, '#') != NULL;
	if (d)
		closedir(d);
	return n;
}

/* ---- stress ---- */

static void set_marks(const struct lease *l, int from, int to)
{
	for (uint32_t i = 0; i < l->n; i++) {
		int expected = from;
		atomic_int *m = &shared->mark[l->slots[i].device][l->slots[i].slot];

		if (!atomic_compare_exchange_strong(m, &expected, to))
			atomic_fetch_add(&shared->twice, 1);
	}
}

static int work(unsigned long takes)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (atomic_load(&shared->takes) < takes) {
		struct lease l;

		if (take(1 + at_random(3), ROOM_WAIT, &l) < 0) {
			atomic_fetch_add(&shared->failed, 1);
			return 1;
		}
		set_marks(&l, 0, getpid());
		atomic_fetch_add(&shared->slots, l.n);
		if (at_random(4) == 0)
			usleep(at_random(2000)); /* to be killed with something in hand */
		set_marks(&l, getpid(), 0);
		give_back(&l);
		atomic_fetch_add(&shared->takes, 1);
	}
	return 0;
}

static pid_t start(unsigned long takes)
{
	pid_t pid = fork();

	if (pid < 0) {
		perror("fork");
		exit(1);
	}
	if (pid == 0)
		_exit(work(takes));
	return pid;
}

static void wait_for(pid_t pid)
{
	waitpid(pid, NULL, 0);
	for (int d = 0; d < DEVICES; d++)
		for (int s = 0; s < SLOTS_MAX; s++) {
			int expected = pid;

			atomic_compare_exchange_strong(&shared->mark[d][s], &expected, 0);
		}
}

static int stress(long processes, unsigned long takes, unsigned long per_thousand)
{
	static pid_t pids[PROCESSES_MAX];
	unsigned long kills = 0;
	int64_t from = sys_now_ms(), ms;
	struct lease l;
	int lost;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (processes < 1 || processes > PROCESSES_MAX || shared == MAP_FAILED)
		return 1;
	make_devices(SLOTS_MAX);
	for (long i = 0; i < processes; i++)
		pids[i] = start(takes);
	while (atomic_load(&shared->takes) < takes && !atomic_load(&shared->failed)) {
		usleep(at_random(1000));
		while (kills < atomic_load(&shared->takes) * per_thousand / 1000) {
			uint32_t i = at_random((uint32_t)processes);

			kill(pids[i], SIGKILL);
			usleep(at_random(1000)); /* dead, and its marks still there */
			wait_for(pids[i]);
			pids[i] = start(takes);
			kills++;
		}
	}
	for (long i = 0; i < processes; i++)
		wait_for(pids[i]);
	ms = sys_now_ms() - from;
	lost = take((uint32_t)DEVICES * SLOTS_MAX, 0, &l);
	if (!lost)
		give_back(&l);
	printf("%ld processes: %lu takes and releases (%lu slots) in %.1f s, %.0f a second; "
	       "%lu killed, %lu times a slot of theirs was found in quarantine; "
	       "%lu granted twice, %s lost, %d records left\n",
	       processes, atomic_load(&shared->takes), atomic_load(&shared->slots),
	       (double)ms / 1000,
	       (double)atomic_load(&shared->takes) * 1000 / (double)(ms ? ms : 1), kills,
	       atomic_load(&shared->quarantined), atomic_load(&shared->twice),
	       lost ? "some" : "none", records());
	return atomic_load(&shared->twice) || atomic_load(&shared->failed) || lost || records();
}

/* ---- speed ---- */

#define ROUNDS 2001

static int compare(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int time_one(uint32_t want, const char *where)
{
	static double taking[ROUNDS], giving[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		double from = now_us(), then;
		struct lease l;

		if (take(want, 0, &l) < 0)
			return 1;
		then = now_us();
		give_back(&l);
		taking[i] = then - from;
		giving[i] = now_us() - then;
	}
	qsort(taking, ROUNDS, sizeof(*taking), compare);
	qsort(giving, ROUNDS, sizeof(*giving), compare);
	printf("%2u slots, %s: take %.0f us (median; 99%%: %.0f), give back %.0f us (%.0f)\n", want,
	       where, taking[ROUNDS / 2], taking[ROUNDS * 99 / 100], giving[ROUNDS / 2],
	       giving[ROUNDS * 99 / 100]);
	return 0;
}

static int time_all(void)
{
	struct lease held[48];
	int rc;

	make_devices(SLOTS_MAX);
	rc = time_one(1, "nothing leased") || time_one(16, "nothing leased");
	for (int i = 0; i < 48; i++)
		if (take(2, 0, &held[i]) < 0)
			return 1;
	rc = rc || time_one(1, "96 of 128 leased") || time_one(16, "96 of 128 leased");
	for (int i = 0; i < 48; i++)
		give_back(&held[i]);
	return rc;
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";
	struct err e = { "" };
	struct lease l;

	state = argc > 2 ? open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (state < 0 || (dir = lease_dir(state, true, &e)) < 0) {
		fprintf(stderr, "lease once|hold|all|stress|time DIR: %s\n", e.text);
		return 2;
	}
	make_devices(1);
	if (!strcmp(what, "stress"))
		return stress(argc > 3 ? strtol(argv[3], NULL, 10) : 64,
			      argc > 4 ? strtoul(argv[4], NULL, 10) : 20000,
			      argc > 5 ? strtoul(argv[5], NULL, 10) : 10);
	if (!strcmp(what, "time"))
		return time_all();
	if (!strcmp(what, "once") || !strcmp(what, "hold")) {
		if (take(5, 0, &l) < 0)
			return 1;
		if (!strcmp(what, "hold")) {
			puts("held");
			fflush(stdout);
			pause();
		}
		give_back(&l);
		return 0;
	}
	if (strcmp(what, "all") != 0 || take(DEVICES, 0, &l) < 0)
		return 1;
	give_back(&l);
	if (records() == 0)
		return 0;
	fprintf(stderr, "%d records are left\n", records());
	return 1;
}
