/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "rdmabusy.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <rdma/rdma_netlink.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "sys.h"

#define ANSWER_MAX 32768 /* of one recv; the kernel's dumps come in pieces of at most this */
#define ANSWERS_MAX 4096
#define PIDS_MAX 2048 /* of one message, which has at most ANSWER_MAX bytes */
#define STATUS_MAX 65536

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

int64_t rdmabusy_decode(const void *attributes, size_t len, const char *ibdev, uint32_t *ret_index)
{
	struct attributes a = { attributes, len }, value, entry;
	bool ours = false;
	int64_t found = 0;
	unsigned type;

	while (attribute_next(&a, &type, &value)) {
		if (type == RDMA_NLDEV_ATTR_DEV_NAME)
			ours = is_text(&value, ibdev);
		else if (type == RDMA_NLDEV_ATTR_DEV_INDEX && value.left == sizeof(*ret_index))
			memcpy(ret_index, value.p, sizeof(*ret_index));
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

size_t rdmabusy_decode_pids(const void *attributes, size_t len, uint32_t *ret, size_t max)
{
	struct attributes a = { attributes, len }, table, entry, value;
	size_t n = 0;
	unsigned type;

	while (attribute_next(&a, &type, &table)) {
		if (type != RDMA_NLDEV_ATTR_RES_CTX)
			continue;
		while (attribute_next(&table, &type, &entry))
			while (n < max && attribute_next(&entry, &type, &value))
				if (type == RDMA_NLDEV_ATTR_RES_PID && value.left == sizeof(*ret))
					memcpy(&ret[n++], value.p, sizeof(*ret));
	}
	return n;
}

/* ---- asking ---- */

struct question {
	const char *ibdev;
	uid_t uid;
	uint32_t index;
	int64_t contexts; /* -1: the device was not told of */
	int64_t others;	  /* contexts of other users' processes */
};

typedef void (*message_f)(struct question *q, const void *attributes, size_t len);

static bool ask(int sock, unsigned cmd, const uint32_t *index)
{
	struct {
		struct nlmsghdr h;
		struct nlattr a;
		uint32_t index;
	} m = {
		.h = { .nlmsg_len = index ? sizeof(m) : sizeof(m.h),
		       .nlmsg_type = (uint16_t)RDMA_NL_GET_TYPE(RDMA_NL_NLDEV, cmd),
		       .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.a = { .nla_len = sizeof(m.a) + sizeof(m.index),
		       .nla_type = RDMA_NLDEV_ATTR_DEV_INDEX },
		.index = index ? *index : 0,
	};
	const struct timeval limit = { .tv_sec = 1 };

	return setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == 0 &&
	       send(sock, &m, m.h.nlmsg_len, 0) == (ssize_t)m.h.nlmsg_len;
}

/* The messages of one piece of the answer.  true: it ends. */
static bool read_piece(const unsigned char *buf, size_t len, message_f f, struct question *q)
{
	while (len >= sizeof(struct nlmsghdr)) {
		struct nlmsghdr h;

		memcpy(&h, buf, sizeof(h));
		if (h.nlmsg_len < sizeof(h) || h.nlmsg_len > len || h.nlmsg_type == NLMSG_DONE ||
		    h.nlmsg_type == NLMSG_ERROR)
			return true;
		f(q, buf + NLMSG_HDRLEN, h.nlmsg_len - NLMSG_HDRLEN);
		if (NLMSG_ALIGN(h.nlmsg_len) >= len)
			return false;
		buf += NLMSG_ALIGN(h.nlmsg_len);
		len -= NLMSG_ALIGN(h.nlmsg_len);
	}
	return false;
}

/* 0, or -1 with errno when there is no full answer; a refusal is an answer without messages. */
static int dump(unsigned cmd, const uint32_t *index, message_f f, struct question *q)
{
	unsigned char buf[ANSWER_MAX];
	int sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_RDMA), rc = -1;

	if (sock < 0)
		return -1;
	for (int i = ask(sock, cmd, index) ? 0 : ANSWERS_MAX; i < ANSWERS_MAX; i++) {
		ssize_t n = recv(sock, buf, sizeof(buf), 0);

		if (n < 0)
			break;
		if (read_piece(buf, (size_t)n, f, q)) {
			rc = 0;
			break;
		}
	}
	sys_close(&sock);
	return rc;
}

static void on_summary(struct question *q, const void *attributes, size_t len)
{
	uint32_t index = 0;
	int64_t n = rdmabusy_decode(attributes, len, q->ibdev, &index);

	if (n < 0)
		return;
	q->contexts = n;
	q->index = index;
}

/* Is it there, and is none of its uids this one?  By what a process cannot hide. */
static bool is_of_others(uint32_t pid, uid_t uid)
{
	static const char mark[] = "\nUid:";
	char path[32], *text, *p, *end;
	bool others;
	size_t len;

	snprintf(path, sizeof(path), "/proc/%u/status", pid);
	text = sys_read_at(AT_FDCWD, path, STATUS_MAX, &len);
	p = text ? strstr(text, mark) : NULL;
	others = p != NULL;
	p = p ? p + sizeof(mark) - 1 : NULL;
	/* real, effective, saved, of the file system */
	for (int i = 0; others && i < 4; i++, p = end)
		others = strtoul(p, &end, 10) != uid && end > p;
	free(text);
	return others;
}

static void on_contexts(struct question *q, const void *attributes, size_t len)
{
	uint32_t pids[PIDS_MAX];
	size_t n = rdmabusy_decode_pids(attributes, len, pids, PIDS_MAX);

	for (size_t i = 0; i < n; i++)
		if (is_of_others(pids[i], q->uid))
			q->others++;
}

int64_t rdmabusy_contexts(const char *ibdev, uid_t uid)
{
	struct question q = { .ibdev = ibdev, .uid = uid, .contexts = -1 };

	if (dump(RDMA_NLDEV_CMD_RES_GET, NULL, on_summary, &q) < 0)
		return errno == EPROTONOSUPPORT || errno == EAFNOSUPPORT ? 0 : -1;
	if (q.contexts <= 0 || uid == RDMABUSY_ANYBODY)
		return q.contexts > 0 ? q.contexts : 0;
	/* without an answer all are counted */
	if (dump(RDMA_NLDEV_CMD_RES_CTX_GET, &q.index, on_contexts, &q) < 0)
		return q.contexts;
	return q.contexts > q.others ? q.contexts - q.others : 0;
}
