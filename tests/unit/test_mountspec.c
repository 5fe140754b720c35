/* SPDX-License-Identifier: BSD-3-Clause */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "../../helper/mountspec.h"
#include "../../helper/request.h"
#include "unit.h"

#define MAX REQUEST_MOUNTS_MAX

static struct mount_list parsed(const char *text)
{
	struct mount_list l = { NULL, 0 };
	struct err e = { "" };

	ck_assert_msg(mount_list_parse(text, MAX, &l, &e) == 0, "%s", e.text);
	ck_assert_str_eq(e.text, "");
	return l;
}

static void one(const char *text, const char *src, const char *dst)
{
	struct mount_list l = parsed(text);

	ck_assert_uint_eq(l.n, 1);
	ck_assert_int_eq(l.v[0].kind, MOUNT_BIND);
	ck_assert_str_eq(l.v[0].src, src);
	ck_assert_str_eq(l.v[0].dst, dst);
	ck_assert(!l.v[0].ro);
	mount_list_done(&l);
}

/* Refused with a line that names the option and holds `part`; the output is left alone. */
static void refused(const char *text, const char *part)
{
	struct mount_list l = { (void *)&l, 77 };
	struct err e = { "" };

	ck_assert_msg(mount_list_parse(text, MAX, &l, &e) == -1, "\"%s\" was taken", text);
	ck_assert_msg(strncmp(e.text, "--container-mounts: ", 20) == 0, "%s", e.text);
	ck_assert_msg(strstr(e.text, part) != NULL, "\"%s\" lacks \"%s\"", e.text, part);
	ck_assert_uint_eq(l.n, 77);
}

START_TEST(binds)
{
	one("/a", "/a", "/a");
	one("/a:/b", "/a", "/b");
	one("/a:/b:", "/a", "/b");
	one("./a:/b", "./a", "/b");
	one("a:/b", "a", "/b");
	one("/a/../x:/b", "/a/../x", "/b");
	one("/a:/b/:rw", "/a", "/b");
	one("/a//:/b//c/./d/", "/a//", "/b/c/d");
	one("/a//b/", "/a//b/", "/a/b");
	one("./tmpfs:/b", "./tmpfs", "/b");
	one("/data/\xc3\xa4:/b", "/data/\xc3\xa4", "/b");
}
END_TEST

START_TEST(escapes)
{
	one("/a\\:1:/b", "/a:1", "/b");
	one("/a\\,1:/b\\,2", "/a,1", "/b,2");
	one("/a\\\\:/b", "/a\\", "/b");
	one("/a\\x:/b", "/a\\x", "/b");
	one("/a:/b\\", "/a", "/b\\");
}
END_TEST

START_TEST(several)
{
	struct mount_list l = parsed("/a:/x:ro,/b,tmpfs:/t,./c:/y:bind+ro+rslave");

	ck_assert_uint_eq(l.n, 4);
	ck_assert(l.v[0].ro);
	ck_assert_str_eq(l.v[1].dst, "/b");
	ck_assert(!l.v[1].ro);
	ck_assert_int_eq(l.v[2].kind, MOUNT_TMPFS);
	ck_assert_ptr_null(l.v[2].src);
	ck_assert_uint_eq(l.v[2].tmpfs_mode, 01777);
	ck_assert_uint_eq(l.v[2].tmpfs_size, 0);
	ck_assert(l.v[3].ro);
	ck_assert(l.v[3].slave);
	mount_list_done(&l);
	mount_list_done(&l);
	mount_list_done(NULL);
}
END_TEST

START_TEST(noexec_and_nofail)
{
	struct mount_list l = parsed("/a:/x:noexec,/a:/x,tmpfs:/t:noexec+size=1m,/c:/y:nofail+ro,"
				     "/a:/x:noexec");

	ck_assert_uint_eq(l.n, 4); /* the last is a repetition of the first, the second is not */
	ck_assert(l.v[0].noexec && !l.v[0].nofail && !l.v[0].ro);
	ck_assert(!l.v[1].noexec);
	ck_assert(l.v[2].noexec);
	ck_assert(l.v[3].nofail && l.v[3].ro && !l.v[3].noexec);
	mount_list_done(&l);
}
END_TEST

START_TEST(flags)
{
	static const char *const harmless[] = {
		"rw",		"private",	"rprivate",	    "rbind",
		"nosuid+nodev", "x-create=dir", "rbind+rprivate+rw"
	};

	for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++) {
		char text[64];

		snprintf(text, sizeof(text), "/a:/b:%s", harmless[i]);
		one(text, "/a", "/b");
	}
	refused("/a:/b:shared", "flag \"shared\" is refused");
	refused("/a:/b:ro+rshared", "flag \"rshared\" is refused");
	refused("/a:/b:nosync", "unknown flag \"nosync\", expected ro, rw");
	refused("tmpfs:/b:nofail", "unknown flag \"nofail\", expected size=N");
	refused("/a:/b:ro+", "a flag is empty");
	refused("/a:/b:+", "a flag is empty");
	refused("/a:/b:ro+rw", "ro and rw contradict");
	refused("/a:/b:rslave+private", "private and slave contradict");
	refused("/a:/b:bind+rbind", "bind and rbind contradict");
	refused("/a:/b:RO", "unknown flag \"RO\"");
	refused("/a:/b:size=1m", "unknown flag \"size=1m\"");
	refused("/a:ro", "\"ro\" is in the destination's place, expected SRC:DST:ro");
}
END_TEST

START_TEST(tmpfs_options)
{
	struct mount_list l =
		parsed("tmpfs:/t:size=64m+mode=0700+ro,tmpfs:/u:size=2G,tmpfs:/v:size=4096");

	ck_assert_uint_eq(l.v[0].tmpfs_size, 64u << 20);
	ck_assert_uint_eq(l.v[0].tmpfs_mode, 0700);
	ck_assert(l.v[0].ro);
	ck_assert_uint_eq(l.v[1].tmpfs_size, 2ul << 30);
	ck_assert_uint_eq(l.v[2].tmpfs_size, 4096);
	mount_list_done(&l);
	refused("tmpfs", "tmpfs needs a destination");
	refused("tmpfs:", "destination is empty");
	refused("tmpfs:/t:size=0", "not a size");
	refused("tmpfs:/t:size=", "not a size");
	refused("tmpfs:/t:size=k", "not a size");
	refused("tmpfs:/t:size=50%", "not a size");
	refused("tmpfs:/t:size=-1", "not a size");
	refused("tmpfs:/t:size=99999999999999999999", "not a size");
	refused("tmpfs:/t:size=16777216t", "not a size");
	refused("tmpfs:/t:mode=8", "not a mode");
	refused("tmpfs:/t:mode=4755", "not a mode");
	refused("tmpfs:/t:mode=", "not a mode");
	refused("tmpfs:/t:rslave", "unknown flag \"rslave\", expected size=N");
	refused("tmpfs:/dev/shm", "is in /dev");
	refused("tmpfs:t", "not an absolute path");
}
END_TEST

START_TEST(forms_refused)
{
	refused("a:b:rw:x", "\"a:b:rw:x\": too many ':' fields, expected SRC[:DST[:FLAGS]]");
	refused("", "is empty");
	refused(",", "entry 1 is empty");
	refused("/a,", "entry 2 is empty");
	refused("/a,,/b", "entry 2 is empty");
	refused(":", "destination is empty");
	refused(":/b", "the source is empty");
	refused("/a:", "destination is empty");
	refused("/a::ro", "destination is empty");
	refused("a", "a relative source needs a destination");
	refused("./a", "a relative source needs a destination");
	refused("~/a:/b", "write $HOME");
	refused("~:/b", "write $HOME");
	refused("umount:/b", "umount is not supported");
	refused("/a:/b\n", "has control characters");
	refused("/a\x1b[2J:/b", "has control characters");
	refused("/a:b", "destination \"b\" is not an absolute path");
	refused("/a:../b", "destination \"../b\" is not an absolute path");
}
END_TEST

START_TEST(destinations_refused)
{
	refused("/a:/", "destination \"/\" is the image itself");
	refused("/:/.", "destination \"/\" is the image itself");
	refused("/", "destination \"/\" is the image itself");
	refused("/a:/b/../c", "a \"..\" component");
	refused("/a:/..", "a \"..\" component");
	refused("/a/../proc", "a \"..\" component");
	refused("/a:/proc", "is in /proc");
	refused("/a:/proc/self", "is in /proc");
	refused("/a://proc/./x", "is in /proc");
	refused("/proc", "is in /proc");
	refused("/sys/class", "is in /sys");
	refused("/a:/dev/x", "is in /dev, which the container has of its own: only a device");
	refused("/dev", "is in /dev");
	refused("/dev:/dev", "is in /dev");
	refused("/dev/null:/dev/zero", "is in /dev");
	one("/a:/process", "/a", "/process");
	one("/a:/x/proc", "/a", "/x/proc");
	one("/proc/meminfo:/x", "/proc/meminfo", "/x");
}
END_TEST

START_TEST(devices_keep_their_place)
{
	one("/dev/infiniband/uverbs0", "/dev/infiniband/uverbs0", "/dev/infiniband/uverbs0");
	one("/dev//fuse:/dev/fuse", "/dev/fuse", "/dev/fuse");
	one("/./dev/fuse", "/dev/fuse", "/dev/fuse");
	one("/dev/fuse:/x", "/dev/fuse", "/x");
	refused("/dev/../etc", "a \"..\" component");
	refused("/x/../dev/fuse:/dev/fuse", "is in /dev");
	refused("dev/fuse:/dev/fuse", "is in /dev");
}
END_TEST

START_TEST(long_values)
{
	static char text[300 * 1024];
	char longest[REQUEST_OPTION_MAX];
	struct err e = { "" };
	struct mount_list l;

	memset(text, 'a', sizeof(text) - 1);
	refused(text, "is longer than 4095 bytes");
	memset(longest, 'a', sizeof(longest));
	memcpy(longest, "/s:/", 4);
	longest[sizeof(longest) - 1] = '\0';
	refused(longest, "an over-long component");
	for (size_t i = 4; i < sizeof(longest) - 1; i += 2)
		longest[i] = '/';
	l = parsed(longest);
	mount_list_done(&l);
	memset(longest, ':', sizeof(longest) - 1);
	ck_assert_int_eq(mount_list_parse(longest, MAX, &l, &e), -1);
	ck_assert_uint_lt(strlen(e.text), 250);
}
END_TEST

START_TEST(at_most_max)
{
	char text[REQUEST_OPTION_MAX] = "";
	struct mount_list l;

	for (int i = 0; i < MAX; i++)
		sprintf(text + strlen(text), "%s/s:/d%d", i ? "," : "", i);
	strcat(text, ",/s:/d0"); /* said twice, counted once */
	l = parsed(text);
	ck_assert_uint_eq(l.n, MAX);
	mount_list_done(&l);
	strcat(text, ",/s:/more");
	refused(text, "too many mounts, expected at most 64");
	ck_assert_int_eq(mount_list_parse("/a", 0, &l, NULL), -1);
}
END_TEST

START_TEST(other_option_name)
{
	struct mount_list l;
	struct err e = { "" };

	ck_assert_int_eq(mount_list_parse_as("mounts=", "/a:/proc", MAX, &l, &e), -1);
	ck_assert_msg(strncmp(e.text, "mounts=: \"/a:/proc\": ", 21) == 0, "%s", e.text);
}
END_TEST

START_TEST(dst_normalise)
{
	char out[16] = "same";
	struct err e = { "" };

	ck_assert_int_eq(mount_dst_normalise("/a//b/./c/", out, sizeof(out), &e), 0);
	ck_assert_str_eq(out, "/a/b/c");
	strcpy(out, "same");
	ck_assert_int_eq(mount_dst_normalise("/0123456789abcde", out, sizeof(out), &e), -1);
	ck_assert_str_eq(out, "same");
	ck_assert_int_eq(mount_dst_normalise("/0123456789abcd", out, sizeof(out), NULL), 0);
	ck_assert_int_eq(mount_dst_normalise("/dev/fuse", out, sizeof(out), NULL), -1);
	ck_assert_int_eq(mount_dst_normalise("", out, sizeof(out), NULL), -1);
	ck_assert_int_eq(mount_dst_normalise("/a", out, 0, NULL), -1);
	ck_assert_int_eq(mount_dst_normalise("/a\tb", out, sizeof(out), NULL), -1);
}
END_TEST

START_TEST(within)
{
	ck_assert(path_within("/a", "/a"));
	ck_assert(path_within("/a/b", "/a"));
	ck_assert(path_within("/a/b", "/a/"));
	ck_assert(path_within("//a//b", "/a"));
	ck_assert(path_within("/a", "/"));
	ck_assert(path_within("/", "/"));
	ck_assert(!path_within("/ab", "/a"));
	ck_assert(!path_within("/a", "/a/b"));
	ck_assert(!path_within("/opt/img2", "/opt/img"));
	ck_assert(!path_within("a/b", "/a"));
	ck_assert(!path_within("/a", "a"));
	ck_assert(!path_within("/a", ""));
	ck_assert(!path_within("", "/a"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("mountspec");
	TCase *tc = tcase_create("mountspec");

	suite_add_tcase(s, tc);
	tcase_add_test(tc, binds);
	tcase_add_test(tc, escapes);
	tcase_add_test(tc, several);
	tcase_add_test(tc, noexec_and_nofail);
	tcase_add_test(tc, flags);
	tcase_add_test(tc, tmpfs_options);
	tcase_add_test(tc, forms_refused);
	tcase_add_test(tc, destinations_refused);
	tcase_add_test(tc, devices_keep_their_place);
	tcase_add_test(tc, long_values);
	tcase_add_test(tc, at_most_max);
	tcase_add_test(tc, other_option_name);
	tcase_add_test(tc, dst_normalise);
	tcase_add_test(tc, within);
	return unit_run(s);
}
