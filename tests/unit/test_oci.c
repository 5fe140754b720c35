/* SPDX-License-Identifier: BSD-3-Clause */
/* berth-oci's conversion, from inside: the program itself only reads and prints around it. */
int oci_main(void); /* its own main() */
#define main oci_main
#include "../../helper/oci.c" /* NOLINT(bugprone-suspicious-include) */
#undef main

#include "unit.h"

static char records[BUNDLE_MAX];

/* Convert; the records, with '|' for the NULs between them, or "" and *e. */
static const char *converted(const char *json, struct err *e)
{
	struct records r = { .buf = records };

	if (oci_convert(json, strlen(json), &r, e) < 0)
		return "";
	for (size_t i = 0; i + 1 < r.len; i++)
		if (!records[i])
			records[i] = '|';
	return records;
}

static void gives(const char *json, const char *expected)
{
	struct err e = { "" };
	const char *got = converted(json, &e);

	ck_assert_str_eq(e.text, "");
	ck_assert_str_eq(got, expected);
}

static void refused(const char *json, const char *part)
{
	struct err e = { "" };

	ck_assert_str_eq(converted(json, &e), "");
	ck_assert_msg(strstr(e.text, part) != NULL, "\"%s\" lacks \"%s\"", e.text, part);
}

#define WITH(x) "{\"root\":{\"path\":\"r\"}," x "}"
#define MOUNT(x) WITH("\"mounts\":[{" x "}]")

START_TEST(root)
{
	gives("{\"root\":{\"path\":\"rootfs\",\"readonly\":true},\"x\":[1,2]}", "root=rootfs");
	gives(" {\"root\":{\"path\":\"/abs\"}}\n", "root=/abs");
	refused("{}", "root.path is missing");
	refused("{\"root\":null}", "root.path is missing");
	refused("{\"root\":\"r\"}", "root.path is missing");
	refused("{\"root\":{\"path\":7}}", "root.path is not a string");
	refused("{\"root\":{\"path\":\"\"}}", "root.path is empty");
	refused("{\"root\":{\"path\":\"a\\nb\"}}", "control characters");
	refused("{\"root\":{\"path\":\"a\\u0000b\"}}", "root.path is not a string");
}
END_TEST

START_TEST(process)
{
	gives(WITH("\"process\":{\"cwd\":\"/w\",\"env\":[\"A=1\",\"B=\",\"C=x\\ty=z\"]}"),
	      "root=r|cwd=/w|env=A=1|env=B=|env=C=x\ty=z");
	gives(WITH("\"process\":{\"env\":[\"A-B=1\",\"1A=1\",\"=x\",\"A\",\"\"]}"), "root=r");
	gives(WITH("\"process\":{}"), "root=r");
	refused(WITH("\"process\":{\"cwd\":[]}"), "process.cwd is not a string");
	refused(WITH("\"process\":{\"env\":{}}"), "process.env is not an array");
	refused(WITH("\"process\":{\"env\":[\"A=1\",null]}"), "process.env[1] is not a string");
	refused(WITH("\"process\":{\"env\":[\"A=\\u0000\"]}"), "process.env[0] is not a string");
}
END_TEST

START_TEST(mounts)
{
	gives(MOUNT("\"destination\":\"/d\",\"type\":\"bind\",\"source\":\"s\",\"options\":[\"ro\"]"),
	      "root=r|mount=s\t/d\tro");
	gives(MOUNT("\"destination\":\"/d\",\"source\":\"/s\""), "root=r|mount=/s\t/d\trw");
	gives(MOUNT("\"destination\":\"/d\",\"source\":\"/s\",\"options\":[\"noexec\",\"ro\"]"),
	      "root=r|mount=/s\t/d\tro+noexec");
	gives(MOUNT("\"destination\":\"/d\",\"type\":\"x\",\"source\":\"/s\",\"options\":[\"rbind\"]"),
	      "root=r|mount=/s\t/d\trw");
	gives(MOUNT("\"destination\":\"/d\",\"type\":\"none\",\"source\":\"tmpfs\""),
	      "root=r|mount=./tmpfs\t/d\trw");
	gives(MOUNT("\"destination\":\"/d\",\"type\":\"tmpfs\",\"source\":\"x\""),
	      "root=r|mount=tmpfs\t/d\trw");
	gives(WITH("\"mounts\":null"), "root=r");
	gives(WITH("\"mounts\":[]"), "root=r");
}
END_TEST

#define TMPFS(options) MOUNT("\"destination\":\"/d\",\"type\":\"tmpfs\",\"options\":[" options "]")

START_TEST(options_of_a_tmpfs)
{
	gives(TMPFS("\"nosuid\",\"strictatime\",\"mode=755\",\"size=65536k\""),
	      "root=r|mount=tmpfs\t/d\trw+size=67108864+mode=755");
	gives(TMPFS("\"ro\",\"size=1m\""), "root=r|mount=tmpfs\t/d\tro+size=1048576");
	gives(TMPFS("\"noexec\",\"nosuid\",\"size=1m\""),
	      "root=r|mount=tmpfs\t/d\trw+noexec+size=1048576");
	gives(TMPFS("\"mode=1777\",7,null"), "root=r|mount=tmpfs\t/d\trw");
	gives(TMPFS("\"size=1m\",\"size=50%\""), "root=r|mount=tmpfs\t/d\trw");
	gives(TMPFS("\"size=0\",\"mode=0700\""), "root=r|mount=tmpfs\t/d\trw+mode=700");
	gives(MOUNT("\"destination\":\"/d\",\"source\":\"/s\",\"options\":[\"size=1x\"]"),
	      "root=r|mount=/s\t/d\trw");
	refused(TMPFS("\"mode=rwx\""), "mounts[0].options: \"mode=rwx\" is not a mode");
	refused(TMPFS("\"size=1m+rw\""), "mounts[0].options: \"size=1m+rw\" is not a size");
	refused(TMPFS("\"size=\""), "is not a size");
	refused(TMPFS("\"mode=2755\""), "is not a mode, expected octal, at most 1777");
}
END_TEST

START_TEST(mounts_that_are_there_anyway)
{
	gives(MOUNT("\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\""), "root=r");
	gives(MOUNT("\"destination\":\"/x\",\"type\":\"sysfs\",\"source\":\"sysfs\""), "root=r");
	gives(MOUNT("\"destination\":\"/dev\",\"type\":\"tmpfs\""), "root=r");
	gives(MOUNT("\"destination\":\"/dev/shm\",\"type\":\"bind\",\"source\":\"/x\""), "root=r");
	gives(MOUNT("\"destination\":\"/dev/pts\",\"type\":\"devpts\""), "root=r");
	gives(MOUNT("\"destination\":\"/dev/mqueue\",\"type\":\"mqueue\""), "root=r");
	gives(MOUNT("\"destination\":\"/sys/fs/cgroup\",\"type\":\"cgroup\""), "root=r");
	gives(MOUNT("\"destination\":\"/sys/fs/cgroup/x\",\"source\":\"/x\""), "root=r");
}
END_TEST

START_TEST(mounts_refused)
{
	refused(WITH("\"mounts\":{}"), "mounts is not an array");
	refused(WITH("\"mounts\":[7]"), "mounts[0] is not an object");
	refused(MOUNT("\"source\":\"/s\""), "mounts[0].destination is missing");
	refused(MOUNT("\"destination\":\"/d\""), "mounts[0].source is missing");
	refused(MOUNT("\"destination\":\"/a\\tb\",\"source\":\"/s\""), "control characters");
	refused(MOUNT("\"destination\":\"/d\",\"source\":\"/a\\tb\""), "control characters");
	refused(MOUNT("\"destination\":\"/d\",\"type\":\"nfs\""),
		"mounts[0].type \"nfs\" is not supported");
	refused(MOUNT("\"destination\":\"/d\",\"options\":\"ro\""),
		"mounts[0].options is not an array");
}
END_TEST

START_TEST(not_json)
{
	static char deep[1000];

	refused("", "is not JSON");
	refused("{", "is not JSON");
	refused("[]", "is not a JSON object");
	refused("null", "is not a JSON object");
	refused("{\"root\":{\"path\":\"r\"}}x", "is not JSON: unexpected character at byte 21");
	refused("{\"root\":{\"path\":\"\xff\"}}", "is not JSON");
	memset(deep, '[', sizeof(deep) - 1);
	refused(deep, "nesting too deep");
}
END_TEST

START_TEST(nul_in_text)
{
	struct records r = { .buf = records };
	struct err e = { "" };
	const char json[] = "{\"root\":{\"path\":\"r\"}}\0{}";

	ck_assert_int_eq(oci_convert(json, sizeof(json) - 1, &r, &e), -1);
	ck_assert_ptr_nonnull(strstr(e.text, "NUL byte"));
}
END_TEST

START_TEST(too_much_for_the_helper)
{
	char *json = malloc(400 * 1024);
	size_t n =
		(size_t)sprintf(json, "{\"root\":{\"path\":\"r\"},\"process\":{\"env\":[\"A=1\"");
	struct err e = { "" };

	for (int i = 0; i < 3000; i++)
		n += (size_t)sprintf(json + n, ",\"N%d=%0100d\"", i, i);
	strcpy(json + n, "]}}");
	ck_assert_str_eq(converted(json, &e), "");
	ck_assert_ptr_nonnull(strstr(e.text, "larger than 262144 bytes"));
	free(json);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("oci");
	TCase *tc = tcase_create("oci");

	(void)oci_main;
	suite_add_tcase(s, tc);
	tcase_add_test(tc, root);
	tcase_add_test(tc, process);
	tcase_add_test(tc, mounts);
	tcase_add_test(tc, options_of_a_tmpfs);
	tcase_add_test(tc, mounts_that_are_there_anyway);
	tcase_add_test(tc, mounts_refused);
	tcase_add_test(tc, not_json);
	tcase_add_test(tc, nul_in_text);
	tcase_add_test(tc, too_much_for_the_helper);
	return unit_run(s);
}
