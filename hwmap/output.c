/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE 1
#include "output.h"

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define EXIT_NO_MEMORY 3 /* CMD_NODE */

enum column_id {
	COL_RANK,
	COL_IBDEV,
	COL_NETDEV,
	COL_UVERBS,
	COL_DEV,
	COL_PCI,
	COL_PF,
	COL_ROLE,
	COL_DRIVER,
	COL_NUMA,
	COL_VFS_TOTAL,
	COL_VFS_FREE,
	COL_BUSY,
	COL_LEASED,
	COL_HOLDERS,
	COL_STATE,
	COL_VFIO,
	COL_NIC,
	COL_SRIOV_TOTAL,
	COL_SRIOV_NUM,
	COL_QP_PER_VF,
	COL_CQ_PER_VF,
	COL_CPUS,
	COL_DISTANCE,
	COL_WHY,
	COL_END,
};

enum column_flags {
	NUMBER = 1,  /* right-aligned; a number in JSON */
	PICK = 2,    /* of pick only */
	IN_LIST = 4, /* shown by default */
	IN_PICK = 8,
	BY_RANK = 16, /* not a device's: not in a device's JSON object */
};

/* The one table: the name for --output and JSON, the title, what it is. */
static const struct column {
	const char *name, *title;
	unsigned flags;
	const char *help;
} columns[] = {
	[COL_RANK] = { "rank", "RANK", NUMBER | PICK | IN_PICK | BY_RANK,
		       "number of the --cpus, from 0" },
	[COL_IBDEV] = { "ibdev", "IBDEV", IN_LIST | IN_PICK, "RDMA device" },
	[COL_NETDEV] = { "netdev", "NETDEV", IN_LIST | IN_PICK, "network interface" },
	[COL_UVERBS] = { "uverbs", "UVERBS", IN_LIST | IN_PICK, "node below /dev/infiniband" },
	[COL_DEV] = { "dev", "DEV", 0, "major and minor number of that node" },
	[COL_PCI] = { "pci", "PCI", IN_LIST | IN_PICK, "address of the function" },
	[COL_PF] = { "pf", "PF", 0, "address of the physical function that it belongs to" },
	[COL_ROLE] = { "role", "ROLE", 0, "pf, vf, pooled (one ibdev for all VFs) or soft" },
	[COL_DRIVER] = { "driver", "DRIVER", IN_LIST, "kernel driver" },
	[COL_NUMA] = { "numa", "NUMA", NUMBER | IN_LIST | IN_PICK, "NUMA node, -1 if unknown" },
	[COL_VFS_TOTAL] = { "vfs_total", "VFS", NUMBER | IN_LIST,
			    "slots: how many leases it bears" },
	[COL_VFS_FREE] = { "vfs_free", "FREE", NUMBER | IN_LIST, "slots that nobody uses" },
	[COL_BUSY] = { "busy", "BUSY", NUMBER, "slots that the kernel shows in use" },
	[COL_LEASED] = { "leased", "LEASED", NUMBER, "slots that Berth has given out" },
	[COL_HOLDERS] = { "holders", "HOLDERS", 0, "to which steps" },
	[COL_STATE] = { "state", "STATE", IN_LIST, "active, init, down or unknown" },
	[COL_VFIO] = { "vfio", "VFIO", 0, "group below /dev/vfio" },
	[COL_NIC] = { "nic", "NIC", NUMBER, "devices of one NIC share this number" },
	[COL_SRIOV_TOTAL] = { "sriov_total", "SRIOV", NUMBER, "VFs that the NIC can have" },
	[COL_SRIOV_NUM] = { "sriov_num", "VFS-ON", NUMBER, "VFs that it has now" },
	[COL_QP_PER_VF] = { "qp_per_vf", "QP/VF", NUMBER, "queue pairs of one VF (usNIC)" },
	[COL_CQ_PER_VF] = { "cq_per_vf", "CQ/VF", NUMBER, "completion queues of one VF (usNIC)" },
	[COL_CPUS] = { "cpus", "CPUS", IN_LIST, "nearest CPUs" },
	[COL_DISTANCE] = { "distance", "DIST", NUMBER | PICK | IN_PICK,
			   "from the rank: 10 is the same NUMA node" },
	[COL_WHY] = { "why", "WHY", PICK | IN_PICK, "why this device" },
};

static const char *const state_names[] = {
	[HWMAP_STATE_UNKNOWN] = "unknown",
	[HWMAP_STATE_DOWN] = "down",
	[HWMAP_STATE_INIT] = "init",
	[HWMAP_STATE_ACTIVE] = "active",
};

static const char *const role_names[] = {
	[HWMAP_PF] = "pf",
	[HWMAP_VF] = "vf",
	[HWMAP_POOLED] = "pooled",
	[HWMAP_SOFT] = "soft",
};

const char *output_state(enum hwmap_state s)
{
	return (size_t)s < sizeof(state_names) / sizeof(state_names[0]) ? state_names[s]
									: "unknown";
}

const char *output_role(enum hwmap_role r)
{
	return (size_t)r < sizeof(role_names) / sizeof(role_names[0]) ? role_names[r] : "unknown";
}

uint32_t output_free(const struct hwmap_device *d, uint32_t used)
{
	uint32_t taken = d->busy > used ? d->busy : used;

	return taken < d->slots ? d->slots - taken : 0;
}

const char *output_dev(const struct hwmap_device *d, char *buf, size_t size)
{
	buf[0] = '\0';
	if (d->uverbs[0])
		snprintf(buf, size, "%" PRIu32 ":%" PRIu32, d->major, d->minor);
	return buf;
}

const char *output_name(const struct hwmap_device *d)
{
	return d->ibdev[0] ? d->ibdev : d->netdev[0] ? d->netdev : d->pci;
}

const char *output_clean(const char *text, char *buf, size_t size)
{
	snprintf(buf, size, "%s", text);
	err_clean(buf, strlen(buf));
	return buf;
}

size_t output_width(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

/* ---- --output ---- */

static int columns_add(struct output_columns *c, size_t column, struct err *e)
{
	if (c->n == OUTPUT_COLUMNS_MAX)
		return err_set(e, "--output: more than %d columns", OUTPUT_COLUMNS_MAX);
	c->column[c->n++] = (uint8_t)column;
	return 0;
}

static int columns_unknown(const char *name, size_t len, bool pick, struct err *e)
{
	char quoted[ERR_QUOTE_MAX], list[256] = "";

	for (size_t i = 0; i < COL_END; i++)
		if (pick || !(columns[i].flags & PICK)) {
			strncat(list, list[0] ? " " : "", sizeof(list) - strlen(list) - 1);
			strncat(list, columns[i].name, sizeof(list) - strlen(list) - 1);
		}
	return err_set(e, "--output: %s is no column; there are: %s",
		       len ? err_quote(quoted, name, len) : "an empty name", list);
}

static void columns_default(bool pick, bool json, struct output_columns *ret)
{
	unsigned want = json ? 0 : pick ? IN_PICK : IN_LIST;

	for (size_t i = 0; i < COL_END; i++)
		if ((pick || !(columns[i].flags & PICK)) && (columns[i].flags & want) == want)
			columns_add(ret, i, NULL);
}

int output_columns_parse(const char *spec, bool pick, bool json, struct output_columns *ret,
			 struct err *e)
{
	struct output_columns c = { 0 };

	if (!spec || *spec == '+')
		columns_default(pick, json, &c);
	if (spec && *spec == '+')
		spec++;
	while (spec) {
		size_t len = strcspn(spec, ","), i;

		for (i = 0; i < COL_END; i++)
			if (strncasecmp(columns[i].name, spec, len) == 0 && !columns[i].name[len])
				break;
		if (i == COL_END || (columns[i].flags & PICK && !pick))
			return columns_unknown(spec, len, pick, e);
		if (columns_add(&c, i, e) < 0)
			return -1;
		spec = spec[len] ? spec + len + 1 : NULL;
	}
	*ret = c;
	return 0;
}

void output_columns_help(void)
{
	for (size_t i = 0; i < COL_END; i++)
		printf("  %-12s %s%s\n", columns[i].name, columns[i].help,
		       columns[i].flags & PICK ? " (pick only)" : "");
}

/* ---- cells ---- */

static int64_t cell_number(size_t column, const struct output_row *r)
{
	const struct hwmap_device *d = r->device;

	switch (column) {
	case COL_RANK: return r->rank;
	case COL_NUMA: return d->numa;
	case COL_VFS_TOTAL: return d->slots;
	case COL_VFS_FREE: return output_free(d, r->used);
	case COL_BUSY: return d->busy;
	case COL_LEASED: return r->used;
	case COL_NIC: return d->nic;
	case COL_SRIOV_TOTAL: return d->sriov_total;
	case COL_SRIOV_NUM: return d->sriov_num;
	case COL_QP_PER_VF: return d->qp_per_vf;
	case COL_CQ_PER_VF: return d->cq_per_vf;
	default: return r->distance;
	}
}

/* "" where there is nothing. */
static const char *cell_text(size_t column, const struct output_row *r, char *buf, size_t size)
{
	const struct hwmap_device *d = r->device;

	switch (column) {
	case COL_IBDEV: return output_clean(d->ibdev, buf, size);
	case COL_NETDEV: return output_clean(d->netdev, buf, size);
	case COL_UVERBS: return output_clean(d->uverbs, buf, size);
	case COL_DEV: return output_dev(d, buf, size);
	case COL_PCI: return output_clean(d->pci, buf, size);
	case COL_PF: return output_clean(d->pf, buf, size);
	case COL_ROLE: return output_role(d->role);
	case COL_DRIVER: return output_clean(d->driver, buf, size);
	case COL_STATE: return output_state(d->state);
	case COL_HOLDERS:
		buf[0] = '\0';
		if (r->held)
			held_text(r->held, r->index, buf, size);
		err_clean(buf, strlen(buf));
		return buf;
	case COL_VFIO: return output_clean(d->vfio, buf, size);
	case COL_CPUS: return hwmap_cpus_text(&d->cpus, buf, size);
	default: return output_clean(r->why ? r->why : "", buf, size);
	}
}

static bool cell_unknown(size_t column, const struct output_row *r)
{
	return column == COL_DISTANCE && r->distance >= HWMAP_FAR;
}

static const char *cell_shown(size_t column, const struct output_row *r, char *buf, size_t size)
{
	const char *text;

	if (cell_unknown(column, r))
		return "-";
	if (columns[column].flags & NUMBER) {
		snprintf(buf, size, "%" PRId64, cell_number(column, r));
		return buf;
	}
	text = cell_text(column, r, buf, size);
	return text[0] ? text : "-";
}

/* ---- the table ---- */

static void cell_put(const char *text, size_t width, bool right, bool last)
{
	int pad = (int)(width - output_width(text));

	if (right)
		printf("%*s%s", pad, "", text);
	else
		printf("%s%*s", text, last ? 0 : pad, "");
	fputs(last ? "\n" : "  ", stdout);
}

void output_table(const struct output_columns *c, const struct output_row *rows, size_t n)
{
	size_t width[OUTPUT_COLUMNS_MAX];
	char buf[OUTPUT_CELL_MAX];

	for (size_t i = 0; i < c->n; i++) {
		width[i] = output_width(columns[c->column[i]].title);
		for (size_t r = 0; r < n; r++) {
			size_t w =
				output_width(cell_shown(c->column[i], &rows[r], buf, sizeof(buf)));

			if (w > width[i])
				width[i] = w;
		}
	}
	for (size_t i = 0; i < c->n; i++)
		cell_put(columns[c->column[i]].title, width[i],
			 columns[c->column[i]].flags & NUMBER, i + 1 == c->n);
	for (size_t r = 0; r < n; r++)
		for (size_t i = 0; i < c->n; i++)
			cell_put(cell_shown(c->column[i], &rows[r], buf, sizeof(buf)), width[i],
				 columns[c->column[i]].flags & NUMBER, i + 1 == c->n);
}

/* ---- JSON ---- */

/* Ends the program where memory is out: p is what json-c returned. */
static struct json_object *json_need(struct json_object *p)
{
	if (!p)
		errx(EXIT_NO_MEMORY, "out of memory");
	return p;
}

struct json_object *output_json_object(void)
{
	return json_need(json_object_new_object());
}

struct json_object *output_json_array(void)
{
	return json_need(json_object_new_array());
}

struct json_object *output_json_number(int64_t n)
{
	return json_need(json_object_new_int64(n));
}

struct json_object *output_json_text(const char *text)
{
	char buf[OUTPUT_CELL_MAX];

	if (!text || !text[0])
		return NULL;
	return json_need(json_object_new_string(output_clean(text, buf, sizeof(buf))));
}

void output_json_add(struct json_object *object, const char *key, struct json_object *value)
{
	json_need(json_object_object_add(object, key, value) == 0 ? object : NULL);
}

void output_json_push(struct json_object *array, struct json_object *value)
{
	json_need(json_object_array_add(array, value) == 0 ? array : NULL);
}

struct json_object *output_json(const struct output_columns *c, const struct output_row *row)
{
	struct json_object *o = output_json_object();
	char buf[OUTPUT_CELL_MAX];

	for (size_t i = 0; i < c->n; i++) {
		const struct column *col = &columns[c->column[i]];
		struct json_object *v = NULL;

		if (col->flags & BY_RANK)
			continue;
		if (!(col->flags & NUMBER))
			v = output_json_text(cell_text(c->column[i], row, buf, sizeof(buf)));
		else if (!cell_unknown(c->column[i], row))
			v = output_json_number(cell_number(c->column[i], row));
		output_json_add(o, col->name, v);
	}
	return o;
}

void output_json_print(struct json_object *o)
{
	const char *text =
		json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY |
							  JSON_C_TO_STRING_SPACED |
							  JSON_C_TO_STRING_NOSLASHESCAPE);

	if (!text)
		errx(EXIT_NO_MEMORY, "out of memory");
	puts(text);
	json_object_put(o);
}

int output_close(struct err *e)
{
	int failed = ferror(stdout);

	if (fclose(stdout) != 0)
		return err_sys(e, errno, "the output could not be written");
	return failed ? err_set(e, "the output could not be written") : 0;
}
