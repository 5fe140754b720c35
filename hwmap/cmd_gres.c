/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What Slurm wants of gres.conf (src/common/gres.c, later src/interfaces/gres.c):
 *   - lines of one name have all a File or none, and all a Type or none; without File, two
 *     lines need a Type;
 *   - of two lines with the same Type and without File slurmctld counts the last alone, so there
 *     is one for each Type; and it uses Cores with File only;
 *   - Count, beside File, is the number of files, so a node that several VFs share can't be
 *     named; Flags=CountOnly says that no gres plugin is looked for;
 *   - Cores are Slurm's own numbers: cores in hwloc's order, counted from 0, whatever the
 *     kernel calls their CPUs;
 *   - Cores are those of one socket or of all: slurmctld chose by sockets always, and drains the
 *     node for others from 25.05 on (_check_core_range_matches_sock). What is a socket:
 *     src/slurmd/common/xcpuinfo.c, with SlurmdParameters=numa_node_as_socket the parent of the
 *     first NUMA node's kind;
 *   - at most 1024 files.
 */
#include "cmd.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "topo_hwloc.h"

#define GRES_FILES_MAX 1024
#define UVERBS "uverbs"

/* Devices that Slurm does not tell apart. */
struct gres_line {
	char type[HWMAP_NAME_MAX];
	struct hwmap_cpus cores; /* Slurm's indexes; none: nobody knows */
	struct hwmap_cpus nodes; /* N of each uverbsN */
	uint32_t count;
};

struct gres {
	struct gres_line *line;
	size_t n;
	bool files;
	bool rounded; /* a line has more cores than are near */
	const char *name;
};

/* N of "uverbsN"; -1 if it isn't called so, or N is no index of a set. */
static int gres_node_number(const struct hwmap_device *d)
{
	char *end;
	unsigned long n;

	if (strncmp(d->uverbs, UVERBS, strlen(UVERBS)) != 0)
		return -1;
	n = strtoul(d->uverbs + strlen(UVERBS), &end, 10);
	return d->uverbs[strlen(UVERBS)] && !*end && n < HWMAP_CPUS_MAX ? (int)n : -1;
}

/* Slurm can name the devices: each slot is a node of its own. */
static bool gres_has_files(const struct hwmap *m)
{
	size_t n = 0;

	for (size_t i = 0; i < hwmap_ndevices(m); i++) {
		const struct hwmap_device *d = hwmap_device(m, i);

		if (d->slots == 0)
			continue;
		if (d->slots > 1 || gres_node_number(d) < 0 || ++n > GRES_FILES_MAX)
			return false;
	}
	return true;
}

/* Slurm divides at ':', ',' and '='; other characters have no place in a name either. */
static void gres_type(const struct hwmap_device *d, char type[HWMAP_NAME_MAX])
{
	snprintf(type, HWMAP_NAME_MAX, "%s", d->driver[0] ? d->driver : output_role(d->role));
	for (char *p = type; *p; p++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", *p))
			*p = '_';
}

static bool cpus_equal(const struct hwmap_cpus *a, const struct hwmap_cpus *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/* What Slurm counts as a core. */
static hwloc_obj_type_t gres_core_type(hwloc_topology_t t)
{
	return hwloc_get_nbobjs_by_type(t, HWLOC_OBJ_CORE) > 0 ? HWLOC_OBJ_CORE : HWLOC_OBJ_PU;
}

/* The cores with one of d's CPUs. */
static void gres_cores(hwloc_topology_t t, const struct hwmap_device *d, struct hwmap_cpus *ret)
{
	hwloc_obj_type_t type = gres_core_type(t);
	unsigned core = 0;

	*ret = (struct hwmap_cpus){ { 0 } };
	for (hwloc_obj_t o = NULL; (o = hwloc_get_next_obj_by_type(t, type, o)) != NULL; core++) {
		unsigned cpu;

		hwloc_bitmap_foreach_begin(cpu, o->cpuset) if (hwmap_cpus_has(&d->cpus, cpu))
			hwmap_cpus_set(ret, core);
		hwloc_bitmap_foreach_end();
	}
}

/* What Slurm counts as a socket; -1 with a line in *e if this machine has no such thing. */
static int gres_socket_type(hwloc_topology_t t, enum cmd_socket socket, hwloc_obj_type_t *ret,
			    struct err *e)
{
	if (socket == SOCKET_NUMA) {
		hwloc_obj_t node = hwloc_get_next_obj_by_type(t, HWLOC_OBJ_NUMANODE, NULL);

		*ret = node && node->parent ? node->parent->type : HWLOC_OBJ_PACKAGE;
	} else
		*ret = socket == SOCKET_L3CACHE ? HWLOC_OBJ_L3CACHE : HWLOC_OBJ_PACKAGE;
	if (socket != SOCKET_PACKAGE && hwloc_get_nbobjs_by_type(t, *ret) <= 0)
		return err_set(e, "gres: --socket: this machine shows no %s",
			       hwloc_obj_type_string(*ret));
	return 0;
}

/* Cores that lie in one socket are made that socket's, others all; none stay none. */
static bool gres_round(hwloc_topology_t t, hwloc_obj_type_t socket, struct hwmap_cpus *cores)
{
	struct hwmap_cpus one = { { 0 } }, all = { { 0 } };
	const struct hwmap_cpus before = *cores;
	hwloc_obj_t first = NULL;
	bool several = false;
	unsigned core = 0;

	for (hwloc_obj_t o = NULL;
	     (o = hwloc_get_next_obj_by_type(t, gres_core_type(t), o)) != NULL; core++) {
		hwloc_obj_t parent = hwloc_get_ancestor_obj_by_type(t, socket, o);

		hwmap_cpus_set(&all, core);
		if (hwmap_cpus_has(cores, core) && !first)
			first = parent;
		several |= hwmap_cpus_has(cores, core) && (!parent || parent != first);
	}
	core = 0;
	for (hwloc_obj_t o = NULL;
	     (o = hwloc_get_next_obj_by_type(t, gres_core_type(t), o)) != NULL; core++)
		if (first && hwloc_get_ancestor_obj_by_type(t, socket, o) == first)
			hwmap_cpus_set(&one, core);
	*cores = several ? all : one;
	return !cpus_equal(&before, cores);
}

/* Of all: none, if one of them is none. */
static void cpus_join(struct hwmap_cpus *all, const struct hwmap_cpus *more)
{
	static const struct hwmap_cpus none;
	bool known = !cpus_equal(all, &none) && !cpus_equal(more, &none);

	for (size_t i = 0; i < sizeof(all->bits) / sizeof(all->bits[0]); i++)
		all->bits[i] = known ? all->bits[i] | more->bits[i] : 0;
}

static void gres_add(struct gres *g, hwloc_topology_t t, hwloc_obj_type_t socket,
		     const struct hwmap_device *d)
{
	struct gres_line new = { .count = 0 };
	size_t i;

	gres_type(d, new.type);
	gres_cores(t, d, &new.cores);
	g->rounded |= gres_round(t, socket, &new.cores);
	for (i = 0; i < g->n; i++)
		if (strcmp(g->line[i].type, new.type) == 0 &&
		    (!g->files || cpus_equal(&g->line[i].cores, &new.cores)))
			break;
	if (i == g->n)
		g->line[g->n++] = new;
	cpus_join(&g->line[i].cores, &new.cores);
	g->rounded |= gres_round(t, socket, &g->line[i].cores);
	g->line[i].count += d->slots;
	if (g->files)
		hwmap_cpus_set(&g->line[i].nodes, (unsigned)gres_node_number(d));
}

/* "/dev/infiniband/uverbs[0-3,8]", as Slurm reads lists of names. */
static const char *gres_file(const struct gres_line *l, char *buf, size_t size)
{
	char numbers[OUTPUT_CELL_MAX];

	hwmap_cpus_text(&l->nodes, numbers, sizeof(numbers));
	snprintf(buf, size,
		 strpbrk(numbers, "-,") ? "/dev/infiniband/" UVERBS "[%s]"
					: "/dev/infiniband/" UVERBS "%s",
		 numbers);
	return buf;
}

static void gres_text(const struct gres *g)
{
	char cores[OUTPUT_CELL_MAX], file[OUTPUT_CELL_MAX + 64];

	printf("# One %s is one VF.  slurm.conf: GresTypes=%s, and at this node's NodeName\n"
	       "#   Gres=",
	       g->name, g->name);
	for (size_t i = 0; i < g->n; i++) {
		uint64_t count = 0;
		size_t k;

		for (k = 0; k < i && strcmp(g->line[k].type, g->line[i].type) != 0; k++)
			;
		if (k < i)
			continue;
		for (; k < g->n; k++)
			if (strcmp(g->line[k].type, g->line[i].type) == 0)
				count += g->line[k].count;
		printf("%s%s:%s:%" PRIu64, i ? "," : "", g->name, g->line[i].type, count);
	}
	putchar('\n');
	if (g->rounded)
		puts("# Cores= are more than the near ones, since Slurm takes one whole socket or all of them:\n"
		     "#   --socket=numa with SlurmdParameters=numa_node_as_socket, l3cache likewise.");
	if (g->files)
		puts("# With File= Slurm chooses the devices: Berth follows it with gres=yes in plugstack.conf.");
	for (size_t i = 0; i < g->n; i++) {
		const struct gres_line *l = &g->line[i];

		printf("Name=%s Type=%s", g->name, l->type);
		if (g->files)
			printf(" File=%s", gres_file(l, file, sizeof(file)));
		else
			printf(" Count=%" PRIu32, l->count);
		if (*hwmap_cpus_text(&l->cores, cores, sizeof(cores)))
			printf(" Cores=%s", cores);
		puts(g->files ? "" : " Flags=CountOnly");
	}
}

static void gres_json(const struct gres *g)
{
	struct json_object *all = output_json_array();
	char buf[OUTPUT_CELL_MAX + 64];

	for (size_t i = 0; i < g->n; i++) {
		const struct gres_line *l = &g->line[i];
		struct json_object *o = output_json_object();

		output_json_add(o, "name", output_json_text(g->name));
		output_json_add(o, "type", output_json_text(l->type));
		output_json_add(o, "count", output_json_number(l->count));
		output_json_add(o, "file",
				g->files ? output_json_text(gres_file(l, buf, sizeof(buf))) : NULL);
		output_json_add(o, "cores",
				output_json_text(hwmap_cpus_text(&l->cores, buf, sizeof(buf))));
		output_json_push(all, o);
	}
	output_json_print(all);
}

int cmd_gres(const struct cmd_options *o, const struct cmd_node *n, struct err *e)
{
	const struct hwmap *m = n->map;
	struct gres g = { .files = !o->no_files && gres_has_files(m), .name = o->gres_name };
	hwloc_obj_type_t socket;
	hwloc_topology_t t;
	int status;

	g.line = calloc(hwmap_ndevices(m) + 1, sizeof(*g.line));
	if (!g.line || topo_hwloc_load(&o->source, TOPO_ALL, &t, e) < 0) {
		free(g.line);
		err_set(e, "out of memory");
		return CMD_NODE;
	}
	status = gres_socket_type(t, o->socket, &socket, e) < 0 ? CMD_NODE : CMD_OK;
	if (status == CMD_OK)
		for (size_t i = 0; i < hwmap_ndevices(m); i++)
			if (hwmap_device(m, i)->slots)
				gres_add(&g, t, socket, hwmap_device(m, i));
	hwloc_topology_destroy(t);
	if (status == CMD_OK && g.n == 0) {
		err_set(e, "gres: there is nothing on this node that could be given out");
		status = CMD_NONE;
	}
	if (status == CMD_OK && o->json)
		gres_json(&g);
	else if (status == CMD_OK)
		gres_text(&g);
	free(g.line);
	return status;
}
