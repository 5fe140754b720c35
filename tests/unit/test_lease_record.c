/* SPDX-License-Identifier: BSD-3-Clause */
/* The record beside a lease's lock: its name, its text, and the byte that is locked. */
#include <stdio.h>
#include <string.h>

#include "../../helper/lease_record.h"
#include "unit.h"

static struct hwmap_device device(const char *ibdev, const char *pci)
{
	struct hwmap_device d = { .slots = 1 };

	memcpy(d.ibdev, ibdev, strlen(ibdev));
	memcpy(d.pci, pci, strlen(pci));
	return d;
}

static const char *name_of(const char *ibdev, const char *pci, char ret[LEASE_DEVICE_MAX])
{
	struct hwmap_device d = device(ibdev, pci);

	ck_assert_int_eq(lease_record_device(&d, ret), 0);
	return ret;
}

static struct lease_record sample(void)
{
	struct lease_record r = {
		.slot = 3,
		.sound = true,
		.job = 1234,
		.step = 0xfffffffb,
		.uid = 1000,
		.since = 1764111111,
		.major = 231,
		.minor = 193,
		.cgroup_ino = 4711,
	};

	strcpy(r.device, "usnic_0@0000:06:00.0");
	strcpy(r.boot, "5f0e3b52-6c0d-4b4e-8f6e-0123456789ab");
	strcpy(r.user, "ann");
	strcpy(r.cgroup, "/sys/fs/cgroup/slurm/job_1234/step batch");
	return r;
}

static void same(const struct lease_record *a, const struct lease_record *b)
{
	char x[LEASE_TEXT_MAX], y[LEASE_TEXT_MAX];

	ck_assert_str_eq(a->device, b->device);
	ck_assert_uint_eq(a->slot, b->slot);
	ck_assert_int_eq(a->sound, b->sound);
	ck_assert_int_eq(lease_record_encode(a, x), 0);
	ck_assert_int_eq(lease_record_encode(b, y), 0);
	ck_assert_str_eq(x, y);
}

START_TEST(devices)
{
	char a[LEASE_DEVICE_MAX], b[LEASE_DEVICE_MAX], text[HWMAP_NAME_MAX];
	struct hwmap_device none = device("", "");

	ck_assert_str_eq(name_of("usnic_0", "0000:06:00.0", a), "usnic_0@0000:06:00.0");
	ck_assert_str_eq(lease_record_pci(a), "0000:06:00.0");
	ck_assert_str_eq(name_of("siw0", "", a), "siw0@");
	ck_assert_str_eq(lease_record_pci(a), "");
	ck_assert_str_eq(name_of("", "0000:06:00.1", a), "@0000:06:00.1");
	ck_assert_int_eq(lease_record_device(&none, a), -1);
	/* nothing that a path, a shell or a terminal takes for something else */
	ck_assert_str_eq(name_of("../a b\x1b%@#", "", a), "..%2Fa%20b%1B%25%40%23@");
	ck_assert_str_ne(name_of("a/b", "", a), name_of("a%2Fb", "", b));
	ck_assert_str_ne(name_of("a@b", "c", a), name_of("a", "b@c", b));
	/* the longest fits, with its slot */
	memset(text, 0x1b, sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	ck_assert_uint_eq(strlen(name_of(text, "\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1", a)),
			  LEASE_DEVICE_MAX - 1);
}
END_TEST

START_TEST(names)
{
	static const char *const bad[] = {
		"",	  "lock", "a",	    "a@b",     "a@b#",	   "a@b#x",
		"a@b#-1", "a@b#", "a@b#01", "a@b#1 ",  "a@b#4096", "a#1",
		"a@b.1",  ".",	  "#1",	    "a@b#0x1", "a@b#+1",   "a@b#99999999999999999999999",
	};
	char name[LEASE_NAME_MAX], longest[LEASE_DEVICE_MAX], longer[LEASE_NAME_MAX + 8];
	struct lease_record r;

	lease_record_name("usnic_0@0000:06:00.0", 17, name);
	ck_assert_str_eq(name, "usnic_0@0000:06:00.0#17");
	ck_assert_int_eq(lease_record_parse_name(name, &r), 0);
	ck_assert_str_eq(r.device, "usnic_0@0000:06:00.0");
	ck_assert_uint_eq(r.slot, 17);
	ck_assert(!r.sound);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		ck_assert_msg(lease_record_parse_name(bad[i], &r) == -1, "%s was taken", bad[i]);
	memset(longest, '@', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	lease_record_name(longest, LEASE_SLOTS_MAX - 1, name);
	ck_assert_int_eq(lease_record_parse_name(name, &r), 0);
	ck_assert_str_eq(r.device, longest);
	ck_assert_uint_eq(r.slot, LEASE_SLOTS_MAX - 1);
	snprintf(longer, sizeof(longer), "%s@#1", longest);
	ck_assert_int_eq(lease_record_parse_name(longer, &r), -1);
}
END_TEST

START_TEST(texts)
{
	struct lease_record r = sample(), got = { .slot = 3 };
	char text[LEASE_TEXT_MAX];

	strcpy(got.device, r.device);
	strcpy(r.user, "a b=\n");
	ck_assert_int_eq(lease_record_encode(&r, text), 0);
	ck_assert_str_eq(text, "v1 boot=5f0e3b52-6c0d-4b4e-8f6e-0123456789ab job=1234 "
			       "step=4294967291 uid=1000 user=a%20b%3D%0A since=1764111111 "
			       "dev=231:193 cgroup=4711:/sys/fs/cgroup/slurm/job_1234/step batch");
	lease_record_decode(text, strlen(text), &got);
	same(&got, &r);

	r.user[0] = r.cgroup[0] = '\0';
	r.cgroup_ino = 0;
	ck_assert_int_eq(lease_record_encode(&r, text), 0);
	lease_record_decode(text, strlen(text), &got);
	same(&got, &r);

	memset(r.cgroup, '/', sizeof(r.cgroup) - 1);
	r.cgroup[sizeof(r.cgroup) - 1] = '\0';
	r.cgroup_ino = UINT64_MAX;
	memset(r.user, '\n', sizeof(r.user) - 1);
	r.user[sizeof(r.user) - 1] = '\0';
	ck_assert_int_eq(lease_record_encode(&r, text), 0);
	lease_record_decode(text, strlen(text), &got);
	same(&got, &r);
}
END_TEST

static void damaged(const char *text, size_t len)
{
	struct lease_record r = sample(), want = { .slot = 3 };

	strcpy(want.device, r.device);
	lease_record_decode(text, len, &r);
	ck_assert_msg(!r.sound, "\"%.*s\" was taken", (int)len, text);
	same(&r, &want);
}

#define HEAD "v1 boot=b job=1 step=0 uid=0 "

START_TEST(damage)
{
	static const char *const bad[] = {
		"",
		"v1",
		"/etc/passwd",
		"v2 boot=b job=1 step=0 uid=0 user=u since=1 dev=0:0 cgroup=0:",
		"v1 boot= job=1 step=0 uid=0 user=u since=1 dev=0:0 cgroup=0:",
		"v1 boot=b job=4294967296 step=0 uid=0 user=u since=1 dev=0:0 cgroup=0:",
		"v1 boot=b job=-1 step=0 uid=0 user=u since=1 dev=0:0 cgroup=0:",
		"v1 boot=b job= step=0 uid=0 user=u since=1 dev=0:0 cgroup=0:",
		HEAD "user=u since=9223372036854775808 dev=0:0 cgroup=0:",
		HEAD "user=u since=1 dev=0:0 cgroup=18446744073709551616:/",
		HEAD "user=u since=1 dev=0:0 cgroup=5:",
		HEAD "user=u since=1 dev=0:0 cgroup=5:relative",
		HEAD "user=u since=1 dev=0:0 cgroup=0:/with/no/inode",
		HEAD "user=u since=1 dev=0 cgroup=0:",
		HEAD "user=% since=1 dev=0:0 cgroup=0:",
		HEAD "user=%4 since=1 dev=0:0 cgroup=0:",
		HEAD "user=%00 since=1 dev=0:0 cgroup=0:",
		HEAD "user=%zz since=1 dev=0:0 cgroup=0:",
		HEAD "user=a\x1b since=1 dev=0:0 cgroup=0:",
	};
	struct lease_record r = sample();
	char text[LEASE_TEXT_MAX], big[2 * LEASE_TEXT_MAX];
	size_t len, path;

	ck_assert_int_eq(lease_record_encode(&r, text), 0);
	path = (size_t)(strstr(text, ":/sys") - text);
	len = strlen(text);
	for (size_t i = 0; i <= path + 1; i++)
		damaged(text, i);
	damaged(text, len + 1); /* a NUL */
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		damaged(bad[i], strlen(bad[i]));
	memset(big, 'v', sizeof(big));
	damaged(big, sizeof(big));
	damaged(big, LEASE_TEXT_MAX - 1);
}
END_TEST

START_TEST(bytes)
{
	off_t a = lease_record_byte("usnic_0@0000:06:00.0", 0);
	off_t b = lease_record_byte("usnic_1@0000:07:00.0", 0);

	ck_assert_int_ge(a, LEASE_SLOTS_MAX); /* below is the mutex */
	ck_assert_int_ge(b, LEASE_SLOTS_MAX);
	ck_assert_int_eq(lease_record_byte("usnic_0@0000:06:00.0", LEASE_SLOTS_MAX - 1),
			 a + LEASE_SLOTS_MAX - 1);
	ck_assert_int_ge(a < b ? b - a : a - b, LEASE_SLOTS_MAX);
}
END_TEST

START_TEST(steps)
{
	struct lease_record r = sample();
	char buf[32];

	ck_assert_str_eq(lease_record_step(&r, buf, sizeof(buf)), "1234.batch");
	r.step = 7;
	ck_assert_str_eq(lease_record_step(&r, buf, sizeof(buf)), "1234.7");
	r.step = 0xfffffffa;
	ck_assert_str_eq(lease_record_step(&r, buf, sizeof(buf)), "1234.interactive");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("lease_record");
	TCase *tc = tcase_create("lease_record");

	suite_add_tcase(s, tc);
	tcase_add_test(tc, devices);
	tcase_add_test(tc, names);
	tcase_add_test(tc, texts);
	tcase_add_test(tc, damage);
	tcase_add_test(tc, bytes);
	tcase_add_test(tc, steps);
	return unit_run(s);
}
