/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE 1
#include <string.h>

#include "../../helper/request.h"
#include "unit.h"

static unsigned char buf[REQUEST_PACKET_MAX + 64];

/* A request that has every field. */
static struct request full(void)
{
	static uint32_t groups[] = { 100, 27, 4242 };
	static char *args[] = { "trusted=/opt/images", "mounts=/a:/b" };
	struct request r = {
		.job_id = 17,
		.step_id = 0xfffffffb,
		.uid = 1000,
		.gid = 100,
		.ntasks = 4,
		.groups = groups,
		.ngroups = 3,
		.node = "n1",
		.image = "/images/a.sqsh",
		.mounts = "/a:/b:ro,tmpfs:/t",
		.workdir = "/w",
		.env_names = "A,B",
		.unshare = "net",
		.join = "3",
		.script = "/var/spool/slurmd/job00017/slurm_script",
		.spool = "/var/spool/slurmd",
		.slurm_conf = "/etc/slurm/slurm.conf",
		.pwd = "/home/user/project",
		.command = "./solve",
		.tmp_fs = "/scratch/tmp",
		.writable = YES,
		.mount_home = NO,
		.remap_root = UNSET,
		.args = args,
		.nargs = 2,
	};

	return r;
}

static struct request small(void)
{
	struct request r = { .job_id = 1, .uid = 1000, .gid = 1000, .ntasks = 1, .image = "/i" };

	return r;
}

static size_t encoded(const struct request *r)
{
	ssize_t n = request_encode(buf, sizeof(buf), r);

	ck_assert_int_gt(n, 0);
	return (size_t)n;
}

static struct request decoded(size_t len)
{
	struct request r;
	struct err e = { "" };

	ck_assert_msg(request_decode(buf, len, &r, &e) == 0, "%s", e.text);
	return r;
}

/* Decoding must fail with a text that has `part`, and must not touch its output. */
static void refused(size_t len, const char *part)
{
	struct request r, before;
	struct err e = { "" };

	memset(&r, 0xa5, sizeof(r));
	before = r;
	ck_assert_int_eq(request_decode(buf, len, &r, &e), -1);
	ck_assert_msg(strstr(e.text, part) != NULL, "\"%s\" lacks \"%s\"", e.text, part);
	ck_assert_mem_eq(&r, &before, sizeof(r));
}

/* Append one field to the message of n bytes in buf; the new length. */
static size_t append(size_t n, uint16_t tag, const void *p, uint32_t len)
{
	uint32_t body;

	memcpy(buf + n, &tag, 2);
	memset(buf + n + 2, 0, 2);
	memcpy(buf + n + 4, &len, 4);
	if (len)
		memcpy(buf + n + 8, p, len);
	n += 8 + len;
	body = (uint32_t)(n - sizeof(struct msg_head));
	memcpy(buf + offsetof(struct msg_head, len), &body, 4);
	return n;
}

START_TEST(request_full_round_trip)
{
	struct request in = full(), out = decoded(encoded(&in));

	ck_assert_uint_eq(out.job_id, 17);
	ck_assert_uint_eq(out.step_id, 0xfffffffb);
	ck_assert_uint_eq(out.uid, 1000);
	ck_assert_uint_eq(out.gid, 100);
	ck_assert_uint_eq(out.ntasks, 4);
	ck_assert_uint_eq(out.ngroups, 3);
	ck_assert_uint_eq(out.groups[2], 4242);
	ck_assert_str_eq(out.node, in.node);
	ck_assert_str_eq(out.image, in.image);
	ck_assert_str_eq(out.mounts, in.mounts);
	ck_assert_str_eq(out.workdir, in.workdir);
	ck_assert_str_eq(out.env_names, in.env_names);
	ck_assert_str_eq(out.unshare, in.unshare);
	ck_assert_str_eq(out.join, in.join);
	ck_assert_str_eq(out.script, in.script);
	ck_assert_str_eq(out.spool, in.spool);
	ck_assert_str_eq(out.slurm_conf, in.slurm_conf);
	ck_assert_str_eq(out.pwd, in.pwd);
	ck_assert_str_eq(out.command, in.command);
	ck_assert_str_eq(out.tmp_fs, in.tmp_fs);
	ck_assert_int_eq(out.writable, YES);
	ck_assert_int_eq(out.mount_home, NO);
	ck_assert_int_eq(out.remap_root, UNSET);
	ck_assert_uint_eq(out.nargs, 2);
	ck_assert_str_eq(out.args[1], "mounts=/a:/b");
	ck_assert_ptr_null(out.args[2]);
	request_done(&out);
	ck_assert_ptr_null(out.args);
	ck_assert_uint_eq(out.nargs, 0);
	request_done(&out);
}
END_TEST

START_TEST(request_small_round_trip)
{
	struct request in = small(), out = decoded(encoded(&in));

	ck_assert_ptr_null(out.mounts);
	ck_assert_ptr_null(out.groups);
	ck_assert_ptr_null(out.args);
	ck_assert_uint_eq(out.ngroups, 0);
	ck_assert_int_eq(out.writable, UNSET);
	request_done(&out);
}
END_TEST

START_TEST(request_largest_lists)
{
	static uint32_t groups[REQUEST_GROUPS_MAX + 1];
	static char *args[REQUEST_ARGS_MAX + 1];
	struct request in = small(), out;

	for (size_t i = 0; i <= REQUEST_ARGS_MAX; i++)
		args[i] = "k=v";
	in.groups = groups;
	in.ngroups = REQUEST_GROUPS_MAX;
	in.args = args;
	in.nargs = REQUEST_ARGS_MAX;
	out = decoded(encoded(&in));
	ck_assert_uint_eq(out.ngroups, REQUEST_GROUPS_MAX);
	ck_assert_uint_eq(out.nargs, REQUEST_ARGS_MAX);
	request_done(&out);
	in.ngroups++;
	ck_assert_int_eq(request_encode(buf, sizeof(buf), &in), -1);
	in.ngroups--;
	in.nargs++;
	ck_assert_int_eq(request_encode(buf, sizeof(buf), &in), -1);
}
END_TEST

START_TEST(request_option_lengths)
{
	char longest[REQUEST_OPTION_MAX + 1];
	struct request in = small(), out;

	memset(longest, 'm', sizeof(longest));
	longest[REQUEST_OPTION_MAX - 1] = '\0';
	in.mounts = longest;
	out = decoded(encoded(&in));
	ck_assert_str_eq(out.mounts, longest);
	request_done(&out);
	longest[REQUEST_OPTION_MAX - 1] = 'm';
	longest[REQUEST_OPTION_MAX] = '\0';
	ck_assert_int_eq(request_encode(buf, sizeof(buf), &in), -1);
	in.mounts = "";
	ck_assert_int_eq(request_encode(buf, sizeof(buf), &in), -1);
	in.mounts = "a\nb";
	ck_assert_int_eq(request_encode(buf, sizeof(buf), &in), -1);
	in.mounts = "a\x7f";
	ck_assert_int_eq(request_encode(buf, sizeof(buf), &in), -1);
}
END_TEST

START_TEST(request_encode_refuses_what_decode_would)
{
	uint32_t groups[] = { 5, UINT32_MAX };
	struct request r = small();

	r.ntasks = 0;
	ck_assert_int_eq(request_encode(buf, sizeof(buf), &r), -1);
	r = small();
	r.image = NULL;
	ck_assert_int_eq(request_encode(buf, sizeof(buf), &r), -1);
	r = small();
	r.image = "relative";
	ck_assert_int_eq(request_encode(buf, sizeof(buf), &r), -1);
	r = small();
	r.uid = UINT32_MAX;
	ck_assert_int_eq(request_encode(buf, sizeof(buf), &r), -1);
	r = small();
	r.groups = groups;
	r.ngroups = 2;
	ck_assert_int_eq(request_encode(buf, sizeof(buf), &r), -1);
	r = small();
	r.writable = 7;
	ck_assert_int_eq(request_encode(buf, sizeof(buf), &r), -1);
	r = small();
	ck_assert_int_eq(request_encode(buf, 10, &r), -1);
	ck_assert_int_eq(request_encode(buf, 0, &r), -1);
}
END_TEST

/* Every buffer that is one byte or more too small is refused; the exact one serves. */
START_TEST(request_encode_into_exact_buffer)
{
	struct request r = full();
	size_t n = encoded(&r);

	for (size_t i = 0; i < n; i++)
		ck_assert_int_eq(request_encode(buf, i, &r), -1);
	ck_assert_int_eq(request_encode(buf, n, &r), (ssize_t)n);
}
END_TEST

START_TEST(request_every_truncation_is_refused)
{
	struct request in = full();
	size_t n = encoded(&in);
	unsigned char *copy;

	for (size_t i = 0; i < n; i++) {
		struct request r;
		uint32_t body = (uint32_t)(i - sizeof(struct msg_head));
		struct err e = { "" };

		copy = malloc(i ? i : 1); /* exact, for the sanitizer's eyes */
		memcpy(copy, buf, i);
		ck_assert_int_eq(request_decode(copy, i, &r, &e), -1);
		if (i >= sizeof(struct msg_head)) { /* and with a head that agrees */
			memcpy(copy + offsetof(struct msg_head, len), &body, 4);
			if (request_decode(copy, i, &r, NULL) == 0)
				request_done(&r); /* fell between two optional fields */
		}
		free(copy);
	}
}
END_TEST

START_TEST(request_bad_heads)
{
	struct request in = small();
	struct msg_head h;
	size_t n = encoded(&in);

	memcpy(&h, buf, sizeof(h));
	buf[0] ^= 1;
	refused(n, "damaged head");
	buf[0] ^= 1;
	h.version = 9;
	memcpy(buf, &h, sizeof(h));
	refused(n, "version 9, expected 3");
	h.version = REQUEST_VERSION;
	h.type = MSG_BYE;
	memcpy(buf, &h, sizeof(h));
	refused(n, "BYE message, expected REQUEST");
	h.type = 77;
	memcpy(buf, &h, sizeof(h));
	refused(n, "damaged head");
	ck_assert_int_eq(msg_type(buf, n), -1);
	h.type = MSG_REQUEST;
	h.len++;
	memcpy(buf, &h, sizeof(h));
	refused(n, "damaged head");
	h.len--;
	memcpy(buf, &h, sizeof(h));
	ck_assert_int_eq(msg_type(buf, n), MSG_REQUEST);
	ck_assert_int_eq(msg_type(buf, n - 1), -1);
	ck_assert_int_eq(msg_type(buf, 0), -1);
	refused(0, "damaged head");
	refused(3, "damaged head");
	refused(REQUEST_PACKET_MAX + 1, "damaged head");
}
END_TEST

START_TEST(request_bad_fields)
{
	uint32_t three = 3;
	struct request in = small();
	size_t n = encoded(&in);

	refused(append(n, 99, "x", 1), "unknown field 99");
	refused(append(n, 8, "/i", 2), "image: given too often");
	refused(append(n, 9, "", 0), "mounts: expected 1 to 4095");
	refused(append(n, 9, "a\0b", 3), "mounts: expected 1 to 4095");
	refused(append(n, 9, "a\033b", 3), "mounts: expected 1 to 4095");
	refused(append(n, 18, &three, 4), "writable: expected 1 or 2");
	refused(append(n, 18, &three, 3), "writable: expected 1 or 2");
	refused(append(n, 6, "abc", 3), "groups: expected no more numbers");
	refused(append(n, 1, &three, 4), "job_id: given too often");
	append(n, 9, "abc", 3);
	buf[n + 2] = 1; /* the reserved half of a field's head */
	refused(n + 11, "damaged");
	append(n, 9, "abc", 3);
	memset(buf + n + 4, 0xff, 4); /* a length beyond the end */
	refused(n + 11, "damaged");
}
END_TEST

START_TEST(request_missing_fields)
{
	struct msg_head h = { REQUEST_MAGIC, REQUEST_VERSION, MSG_REQUEST, 0 };

	memcpy(buf, &h, sizeof(h));
	refused(sizeof(h), "job_id is missing");
}
END_TEST

START_TEST(request_unsound_values)
{
	uint32_t none = UINT32_MAX, zero = 0;
	struct request in = small();
	size_t n = encoded(&in), body = sizeof(struct msg_head) + 8;

	memcpy(buf + body + 2 * 12, &none, 4); /* the third field is uid */
	refused(n, "uid or gid is -1");
	n = encoded(&in);
	memcpy(buf + body + 4 * 12, &zero, 4); /* the fifth is ntasks */
	refused(n, "ntasks is 0");
	n = encoded(&in);
	refused(append(n, 6, &none, 4), "supplementary group is -1");
}
END_TEST

START_TEST(joined_round_trip)
{
	char *env[] = { "A=1", "B=line\nline\xff", "EMPTY=" }, *unset[] = { "LANG", "LC_ALL" };
	struct joined in = { .env = env,
			     .nenv = 3,
			     .unset = unset,
			     .nunset = 2,
			     .cwd = "/w",
			     .note = "cwd is /",
			     .ns = NS_MNT | NS_NET };
	struct joined out = { 0 };
	struct err e = { "" };
	ssize_t n = joined_encode(buf, sizeof(buf), &in);

	ck_assert_int_gt(n, 0);
	ck_assert_msg(joined_decode(buf, (size_t)n, &out, &e) == 0, "%s", e.text);
	ck_assert_uint_eq(out.nenv, 3);
	ck_assert_str_eq(out.env[1], env[1]);
	ck_assert_str_eq(out.env[2], env[2]);
	ck_assert_ptr_null(out.env[3]);
	ck_assert_uint_eq(out.nunset, 2);
	ck_assert_str_eq(out.unset[1], "LC_ALL");
	ck_assert_str_eq(out.cwd, "/w");
	ck_assert_str_eq(out.note, "cwd is /");
	ck_assert_uint_eq(out.ns, NS_MNT | NS_NET);
	joined_done(&out);
	joined_done(&out);
}
END_TEST

START_TEST(rank_round_trip)
{
	uint32_t cpus[REQUEST_CPU_WORDS + 1] = { 1, 0, 0x80000000u };
	struct rank k = { .task = 3,
			  .gtask = 19,
			  .pid = 77,
			  .cpus = cpus,
			  .ncpus = REQUEST_CPU_WORDS };
	struct rank out;
	ssize_t n = rank_encode(buf, sizeof(buf), &k);

	ck_assert_int_gt(n, 0);
	ck_assert_int_eq(rank_decode(buf, (size_t)n, &out, NULL), 0);
	ck_assert_uint_eq(out.task, 3);
	ck_assert_uint_eq(out.gtask, 19);
	ck_assert_uint_eq(out.pid, 77);
	ck_assert_uint_eq(out.ncpus, REQUEST_CPU_WORDS);
	ck_assert_mem_eq(out.cpus, cpus, sizeof(*cpus) * REQUEST_CPU_WORDS);
	rank_done(&out);
	k.ncpus = 0; /* not bound */
	n = rank_encode(buf, sizeof(buf), &k);
	ck_assert_int_eq(rank_decode(buf, (size_t)n, &out, NULL), 0);
	ck_assert_uint_eq(out.ncpus, 0);
	rank_done(&out);
	k.ncpus = REQUEST_CPU_WORDS + 1;
	ck_assert_int_eq(rank_encode(buf, sizeof(buf), &k), -1);
}
END_TEST

START_TEST(granted_round_trip)
{
	char *env[] = { "BERTH_IBDEV=usnic_0" }, *hints[] = { "A=1", "B=\n" };
	char *lines[] = { "one", "two" }, *nodes[] = { "/dev/infiniband/uverbs0" };
	char *control[] = { "a\033[1m" };
	struct granted g = { env, 1, hints, 2, lines, 2, nodes, 1, 2 }, out;
	ssize_t n = granted_encode(buf, sizeof(buf), &g);

	ck_assert_int_gt(n, 0);
	ck_assert_int_eq(granted_decode(buf, (size_t)n, &out, NULL), 0);
	ck_assert_uint_eq(out.nenv + out.nhints + out.nlines + out.nnodes, 6);
	ck_assert_str_eq(out.hints[1], "B=\n");
	ck_assert_str_eq(out.lines[1], "two");
	ck_assert_uint_eq(out.preflight, 2);
	granted_done(&out);
	g.lines = control; /* goes to a terminal */
	g.nlines = 1;
	ck_assert_int_eq(granted_encode(buf, sizeof(buf), &g), -1);
}
END_TEST

START_TEST(joined_refusals)
{
	char *nameless[] = { "=x" }, *bare[] = { "x" };
	struct joined j = { .cwd = "/", .ns = 64 };

	ck_assert_int_eq(joined_encode(buf, sizeof(buf), &j), -1);
	j.ns = NS_MNT;
	j.env = nameless;
	j.nenv = 1;
	ck_assert_int_eq(joined_encode(buf, sizeof(buf), &j), -1);
	j.env = bare;
	ck_assert_int_eq(joined_encode(buf, sizeof(buf), &j), -1);
	j.nenv = 0;
	j.cwd = "w";
	ck_assert_int_eq(joined_encode(buf, sizeof(buf), &j), -1);
	j.cwd = NULL;
	ck_assert_int_eq(joined_encode(buf, sizeof(buf), &j), -1);
}
END_TEST

START_TEST(failed_round_trip)
{
	struct failed in = { "image: no such file" }, out = { NULL };
	ssize_t n = failed_encode(buf, sizeof(buf), &in);

	ck_assert_int_gt(n, 0);
	ck_assert_int_eq(failed_decode(buf, (size_t)n, &out, NULL), 0);
	ck_assert_str_eq(out.text, in.text);
	failed_done(&out);
	in.text = NULL;
	n = failed_encode(buf, sizeof(buf), &in);
	ck_assert_int_eq(failed_decode(buf, (size_t)n, &out, NULL), 0);
	ck_assert_ptr_null(out.text);
	failed_done(&out);
}
END_TEST

START_TEST(plain_round_trip)
{
	struct err e = { "" };
	char *text = NULL;
	ssize_t n = plain_encode(buf, sizeof(buf), MSG_CWD, "/home/u");

	ck_assert_int_eq(plain_decode(buf, (size_t)n, MSG_CWD, &text, &e), 0);
	ck_assert_str_eq(text, "/home/u");
	free(text);
	text = (char *)buf;
	ck_assert_int_eq(plain_decode(buf, (size_t)n, MSG_JOIN, &text, &e), -1);
	ck_assert_str_eq(e.text, "CWD message, expected JOIN");
	ck_assert_ptr_eq(text, buf);
	n = plain_encode(buf, sizeof(buf), MSG_READY, NULL);
	ck_assert_int_eq(plain_decode(buf, (size_t)n, MSG_READY, &text, NULL), 0);
	ck_assert_ptr_null(text);
	ck_assert_int_eq(plain_encode(buf, sizeof(buf), MSG_JOINED, NULL), -1);
	ck_assert_int_eq(plain_encode(buf, sizeof(buf), MSG_CWD, ""), -1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("request");
	TCase *tc = tcase_create("coding");

	suite_add_tcase(s, tc);
	tcase_add_test(tc, request_full_round_trip);
	tcase_add_test(tc, request_small_round_trip);
	tcase_add_test(tc, request_largest_lists);
	tcase_add_test(tc, request_option_lengths);
	tcase_add_test(tc, request_encode_refuses_what_decode_would);
	tcase_add_test(tc, request_encode_into_exact_buffer);
	tcase_add_test(tc, request_every_truncation_is_refused);
	tcase_add_test(tc, request_bad_heads);
	tcase_add_test(tc, request_bad_fields);
	tcase_add_test(tc, request_missing_fields);
	tcase_add_test(tc, request_unsound_values);
	tcase_add_test(tc, joined_round_trip);
	tcase_add_test(tc, joined_refusals);
	tcase_add_test(tc, rank_round_trip);
	tcase_add_test(tc, granted_round_trip);
	tcase_add_test(tc, failed_round_trip);
	tcase_add_test(tc, plain_round_trip);
	return unit_run(s);
}
