/* SPDX-License-Identifier: BSD-3-Clause */
#include "scan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "notes.h"

int scan_net(struct scan *s, struct err *e)
{
	struct sysfs_names l;
	char target[SYSFS_TEXT_MAX];

	sysfs_list(&s->sysfs, &l, "class/net");
	s->nets = calloc(l.n + 1, sizeof(*s->nets));
	if (!s->nets) {
		free(l.names);
		return err_sys(e, ENOMEM, "netdevs");
	}
	for (size_t i = 0; i < l.n; i++) {
		struct scan_net *n = &s->nets[s->nnets];

		if (strcmp(l.names[i], "bonding_masters") == 0) /* a file */
			continue;
		memcpy(n->name, l.names[i], sizeof(n->name));
		/* the link's text is the way through /sys/devices: nothing to follow */
		if (sysfs_link(&s->sysfs, target, sizeof(target), "class/net/%s", n->name) < 0 &&
		    sysfs_link(&s->sysfs, target, sizeof(target), "class/net/%s/device", n->name) <
			    0)
			notes_add(s->notes, "class/net/%s: %s", n->name, strerror(errno));
		n->at = scan_pci_in_path(target);
		s->nnets++;
	}
	free(l.names);
	return 0;
}

static int scan_net_order(const void *name, const void *net)
{
	return sysfs_compare(name, ((const struct scan_net *)net)->name);
}

const struct scan_net *scan_net_find(const struct scan *s, const char *name)
{
	return s->nnets ? bsearch(name, s->nets, s->nnets, sizeof(*s->nets), scan_net_order) : NULL;
}

const char *scan_net_of(const struct scan *s, const struct scan_fn *fn)
{
	char port[32];

	if (fn->nnets == 0)
		return "";
	if (fn->nnets == 1)
		return s->nets[fn->net].name;
	for (size_t i = fn->net; i < s->nnets; i++) {
		if (s->nets[i].at != fn->at)
			continue;
		/* devlink names representors pfNvfM, pfNsfM, and the NIC's own port pN */
		if (sysfs_text(&s->sysfs, port, sizeof(port), "class/net/%s/phys_port_name",
			       s->nets[i].name) <= 0 ||
		    (!strstr(port, "vf") && !strstr(port, "sf")))
			return s->nets[i].name;
	}
	return s->nets[fn->net].name;
}

enum hwmap_state scan_net_state(const struct scan *s, const char *name)
{
	int64_t carrier;
	char text[32];

	if (sysfs_number(&s->sysfs, &carrier, "class/net/%s/carrier", name) == 0)
		return carrier ? HWMAP_STATE_ACTIVE : HWMAP_STATE_DOWN;
	/* an interface that isn't up has no carrier to read (EINVAL, net-sysfs.c) */
	if (sysfs_text(&s->sysfs, text, sizeof(text), "class/net/%s/operstate", name) <= 0 ||
	    strcmp(text, "unknown") == 0)
		return HWMAP_STATE_UNKNOWN;
	return strcmp(text, "up") == 0 ? HWMAP_STATE_ACTIVE : HWMAP_STATE_DOWN;
}
