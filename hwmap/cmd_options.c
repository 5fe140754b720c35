/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE 1
#include "cmd.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VERB(v) (1u << (v))
#define ALL (VERB(VERB_END) - 1)
#define SHOWN (ALL & ~VERB(VERB_CAPTURE))
#define HINT "; see berth-hwmap --help"

static const struct {
	const char *name, *help;
} verbs[] = {
	[VERB_LIST] = { "list",
			"the NICs and what of them can be given out (without a verb: this)" },
	[VERB_PICK] = { "pick",
			"which device each rank should get, given the CPUs it is bound to" },
	[VERB_TREE] = { "tree", "a picture of packages, NUMA nodes, bridges and NICs" },
	[VERB_GRES] = { "gres", "lines for Slurm's gres.conf" },
	[VERB_CDI] = { "cdi", "a CDI specification, for podman and other container engines" },
	[VERB_MAP] = { "map", "the map itself, for a file that --map and Berth's map= take" },
	[VERB_CAPTURE] = { "capture",
			   "copy what was read, to attach to a report: DIR or FILE.tar" },
};

enum option_id {
	OPT_SYSFS = 256, /* above every character that getopt returns */
	OPT_TOPOLOGY,
	OPT_MAP,
	OPT_STATE_DIR,
	OPT_JSON,
	OPT_OUTPUT,
	OPT_NOTES,
	OPT_QUIET,
	OPT_CPUS,
	OPT_COUNT,
	OPT_PER,
	OPT_POLICY,
	OPT_DEVICE,
	OPT_USED,
	OPT_BUSY,
	OPT_ANY_STATE,
	OPT_NAME,
	OPT_NO_FILES,
	OPT_SOCKET,
	OPT_KEEP_IDS,
	OPT_HELP,
	OPT_VERSION,
};

static const struct {
	enum option_id id;
	const char *name, *arg; /* arg NULL: takes none */
	unsigned verbs;
	const char *help;
} options[] = {
	{ OPT_SYSFS, "sysfs", "DIR", ALL, "read a captured tree instead of /sys" },
	{ OPT_TOPOLOGY, "topology", "FILE", ALL, "take CPUs and PCI from hwloc's XML file" },
	{ OPT_MAP, "map", "FILE", SHOWN, "take the devices from a map that was kept" },
	{ OPT_STATE_DIR, "state-dir", "DIR", VERB(VERB_LIST) | VERB(VERB_PICK) | VERB(VERB_TREE),
	  "take leases from there (" HELD_STATE_DIR "; root's)" },
	{ OPT_JSON, "json", NULL, ALL, "print JSON" },
	{ OPT_OUTPUT, "output", "COLS", VERB(VERB_LIST) | VERB(VERB_PICK),
	  "columns, with ',' between; +COLS adds to the usual ones" },
	{ OPT_NOTES, "notes", NULL, ALL, "say what was missing or odd, on standard error" },
	{ OPT_QUIET, "quiet", NULL, ALL, "do not even say how many notes there are" },
	{ OPT_CPUS, "cpus", "LIST", VERB(VERB_PICK),
	  "CPUs of the next rank, as 0-3,8; \"any\": it is not bound" },
	{ OPT_COUNT, "count", "N", VERB(VERB_PICK), "devices for each rank (1)" },
	{ OPT_PER, "per", "WHAT", VERB(VERB_PICK),
	  "task: --count for each rank; node: for all together (task)" },
	{ OPT_POLICY, "policy", "P", VERB(VERB_PICK),
	  "prefer, local, spread, rail or rail=N (prefer)" },
	{ OPT_DEVICE, "device", "PATTERN", VERB(VERB_PICK),
	  "devices by name: shell patterns, '|' between, '!' before: not" },
	{ OPT_USED, "used", "DEV=N", VERB(VERB_PICK), "N slots of that device are leased" },
	{ OPT_BUSY, "busy", NULL, VERB(VERB_PICK), "take slots in use for leased" },
	{ OPT_ANY_STATE, "any-state", NULL, VERB(VERB_PICK), "take devices without a link, too" },
	{ OPT_NAME, "name", "NAME", VERB(VERB_GRES), "name of the resource (usnic)" },
	{ OPT_NO_FILES, "no-files", NULL, VERB(VERB_GRES), "count, even where each has a node" },
	{ OPT_SOCKET, "socket", "WHAT", VERB(VERB_GRES),
	  "what slurmd counts as a socket: package, numa or l3cache (package)" },
	{ OPT_KEEP_IDS, "keep-ids", NULL, VERB(VERB_CAPTURE), "keep MAC addresses and GUIDs" },
	{ OPT_HELP, "help", NULL, ALL, "this" },
	{ OPT_VERSION, "version", NULL, ALL, "the version" },
};

#define OPTIONS (sizeof(options) / sizeof(options[0]))

void cmd_options_help(void)
{
	char left[40];

	puts("Usage: berth-hwmap [list|tree|gres|cdi|map] [OPTION...]\n"
	     "       berth-hwmap pick --cpus=LIST [--cpus=LIST...] [OPTION...]\n"
	     "       berth-hwmap capture [OPTION...] DIR|FILE.tar\n\n"
	     "Shows which user-space NICs this node has, and who should get which. Changes nothing.\n");
	for (size_t v = 0; v < VERB_END; v++)
		printf("  %-18s %s\n", verbs[v].name, verbs[v].help);
	puts("\nOptions:");
	for (size_t i = 0; i < OPTIONS; i++) {
		snprintf(left, sizeof(left), "--%s%s%s", options[i].name, options[i].arg ? "=" : "",
			 options[i].arg ? options[i].arg : "");
		printf("  %-18s ", left);
		if ((options[i].verbs & ALL) != ALL && (options[i].verbs & SHOWN) != SHOWN) {
			for (size_t v = 0; v < VERB_END; v++)
				if (options[i].verbs & VERB(v))
					printf("%s%s", verbs[v].name,
					       options[i].verbs >> (v + 1) ? ", " : ": ");
		}
		puts(options[i].help);
	}
	puts("\nColumns of --output:");
	output_columns_help();
	puts("\nExit codes: 0 done, 1 no such choice or nothing to write, 2 wrong options,\n"
	     "3 the node could not be read, 4 the answer could not be written.");
}

static int parse_number(const char *name, const char *text, uint32_t max, uint32_t *ret,
			struct err *e)
{
	char *end, quoted[ERR_QUOTE_MAX];
	unsigned long n;

	errno = 0;
	n = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || n < 1 || n > max)
		return err_set(e, "%s: %s is no number from 1 to %u" HINT, name,
			       err_quote(quoted, text, strlen(text)), max);
	*ret = (uint32_t)n;
	return 0;
}

static int parse_cpus(struct cmd_options *o, const char *text, struct err *e)
{
	struct hwmap_cpus c = { { 0 } };
	char quoted[ERR_QUOTE_MAX];
	bool bound = *text && strcmp(text, "any") != 0;
	void *more;

	if (o->nranks == HWMAP_RANKS_MAX)
		return err_set(e, "--cpus: more than %d ranks", HWMAP_RANKS_MAX);
	if (bound && hwmap_cpus_parse(text, &c) < 0)
		return err_set(e, "--cpus: %s is no list of CPUs such as 0-3,8" HINT,
			       err_quote(quoted, text, strlen(text)));
	more = reallocarray(o->cpus, o->nranks + 1, sizeof(*o->cpus));
	if (!more)
		return err_set(e, "out of memory");
	o->cpus = more;
	more = reallocarray(o->ranks, o->nranks + 1, sizeof(const struct hwmap_cpus *));
	if (!more)
		return err_set(e, "out of memory");
	o->ranks = more;
	o->cpus[o->nranks] = c;
	/* cpus may still move: parse_end turns what is not NULL into pointers */
	o->ranks[o->nranks++] = bound ? o->cpus : NULL;
	return 0;
}

static int parse_used(struct cmd_options *o, const char *text, struct err *e)
{
	void *more = reallocarray(o->used, o->nused + 1, sizeof(*o->used));

	if (!more)
		return err_set(e, "out of memory");
	o->used = more;
	o->used[o->nused++] = text;
	return 0;
}

static int parse_policy(struct cmd_options *o, const char *text, struct err *e)
{
	char quoted[ERR_QUOTE_MAX];

	o->rails = 0;
	if (strcmp(text, "prefer") == 0)
		o->policy = HWMAP_PREFER;
	else if (strcmp(text, "local") == 0)
		o->policy = HWMAP_LOCAL;
	else if (strcmp(text, "spread") == 0)
		o->policy = HWMAP_SPREAD;
	else if (strcmp(text, "rail") == 0)
		o->policy = HWMAP_RAIL;
	else if (strncmp(text, "rail=", 5) == 0) {
		o->policy = HWMAP_RAIL;
		return parse_number("--policy=rail", text + 5, HWMAP_DEVICES_MAX, &o->rails, e);
	} else
		return err_set(e, "--policy: %s is none of prefer, local, spread, rail=N",
			       err_quote(quoted, text, strlen(text)));
	return 0;
}

static int parse_per(struct cmd_options *o, const char *text, struct err *e)
{
	char quoted[ERR_QUOTE_MAX];

	o->per_node = strcmp(text, "node") == 0;
	if (!o->per_node && strcmp(text, "task") != 0)
		return err_set(e, "--per: %s is neither task nor node",
			       err_quote(quoted, text, strlen(text)));
	return 0;
}

/* What Slurm takes for a name: it divides at ':', ',' and '='. */
static int parse_name(struct cmd_options *o, const char *text, struct err *e)
{
	char quoted[ERR_QUOTE_MAX];

	if (!*text || text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					"0123456789_-")])
		return err_set(e, "--name: %s: expected letters, digits, '_' and '-'",
			       err_quote(quoted, text, strlen(text)));
	o->gres_name = text;
	return 0;
}

static int parse_socket(struct cmd_options *o, const char *text, struct err *e)
{
	static const char *const names[] = { [SOCKET_PACKAGE] = "package",
					     [SOCKET_NUMA] = "numa",
					     [SOCKET_L3CACHE] = "l3cache" };
	char quoted[ERR_QUOTE_MAX];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(text, names[i]) == 0) {
			o->socket = (enum cmd_socket)i;
			return 0;
		}
	return err_set(e, "--socket: %s: expected package, numa or l3cache",
		       err_quote(quoted, text, strlen(text)));
}

static int parse_option(struct cmd_options *o, enum option_id id, const char *arg, struct err *e)
{
	switch (id) {
	case OPT_SYSFS: o->source.sysfs = arg; break;
	case OPT_TOPOLOGY: o->source.topology = arg; break;
	case OPT_MAP: o->map_file = arg; break;
	case OPT_STATE_DIR: o->state_dir = arg; break;
	case OPT_JSON: o->json = true; break;
	case OPT_OUTPUT: o->output = arg; break;
	case OPT_NOTES: o->notes = true; break;
	case OPT_QUIET: o->quiet = true; break;
	case OPT_CPUS: return parse_cpus(o, arg, e);
	case OPT_COUNT: return parse_number("--count", arg, UINT16_MAX, &o->count, e);
	case OPT_PER: return parse_per(o, arg, e);
	case OPT_POLICY: return parse_policy(o, arg, e);
	case OPT_DEVICE: o->device = arg; break;
	case OPT_USED: return parse_used(o, arg, e);
	case OPT_BUSY: o->busy = true; break;
	case OPT_ANY_STATE: o->any_state = true; break;
	case OPT_NAME: return parse_name(o, arg, e);
	case OPT_NO_FILES: o->no_files = true; break;
	case OPT_SOCKET: return parse_socket(o, arg, e);
	case OPT_KEEP_IDS: o->keep_ids = true; break;
	case OPT_HELP: o->help = true; break;
	case OPT_VERSION: o->version = true; break;
	}
	return 0;
}

static int parse_verb(struct cmd_options *o, const char *word, struct err *e)
{
	char quoted[ERR_QUOTE_MAX];

	for (size_t v = 0; v < VERB_END; v++)
		if (strcmp(word, verbs[v].name) == 0) {
			o->verb = (enum cmd_verb)v;
			return 0;
		}
	return err_set(e, "%s: expected list, pick, tree, gres, cdi or capture" HINT,
		       err_quote(quoted, word, strlen(word)));
}

/* What is left after the options: a verb, and capture's target. */
static int parse_words(struct cmd_options *o, char **words, int n, struct err *e)
{
	char quoted[ERR_QUOTE_MAX];

	if (n > 0 && parse_verb(o, *words++, e) < 0)
		return -1;
	if (o->verb == VERB_CAPTURE && n > 1)
		o->target = *words++;
	if (n > (o->target ? 2 : 1))
		return err_set(e, "%s: one word too many" HINT,
			       err_quote(quoted, *words, strlen(*words)));
	return 0;
}

/* What only the whole line tells. */
static int parse_end(struct cmd_options *o, unsigned seen, struct err *e)
{
	for (size_t i = 0; i < OPTIONS; i++)
		if (seen & 1u << i && !(options[i].verbs & VERB(o->verb)))
			return err_set(e, "--%s is not for %s" HINT, options[i].name,
				       verbs[o->verb].name);
	for (uint32_t r = 0; r < o->nranks; r++)
		if (o->ranks[r])
			o->ranks[r] = &o->cpus[r];
	if (o->help || o->version)
		return 0;
	if (o->verb == VERB_PICK && o->nranks == 0)
		return err_set(e, "pick: expected --cpus=LIST for each rank, or --cpus=any" HINT);
	if (o->verb == VERB_CAPTURE && !o->target)
		return err_set(e,
			       "capture: expected a directory, or a file that ends in .tar" HINT);
	if (o->map_file && o->source.sysfs)
		return err_set(e, "--map and --sysfs: expected only one of them" HINT);
	return 0;
}

int cmd_options_parse(int argc, char **argv, struct cmd_options *ret, struct err *e)
{
	struct cmd_options o = { .count = 1, .gres_name = "usnic" };
	struct option longs[OPTIONS + 1] = { 0 };
	char quoted[ERR_QUOTE_MAX];
	unsigned seen = 0;
	int c, i = 0;

	_Static_assert(OPTIONS <= 32, "seen has a bit for each");
	for (size_t n = 0; n < OPTIONS; n++)
		longs[n] = (struct option){ options[n].name, options[n].arg != NULL, NULL,
					    options[n].id };
	opterr = 0;
	optind = 1;
	while (!e->text[0] && (c = getopt_long(argc, argv, ":h", longs, &i)) != -1) {
		const char *word = argv[optind - 1];

		if (c == ':')
			err_set(e, "%s: its value is missing" HINT,
				err_quote(quoted, word, strlen(word)));
		else if (c == '?' && optopt && optopt < OPT_SYSFS)
			err_set(e, "-%c: unknown option" HINT, optopt);
		else if (c == '?')
			err_set(e, "%s: %s" HINT, err_quote(quoted, word, strlen(word)),
				optopt ? "takes no value" : "unknown option");
		else if (c == 'h')
			o.help = true;
		else {
			seen |= 1u << i;
			parse_option(&o, (enum option_id)c, optarg, e);
		}
	}
	if (e->text[0] || parse_words(&o, argv + optind, argc - optind, e) < 0 ||
	    parse_end(&o, seen, e) < 0) {
		cmd_options_done(&o);
		return -1;
	}
	*ret = o;
	return 0;
}

void cmd_options_done(struct cmd_options *o)
{
	free(o->cpus);
	free(o->ranks);
	free(o->used);
	*o = (struct cmd_options){ 0 };
}
