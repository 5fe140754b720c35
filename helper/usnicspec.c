/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE 1
#include "usnicspec.h"

#include <string.h>

#define WORD_MAX 320

const char usnic_spec_help[] =
	"--usnic[=WORD[,WORD...]] gives each task virtual functions (VFs) of a user-space NIC\n"
	"near its CPUs, and nothing of the others.\n"
	"  N, count=N       VFs for each task (default 1)\n"
	"  per=task|node    count for each task, or for all tasks of a node together\n"
	"  device=PATTERN   only NICs with such a name: shell pattern on RDMA device, netdev,\n"
	"                   uverbs, PCI address or driver; alternatives joined by |, !PATTERN\n"
	"                   leaves out\n"
	"  policy=prefer    the nearest that are free (default)\n"
	"  policy=local     only those at the shortest distance, else the step fails\n"
	"  policy=spread    the load even over all NICs first\n"
	"  policy=rail      task i of the node on NIC i modulo their number; rail=N: on N NICs\n"
	"  wait=SECONDS     wait that long for VFs that other steps have (default: fail)\n"
	"  batch            the batch script or salloc's shell gets VFs of its own, too\n"
	"  explain          say on stderr who got what and why\n"
	"  none             no VFs for this step, whatever the job says\n"
	"  help             this text\n";

enum word_id { COUNT, PER, DEVICE, POLICY, WAIT, BATCH, EXPLAIN, NONE };

static int bad(const char *label, const char *word, const char *expected, struct err *e)
{
	return err_set(e, "%s: \"%.80s\": expected %s; --usnic=help explains", label, word,
		       expected);
}

static bool number(const char *s, uint32_t max, uint32_t *ret)
{
	uint32_t n = 0;

	if (!*s || strlen(s) > 6)
		return false;
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return false;
		n = n * 10 + (uint32_t)(*s - '0');
	}
	*ret = n;
	return n <= max;
}

static bool policy(const char *name, enum hwmap_policy *ret)
{
	static const char *const names[] = { [HWMAP_PREFER] = "prefer",
					     [HWMAP_LOCAL] = "local",
					     [HWMAP_SPREAD] = "spread",
					     [HWMAP_RAIL] = "rail" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i]) == 0) {
			*ret = (enum hwmap_policy)i;
			return true;
		}
	return false;
}

/* One word; which of them in *id.  value: what stands behind "=", or NULL. */
static int take(const char *label, const char *word, const char *value, struct usnic_spec *s,
		enum word_id *id, struct err *e)
{
	static const char counts[] = "a number of VFs from 1 to 64";
	const size_t n = value ? (size_t)(value - word - 1) : strlen(word);
	const bool is_number = !value && word[0] >= '0' && word[0] <= '9';

#define IS(name) (n == sizeof(name) - 1 && strncmp(word, name, n) == 0)
	if (is_number || (value && IS("count"))) {
		*id = COUNT;
		return number(is_number ? word : value, USNIC_COUNT_MAX, &s->count) && s->count
			       ? 0
			       : bad(label, word, counts, e);
	}
	if (value && IS("per")) {
		*id = PER;
		s->per_node = strcmp(value, "node") == 0;
		return s->per_node || strcmp(value, "task") == 0
			       ? 0
			       : bad(label, word, "per=task or per=node", e);
	}
	if (value && IS("device")) {
		*id = DEVICE;
		if (!value[0] || strlen(value) >= sizeof(s->device))
			return bad(label, word, "a pattern of at most 255 bytes", e);
		memcpy(s->device, value, strlen(value) + 1);
		return 0;
	}
	if (value && IS("policy")) {
		*id = POLICY;
		return policy(value, &s->policy)
			       ? 0
			       : bad(label, word, "policy=prefer, local, spread or rail", e);
	}
	if (value && IS("rail")) {
		*id = POLICY;
		s->policy = HWMAP_RAIL;
		return number(value, HWMAP_RANKS_MAX, &s->rails) && s->rails
			       ? 0
			       : bad(label, word, "rail=N with a number of NICs", e);
	}
	if (value && IS("wait")) {
		*id = WAIT;
		return number(value, USNIC_WAIT_MAX, &s->wait_s)
			       ? 0
			       : bad(label, word, "wait=SECONDS, at most 86400", e);
	}
	if (!value && IS("batch")) {
		*id = BATCH;
		s->batch = true;
	} else if (!value && IS("explain")) {
		*id = EXPLAIN;
		s->explain = true;
	} else if (!value && IS("none")) {
		*id = NONE;
		s->none = true;
	} else {
		return bad(label, word,
			   "N, count=, per=, device=, policy=, rail=, wait=, batch, explain or "
			   "none",
			   e);
	}
#undef IS
	return 0;
}

int usnic_spec_parse(const char *label, const char *text, struct usnic_spec *ret, struct err *e)
{
	struct usnic_spec s = { .count = 1, .policy = HWMAP_PREFER };
	unsigned seen = 0;
	char word[WORD_MAX];

	while (*text) {
		const size_t n = strcspn(text, ",");
		enum word_id id = NONE;
		char *eq;

		if (n == 0 || n >= sizeof(word) || (text[n] == ',' && !text[n + 1]))
			return err_set(e,
				       "%s: expected words joined by commas; --usnic=help explains",
				       label);
		memcpy(word, text, n);
		word[n] = '\0';
		eq = strchr(word, '=');
		if (take(label, word, eq ? eq + 1 : NULL, &s, &id, e) < 0)
			return -1;
		if (seen & 1u << id)
			return bad(label, word, "each word once", e);
		seen |= 1u << id;
		text += n + (text[n] == ',');
	}
	if (s.none && seen != 1u << NONE)
		return err_set(e, "%s: \"none\" stands alone", label);
	*ret = s;
	return 0;
}

struct hwmap_ask usnic_spec_ask(const struct usnic_spec *spec,
				const struct hwmap_cpus *const *ranks, uint32_t nranks,
				const uint32_t *used, bool any_state)
{
	return (struct hwmap_ask){
		.ranks = ranks,
		.nranks = nranks,
		.count = spec->count,
		.per_node = spec->per_node,
		.policy = spec->policy,
		.rails = spec->rails,
		.device = spec->device[0] ? spec->device : NULL,
		.used = used,
		.any_state = any_state,
		.uverbs = true,
	};
}
