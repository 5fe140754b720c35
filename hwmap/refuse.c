/* SPDX-License-Identifier: BSD-3-Clause */
#include "refuse.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define REFUSE_NAMES_MAX 6 /* of one line */

struct list {
	char text[ERR_TEXT_MAX];
	uint32_t n; /* also those that are not in the text */
};

/* Add to a list of things; the text says how many there are beyond REFUSE_NAMES_MAX. */
__attribute__((format(printf, 2, 3))) static void list_add(struct list *l, const char *fmt, ...)
{
	size_t used = strlen(l->text);
	va_list ap;

	if (l->n++ >= REFUSE_NAMES_MAX)
		return;
	if (used > 0 && used + 2 < sizeof(l->text)) {
		memcpy(l->text + used, ", ", 3);
		used += 2;
	}
	va_start(ap, fmt);
	vsnprintf(l->text + used, sizeof(l->text) - used, fmt, ap);
	va_end(ap);
}

static const char *list_end(struct list *l)
{
	size_t used = strlen(l->text);

	if (l->n > REFUSE_NAMES_MAX)
		snprintf(l->text + used, sizeof(l->text) - used, ", and %u more",
			 l->n - REFUSE_NAMES_MAX);
	return l->text;
}

int refuse_nothing(const struct hwmap *m, const struct hwmap_ask *ask, struct err *e)
{
	struct list names = { "", 0 };
	char name[HWMAP_NAME_MAX], pattern[ERR_QUOTE_MAX];

	for (uint32_t i = 0; i < m->ndevices; i++)
		if (m->devices[i].slots > 0 && (!ask->uverbs || m->devices[i].uverbs[0]))
			list_add(&names, "%s", groups_name(m, i, name));
	if (names.n == 0)
		return err_set(e, "this node has no device%s that could be given to a rank",
			       ask->uverbs ? " with a uverbs node" : "");
	if (!ask->device)
		return err_set(e, "no device can be given to a rank; there are %s",
			       list_end(&names));
	return err_set(e, "no device matches \"%s\"; there are %s",
		       err_quote(pattern, ask->device, strlen(ask->device)), list_end(&names));
}

int refuse_rails(const struct hwmap *m, const struct hwmap_ask *ask, const struct groups *g,
		 struct err *e)
{
	struct list names = { "", 0 };
	char name[HWMAP_NAME_MAX];

	for (uint32_t n = 0; n < g->nnics; n++)
		list_add(&names, "%s", groups_name(m, g->nic[n].device, name));
	return err_set(e, "%u rails are asked for, but there are %u NICs: %s", ask->rails, g->nnics,
		       list_end(&names));
}

/* "usnic_0 3 of 64 (61 leased)" */
static void refuse_nic(const struct hwmap *m, const struct group_nic *nic, struct list *l)
{
	char name[HWMAP_NAME_MAX];
	uint32_t room = nic->slots - nic->used - nic->down;

	groups_name(m, nic->device, name);
	if (nic->used > 0 && nic->down > 0)
		list_add(l, "%s %u of %u (%u leased, %u without link)", name, room, nic->slots,
			 nic->used, nic->down);
	else if (nic->used > 0)
		list_add(l, "%s %u of %u (%u leased)", name, room, nic->slots, nic->used);
	else if (nic->down > 0)
		list_add(l, "%s %u of %u (%u without link)", name, room, nic->slots, nic->down);
	else
		list_add(l, "%s %u of %u", name, room, nic->slots);
}

int refuse_full(const struct hwmap *m, const struct hwmap_ask *ask, const struct groups *g,
		const bool *full, uint32_t slots, struct err *e)
{
	static const char *const whose[] = {
		[HWMAP_PREFER] = "",
		[HWMAP_LOCAL] = " of the NICs nearest to some ranks",
		[HWMAP_SPREAD] = "",
		[HWMAP_RAIL] = " of one rail's NIC",
	};
	uint32_t last = GROUPS_NONE, room = 0, concerned = 0;
	struct list nics = { "", 0 };
	char ranks[64];

	/* groups of one NIC need not stand side by side: NICs first */
	for (uint32_t n = 0; n < g->nnics; n++) {
		for (uint32_t i = g->nic[n].first; i != GROUPS_NONE; i = g->group[i].next) {
			if (!full[i])
				continue;
			room += g->group[i].room;
			if (last != n)
				refuse_nic(m, &g->nic[n], &nics);
			last = n;
			concerned++;
		}
	}
	if (concerned == 0) /* HWMAP_LOCAL with per_node alone */
		return err_set(e, "no NIC is the nearest to all %u ranks, which are to share it",
			       ask->nranks);
	if (ask->per_node)
		snprintf(ranks, sizeof(ranks), "for the node");
	else
		snprintf(ranks, sizeof(ranks), "%u rank%s, %u each", slots / ask->count,
			 slots == ask->count ? "" : "s", ask->count);
	return err_set(e, "%u slot%s asked for%s (%s), %u free: %s", slots,
		       slots == 1 ? " is" : "s are", whose[ask->policy], ranks, room,
		       list_end(&nics));
}
