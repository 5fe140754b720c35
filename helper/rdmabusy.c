/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "rdmabusy.h"

#include <errno.h>
#include <linux/netlink.h>
#include <rdma/rdma_netlink.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define ANSWER_MAX 32768 /* of one recv; the kernel's dumps come in pieces of at most this */
#define ANSWERS_MAX 4096

struct attributes {
	const unsigned char *p;
	size_t left;
};

/* The next attribute: its type, with the flag bits off, and its value. */
static bool attribute_next(struct attributes *a, unsigned *type, struct attributes *value)
{
	struct nlattr h;
	size_t step;

	if (a->left < sizeof(h))
		return false;
	memcpy(&h, a->p, sizeof(h));
	if (h.nla_len < sizeof(h) || h.nla_len > a->left)
		return false;
	*type = h.nla_type & NLA_TYPE_MASK;
	value->p = a->p + sizeof(h);
	value->left = h.nla_len - sizeof(h);
	step = NLA_ALIGN(h.nla_len);
	if (step > a->left)
		step = a->left;
	a->p += step;
	a->left -= step;
	return true;
}

static bool is_text(const struct attributes *value, const char *text)
{
	const size_t n = strlen(text);

	return value->left == n + 1 && memcmp(value->p, text, n + 1) == 0;
}

/* One entry of the summary: its count if it is that of contexts, else -1. */
static int64_t entry_contexts(struct attributes entry)
{
	struct attributes value;
	uint64_t n = 0;
	bool contexts = false;
	unsigned type;

	while (attribute_next(&entry, &type, &value)) {
		if (type == RDMA_NLDEV_ATTR_RES_SUMMARY_ENTRY_NAME)
			contexts = is_text(&value, "ctx");
		else if (type == RDMA_NLDEV_ATTR_RES_SUMMARY_ENTRY_CURR && value.left == sizeof(n))
			memcpy(&n, value.p, sizeof(n));
	}
	return contexts && n <= INT64_MAX ? (int64_t)n : -1;
}

int64_t rdmabusy_decode(const void *attributes, size_t len, const char *ibdev)
{
	struct attributes a = { attributes, len }, value, entry;
	bool ours = false;
	int64_t found = 0;
	unsigned type;

	while (attribute_next(&a, &type, &value)) {
		if (type == RDMA_NLDEV_ATTR_DEV_NAME)
			ours = is_text(&value, ibdev);
		if (type != RDMA_NLDEV_ATTR_RES_SUMMARY)
			continue;
		while (attribute_next(&value, &type, &entry)) {
			const int64_t n = entry_contexts(entry);

			if (n > 0)
				found = n;
		}
	}
	return ours ? found : -1;
}

static bool ask(int sock)
{
	const struct nlmsghdr h = {
		.nlmsg_len = sizeof(h),
		.nlmsg_type = RDMA_NL_GET_TYPE(RDMA_NL_NLDEV, RDMA_NLDEV_CMD_RES_GET),
		.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
	};
	const struct timeval limit = { .tv_sec = 1 };

	return setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == 0 &&
	       send(sock, &h, sizeof(h), 0) == (ssize_t)sizeof(h);
}

/* The messages of one piece of the answer. *found: contexts, where one speaks of ibdev. true: it ends. */
static bool read_piece(const unsigned char *buf, size_t len, const char *ibdev, int64_t *found)
{
	while (len >= sizeof(struct nlmsghdr)) {
		struct nlmsghdr h;
		int64_t n;

		memcpy(&h, buf, sizeof(h));
		if (h.nlmsg_len < sizeof(h) || h.nlmsg_len > len || h.nlmsg_type == NLMSG_DONE ||
		    h.nlmsg_type == NLMSG_ERROR)
			return true;
		n = rdmabusy_decode(buf + NLMSG_HDRLEN, h.nlmsg_len - NLMSG_HDRLEN, ibdev);
		if (n >= 0)
			*found = n;
		if (NLMSG_ALIGN(h.nlmsg_len) >= len)
			return false;
		buf += NLMSG_ALIGN(h.nlmsg_len);
		len -= NLMSG_ALIGN(h.nlmsg_len);
	}
	return false;
}

int64_t rdmabusy_contexts(const char *ibdev)
{
	unsigned char buf[ANSWER_MAX];
	int sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_RDMA);
	int64_t found = 0;

	if (sock < 0)
		return errno == EPROTONOSUPPORT || errno == EAFNOSUPPORT ? 0 : -1;
	if (!ask(sock))
		found = -1;
	for (int i = 0; i < ANSWERS_MAX && found == 0; i++) {
		ssize_t n = recv(sock, buf, sizeof(buf), 0);

		if (n < 0)
			found = -1;
		else if (read_piece(buf, (size_t)n, ibdev, &found))
			break;
	}
	close(sock);
	return found;
}
