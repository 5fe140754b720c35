/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "slurmtools.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sys.h"

#define HOST_PASSWD_MAX (16 * 1024 * 1024)

/* Where Slurm's own plugins may be; those that exist appear at the same path. */
static const char *const plugin_dirs[] = {
	BERTH_PLUGINDIR,
	"/usr/lib/x86_64-linux-gnu/slurm-wlm",
	"/usr/lib/aarch64-linux-gnu/slurm-wlm",
	"/usr/lib64/slurm",
	"/usr/lib/slurm",
	"/usr/local/lib/slurm",
	"/opt/slurm",
};

const char *const *slurmtools_names(void)
{
	static const char *const names[] = {
		"srun",	 "sbatch", "salloc",   "scancel", "squeue", "sinfo",
		"sacct", "sstat",  "scontrol", "sattach", "sbcast", NULL,
	};

	return names;
}

/* Bind host path src to dst, opened by root: none of these names is the user's. */
static int add(struct plan *p, const char *src, const char *dst, struct err *e)
{
	struct plan_bind b = { .origin = ORIGIN_SLURM, .ro = true, .recursive = true };

	for (size_t i = 0; i < p->nbinds; i++)
		if (p->binds[i].origin == ORIGIN_SLURM && !strcmp(p->binds[i].dst, dst))
			return 0;
	b.fd = open(src, O_PATH | O_CLOEXEC);
	if (b.fd < 0)
		return errno == ENOENT ? 0 : err_sys(e, errno, "%s (for slurm=yes)", src);
	b.dst = strdup(dst);
	if (!b.dst || plan_add(p, &b) < 0)
		return err_set(e, "too many mounts");
	return 0;
}

static int add_conf(const struct request *r, struct plan *p, struct err *e)
{
	char dir[PATH_MAX] = "/etc/slurm";
	const char *slash = r->slurm_conf ? strrchr(r->slurm_conf, '/') : NULL;

	if (slash && slash != r->slurm_conf)
		snprintf(dir, sizeof(dir), "%.*s", (int)(slash - r->slurm_conf), r->slurm_conf);
	return add(p, dir, dir, e);
}

/*
 * srun ends at once when slurm.conf's SlurmUser is not an account where it runs.
 * Append the host's line that begins "slurm:" to text unless it has one.
 */
static int add_slurm_user(const char *path, char **text, size_t *len, struct err *e)
{
	size_t host_len;
	char *host, *more, *line;
	int n, rc = 0;

	if (!*text || !strncmp(*text, "slurm:", 6) || memmem(*text, *len, "\nslurm:", 7))
		return 0;
	host = sys_read_at(AT_FDCWD, path, HOST_PASSWD_MAX, &host_len);
	if (!host)
		return 0;
	line = strncmp(host, "slurm:", 6) ? strstr(host, "\nslurm:") : host;
	if (line) {
		line += *line == '\n';
		n = asprintf(&more, "%.*s%.*s\n", (int)*len, *text, (int)strcspn(line, "\n"), line);
		if (n < 0) {
			rc = err_set(e, "out of memory");
		} else {
			free(*text);
			*text = more;
			*len = (size_t)n;
		}
	}
	free(host);
	return rc;
}

int slurmtools_plan(const struct config *c, const struct request *r, struct plan *p, struct err *e)
{
	if (add(p, "/usr", SLURMTOOLS_DIR "/host/usr", e) < 0 ||
	    add(p, BERTH_LIBEXECDIR, SLURMTOOLS_DIR "/bin", e) < 0 ||
	    add(p, "/run/munge", "/run/munge", e) < 0 || add_conf(r, p, e) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(plugin_dirs) / sizeof(plugin_dirs[0]); i++)
		if (add(p, plugin_dirs[i], plugin_dirs[i], e) < 0)
			return -1;
	for (size_t i = 0; i < c->slurm_paths.n; i++)
		if (add(p, c->slurm_paths.v[i], c->slurm_paths.v[i], e) < 0)
			return -1;
	p->slurmtools = true;
	return add_slurm_user("/etc/passwd", &p->passwd, &p->passwd_len, e) < 0 ||
			       add_slurm_user("/etc/group", &p->group, &p->group_len, e) < 0
		       ? -1
		       : 0;
}
