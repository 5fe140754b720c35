/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "../../hwmap/scrub.h"
#include "unit.h"

/* What text becomes, by a scrub of its own. */
static void becomes(const char *text, const char *expected)
{
	struct scrub s = { .off = false };
	char buf[256];

	strcpy(buf, text);
	scrub_text(&s, buf, strlen(buf));
	ck_assert_str_eq(buf, expected);
	ck_assert(!s.failed);
	scrub_done(&s);
}

static void stays(const char *text)
{
	becomes(text, text);
}

START_TEST(addresses)
{
	becomes("00:25:b5:aa:bb:01", "00:00:00:00:00:01");
	becomes("00:25:B5:AA:BB:01\n", "00:00:00:00:00:01\n");
	becomes("0225:b5ff:feaa:bb01", "0000:0000:0000:0001");
	becomes("fe80:0000:0000:0000:0225:b5ff:feaa:bb01",
		"0000:0000:0000:0000:0000:0000:0000:0001");
	becomes("usnic_0: 07:0.0, enp7s0f0, 00:25:b5:aa:bb:01, 64 VFs",
		"usnic_0: 07:0.0, enp7s0f0, 00:00:00:00:00:01, 64 VFs");
	/* IPoIB: 20 bytes */
	becomes("80:00:02:08:fe:80:00:00:00:00:00:00:00:02:c9:03:00:0a:1b:2d",
		"00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:01");
}
END_TEST

START_TEST(names)
{
	becomes("enx0025b5aabb01", "enx000000000001");
	becomes("../../0000:06:00.0/net/enx0025b5aabb01/mtu",
		"../../0000:06:00.0/net/enx000000000001/mtu");
	stays("enx0025b5aabb0");
	stays("enx0025b5aabb011");
	stays("myenx0025b5aabb01");
}
END_TEST

/* The same address is the same everywhere, another one another. */
START_TEST(numbers)
{
	struct scrub s = { .off = false };
	char a[] = "00:25:b5:aa:bb:01 00:25:b5:aa:bb:02", b[] = "enx0025b5aabb02 enx0025b5aabb03";

	scrub_text(&s, a, strlen(a));
	scrub_text(&s, b, strlen(b));
	ck_assert_str_eq(a, "00:00:00:00:00:01 00:00:00:00:00:02");
	ck_assert_str_eq(b, "enx000000000002 enx000000000003");
	ck_assert_uint_eq(s.known, 3);
	scrub_done(&s);
}
END_TEST

START_TEST(others)
{
	stays("");
	stays("00:00:00:00:00:00");
	stays("0000:0000:0000:0000");
	stays("0000:06:00.1");
	stays("00000000,0000ffff");
	stays("12:34:56");
	stays("231:193");
	stays("4: ACTIVE");
	stays("0-7,16-23");
	stays("03cd43e3-7a94-4f79-820c-14631ca52996");
	stays("::");
	stays(":::::");
	stays("00:25:b5:aa:bb:");
	stays("00:25:b5:aa:bb:011");
}
END_TEST

START_TEST(off)
{
	struct scrub s = { .off = true };
	char a[] = "00:25:b5:aa:bb:01";

	scrub_text(&s, a, strlen(a));
	ck_assert_str_eq(a, "00:25:b5:aa:bb:01");
	scrub_done(&s);
}
END_TEST

/* What doesn't end in NUL, and addresses longer than any. */
START_TEST(bounds)
{
	struct scrub s = { .off = false };
	char part[] = { '0', '0', ':', '2', '5', ':', 'b', '5', ':',
			'a', 'a', ':', 'b', 'b', ':', '0', '1' };
	char *end, longest[3 * 300 + 1] = "";

	scrub_text(&s, part, sizeof(part));
	ck_assert_int_eq(memcmp(part, "00:00:00:00:00:01", sizeof(part)), 0);
	for (int i = 0; i < 300; i++)
		strcat(longest, i ? ":ab" : "ab");
	scrub_text(&s, longest, strlen(longest));
	end = strstr(longest, "ab");
	ck_assert_ptr_null(end);
	scrub_done(&s);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("hwmap_scrub");
	TCase *t = tcase_create("scrub");

	tcase_add_test(t, addresses);
	tcase_add_test(t, names);
	tcase_add_test(t, numbers);
	tcase_add_test(t, others);
	tcase_add_test(t, off);
	tcase_add_test(t, bounds);
	suite_add_tcase(s, t);
	return unit_run(s);
}
