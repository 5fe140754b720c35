/* SPDX-License-Identifier: BSD-3-Clause */
/* The builder's layer over the image: mount points that it lacks, and files of the container's own. */
#define _GNU_SOURCE
#include "rootfs_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "mountspec.h"
#include "slurmtools.h"
#include "sys.h"
#include "top.h"

#define HOST_ETC_MAX (256 * 1024)

int build_rank(enum origin o)
{
	static const int rank[ORIGIN_LAST + 1] = {
		[ORIGIN_CWD] = 1,  [ORIGIN_HOME] = 2,  [ORIGIN_SITE] = 3,   [ORIGIN_BUNDLE] = 4,
		[ORIGIN_USER] = 5, [ORIGIN_SLURM] = 6, [ORIGIN_SCRIPT] = 7, [ORIGIN_PMIX] = 8,
	};

	return rank[o];
}

/* Is a attached before c, of which it is an ancestor? */
static bool comes_before(const struct plan_bind *a, const struct plan_bind *c)
{
	return build_rank(a->origin) <= build_rank(c->origin);
}

/* Below another mount: its place is known only when that one is attached. */
static bool nested(struct build *b, size_t i)
{
	const struct plan *p = b->t->p;
	const char *dst = p->binds[i].dst;

	if (b->cl.tmp >= 0 && path_within(dst, "/tmp"))
		return true;
	for (size_t k = 0; k < p->nbinds; k++)
		if (k != i && b->cl.tree[k] >= 0 && strcmp(dst, p->binds[k].dst) != 0 &&
		    path_within(dst, p->binds[k].dst) && comes_before(&p->binds[k], &p->binds[i]))
			return true;
	return false;
}

bool build_is_default(enum origin o)
{
	return o == ORIGIN_HOME || o == ORIGIN_CWD;
}

static int place_one(struct build *b, const struct walker_place *place, const char *dst, bool dir)
{
	if (place->error)
		return err_sys(&b->e, place->error, "mount destination %.200s in the image", dst);
	if (!place->missing && place->is_dir != dir)
		return err_set(&b->e,
			       "mount destination %.200s: the source is a %s, what the image has "
			       "there is not",
			       dst, dir ? "directory" : "file");
	if (path_within(place->path, "/proc") || path_within(place->path, "/sys") ||
	    path_within(place->path, "/dev"))
		return err_set(
			&b->e,
			"mount destination %.200s: the image leads it to %.200s, which is the "
			"container's own",
			dst, place->path);
	return place->missing ? top_place(b->top, place, dir, &b->e) : 0;
}

static int host_file(struct build *b, const struct walker_place *etc, const char *path,
		     const char *name)
{
	size_t len;
	char *text = sys_read_at(AT_FDCWD, path, HOST_ETC_MAX, &len);
	int rc = text ? top_file(b->top, etc, name, text, len, &b->e) : 0;

	free(text);
	return rc;
}

int build_files(struct build *b)
{
	const struct walker_place *etc = &b->fixed[FIXED_ETC];
	const struct plan_etc *p = &b->etc;

	if (etc->error || (!etc->missing && !etc->is_dir))
		return 0; /* an image whose /etc is no directory gets none of these */
	if ((p->passwd && top_file(b->top, etc, "passwd", p->passwd, p->passwd_len, &b->e) < 0) ||
	    (p->group && top_file(b->top, etc, "group", p->group, p->group_len, &b->e) < 0))
		return -1;
	if (!b->t->c->resolv)
		return 0;
	return host_file(b, etc, "/etc/resolv.conf", "resolv.conf") < 0 ||
			       host_file(b, etc, "/etc/hosts", "hosts") < 0
		       ? -1
		       : 0;
}

/* /usr/bin/srun and its like lead to berth-launch, over whatever the image has there. */
static int link_tools(struct build *b, const struct walker_place *bin)
{
	/* absolute symlinks of the host's loader and libraries go through these */
	static const struct walker_place host = { .path = SLURMTOOLS_DIR "/host", .missing = 2 };
	const char *const *name = slurmtools_names();

	if (bin->error || (!bin->missing && !bin->is_dir))
		return 0;
	for (; *name; name++)
		if (top_link(b->top, bin, *name, SLURMTOOLS_DIR "/bin/berth-launch", &b->e) < 0)
			return -1;
	return top_link(b->top, &host, "lib", "usr/lib", &b->e) < 0 ||
			       top_link(b->top, &host, "lib64", "usr/lib64", &b->e) < 0
		       ? -1
		       : 0;
}

/*
 * The job's cwd exists in every container, if only as an empty directory: with
 * Slurm's own --container, 24.11 and later end the task otherwise.
 */
static int place_cwd(struct build *b, const struct walker_place *place)
{
	const struct plan *p = b->t->p;

	if (b->cl.tmp >= 0 && path_within(p->cwd, "/tmp"))
		return 0;
	for (size_t i = 0; i < p->nbinds; i++)
		if (b->cl.tree[i] >= 0 && path_within(p->cwd, p->binds[i].dst))
			return 0;
	if (place->error || !place->missing || path_within(place->path, "/proc") ||
	    path_within(place->path, "/sys") || path_within(place->path, "/dev"))
		return 0;
	b->cwd_hollow = true;
	return top_place(b->top, place, true, &b->e);
}

int build_places(struct build *b)
{
	static const char *const own[] = { "proc", "sys", "dev" };
	const struct plan *p = b->t->p;
	char *dst[PLAN_BINDS_MAX + FIXED_COUNT];
	size_t index[PLAN_BINDS_MAX], n = 0;
	const struct walker_place *fixed;

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (mkdirat(b->top, own[i], 0755) < 0)
			return err_sys(&b->e, errno, "cannot make /%s", own[i]);
	for (size_t i = 0; i < p->nbinds; i++)
		if (b->cl.tree[i] >= 0 && !nested(b, i)) {
			index[n] = i;
			dst[n++] = p->binds[i].dst;
		}
	b->fixed = fixed = b->place + n;
	dst[n + FIXED_TMP] = (char *)"/tmp";
	dst[n + FIXED_ETC] = (char *)"/etc";
	dst[n + FIXED_CWD] = p->cwd;
	dst[n + FIXED_BIN] = (char *)"/usr/bin";
	for (int i = 0; i < ROOTFS_PMIX; i++)
		dst[n + FIXED_PMIX + i] = b->pmix[i][0] ? b->pmix[i] : (char *)"/";
	if (walker_survey(&b->walker, dst, n + FIXED_COUNT, b->place, &b->e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		const struct plan_bind *bind = &p->binds[index[i]];

		if (place_one(b, &b->place[i], bind->dst, b->cl.is_dir[index[i]]) < 0) {
			if (!build_is_default(bind->origin))
				return -1;
			b->e.text[0] = '\0';
			sys_close(&b->cl.tree[index[i]]);
		}
	}
	if (b->cl.tmp >= 0 && place_one(b, &fixed[FIXED_TMP], "/tmp", true) < 0)
		return -1;
	for (int i = FIXED_PMIX; i < FIXED_COUNT; i++)
		if (!fixed[i].error && fixed[i].missing &&
		    top_place(b->top, &fixed[i], true, &b->e) < 0)
			return -1;
	if (place_cwd(b, &fixed[FIXED_CWD]) < 0)
		return -1;
	return p->slurmtools ? link_tools(b, &fixed[FIXED_BIN]) : 0;
}
