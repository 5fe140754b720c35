/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "slurmtools.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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
	struct plan_bind b = { .origin = ORIGIN_SLURM, .ro = true };
	struct stat st;

	for (size_t i = 0; i < p->nbinds; i++)
		if (p->binds[i].origin == ORIGIN_SLURM && !strcmp(p->binds[i].dst, dst))
			return 0;
	/* cppcheck does not see that plan_add() takes both over */
	b.fd = open(src, O_PATH | O_CLOEXEC);
	if (b.fd < 0)
		/* cppcheck-suppress memleak */
		return errno == ENOENT ? 0 : err_sys(e, errno, "%s (for slurm=yes)", src);
	b.dir = fstat(b.fd, &st) == 0 && S_ISDIR(st.st_mode);
	b.dst = strdup(dst);
	if (!b.dst) {
		sys_close(&b.fd);
		return err_set(e, "out of memory");
	}
	/* cppcheck-suppress memleak */
	return plan_add(p, &b) < 0 ? err_set(e, "too many mounts") : 0;
}

static int add_conf(const struct request *r, struct plan *p, struct err *e)
{
	char dir[PATH_MAX] = "/etc/slurm";
	const char *slash = r->slurm_conf ? strrchr(r->slurm_conf, '/') : NULL;

	if (slash && slash != r->slurm_conf)
		snprintf(dir, sizeof(dir), "%.*s", (int)(slash - r->slurm_conf), r->slurm_conf);
	return add(p, dir, dir, e);
}

/* Line of name in passwd-like text, without its newline; NULL if there is none. */
static const char *account_line(const char *text, const char *name, size_t *len)
{
	size_t n = strlen(name);

	for (const char *line = text; line; line = strchr(line, '\n'), line += line != NULL)
		if (!strncmp(line, name, n) && line[n] == ':') {
			*len = strcspn(line, "\n");
			return line;
		}
	return NULL;
}

/*
 * srun ends at once when slurm.conf's SlurmUser is not an account where it runs: give
 * the container the host's lines of the two that it usually is, where it lacks them.
 */
static int add_accounts(const char *path, char **text, size_t *len, struct err *e)
{
	static const char *const names[] = { "root", "slurm" };
	size_t host_len, n;
	char *host = *text ? sys_read_at(AT_FDCWD, path, HOST_PASSWD_MAX, &host_len) : NULL;
	int rc = 0;

	for (size_t i = 0; host && rc == 0 && i < sizeof(names) / sizeof(names[0]); i++) {
		const char *line = account_line(host, names[i], &n);
		char *more;
		int total;

		if (!line || account_line(*text, names[i], &host_len))
			continue;
		total = asprintf(&more, "%.*s%.*s\n", (int)*len, *text, (int)n, line);
		if (total < 0) {
			rc = err_set(e, "out of memory");
			break;
		}
		free(*text);
		*text = more;
		*len = (size_t)total;
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
	return 0;
}

int slurmtools_accounts(struct plan_etc *p, struct err *e)
{
	return add_accounts("/etc/passwd", &p->passwd, &p->passwd_len, e) < 0 ||
			       add_accounts("/etc/group", &p->group, &p->group_len, e) < 0
		       ? -1
		       : 0;
}
