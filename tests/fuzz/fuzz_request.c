/* SPDX-License-Identifier: BSD-3-Clause */
/* All messages between berth.so and berth-helper; the type in the head says which. */
#include "fuzz.h"

#include "../../helper/request.h"

/* What was decoded can be sent on, and arrives. */
static void fuzz_request(const uint8_t *data, size_t size, unsigned char *buf)
{
	struct request r, again;
	struct err e = { "" };
	int rc = request_decode(data, size, &r, &e);
	ssize_t n;

	fuzz_check_err(rc, &e);
	if (rc < 0)
		return;
	n = request_encode(buf, REQUEST_PACKET_MAX, &r);
	FUZZ_CHECK(n > 0 && (size_t)n <= size);
	FUZZ_CHECK(request_decode(buf, (size_t)n, &again, NULL) == 0);
	FUZZ_CHECK(again.nargs == r.nargs && again.ngroups == r.ngroups && again.uid == r.uid);
	request_done(&again);
	request_done(&r);
}

static void fuzz_joined(const uint8_t *data, size_t size, unsigned char *buf)
{
	struct joined j, again;
	struct err e = { "" };
	int rc = joined_decode(data, size, &j, &e);
	ssize_t n;

	fuzz_check_err(rc, &e);
	if (rc < 0)
		return;
	n = joined_encode(buf, REQUEST_PACKET_MAX, &j);
	FUZZ_CHECK(n > 0 && (size_t)n <= size);
	FUZZ_CHECK(joined_decode(buf, (size_t)n, &again, NULL) == 0);
	FUZZ_CHECK(again.nenv == j.nenv && again.ns == j.ns && strcmp(again.cwd, j.cwd) == 0);
	joined_done(&again);
	joined_done(&j);
}

static void fuzz_failed(const uint8_t *data, size_t size)
{
	struct failed f;
	struct err e = { "" };
	int rc = failed_decode(data, size, &f, &e);

	fuzz_check_err(rc, &e);
	if (rc == 0)
		failed_done(&f);
}

static void fuzz_plain(const uint8_t *data, size_t size, enum msg_type type)
{
	char *text = NULL;
	struct err e = { "" };
	int rc = plain_decode(data, size, type, &text, &e);

	fuzz_check_err(rc, &e);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static unsigned char buf[REQUEST_PACKET_MAX];
	int type = msg_type(data, size);

	switch (type) {
	case MSG_JOINED: fuzz_joined(data, size, buf); break;
	case MSG_FAILED: fuzz_failed(data, size); break;
	case MSG_REQUEST:
	case -1: fuzz_request(data, size, buf); break;
	default: fuzz_plain(data, size, (enum msg_type)type);
	}
	return 0;
}
