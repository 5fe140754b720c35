/* SPDX-License-Identifier: BSD-3-Clause */
/* Flags of binds, and what a tmpfs takes beside them. */
#define _GNU_SOURCE 1
#include <stdint.h>
#include <string.h>

#include "mountspec_impl.h"

#define MOUNT_FLAGS_TEXT "ro, rw, noexec, nofail, private, rprivate, slave, rslave, bind or rbind"

enum {
	FLAG_RO = 1,
	FLAG_RW = 2,
	FLAG_PRIVATE = 4,
	FLAG_SLAVE = 8,
	FLAG_BIND = 16,
	FLAG_RBIND = 32,
	FLAG_NOEXEC = 64,
	FLAG_NOFAIL = 128,
	FLAG_NOOP = 256,
};

/*
 * The bit of a flag; 0 if it is none.  nosuid and nodev hold for every mount and a
 * missing mount point is always made, so to ask for those changes nothing.  Nobody can
 * bind in the container, so unbindable is private.
 */
static unsigned flag_bit(struct span s)
{
	static const struct {
		const char *name;
		unsigned bit;
	} flags[] = {
		{ "ro", FLAG_RO },
		{ "rw", FLAG_RW },
		{ "noexec", FLAG_NOEXEC },
		{ "nofail", FLAG_NOFAIL },
		{ "private", FLAG_PRIVATE },
		{ "rprivate", FLAG_PRIVATE },
		{ "slave", FLAG_SLAVE },
		{ "rslave", FLAG_SLAVE },
		{ "unbindable", FLAG_PRIVATE },
		{ "runbindable", FLAG_PRIVATE },
		{ "bind", FLAG_BIND },
		{ "rbind", FLAG_RBIND },
		{ "nosuid", FLAG_NOOP },
		{ "nodev", FLAG_NOOP },
		{ "x-create=auto", FLAG_NOOP },
		{ "x-create=dir", FLAG_NOOP },
		{ "x-create=file", FLAG_NOOP },
	};

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (span_is(s, flags[i].name))
			return flags[i].bit;
	return 0;
}

static int flag_unknown(struct span s, const char *expected, struct err *e)
{
	char quoted[ERR_QUOTE_MAX];

	if (span_is(s, "shared") || span_is(s, "rshared"))
		return err_set(e,
			       "flag \"%.*s\" is refused: no mount may propagate to the host; use "
			       "private or slave",
			       (int)s.len, s.p);
	return err_set(e, "unknown flag \"%s\", expected %s, joined by '+'",
		       err_quote(quoted, s.p, s.len), expected);
}

/* Two flags of a kind that say the opposite. */
static int flags_check(unsigned seen, struct err *e)
{
	static const struct {
		unsigned both;
		const char *names;
	} pairs[] = {
		{ FLAG_RO | FLAG_RW, "ro and rw" },
		{ FLAG_PRIVATE | FLAG_SLAVE, "private and slave" },
		{ FLAG_BIND | FLAG_RBIND, "bind and rbind" },
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		if ((seen & pairs[i].both) == pairs[i].both)
			return err_set(e, "flags %s contradict each other: keep one",
				       pairs[i].names);
	return 0;
}

/* s as a number in base 8 or 10, at most max, all of it digits. */
static bool span_number(struct span s, unsigned base, uint64_t max, uint64_t *ret)
{
	uint64_t v = 0;

	if (s.len == 0)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		unsigned digit = (unsigned)(unsigned char)s.p[i] - '0';

		if (digit >= base || v > (max - digit) / base)
			return false;
		v = v * base + digit;
	}
	*ret = v;
	return true;
}

/* "4096", "64k", "512m", "2g", "1t", capitals as well; not 0, which the kernel reads as no limit. */
static bool tmpfs_size(struct span s, size_t *ret)
{
	static const char units[] = "kmgt";
	unsigned shift = 0;
	uint64_t v = 0;

	if (s.len > 1) {
		const char *u = strchr(units, s.p[s.len - 1] | 0x20);

		if (u && *u) {
			shift = 10 * (unsigned)(u - units + 1);
			s.len--;
		}
	}
	if (!span_number(s, 10, SIZE_MAX >> shift, &v) || v == 0)
		return false;
	*ret = (size_t)(v << shift);
	return true;
}

/* size= and mode=.  1: taken; 0: not such an option; -1 with *e. */
static int tmpfs_option(struct span s, struct mount_spec *m, struct err *e)
{
	bool size = span_starts(s, "size=");
	char quoted[ERR_QUOTE_MAX];
	struct span value;
	uint64_t mode;

	if (!size && !span_starts(s, "mode="))
		return 0;
	err_quote(quoted, s.p, s.len);
	value.p = s.p + 5;
	value.len = s.len - 5;
	if (size) {
		if (!tmpfs_size(value, &m->tmpfs_size))
			return err_set(e, "\"%s\" is not a size, expected size=N with k, m, g or t",
				       quoted);
		return 1;
	}
	if (!span_number(value, 8, 01777, &mode))
		return err_set(e, "\"%s\" is not a mode, expected octal, at most 1777", quoted);
	m->tmpfs_mode = (unsigned)mode;
	return 1;
}

static int mount_flag(struct span s, struct mount_spec *m, unsigned *seen, struct err *e)
{
	bool tmpfs = m->kind == MOUNT_TMPFS;
	unsigned bit = flag_bit(s);
	int rc = tmpfs ? tmpfs_option(s, m, e) : 0;

	if (rc != 0)
		return rc < 0 ? -1 : 0;
	if (s.len == 0)
		return err_set(e, "a flag is empty, expected flags joined by single '+'");
	if (tmpfs && (bit & (FLAG_BIND | FLAG_RBIND | FLAG_SLAVE | FLAG_NOFAIL)))
		bit = 0;
	if (!bit)
		return flag_unknown(s,
				    tmpfs ? "size=N, mode=OCTAL, ro, rw or noexec"
					  : MOUNT_FLAGS_TEXT,
				    e);
	*seen |= bit;
	return 0;
}

int mount_flags(struct span text, struct mount_spec *m, struct err *e)
{
	unsigned seen = 0;
	bool more = text.len > 0; /* "a:b:" is as good as "a:b" */

	while (more)
		if (mount_flag(span_split(&text, '+', &more), m, &seen, e) < 0)
			return -1;
	m->ro = seen & FLAG_RO;
	m->noexec = seen & FLAG_NOEXEC;
	m->nofail = seen & FLAG_NOFAIL;
	m->slave = seen & FLAG_SLAVE;
	return flags_check(seen, e);
}

bool mount_is_flag(struct span s)
{
	return flag_bit(s) != 0;
}

int mount_tmpfs_option(const char *option, struct mount_spec *m, struct err *e)
{
	struct span s = { option, strlen(option) };

	return tmpfs_option(s, m, e);
}
