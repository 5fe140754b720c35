/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE 1
#include "cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <hwloc.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "capture.h"
#include "topo_hwloc.h"
#include "sysfs.h"

#define TAR ".tar"

extern char **environ;

/* What the scan has read, in order. */
struct trace {
	struct trace_path {
		char *path;
		bool list;
	} * v;
	size_t n;
	bool failed;
};

static void trace_add(void *arg, const char *path, bool list)
{
	struct trace *t = arg;

	if (t->failed || t->n == CAPTURE_FILES_MAX)
		return;
	if ((t->n & (t->n - 1)) == 0) { /* 0 or a power of two: full */
		void *more = reallocarray(t->v, t->n ? 2 * t->n : 1, sizeof(*t->v));

		t->failed = !more;
		if (!more)
			return;
		t->v = more;
	}
	t->v[t->n].list = list;
	t->v[t->n].path = strdup(path);
	t->failed = !t->v[t->n].path;
	t->n += !t->failed;
}

static void trace_done(struct trace *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->v[i].path);
	free(t->v);
}

/* ---- topology.xml ---- */

/* hwloc notes much about a machine; these say what it is, not which one. */
static bool topology_info_kept(const char *name)
{
	static const char *const kept[] = {
		"Backend",	  "CPUModel",	    "CPUVendor",    "CPUFamilyNumber",
		"CPUStepping",	  "CPUModelNumber", "DMIBoardName", "DMIBoardVendor",
		"DMIProductName", "DMISysVendor",   "OSName",	    "OSRelease",
		"Architecture",	  "hwlocVersion",   "PCIDevice",    "PCIVendor",
		"PCISlot",	  "Address",	    "Port",	    "NodeGUID",
		"SysImageGUID",
	};

	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		if (strcmp(name, kept[i]) == 0)
			return true;
	return strncmp(name, "Port", 4) == 0; /* Port1State, Port1LID, Port1GID0 */
}

static void topology_scrub(hwloc_obj_t o)
{
	const hwloc_obj_t first[] = { o->first_child, o->memory_first_child, o->io_first_child,
				      o->misc_first_child };

	for (unsigned i = 0; i < o->infos_count; i++)
		if (!topology_info_kept(o->infos[i].name))
			o->infos[i].value[0] = '\0';
	for (size_t k = 0; k < sizeof(first) / sizeof(first[0]); k++)
		for (hwloc_obj_t child = first[k]; child; child = child->next_sibling)
			topology_scrub(child);
}

static int capture_topology(const struct cmd_options *o, struct capture *c, struct err *e)
{
	hwloc_topology_t t;
	int len = 0, rc = -1;
	char *xml;

	if (topo_hwloc_load(&o->source, TOPO_ALL, &t, e) < 0)
		return -1;
	if (!c->scrub->off)
		topology_scrub(hwloc_get_root_obj(t));
	if (hwloc_topology_export_xmlbuffer(t, &xml, &len, 0) < 0) {
		err_sys(e, errno, "topology.xml");
	} else {
		scrub_text(c->scrub, xml, (size_t)len);
		rc = capture_write(c, "topology.xml", xml, strlen(xml), e);
		hwloc_free_xmlbuffer(t, xml);
	}
	hwloc_topology_destroy(t);
	return rc;
}

static int capture_about(struct capture *c, struct err *e)
{
	struct utsname u;
	char text[1024];
	int n;

	if (uname(&u) < 0)
		return err_sys(e, errno, "uname");
	n = snprintf(text, sizeof(text), "berth-hwmap %s\nhwloc %x\nkernel %s %s\naddresses %s\n",
		     BERTH_VERSION, hwloc_get_api_version(), u.release, u.machine,
		     c->scrub->off ? "kept" : "replaced");
	return capture_write(c, "berth-hwmap.txt", text, (size_t)n, e);
}

/* ---- the copy ---- */

static int capture_paths(struct capture *c, const struct trace *t, struct err *e)
{
	for (size_t i = 0; i < t->n; i++)
		if (capture_path(c, t->v[i].path, t->v[i].list, e) < 0)
			return -1;
	return capture_path(c, CMD_RDMA_CM, false, e);
}

/* Everything into the directory, which is new. */
static int capture_all(const struct cmd_options *o, const struct trace *t, const char *dir,
		       struct capture *c, struct err *e)
{
	const char *from = o->source.sysfs ? o->source.sysfs : "/sys";
	int rc = -1;

	c->from = open(from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c->from < 0)
		return err_sys(e, errno, "%s", from);
	c->to = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c->to < 0)
		err_sys(e, errno, "%s", dir);
	else if (capture_paths(c, t, e) == 0 && capture_topology(o, c, e) == 0)
		rc = capture_about(c, e);
	if (c->scrub->failed)
		rc = err_set(e, "out of memory");
	close(c->from);
	if (c->to >= 0)
		close(c->to);
	return rc;
}

/* ---- the archive ---- */

static int tar_run(const char *parent, const char *name, const char *file, struct err *e)
{
	const char *const argv[] = { "tar",
				     "--format=gnu",
				     "--sort=name",
				     "--owner=0",
				     "--group=0",
				     "--numeric-owner",
				     "--force-local",
				     "-cf",
				     file,
				     "-C",
				     parent,
				     "--",
				     name,
				     NULL };
	int status, failed;
	pid_t pid;

	failed = posix_spawnp(&pid, argv[0], NULL, NULL, (char *const *)argv, environ);
	if (failed)
		return err_sys(e, failed, "tar");
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_sys(e, errno, "tar");
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return err_set(e, "%s: tar failed", file);
	return 0;
}

/* The name without its directory and ".tar": that of the directory inside. */
static void tar_name(const char *file, char name[NAME_MAX + 1])
{
	const char *base = strrchr(file, '/');

	base = base ? base + 1 : file;
	snprintf(name, NAME_MAX + 1, "%.*s", (int)(strlen(base) - strlen(TAR)), base);
	if (!name[0])
		snprintf(name, NAME_MAX + 1, "capture");
}

static bool tar_wanted(const char *target)
{
	size_t n = strlen(target);

	return n >= strlen(TAR) && strcmp(target + n - strlen(TAR), TAR) == 0;
}

static int capture_tar(const struct cmd_options *o, const struct trace *t, struct capture *c,
		       struct err *e)
{
	const char *tmp = getenv("TMPDIR");
	char parent[PATH_MAX / 2], dir[PATH_MAX], name[NAME_MAX + 1];
	/* the name is ours from now on; tar only fills the file */
	int fd = open(o->target, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644), rc = -1;

	if (fd < 0)
		return err_sys(e, errno, "%s", o->target);
	close(fd);
	tar_name(o->target, name);
	snprintf(parent, sizeof(parent), "%s/berth-hwmap.XXXXXX", tmp && *tmp ? tmp : "/tmp");
	if (!mkdtemp(parent)) {
		err_sys(e, errno, "%s", parent);
		unlink(o->target);
		return -1;
	}
	snprintf(dir, sizeof(dir), "%s/%s", parent, name);
	if (mkdir(dir, 0755) < 0)
		err_sys(e, errno, "%s", dir);
	else if (capture_all(o, t, dir, c, e) == 0)
		rc = tar_run(parent, name, o->target, e);
	capture_remove(parent);
	if (rc < 0)
		unlink(o->target);
	return rc;
}

static int capture_directory(const struct cmd_options *o, const struct trace *t, struct capture *c,
			     struct err *e)
{
	if (mkdir(o->target, 0755) < 0)
		return err_sys(e, errno, "%s", o->target);
	if (capture_all(o, t, o->target, c, e) == 0)
		return 0;
	capture_remove(o->target);
	return -1;
}

static void capture_say(const struct cmd_options *o, const struct capture *c)
{
	struct json_object *j;
	char name[PATH_MAX];

	if (!o->json) {
		printf("%s: %zu files and links, addresses %s\n",
		       output_clean(o->target, name, sizeof(name)), c->files,
		       c->scrub->off ? "kept" : "replaced");
		return;
	}
	j = output_json_object();
	output_json_add(j, "path", output_json_text(o->target));
	output_json_add(j, "files", output_json_number((int64_t)c->files));
	output_json_add(j, "bytes", output_json_number((int64_t)c->bytes));
	output_json_add(j, "addresses", output_json_text(c->scrub->off ? "kept" : "replaced"));
	output_json_print(j);
}

int cmd_capture(const struct cmd_options *o, struct hwmap_notes *notes, struct err *e)
{
	struct scrub scrub = { .off = o->keep_ids };
	struct capture c = { .from = -1, .to = -1, .scrub = &scrub };
	struct trace trace = { 0 };
	struct hwmap *m = NULL;
	int rc;

	sysfs_watch(trace_add, &trace);
	rc = hwmap_scan(&o->source, &m, notes, e);
	sysfs_watch(NULL, NULL);
	hwmap_free(m);
	if (trace.failed)
		rc = err_set(e, "out of memory");
	if (rc < 0) {
		trace_done(&trace);
		return CMD_NODE;
	}
	rc = tar_wanted(o->target) ? capture_tar(o, &trace, &c, e)
				   : capture_directory(o, &trace, &c, e);
	if (rc == 0)
		capture_say(o, &c);
	trace_done(&trace);
	scrub_done(&scrub);
	return rc < 0 ? CMD_OUTPUT : CMD_OK;
}
