/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE 1
#include "local.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "optioncheck.h"
#include "optionpath.h"

static struct {
	struct option_set inherited;
	bool inherited_none;
	char *found;
	struct local_decision first; /* what the first component of a job came to */
	bool decided;
} state;

/* Take the variable away from the environment into s.  Is it there and empty? */
static bool take_variable(struct option_set *s, enum option_id id, enum option_name kind)
{
	char name[OPTION_NAME_MAX];
	const char *value = getenv(option_name(name, id, kind));
	bool empty = value && !value[0];

	if (value && !s->v[id] && option_set_value(s, id, value) < 0)
		s->too_long[id] = true;
	unsetenv(name);
	return empty;
}

/* The variables of the devices of the step that we run inside of. */
static int drop_inherited_devices(struct err *e)
{
	const char *set = getenv(USNIC_SET_CARRIER);
	char *copy = set ? strdup(set) : NULL, *save = NULL;

	if (set && !copy)
		return err_set(e, "out of memory");
	for (char *entry = copy ? strtok_r(copy, ";", &save) : NULL; entry;
	     entry = strtok_r(NULL, ";", &save)) {
		char *eq = strchr(entry, '=');
		const char *value;

		if (!eq || eq == entry)
			continue;
		*eq = '\0';
		value = getenv(entry);
		if (value && strcmp(value, eq + 1) == 0)
			unsetenv(entry);
	}
	free(copy);
	unsetenv(USNIC_SET_CARRIER);
	return 0;
}

int local_init(bool allocator, struct err *e)
{
	const char *found;
	bool inside;

	if (drop_inherited_devices(e) < 0)
		return -1;
	options_forget_inherited();
	state.inherited_none = take_variable(&state.inherited, OPTION_IMAGE, NAME_CARRIER);
	for (int id = 0; id < OPTION_COUNT; id++) {
		take_variable(&state.inherited, (enum option_id)id, NAME_CARRIER);
		if (!state.inherited_none || id != OPTION_IMAGE)
			take_variable(&state.inherited, (enum option_id)id, NAME_CARRIER_SBATCH);
	}
	inside = state.inherited_none || state.inherited.v[OPTION_IMAGE] ||
		 state.inherited.v[OPTION_JOIN];
	found = getenv("SLURM_CONTAINER");
	if (!found)
		found = getenv(CONTAINER_CARRIER); /* salloc's own shell has only this */
	if (allocator) {
		option_set_done(&state.inherited);
		state.inherited_none = false;
		if (inside)
			found = NULL;
	}
	if (found && found[0] && !(state.found = strdup(found)))
		return err_set(e, "out of memory");
	unsetenv("SLURM_CONTAINER");
	unsetenv(CONTAINER_CARRIER);
	return 0;
}

/* --- the decision --- */

/* Which root does one rank of the words ask for?  At most one of image and join is set. */
struct root {
	const char *image, *join;
	bool none;
};

static bool root_speaks(const struct root *r)
{
	return r->image || r->join || r->none;
}

static const char *set_image(struct option_set *s, const char *path, const char *cwd, struct err *e)
{
	char *abs = option_absolute(path, cwd);

	if (!abs || option_set_value(s, OPTION_IMAGE, abs) < 0)
		err_set(e, "out of memory");
	else if (s->too_long[OPTION_IMAGE])
		err_set(e, "the image's absolute path is longer than %d bytes, use a shorter one",
			REQUEST_OPTION_MAX - 1);
	free(abs);
	return s->v[OPTION_IMAGE];
}

/* --container and --container-image may both stand there if they mean the same. */
static int same_image(const struct local_words *w, struct err *e)
{
	char *a, *b;
	int rc = -1;

	if (!w->container || w->container_is_env || !w->given->v[OPTION_IMAGE])
		return 0;
	a = option_absolute(w->container, w->cwd);
	b = option_absolute(w->given->v[OPTION_IMAGE], w->cwd);
	if (!a || !b)
		err_set(e, "out of memory");
	else if (strcmp(a, b) != 0)
		err_set(e, "--container=%s and --container-image=%s name two images, give one",
			w->container, w->given->v[OPTION_IMAGE]);
	else
		rc = 0;
	free(a);
	free(b);
	return rc;
}

static int given_root(const struct local_words *w, struct root *r, struct err *e)
{
	const char *container = w->container_is_env ? NULL : w->container;

	if (container && !container[0])
		return err_set(e, "--container needs a path, or use --no-container");
	if (same_image(w, e) < 0)
		return -1;
	r->image = w->given->v[OPTION_IMAGE] ? w->given->v[OPTION_IMAGE] : container;
	r->join = w->given->v[OPTION_JOIN];
	r->none = w->given->off;
	if (r->none && (r->image || r->join))
		return err_set(e, "--no-container contradicts %s, give one of them",
			       r->join		       ? "--container-join"
			       : r->image == container ? "--container"
						       : "--container-image");
	if (r->image && r->join)
		return err_set(e, "--container-join enters a running container and takes no image, "
				  "give one of them");
	return 0;
}

/* The ranks below the command line.  Where one names both, the running container is meant. */
static void lower_root(const struct local_words *w, struct root *r)
{
	if (w->container && w->container[0]) {
		r->image = w->container;
	} else if (w->inherited->v[OPTION_JOIN] || w->inherited->v[OPTION_IMAGE] ||
		   w->inherited_none) {
		r->join = w->inherited->v[OPTION_JOIN];
		r->image = r->join ? NULL : w->inherited->v[OPTION_IMAGE];
		r->none = !r->join && !r->image;
	} else if (w->found) {
		r->image = w->found;
	} else {
		r->join = w->input->v[OPTION_JOIN];
		r->image = r->join ? NULL : w->input->v[OPTION_IMAGE];
	}
}

static int decide_root(const struct local_words *w, struct local_decision *d, struct err *e)
{
	struct root r = { NULL, NULL, false };
	const char *image;

	if (given_root(w, &r, e) < 0)
		return -1;
	if (!root_speaks(&r))
		lower_root(w, &r);
	d->none = r.none || r.join;
	if (r.join && option_set_value(&d->set, OPTION_JOIN, r.join) < 0)
		return err_set(e, "out of memory");
	if (!r.image)
		return 0;
	image = set_image(&d->set, r.image, w->cwd, e);
	if (!image)
		return -1;
	d->show_container = r.image == w->container || r.image == w->found ||
			    (w->found && strcmp(w->found, image) == 0);
	return 0;
}

/* Put the final form of value into d. */
static int decide_value(struct local_decision *d, enum option_id id, const char *value,
			const char *label, const char *cwd, struct err *e)
{
	char *made = NULL;
	int rc = 0;

	if (option_check(id, value, label, false, e) < 0)
		return -1;
	if (id == OPTION_MOUNTS) {
		made = option_absolute_mounts(value, cwd);
		rc = made ? option_set_value(&d->set, id, made) : -1;
	} else if (id == OPTION_MOUNT_HOME || id == OPTION_WRITABLE || id == OPTION_REMAP_ROOT) {
		rc = option_set_value(&d->set, id, option_tristate(value) == YES ? "yes" : "no");
	} else {
		rc = option_set_value(&d->set, id, value);
	}
	if (rc < 0)
		err_set(e, "out of memory");
	else if (d->set.too_long[id] || option_check(id, d->set.v[id], label, true, e) < 0)
		rc = err_set(e, "%s: longer than %d bytes with absolute paths, shorten it", label,
			     REQUEST_OPTION_MAX - 1);
	free(made);
	return rc;
}

/* Does this command line ask for another root than the one that the carriers speak of? */
static bool root_is_new(const struct local_words *w, const struct local_decision *d)
{
	const char *was = w->inherited->v[OPTION_IMAGE], *is = d->set.v[OPTION_IMAGE];

	return is && was && strcmp(was, is) != 0;
}

/* One of the options that do not choose the root. */
static int decide_option(const struct local_words *w, struct local_decision *d, enum option_id id,
			 struct err *e)
{
	const struct option_set *from[] = { w->given, w->inherited, w->input };
	static const enum option_name kind[] = { NAME_OPTION, NAME_CARRIER, NAME_INPUT };
	char label[OPTION_NAME_MAX];

	for (size_t i = 0; i < 3; i++) {
		if (!from[i]->v[id] && !from[i]->too_long[id])
			continue;
		if (id == OPTION_WORKDIR && from[i] == w->inherited && root_is_new(w, d))
			continue;
		option_name(label, id, kind[i]);
		if (id == OPTION_WRITABLE && from[i] == w->input && w->input_readonly)
			strcpy(label, OPTION_READONLY_INPUT);
		if (from[i]->too_long[id])
			return err_set(e, "%s: the value is longer than %d bytes, shorten it",
				       label, REQUEST_OPTION_MAX - 1);
		return decide_value(d, id, from[i]->v[id], label, w->cwd, e);
	}
	return 0;
}

/* Image and join: the value is final, only its soundness is open. */
static int check_root(const struct local_words *w, const struct local_decision *d, struct err *e)
{
	static const enum option_id ids[] = { OPTION_IMAGE, OPTION_JOIN };
	const struct option_set *from[] = { w->given, w->inherited, w->input };
	char label[OPTION_NAME_MAX];

	for (size_t i = 0; i < 2; i++) {
		option_name(label, ids[i], NAME_OPTION);
		for (size_t k = 0; k < 3; k++)
			if (from[k]->too_long[ids[i]])
				return err_set(e,
					       "%s: the value is longer than %d bytes, shorten it",
					       label, REQUEST_OPTION_MAX - 1);
		if (d->set.v[ids[i]] && option_check(ids[i], d->set.v[ids[i]], label, true, e) < 0)
			return -1;
	}
	return 0;
}

/* An option for a container, and no container or a finished one: in srun, a mistake. */
static int check_use(const struct local_words *w, const struct local_decision *d, struct err *e)
{
	char label[OPTION_NAME_MAX];

	if (d->set.v[OPTION_IMAGE] || w->allocator)
		return 0;
	for (int id = 0; id < OPTION_COUNT; id++) {
		if (!w->given->v[id] || (id == OPTION_USNIC && !d->set.v[OPTION_JOIN]))
			continue;
		option_name(label, (enum option_id)id, NAME_OPTION);
		if (d->set.v[OPTION_JOIN] && (id == OPTION_JOIN || id == OPTION_WORKDIR))
			continue;
		if (d->set.v[OPTION_JOIN])
			return err_set(e,
				       "%s means nothing with --container-join, where the running "
				       "step has decided it; leave it out",
				       label);
		return err_set(
			e,
			w->given->off
				? "%s means nothing with --no-container, leave one of them out"
				: "%s needs an image: add --container=PATH or --container-image=PATH",
			label);
	}
	return 0;
}

int local_decide(const struct local_words *w, struct local_decision *ret, struct err *e)
{
	struct local_decision d = { .none = false };
	int rc = decide_root(w, &d, e);

	for (int id = 0; id < OPTION_COUNT && rc == 0; id++)
		if (id != OPTION_IMAGE && id != OPTION_JOIN)
			rc = decide_option(w, &d, (enum option_id)id, e);
	if (rc < 0 || check_root(w, &d, e) < 0 || check_use(w, &d, e) < 0) {
		option_set_done(&d.set);
		memset(ret, 0, sizeof(*ret));
		return -1;
	}
	*ret = d;
	return 0;
}

/* --- and what becomes of it --- */

static int export_value(spank_t sp, bool allocator, enum option_id id, const char *value)
{
	char name[OPTION_NAME_MAX];

	option_name(name, id, NAME_CARRIER);
	if (!value) {
		unsetenv(name);
		return 0;
	}
	/*
	 * sbatch empties its environment for --export-file after this hook; what it
	 * puts in afterwards with SLURM_SPANK_ in front comes from here.
	 */
	if (allocator)
		spank_job_control_setenv(sp, name + strlen("SLURM_"), value, 1);
	return setenv(name, value, 1);
}

static int export_decision(spank_t sp, bool allocator, const struct local_decision *d)
{
	for (int id = 0; id < OPTION_COUNT; id++) {
		const char *value = d->set.v[id];

		if (id == OPTION_IMAGE && !value && d->none)
			value = "";
		if (export_value(sp, allocator, (enum option_id)id, value) < 0)
			return -1;
	}
	if (d->show_container)
		return setenv(CONTAINER_CARRIER, d->set.v[OPTION_IMAGE], 1);
	unsetenv(CONTAINER_CARRIER);
	return 0;
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

/*
 * The components of a heterogeneous job are read one after the other, but there is
 * one environment for all of them: what the last one says would hold for the first.
 */
static int check_component(const struct local_decision *d, struct err *e)
{
	bool same = d->none == state.first.none;

	for (int id = 0; id < OPTION_COUNT; id++)
		same = same && same_text(d->set.v[id], state.first.set.v[id]);
	if (same)
		return 0;
	return err_set(e, "the components of a heterogeneous job share one container: give each "
			  "the same container options");
}

/* --container came from the environment of the command, not from its command line. */
static bool container_is_env(const char *container)
{
	static const char *const names[] = { "SRUN_CONTAINER", "SBATCH_CONTAINER",
					     "SALLOC_CONTAINER" };

	for (size_t i = 0; container && i < sizeof(names) / sizeof(names[0]); i++)
		if (same_text(container, getenv(names[i])))
			return true;
	return false;
}

/* Returns whether OPTION_READONLY_INPUT has been read. */
static bool read_input(struct option_set *input)
{
	const char *readonly = getenv(OPTION_READONLY_INPUT);
	char name[OPTION_NAME_MAX];

	for (int id = 0; id < OPTION_COUNT; id++) {
		const char *value = getenv(option_name(name, (enum option_id)id, NAME_INPUT));

		if (value && option_set_value(input, (enum option_id)id, value) < 0)
			input->too_long[id] = true;
	}
	if (!readonly || input->v[OPTION_WRITABLE] || input->too_long[OPTION_WRITABLE])
		return false;
	if (option_set_readonly(input, readonly) < 0)
		input->too_long[OPTION_WRITABLE] = true;
	return true;
}

int local_post_opt(spank_t sp, bool allocator, struct err *e)
{
	struct option_set input = { .off = false };
	struct local_decision d = { .none = false };
	char cwd[PATH_MAX];
	const char *container = getenv("SLURM_CONTAINER");
	struct local_words w = {
		.given = options_given(),
		.inherited = &state.inherited,
		.input = &input,
		.inherited_none = state.inherited_none,
		.container = container,
		.container_is_env = container_is_env(container),
		.found = state.found,
		.cwd = getcwd(cwd, sizeof(cwd)) && cwd[0] == '/' ? cwd : "/",
		.allocator = allocator,
	};
	int rc;

	w.input_readonly = read_input(&input);
	rc = local_decide(&w, &d, e);
	option_set_done(&input);
	option_set_done(options_given());
	unsetenv("SLURM_CONTAINER");
	if (rc == 0 && state.decided)
		rc = check_component(&d, e);
	if (rc == 0 && export_decision(sp, allocator, &d) < 0)
		rc = err_set(e, "cannot set the job's environment");
	if (rc == 0 && !state.decided) {
		state.first = d; /* owned for the rest of this short-lived process */
		state.decided = true;
		return 0;
	}
	option_set_done(&d.set);
	return rc;
}
