/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "usnic.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "devview.h"
#include "rdmabusy.h"
#include "sys.h"
#include "usnic_impl.h"
#include "usnicgres.h"
#include "usnicmap.h"

#define RETRY_MS 100

/* ---- beginning ---- */

/* Where the host has the connection manager, ranks may use it: it gives access to no device. */
static dev_t find_cm(void)
{
	struct stat st;

	return lstat(DEVVIEW_DIR "/rdma_cm", &st) == 0 && S_ISCHR(st.st_mode) ? st.st_rdev : 0;
}

static int begin(struct usnic *u, int state, struct err *e)
{
	u->tasks = calloc(u->ntasks, sizeof(*u->tasks));
	u->pids = calloc(u->ntasks, sizeof(*u->pids));
	if (!u->tasks || !u->pids)
		return err_set(e, "out of memory");
	for (uint32_t i = 0; i < u->ntasks; i++)
		u->tasks[i].view = -1;
	if (u->ntasks > HWMAP_RANKS_MAX)
		return err_set(e, "--usnic: %u tasks on one node, expected at most %u", u->ntasks,
			       HWMAP_RANKS_MAX);
	if (usnicmap_get(u->c, state, &u->map, e) < 0)
		return -1;
	u->leases = lease_dir(state, true, e);
	u->cm = find_cm();
	u->rules = (struct usnic_rules){ .map = u->map,
					 .choice = &u->choice,
					 .ntasks = u->ntasks,
					 .count = u->spec.count,
					 .per_node = u->spec.per_node,
					 .cm = u->cm,
					 .confine = u->c->confine };
	if (u->leases < 0)
		return -1;
	for (uint32_t i = 0; i < u->ntasks && i < USNIC_TASKS_EARLY; i++) {
		u->tasks[i].view = devview_make(e);
		if (u->tasks[i].view < 0)
			return -1;
	}
	return 0;
}

int usnic_begin(const struct request *r, const struct usnic_spec *spec, const struct config *c,
		int state, pid_t stepd, struct usnic **ret, struct err *e)
{
	struct usnic *u = calloc(1, sizeof(*u));

	if (!u)
		return err_set(e, "out of memory");
	*u = (struct usnic){ .r = r,
			     .spec = *spec,
			     .c = c,
			     .stepd = stepd,
			     .ntasks = r->ntasks,
			     .leases = -1,
			     .cgroup = -1,
			     .lease = LEASE_NONE };
	if (begin(u, state, e) < 0) {
		usnic_end(u);
		return -1;
	}
	*ret = u;
	return 0;
}

/* ---- the choice ---- */

int usnic_early(struct usnic *u, struct err *e)
{
	return usnic_rules_early(&u->rules, u->stepd, e);
}

static uint32_t nranks(const struct usnic *u)
{
	return u->spec.per_node ? 1 : u->ntasks;
}

/*
 * The map is as old as slurmd, and links go up and down: look at those that were not up, and at
 * those that were chosen.  false: the choice is of links as they are.
 */
static bool links_differ(struct usnic *u)
{
	const size_t n = nranks(u) * u->spec.count;
	bool differ = false;

	for (size_t i = 0; u->c->preflight != PREFLIGHT_OFF && i < n; i++) {
		const uint32_t device = u->choice.grants[i].device;

		if (!u->looked[device] && hwmap_look(u->map, device))
			differ = true;
		u->looked[device] = true;
	}
	return differ;
}

static void look_at_links(struct usnic *u)
{
	for (size_t i = 0; u->c->preflight != PREFLIGHT_OFF && i < hwmap_ndevices(u->map); i++) {
		u->looked[i] = hwmap_state_dead(hwmap_device(u->map, i)->state);
		if (u->looked[i])
			(void)hwmap_look(u->map, i);
	}
}

/* What is in use, and what Slurm's GRES denies as full; malloced. */
static uint32_t *taken(const struct usnic *u, const uint32_t *used)
{
	const size_t n = hwmap_ndevices(u->map);
	uint32_t *all = calloc(n, sizeof(*all));

	for (size_t i = 0; all && i < n; i++)
		all[i] = u->denied && u->denied[i] ? hwmap_device(u->map, i)->slots
			 : used			   ? used[i]
						   : 0;
	return all;
}

/* lease_pick: what is free decides. */
static int pick(const uint32_t *used, uint32_t *device, uint32_t want, void *arg, struct err *e)
{
	struct usnic *u = arg;
	const struct hwmap_cpus **ranks = calloc(u->ntasks, sizeof(void *));
	uint32_t *all = taken(u, used);
	struct hwmap_ask ask = usnic_spec_ask(&u->spec, ranks, u->ntasks, all, false);
	int rc = 0;

	if (!ranks || !all) {
		free(ranks);
		free(all);
		return err_set(e, "out of memory");
	}
	for (uint32_t i = 0; i < u->ntasks; i++)
		ranks[i] = u->tasks[i].bound ? &u->tasks[i].cpus : NULL;
	while (rc == 0) { /* each time with another device looked at */
		hwmap_choice_done(&u->choice);
		rc = hwmap_pick(u->map, &ask, &u->choice, e);
		if (rc < 0 && !ask.any_state && u->c->preflight != PREFLIGHT_STRICT) {
			ask.any_state = true; /* the last choice */
			e->text[0] = '\0';
			rc = 0;
			continue;
		}
		if (rc < 0 || !links_differ(u))
			break;
	}
	for (uint32_t i = 0; rc == 0 && i < want; i++)
		device[i] = u->choice.grants[i].device;
	u->any_state = ask.any_state;
	if (rc == 0)
		memcpy(u->used, all, hwmap_ndevices(u->map) * sizeof(*all));
	free(ranks);
	free(all);
	return rc;
}

static int fail(const struct usnic *u, const struct err *why, struct err *e)
{
	bool some = false;

	for (size_t i = 0; u->denied && i < hwmap_ndevices(u->map); i++)
		some = some || u->denied[i];
	if (some)
		return err_set(
			e, "--usnic: %s; devices that Slurm's GRES does not grant count as leased",
			why->text);
	return err_set(e, "--usnic: %s", why->text);
}

/* Put the nodes of a task into its view, if it has one yet. */
static int fill_view(struct usnic *u, uint32_t i, struct err *e)
{
	const uint32_t count = u->spec.count, rank = u->spec.per_node ? 0 : i;

	for (uint32_t k = 0; k < count && u->tasks[i].view >= 0; k++) {
		const struct hwmap_grant *g = &u->choice.grants[rank * count + k];

		if (devview_add(u->tasks[i].view, hwmap_device(u->map, g->device), u->cm, u->r->uid,
				u->r->gid, e) < 0)
			return -1;
	}
	return 0;
}

static int fill_views(struct usnic *u, struct err *e)
{
	for (uint32_t i = 0; i < u->ntasks; i++)
		if (fill_view(u, i, e) < 0)
			return -1;
	return 0;
}

/* A task may come for it before the choice is made, which fills the views that there are, or after. */
int usnic_view(struct usnic *u, uint32_t task, struct err *e)
{
	struct usnic_task *t;

	if (task >= u->ntasks)
		return err_set(e, "task %u of %u asks for its devices", task, u->ntasks);
	t = &u->tasks[task];
	if (t->view >= 0)
		return t->view;
	t->view = devview_make(e);
	if (t->view < 0 || (u->chosen && fill_view(u, task, e) < 0))
		return -1;
	return t->view;
}

/*
 * lease_watch: has the step's user a device open whose lease nobody holds?  Only of a device with one
 * slot can the kernel's count tell: that of a pooled one has those of living leases in it, and
 * there the driver itself gives a VF to one process.
 */
static int busy(const struct lease_record *rec, void *arg)
{
	const struct usnic *u = arg;
	char name[LEASE_DEVICE_MAX];

	for (size_t i = 0; i < hwmap_ndevices(u->map); i++) {
		const struct hwmap_device *d = hwmap_device(u->map, i);

		if (d->slots == 1 && d->ibdev[0] && lease_record_device(d, name) == 0 &&
		    strcmp(name, rec->device) == 0)
			return rdmabusy_contexts(d->ibdev,
						 rec->sound ? rec->uid : RDMABUSY_ANYBODY) != 0;
	}
	return 0;
}

/* 0: chosen, or waiting. */
static int try(struct usnic *u, struct err *e)
{
	struct err why = { "" };
	const struct lease_ask ask = {
		.devices = hwmap_device(u->map, 0),
		.ndevices = hwmap_ndevices(u->map),
		.want = nranks(u) * u->spec.count,
		.pick = pick,
		.arg = u,
		.job = u->r->job_id,
		.step = u->r->step_id,
		.uid = u->r->uid,
		.cgroup = u->cgroup,
		.watch = { .busy = busy, .arg = u, .stepd = u->stepd },
		.alive = -1,
	};

	u->waits = false;
	if (lease_take(u->leases, &ask, &u->lease, &why) == 0) {
		u->chosen = true;
		return fill_views(u, e) < 0 ? -1 : usnic_rules_apply(&u->rules, u->pids, e);
	}
	if (sys_now_ms() + RETRY_MS > u->until_ms)
		return fail(u, &why, e);
	u->waits = true;
	u->retry_ms = sys_now_ms() + RETRY_MS;
	return 0;
}

/* pid: a task. */
static int choose(struct usnic *u, pid_t pid, struct err *e)
{
	struct err why = { "" };
	uint32_t *first;
	int rc;

	if (hwmap_ndevices(u->map) == 0)
		return err_set(e, "--usnic: this node has no NIC with virtual functions or RDMA; "
				  "`berth-hwmap list` there shows what it has");
	if (u->c->gres && usnicgres_denied(u->map, pid, &u->denied, e) < 0)
		return -1;
	u->used = calloc(hwmap_ndevices(u->map), sizeof(*u->used));
	u->looked = calloc(hwmap_ndevices(u->map), sizeof(*u->looked));
	first = calloc((size_t)nranks(u) * u->spec.count, sizeof(*first));
	/* what could not be with every slot free is not worth a wait */
	if (u->looked)
		look_at_links(u);
	rc = u->used && u->looked && first ? pick(NULL, first, nranks(u) * u->spec.count, u, &why)
					   : err_set(&why, "out of memory");
	free(first);
	if (rc < 0)
		return fail(u, &why, e);
	u->until_ms = sys_now_ms() + (int64_t)u->spec.wait_s * 1000;
	return try(u, e);
}

static void take_cpus(struct usnic_task *t, const struct rank *k)
{
	for (uint32_t i = 0; i < k->ncpus && i < REQUEST_CPU_WORDS; i++) {
		t->cpus.bits[i / 2] |= (uint64_t)k->cpus[i] << (i % 2 * 32);
		t->bound = t->bound || k->cpus[i];
	}
}

int usnic_rank(struct usnic *u, const struct rank *k, int cgroup, struct err *e)
{
	struct usnic_task *t;

	if (k->task >= u->ntasks || u->tasks[k->task].known)
		return err_set(e, "Slurm tells of task %u twice, or of one too many", k->task);
	t = &u->tasks[k->task];
	t->known = true;
	t->gtask = k->gtask;
	u->pids[k->task] = (pid_t)k->pid;
	take_cpus(t, k);
	u->cgroup = cgroup;
	usnic_rules_rank(&u->rules, k->task, (pid_t)k->pid);
	return ++u->nknown == u->ntasks ? choose(u, (pid_t)k->pid, e) : 0;
}

int usnic_due_ms(const struct usnic *u)
{
	int64_t left = u->retry_ms - sys_now_ms();

	return !u->waits ? -1 : left > 0 ? (int)left : 0;
}

int usnic_retry(struct usnic *u, struct err *e)
{
	if (!u->waits)
		return 0;
	look_at_links(u);
	return try(u, e);
}

enum usnic_state usnic_state(const struct usnic *u)
{
	return u->chosen ? USNIC_CHOSEN : u->nknown < u->ntasks ? USNIC_MISSES_RANKS : USNIC_WAITS;
}

int usnic_lease_fd(const struct usnic *u)
{
	return u->lease.fd;
}

/* ---- the end ---- */

/* What the tasks have left running is ended by slurmstepd after this: the VFs are leased until then. */
void usnic_release(struct usnic *u)
{
	const struct lease_watch w = { .busy = busy, .arg = u, .stepd = u->stepd };

	if (lease_over(&u->lease, &w))
		(void)lease_release(&u->lease, &w);
	u->waits = false;
}

void usnic_end(struct usnic *u)
{
	const struct lease_watch w = { .busy = busy, .arg = u, .stepd = u ? u->stepd : 0 };

	if (!u)
		return;
	(void)lease_release(&u->lease, &w);
	for (uint32_t i = 0; u->tasks && i < u->ntasks; i++)
		sys_close(&u->tasks[i].view);
	free(u->tasks);
	hwmap_choice_done(&u->choice);
	hwmap_free(u->map);
	usnic_rules_done(&u->rules);
	free(u->pids);
	free(u->used);
	free(u->looked);
	free(u->denied);
	sys_close(&u->leases);
	free(u);
}
