/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cmd.h - what the files of the command berth-hwmap share: what was asked, and the verbs.
 */
#ifndef BERTH_HWMAP_CMD_H
#define BERTH_HWMAP_CMD_H

#include <stdbool.h>
#include <stdint.h>

#include "held.h"
#include "hwmap.h"
#include "output.h"

#define CMD_RDMA_CM "class/misc/rdma_cm" /* below /sys: there is a /dev/infiniband/rdma_cm */

/* Exit codes, in the man page by these numbers. */
enum cmd_status {
	CMD_OK,
	CMD_NONE,   /* the question has no answer: no such choice, nothing to write */
	CMD_USAGE,  /* wrong options */
	CMD_NODE,   /* the node, the capture or the map could not be read */
	CMD_OUTPUT, /* the answer could not be written */
};

enum cmd_verb {
	VERB_LIST,
	VERB_PICK,
	VERB_TREE,
	VERB_GRES,
	VERB_CDI,
	VERB_MAP,
	VERB_CAPTURE,
	VERB_END,
};

/* gres: what slurmd counts as a socket. */
enum cmd_socket { SOCKET_PACKAGE, SOCKET_NUMA, SOCKET_L3CACHE };

/* What the command line says.  Text points into argv; the arrays are cmd_options_done's. */
struct cmd_options {
	enum cmd_verb verb;
	struct hwmap_source source;
	const char *map_file, *state_dir;
	const char *output; /* --output, not yet read */
	bool json, notes, quiet, help, version;
	/* pick */
	struct hwmap_cpus *cpus;	 /* one per rank */
	const struct hwmap_cpus **ranks; /* into cpus, NULL for a rank that is not bound */
	uint32_t nranks, count, rails;
	bool per_node, busy, any_state;
	enum hwmap_policy policy;
	const char *device;
	const char **used; /* "usnic_1=3" */
	size_t nused;
	/* gres */
	const char *gres_name;
	bool no_files;
	enum cmd_socket socket;
	/* capture */
	const char *target;
	bool keep_ids;
};

/* -1 with one line in *e, whatever was wrong. */
int cmd_options_parse(int argc, char **argv, struct cmd_options *ret, struct err *e);
void cmd_options_done(struct cmd_options *o);
void cmd_options_help(void); /* --help, on standard output */

struct cmd_node {
	const struct hwmap *map;
	struct held held; /* of a capture: nothing is */
};

/* Device i as a row, without what is pick's. */
void cmd_row(const struct cmd_node *n, size_t i, struct output_row *ret);

/*
 * The verbs.  Each prints its answer on standard output and returns an enum cmd_status;
 * where that is not CMD_OK, *e has the line for the user.
 */
int cmd_list(const struct cmd_options *o, const struct cmd_node *n, struct err *e);
int cmd_pick(const struct cmd_options *o, const struct cmd_node *n, struct err *e);
int cmd_tree(const struct cmd_options *o, const struct cmd_node *n, struct err *e);
int cmd_gres(const struct cmd_options *o, const struct cmd_node *n, struct err *e);
int cmd_cdi(const struct cmd_options *o, const struct cmd_node *n, struct err *e);

int cmd_map(const struct cmd_options *o, const struct cmd_node *n, struct err *e);

/* Scans by itself, to see what is read; notes as hwmap_scan gives them. */
int cmd_capture(const struct cmd_options *o, struct hwmap_notes *notes, struct err *e);

#endif
