/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE 1
#include "options.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../helper/usnicspec.h"
#include "optioncheck.h"
#include "optionpath.h"

/* An option's value in struct spank_option: the id, and for the on/off pairs which way. */
#define GIVE_TEXT 0x000
#define GIVE_YES 0x100
#define GIVE_NO 0x200
#define GIVE_OFF 0x300
#define GIVE_MASK 0xf00

static struct option_set given;

static int on_option(int val, const char *arg, int remote);

/* Slurm's structure holds char *, and writes to none of them. */
#define WITH_VALUE(name, word, usage, val)                                           \
	{                                                                            \
		(char *)(name), (char *)(word), (char *)(usage), 1, (val), on_option \
	}
#define MAY_HAVE_VALUE(name, word, usage, val)                                       \
	{                                                                            \
		(char *)(name), (char *)(word), (char *)(usage), 2, (val), on_option \
	}
#define WITHOUT_VALUE(name, usage, val)                                    \
	{                                                                  \
		(char *)(name), NULL, (char *)(usage), 0, (val), on_option \
	}

/* --help wraps the text at 50 columns; a long name gets a line of its own. */
static struct spank_option table[] = {
	WITH_VALUE("container-image", "PATH",
		   "run inside this image: squashfs, erofs or SIF file, root directory, or "
		   "OCI bundle",
		   OPTION_IMAGE | GIVE_TEXT),
	WITH_VALUE("container-mounts", "LIST",
		   "SRC[:DST[:FLAGS]],... or tmpfs:DST[:OPTS] to see inside; flags ro, rw, "
		   "... joined by +",
		   OPTION_MOUNTS | GIVE_TEXT),
	WITH_VALUE("container-workdir", "DIR", "working directory inside the container",
		   OPTION_WORKDIR | GIVE_TEXT),
	WITHOUT_VALUE("container-mount-home", "mount the home directory",
		      OPTION_MOUNT_HOME | GIVE_YES),
	WITHOUT_VALUE("no-container-mount-home", "leave the home directory out",
		      OPTION_MOUNT_HOME | GIVE_NO),
	WITHOUT_VALUE("container-writable", "let the step write to its root; lost at its end",
		      OPTION_WRITABLE | GIVE_YES),
	WITHOUT_VALUE("container-readonly", "keep the container's root read-only",
		      OPTION_WRITABLE | GIVE_NO),
	WITH_VALUE("container-env", "NAMES",
		   "variables (NAME,...) where the job's value wins over the image's",
		   OPTION_ENV | GIVE_TEXT),
	WITH_VALUE("container-unshare", "NS", "namespaces of the step's own: any of net,ipc,uts",
		   OPTION_UNSHARE | GIVE_TEXT),
	WITHOUT_VALUE("container-remap-root", "appear as root inside the container",
		      OPTION_REMAP_ROOT | GIVE_YES),
	WITHOUT_VALUE("no-container-remap-root", "stay the same user inside the container",
		      OPTION_REMAP_ROOT | GIVE_NO),
	WITH_VALUE("container-join", "STEP", "enter the container of a running step: S or J.S",
		   OPTION_JOIN | GIVE_TEXT),
	WITHOUT_VALUE("no-container", "run on the host although the job has an image", GIVE_OFF),
	MAY_HAVE_VALUE("usnic", "[SPEC]",
		       "give each task VFs of a NIC near its CPUs: N, or words that "
		       "--usnic=help explains",
		       OPTION_USNIC | GIVE_TEXT),
};

#define TABLE_SIZE (sizeof(table) / sizeof(table[0]))

static const struct {
	const char *option, *variable;
} names[OPTION_COUNT] = {
	[OPTION_IMAGE] = { "container-image", "CONTAINER_IMAGE" },
	[OPTION_MOUNTS] = { "container-mounts", "CONTAINER_MOUNTS" },
	[OPTION_WORKDIR] = { "container-workdir", "CONTAINER_WORKDIR" },
	[OPTION_MOUNT_HOME] = { "container-mount-home", "CONTAINER_MOUNT_HOME" },
	[OPTION_WRITABLE] = { "container-writable", "CONTAINER_WRITABLE" },
	[OPTION_ENV] = { "container-env", "CONTAINER_ENV" },
	[OPTION_UNSHARE] = { "container-unshare", "CONTAINER_UNSHARE" },
	[OPTION_REMAP_ROOT] = { "container-remap-root", "CONTAINER_REMAP_ROOT" },
	[OPTION_JOIN] = { "container-join", "CONTAINER_JOIN" },
	[OPTION_USNIC] = { "usnic", "USNIC" },
};

const char *option_name(char out[OPTION_NAME_MAX], enum option_id id, enum option_name kind)
{
	static const char *const prefix[] = {
		[NAME_OPTION] = "--",
		[NAME_INPUT] = "BERTH_",
		[NAME_CARRIER] = "SLURM_BERTH_",
		[NAME_CARRIER_SBATCH] = "SLURM_SPANK_BERTH_",
	};

	snprintf(out, OPTION_NAME_MAX, "%s%s", prefix[kind],
		 kind == NAME_OPTION ? names[id].option : names[id].variable);
	return out;
}

int options_register(spank_t sp, struct err *e)
{
	for (size_t i = 0; i < TABLE_SIZE; i++) {
		spank_err_t rc = spank_option_register(sp, &table[i]);

		if (rc != ESPANK_SUCCESS)
			return err_set(e, "Slurm does not take the option --%s: error %d",
				       table[i].name, (int)rc);
	}
	return 0;
}

/* prefix and the option's name, spelled as Slurm does in variables. */
static const char *slurm_variable(char out[2 * OPTION_NAME_MAX], const char *prefix,
				  const struct spank_option *o)
{
	snprintf(out, 2 * OPTION_NAME_MAX, "%sberth_%s", prefix, o->name);
	for (char *c = out; *c; c++)
		if (!isalnum((unsigned char)*c))
			*c = '_';
	return out;
}

void options_forget_inherited(void)
{
	char name[2 * OPTION_NAME_MAX];

	for (size_t i = 0; i < TABLE_SIZE; i++) {
		/* the first makes srun call our callbacks, the second slurmstepd */
		unsetenv(slurm_variable(name, "SLURM_SPANK__SLURM_SPANK_OPTION_", &table[i]));
		unsetenv(slurm_variable(name, "_SLURM_SPANK_OPTION_", &table[i]));
	}
}

void options_unset_slurm(spank_t sp)
{
	char name[2 * OPTION_NAME_MAX];

	for (size_t i = 0; i < TABLE_SIZE; i++)
		spank_unsetenv(sp, slurm_variable(name, "_SLURM_SPANK_OPTION_", &table[i]));
}

struct option_set *options_given(void)
{
	return &given;
}

static bool value_is_none(const char *value)
{
	return !value || !value[0] || strcmp(value, "(null)") == 0;
}

int option_set_value(struct option_set *s, enum option_id id, const char *value)
{
	char *copy = NULL;

	if (!value_is_none(value) && strnlen(value, REQUEST_OPTION_MAX) < REQUEST_OPTION_MAX) {
		copy = strdup(value);
		if (!copy)
			return -1;
	}
	s->too_long[id] = !value_is_none(value) && !copy;
	free(s->v[id]);
	s->v[id] = copy;
	return 0;
}

int option_set_readonly(struct option_set *s, const char *value)
{
	const char *opposite = value;

	if (value && option_tristate(value) != UNSET)
		opposite = option_tristate(value) == YES ? "no" : "yes";
	return option_set_value(s, OPTION_WRITABLE, opposite);
}

void option_set_done(struct option_set *s)
{
	for (size_t i = 0; i < OPTION_COUNT; i++)
		free(s->v[i]);
	memset(s, 0, sizeof(*s));
}

/* A mount list is looked at as it will be: with absolute sources. */
static int mounts_check_here(const char *arg, const char *label, struct err *e)
{
	char cwd[PATH_MAX];
	char *absolute = option_absolute_mounts(arg, getcwd(cwd, sizeof(cwd)) ? cwd : "/");
	int rc = absolute ? option_check(OPTION_MOUNTS, absolute, label, true, e)
			  : err_set(e, "out of memory");

	free(absolute);
	return rc;
}

/* Put more behind what --container-mounts already holds. */
static int mounts_append(struct option_set *s, const char *more)
{
	const char *old = s->v[OPTION_MOUNTS];
	char *sum;
	int rc;

	if (s->too_long[OPTION_MOUNTS])
		return 0;
	if (!old || strnlen(more, REQUEST_OPTION_MAX) == REQUEST_OPTION_MAX)
		return option_set_value(s, OPTION_MOUNTS, more);
	if (asprintf(&sum, "%s,%s", old, more) < 0)
		return -1;
	rc = option_set_value(s, OPTION_MOUNTS, sum);
	free(sum);
	return rc;
}

/*
 * Slurm prints the value behind our own line when a callback fails.  So one that
 * is over the cap passes here and fails in init_post_opt, where nothing is printed.
 */
static int on_local_text(enum option_id id, const char *arg)
{
	struct err e = { "" };
	char label[OPTION_NAME_MAX];

	option_name(label, id, NAME_OPTION);
	if (id == OPTION_USNIC && value_is_none(arg))
		arg = "1";
	if (id == OPTION_USNIC && strcmp(arg, "help") == 0) {
		fputs(usnic_spec_help, stdout);
		exit(fflush(stdout) == 0 ? 0 : 1); /* as --cpu-bind=help of Slurm's own */
	}
	if (value_is_none(arg)) {
		err_set(&e, "%s needs a value, see --help", label);
	} else if (strlen(arg) >= REQUEST_OPTION_MAX ||
		   (option_check(id, arg, label, false, &e) == 0 &&
		    (id != OPTION_MOUNTS || mounts_check_here(arg, label, &e) == 0))) {
		if ((id == OPTION_MOUNTS ? mounts_append(&given, arg)
					 : option_set_value(&given, id, arg)) == 0)
			return 0;
		err_set(&e, "out of memory");
	}
	slurm_error("berth: %s", e.text);
	return -1;
}

/*
 * On the node Slurm may call this twice for one option, and has checked nothing:
 * values are only kept, the last one wins.  Failures would be lost there.
 */
static int on_option(int val, const char *arg, int remote)
{
	enum option_id id = (enum option_id)(val & ~GIVE_MASK);
	int rc = 0;

	switch (val & GIVE_MASK) {
	case GIVE_YES: rc = option_set_value(&given, id, "yes"); break;
	case GIVE_NO: rc = option_set_value(&given, id, "no"); break;
	case GIVE_OFF: given.off = true; break;
	default:
		if (!remote)
			return on_local_text(id, arg);
		if (id == OPTION_USNIC && value_is_none(arg))
			arg = "1";
		rc = option_set_value(&given, id, arg);
	}
	return rc;
}
