/* SPDX-License-Identifier: BSD-3-Clause */
#include "rdma_nl.h"

#include <errno.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <rdma/rdma_netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "notes.h"
#include "sysfs.h"

#define NL_WAIT_SECONDS 2 /* the kernel answers at once, or never */

struct rdma_nl {
	struct nl_sock *sock;
	struct rdma_nl_told told;
	bool full; /* no memory for all that was told */
};

#define TYPE(CMD) RDMA_NL_GET_TYPE(RDMA_NL_NLDEV, (CMD))

/* ---- decoding ---- */

static struct nla_policy rdma_nl_policy[RDMA_NLDEV_ATTR_MAX] = {
	[RDMA_NLDEV_ATTR_DEV_INDEX] = { .type = NLA_U32 },
	[RDMA_NLDEV_ATTR_DEV_NAME] = { .type = NLA_STRING },
	[RDMA_NLDEV_ATTR_PORT_INDEX] = { .type = NLA_U32 },
	[RDMA_NLDEV_ATTR_RES_SUMMARY] = { .type = NLA_NESTED },
	[RDMA_NLDEV_ATTR_RES_SUMMARY_ENTRY] = { .type = NLA_NESTED },
	[RDMA_NLDEV_ATTR_RES_SUMMARY_ENTRY_NAME] = { .type = NLA_STRING },
	[RDMA_NLDEV_ATTR_RES_SUMMARY_ENTRY_CURR] = { .type = NLA_U64 },
	[RDMA_NLDEV_ATTR_NDEV_NAME] = { .type = NLA_STRING },
	[RDMA_NLDEV_SYS_ATTR_NETNS_MODE] = { .type = NLA_U8 },
};

/* An attribute's text if it is a kernel's name, else "". */
static void rdma_nl_name(char ret[HWMAP_NAME_MAX], const struct nlattr *a)
{
	char text[HWMAP_NAME_MAX + 1];

	ret[0] = '\0';
	if (!a)
		return;
	nla_strlcpy(text, a, sizeof(text));
	if (sysfs_name(ret, HWMAP_NAME_MAX, text) < 0)
		ret[0] = '\0';
}

/* The device of that index, which is made if there is room; NULL: not known, or no memory. */
static struct rdma_nl_device *rdma_nl_device(struct rdma_nl_told *told, uint32_t index, bool make)
{
	struct rdma_nl_device *d;
	size_t i = 0, end = told->n;

	while (i < end) {
		size_t mid = (i + end) / 2;

		if (told->devices[mid].index < index)
			i = mid + 1;
		else
			end = mid;
	}
	if (i < told->n && told->devices[i].index == index)
		return &told->devices[i];
	if (!make || told->n == RDMA_NL_DEVICES_MAX)
		return NULL;
	if ((told->n & (told->n - 1)) == 0) { /* 0 or a power of two: full */
		size_t room = told->n ? 2 * told->n : 1;

		d = realloc(told->devices, room * sizeof(*d));
		if (!d)
			return NULL;
		told->devices = d;
	}
	d = &told->devices[i];
	memmove(d + 1, d, (told->n - i) * sizeof(*d));
	memset(d, 0, sizeof(*d));
	d->index = index;
	told->n++;
	return d;
}

/* The table of RES_GET: of pd, cq, qp, ... only ctx counts open devices. */
static void rdma_nl_summary(struct rdma_nl_device *d, struct nlattr *table)
{
	struct nlattr *entry, *a[RDMA_NLDEV_ATTR_RES_SUMMARY_ENTRY_CURR + 1];
	char name[HWMAP_NAME_MAX];
	int left;

	nla_for_each_nested(entry, table, left)
	{
		if (nla_type(entry) != RDMA_NLDEV_ATTR_RES_SUMMARY_ENTRY ||
		    nla_parse_nested(a, RDMA_NLDEV_ATTR_RES_SUMMARY_ENTRY_CURR, entry,
				     rdma_nl_policy) < 0 ||
		    !a[RDMA_NLDEV_ATTR_RES_SUMMARY_ENTRY_CURR])
			continue;
		rdma_nl_name(name, a[RDMA_NLDEV_ATTR_RES_SUMMARY_ENTRY_NAME]);
		if (strcmp(name, "ctx") == 0)
			d->contexts = nla_get_u64(a[RDMA_NLDEV_ATTR_RES_SUMMARY_ENTRY_CURR]);
	}
}

static int rdma_nl_decode_get(struct rdma_nl_told *told, struct nlattr **a)
{
	struct rdma_nl_device *d;
	char name[HWMAP_NAME_MAX];

	rdma_nl_name(name, a[RDMA_NLDEV_ATTR_DEV_NAME]);
	if (!name[0] || !a[RDMA_NLDEV_ATTR_DEV_INDEX])
		return 0;
	d = rdma_nl_device(told, nla_get_u32(a[RDMA_NLDEV_ATTR_DEV_INDEX]), true);
	if (!d)
		return told->n < RDMA_NL_DEVICES_MAX ? -1 : 0;
	memcpy(d->name, name, sizeof(d->name));
	return 0;
}

int rdma_nl_decode(struct rdma_nl_told *told, struct nlmsghdr *h)
{
	struct nlattr *a[RDMA_NLDEV_ATTR_MAX];
	struct rdma_nl_device *d = NULL;

	if (nlmsg_parse(h, 0, a, RDMA_NLDEV_ATTR_MAX - 1, rdma_nl_policy) < 0)
		return 0;
	if (h->nlmsg_type == TYPE(RDMA_NLDEV_CMD_GET))
		return rdma_nl_decode_get(told, a);
	if (h->nlmsg_type == TYPE(RDMA_NLDEV_CMD_SYS_GET)) {
		if (a[RDMA_NLDEV_SYS_ATTR_NETNS_MODE])
			told->exclusive = nla_get_u8(a[RDMA_NLDEV_SYS_ATTR_NETNS_MODE]) == 0;
		return 0;
	}
	if (a[RDMA_NLDEV_ATTR_DEV_INDEX])
		d = rdma_nl_device(told, nla_get_u32(a[RDMA_NLDEV_ATTR_DEV_INDEX]), false);
	if (!d)
		return 0;
	if (h->nlmsg_type == TYPE(RDMA_NLDEV_CMD_RES_GET) && a[RDMA_NLDEV_ATTR_RES_SUMMARY])
		rdma_nl_summary(d, a[RDMA_NLDEV_ATTR_RES_SUMMARY]);
	if (h->nlmsg_type == TYPE(RDMA_NLDEV_CMD_PORT_GET) && a[RDMA_NLDEV_ATTR_PORT_INDEX] &&
	    nla_get_u32(a[RDMA_NLDEV_ATTR_PORT_INDEX]) == 1)
		rdma_nl_name(d->netdev, a[RDMA_NLDEV_ATTR_NDEV_NAME]);
	return 0;
}

/* ---- asking ---- */

static int rdma_nl_message(struct nl_msg *msg, void *arg)
{
	struct rdma_nl *nl = arg;

	if (rdma_nl_decode(&nl->told, nlmsg_hdr(msg)) < 0)
		nl->full = true;
	return NL_OK;
}

/* One question and all its answers. 0, or a negative NLE_. */
static int rdma_nl_ask(struct rdma_nl *nl, int command, int flags, const uint32_t *index)
{
	struct nl_msg *msg = nlmsg_alloc_simple(TYPE(command), NLM_F_REQUEST | flags);
	int rc = -NLE_NOMEM;

	if (!msg)
		return rc;
	if (index && nla_put_u32(msg, RDMA_NLDEV_ATTR_DEV_INDEX, *index) < 0)
		goto out;
	rc = nl_send_auto(nl->sock, msg);
	if (rc >= 0)
		rc = nl_recvmsgs_default(nl->sock);
out:
	nlmsg_free(msg);
	return rc < 0 ? rc : 0;
}

int rdma_nl_open(struct rdma_nl **ret, struct hwmap_notes *notes)
{
	struct rdma_nl *nl = calloc(1, sizeof(*nl));
	struct timeval wait = { NL_WAIT_SECONDS, 0 };
	int rc = -NLE_NOMEM;

	if (nl)
		nl->sock = nl_socket_alloc();
	if (!nl || !nl->sock)
		goto fail;
	nl_socket_disable_auto_ack(nl->sock);
	nl_socket_modify_cb(nl->sock, NL_CB_VALID, NL_CB_CUSTOM, rdma_nl_message, nl);
	rc = nl_connect(nl->sock, NETLINK_RDMA);
	if (rc < 0)
		goto fail;
	setsockopt(nl_socket_get_fd(nl->sock), SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	rc = rdma_nl_ask(nl, RDMA_NLDEV_CMD_GET, NLM_F_DUMP, NULL);
	if (rc < 0)
		goto fail;
	/* younger than the devices' own command (4.17, 5.2): what isn't told stays 0 */
	rdma_nl_ask(nl, RDMA_NLDEV_CMD_RES_GET, NLM_F_DUMP, NULL);
	rdma_nl_ask(nl, RDMA_NLDEV_CMD_SYS_GET, 0, NULL);
	if (nl->full)
		notes_add(notes, "RDMA netlink: no memory for all devices");
	*ret = nl;
	return 0;
fail:
	notes_add(notes, "RDMA netlink: %s: how many contexts are open is not known",
		  nl_geterror(rc));
	rdma_nl_close(nl);
	return -1;
}

void rdma_nl_close(struct rdma_nl *nl)
{
	if (!nl)
		return;
	nl_socket_free(nl->sock);
	free(nl->told.devices);
	free(nl);
}

const struct rdma_nl_told *rdma_nl_told(const struct rdma_nl *nl)
{
	return &nl->told;
}

const char *rdma_nl_ask_netdev(struct rdma_nl *nl, uint32_t index)
{
	struct rdma_nl_device *d = rdma_nl_device(&nl->told, index, false);

	if (!d)
		return "";
	if (!d->netdev[0])
		rdma_nl_ask(nl, RDMA_NLDEV_CMD_PORT_GET, NLM_F_DUMP, &index);
	return d->netdev;
}
