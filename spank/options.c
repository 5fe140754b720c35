/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE 1
#include "options.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../helper/mountspec.h"
#include "../helper/usnicspec.h"

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

enum tristate option_tristate(const char *value)
{
	if (strcmp(value, "yes") == 0 || strcmp(value, "1") == 0)
		return YES;
	if (strcmp(value, "no") == 0 || strcmp(value, "0") == 0)
		return NO;
	return UNSET;
}

/* NAME[,NAME...] with the names that a shell can have. */
static bool env_names_sound(const char *s)
{
	do {
		if (!isalpha((unsigned char)*s) && *s != '_')
			return false;
		while (isalnum((unsigned char)*s) || *s == '_')
			s++;
	} while (*s++ == ',');
	return s[-1] == '\0';
}

static bool unshare_sound(const char *s)
{
	do {
		if (strncmp(s, "net", 3) != 0 && strncmp(s, "ipc", 3) != 0 &&
		    strncmp(s, "uts", 3) != 0)
			return false;
		s += 3;
	} while (*s++ == ',');
	return s[-1] == '\0';
}

/* A decimal number that Slurm could use as a job or step id; *s moves behind it. */
static bool id_sound(const char **s)
{
	unsigned long long n = 0;
	const char *start = *s;

	while (**s >= '0' && **s <= '9' && *s - start < 10)
		n = n * 10 + (unsigned)(*(*s)++ - '0');
	return *s != start && n < 0xfffffff0ull;
}

static bool join_sound(const char *s)
{
	const char *dot = strchr(s, '.');

	if (dot && (!id_sound(&s) || s++ != dot))
		return false;
	if (strcmp(s, "batch") == 0 || strcmp(s, "interactive") == 0)
		return true;
	return id_sound(&s) && *s == '\0';
}

static int usnic_check(const char *value, const char *label, struct err *e)
{
	struct usnic_spec s;

	return usnic_spec_parse(label, value, &s, e);
}

static int mounts_check(const char *value, const char *label, struct err *e)
{
	struct mount_list l = { NULL, 0 };

	if (mount_list_parse_as(label, value, REQUEST_MOUNTS_MAX, &l, e) < 0)
		return -1;
	mount_list_done(&l);
	return 0;
}

int option_check(enum option_id id, const char *value, const char *label, bool final, struct err *e)
{
	if (strnlen(value, REQUEST_OPTION_MAX) == REQUEST_OPTION_MAX)
		return err_set(e, "%s: the value is longer than %d bytes, shorten it", label,
			       REQUEST_OPTION_MAX - 1);
	for (const unsigned char *c = (const unsigned char *)value; *c; c++)
		if (*c < 0x20 || *c == 0x7f)
			return err_set(e, "%s: the value holds a control character, remove it",
				       label);
	switch (id) {
	case OPTION_IMAGE:
		if (final && value[0] != '/')
			return err_set(e, "%s: image path %s is not absolute, give one from /",
				       label, value);
		return 0;
	case OPTION_MOUNTS: return final ? mounts_check(value, label, e) : 0;
	case OPTION_USNIC: return usnic_check(value, label, e);
	case OPTION_WORKDIR:
		if (value[0] != '/')
			return err_set(e,
				       "%s: %s is not an absolute path, give one as seen inside "
				       "the container",
				       label, value);
		return 0;
	case OPTION_ENV:
		if (!env_names_sound(value))
			return err_set(e, "%s: %s is not a list of names, expected NAME[,NAME...]",
				       label, value);
		return 0;
	case OPTION_UNSHARE:
		if (!unshare_sound(value))
			return err_set(e, "%s: %s is unknown, expected some of net,ipc,uts", label,
				       value);
		return 0;
	case OPTION_JOIN:
		if (!join_sound(value))
			return err_set(e,
				       "%s: %s is not a step, expected one such as 0, 1234.0 or "
				       "1234.batch",
				       label, value);
		return 0;
	case OPTION_MOUNT_HOME:
	case OPTION_WRITABLE:
	case OPTION_REMAP_ROOT:
		if (option_tristate(value) == UNSET)
			return err_set(e, "%s: %s is neither yes nor no", label, value);
		return 0;
	case OPTION_COUNT: break;
	}
	return err_set(e, "%s: unknown option", label);
}

/* Append the components of path[0..n) to out but for "." and empty ones; returns the new end. */
static char *components_append(char *out, const char *path, size_t n)
{
	const char *stop = path + n;

	while (path < stop) {
		const char *slash = memchr(path, '/', (size_t)(stop - path));
		size_t len = (size_t)((slash ? slash : stop) - path);

		if (len && !(len == 1 && path[0] == '.')) {
			*out++ = '/';
			memmove(out, path, len);
			out += len;
		}
		path += len + (slash != NULL);
	}
	return out;
}

/*
 * Append path[0..n), made absolute, to out; returns the new end.  A ".." in front
 * is taken off cwd: getcwd() gives a path without symlinks, so that is exact.
 */
static char *absolute_append(char *out, const char *path, size_t n, const char *cwd)
{
	char *start = out;

	if (n == 0 || path[0] != '/') {
		out = components_append(out, cwd, strlen(cwd));
		while (n && path[0] == '.') {
			size_t dots = n > 1 && path[1] == '.' ? 2 : 1;

			if (n > dots && path[dots] != '/')
				break;
			while (dots == 2 && out > start && *--out != '/')
				;
			for (path += dots, n -= dots; n && path[0] == '/'; path++, n--)
				;
		}
	}
	out = components_append(out, path, n);
	if (out == start)
		*out++ = '/';
	return out;
}

char *option_absolute(const char *path, const char *cwd)
{
	char *out = malloc(strlen(cwd) + strlen(path) + 3);

	if (out)
		*absolute_append(out, path, strlen(path), cwd) = '\0';
	return out;
}

/* Length of the part of s before an unescaped character of stop, or before the end. */
static size_t field_len(const char *s, const char *stop)
{
	size_t n = 0;

	while (s[n] && !strchr(stop, s[n]))
		n += s[n] == '\\' && s[n + 1] ? 2 : 1;
	return n;
}

/* text with the characters that mean something in a mount list escaped; malloced. */
static char *mounts_escape(const char *text)
{
	char *out = malloc(2 * strlen(text) + 1), *end = out;

	if (!out)
		return NULL;
	for (; *text; text++) {
		if (strchr(":,\\", *text))
			*end++ = '\\';
		*end++ = *text;
	}
	*end = '\0';
	return out;
}

/* Sources that the parser refuses with a reason of their own: as a path they would hide it. */
static bool source_refused(const char *src, size_t n)
{
	return (n == strlen("umount") && strncmp(src, "umount", n) == 0) ||
	       (n > 0 && src[0] == '~' && (n == 1 || src[1] == '/'));
}

char *option_absolute_mounts(const char *mounts, const char *cwd)
{
	char *base = mounts_escape(cwd), *out, *end;
	size_t entries = 1;

	for (const char *c = mounts; *c; c++)
		entries += *c == ',';
	out = base ? malloc(strlen(mounts) + entries * (strlen(base) + 2) + 1) : NULL;
	end = out;
	while (out && *mounts) {
		size_t n = field_len(mounts, ",");

		if (n && mounts[0] != '/' && strncmp(mounts, "tmpfs:", 6) != 0) {
			size_t src = field_len(mounts, ":,");

			if (src && !source_refused(mounts, src)) {
				end = absolute_append(end, mounts, src, base);
				mounts += src;
				n -= src;
			}
		}
		memcpy(end, mounts, n);
		end += n;
		mounts += n;
		if (*mounts == ',')
			*end++ = *mounts++;
	}
	if (end)
		*end = '\0';
	free(base);
	return out;
}
