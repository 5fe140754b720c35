/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE 1
#include "optioncheck.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "../helper/mountspec.h"
#include "../helper/usnicspec.h"

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
