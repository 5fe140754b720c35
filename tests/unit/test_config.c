/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../helper/config.h"
#include "unit.h"

/* ---- config_parse ---- */

static struct config fresh(void)
{
	struct config c;

	ck_assert_int_eq(config_init(&c), 0);
	return c;
}

/* One argument over the defaults. */
static struct config taken(const char *arg)
{
	struct config c = fresh();
	struct err e = { "" };
	char *args[] = { (char *)arg };

	ck_assert_msg(config_parse(&c, args, 1, &e) == 0, "%s", e.text);
	ck_assert_str_eq(e.text, "");
	return c;
}

/* Refused with one line that names the file and holds `part`. */
static void refused(const char *arg, const char *part)
{
	struct config c = fresh();
	struct err e = { "" };
	char *args[] = { (char *)arg };

	ck_assert_msg(config_parse(&c, args, 1, &e) == -1, "%.100s was taken", arg);
	ck_assert_msg(strstr(e.text, part) != NULL, "\"%s\" lacks \"%s\"", e.text, part);
	ck_assert_uint_lt(strlen(e.text), ERR_TEXT_MAX);
	for (const char *p = e.text; *p; p++)
		ck_assert((unsigned char)*p >= 0x20 && *p != 0x7f);
	config_done(&c);
}

START_TEST(defaults)
{
	struct config c = fresh();
	struct err e = { "" };

	ck_assert_int_eq(config_parse(&c, NULL, 0, &e), 0);
	ck_assert_str_eq(c.state_dir, "/run/berth");
	ck_assert(!c.kernel_mount_user_images && !c.remap_root && !c.writable && !c.slurm);
	ck_assert(c.mount_home && c.mount_cwd && c.mount_tmp && c.mount_sys && c.account);
	ck_assert_uint_eq(c.trusted.n, 0);
	ck_assert_uint_gt(c.timeout, 0);
	ck_assert_uint_gt(c.tmpfs_size, 0);
	config_done(&c);
	config_done(&c); /* twice does no harm */
}
END_TEST

START_TEST(keys)
{
	size_t n = 0;

	for (const char *const *k = config_keys(); *k; k++, n++) {
		char arg[128];

		/* in order, and each known; nothing is a key that only begins like one */
		if (k[1])
			ck_assert_int_lt(strcmp(k[0], k[1]), 0);
		refused(*k, "has no value");
		snprintf(arg, sizeof(arg), "%.*s=yes", (int)strlen(*k) - 1, *k);
		refused(arg, "unknown argument");
		snprintf(arg, sizeof(arg), "%sx=yes", *k);
		refused(arg, "unknown argument");
		snprintf(arg, sizeof(arg), " %s=yes", *k);
		refused(arg, "unknown argument");
	}
	ck_assert_uint_gt(n, 20);
	refused("", "unknown argument");
	refused("=", "unknown argument");
	refused("=yes", "unknown argument");
	refused("Trusted=/a", "unknown argument");
	refused("\xef\xbb\xbftrusted=/a", "unknown argument");
	refused("trusted\r=/a", "unknown argument");
}
END_TEST

START_TEST(booleans)
{
	static const char *const yes[] = { "yes", "1", "true" }, *const no[] = { "no", "0",
										 "false" };
	static const char *const bad[] = { "",	   "y", "ye", "YES", "yes ", " yes",  "yes\r",
					   "yess", "2", "on", "tru", "01",   "yes\n", "n" };
	char arg[64];

	for (size_t i = 0; i < 3; i++) {
		struct config c;

		snprintf(arg, sizeof(arg), "kernel_mount_user_images=%s", yes[i]);
		c = taken(arg);
		ck_assert(c.kernel_mount_user_images);
		config_done(&c);
		snprintf(arg, sizeof(arg), "mount_home=%s", no[i]);
		c = taken(arg);
		ck_assert(!c.mount_home);
		config_done(&c);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(arg, sizeof(arg), "kernel_mount_user_images=%s", bad[i]);
		refused(arg, "plugstack.conf: kernel_mount_user_images=");
	}
}
END_TEST

START_TEST(seconds)
{
	static const char *const bad[] = { "",
					   "-1",
					   "+1",
					   "1s",
					   " 1",
					   "1 ",
					   "1.5",
					   "0x10",
					   "one",
					   "86401",
					   "1\r",
					   "18446744073709551616",
					   "99999999999999999999999" };
	struct config c = taken("image_linger=0");
	char arg[64];

	ck_assert_uint_eq(c.image_linger, 0);
	config_done(&c);
	c = taken("image_linger=86400");
	ck_assert_uint_eq(c.image_linger, 86400);
	config_done(&c);
	c = taken("timeout=3600");
	ck_assert_uint_eq(c.timeout, 3600);
	config_done(&c);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(arg, sizeof(arg), "image_linger=%s", bad[i]);
		refused(arg, "expected seconds, 0 to 86400");
	}
	refused("timeout=3601", "expected seconds, 1 to 3600");
	/* no container could ever be ready */
	refused("timeout=0", "expected seconds, 1 to 3600");
}
END_TEST

START_TEST(sizes)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {
		{ "1", 1 },
		{ "4096", 4096 },
		{ "1k", 1024 },
		{ "8M", 8 << 20 },
		{ "2g", UINT64_C(2) << 30 },
		{ "1T", UINT64_C(1) << 40 },
	};
	static const char *const bad[] = {
		"",	"0",   "0g", "-1", "1kk",  "1kb",      "k",
		"1.5g", "1 g", "1p", "1%", "1m\r", "4194304t", "18446744073709551615k"
	};
	char arg[64];

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct config c;

		snprintf(arg, sizeof(arg), "tmpfs_size=%s", good[i].text);
		c = taken(arg);
		ck_assert_uint_eq(c.tmpfs_size, good[i].bytes);
		config_done(&c);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(arg, sizeof(arg), "tmpfs_size=%s", bad[i]);
		refused(arg, "expected a size");
	}
}
END_TEST

START_TEST(paths)
{
	struct config c = taken("trusted=/a,/b/c");
	char many[CONFIG_LIST_MAX * 4 + 64] = "deny=";

	ck_assert_uint_eq(c.trusted.n, 2);
	ck_assert_str_eq(c.trusted.v[0], "/a");
	ck_assert_str_eq(c.trusted.v[1], "/b/c");
	config_done(&c);
	c = taken("trusted=");
	ck_assert_uint_eq(c.trusted.n, 0);
	config_done(&c);
	c = taken("trusted=,/a,,");
	ck_assert_uint_eq(c.trusted.n, 1);
	config_done(&c);
	refused("trusted=a", "expected absolute paths");
	refused("trusted=/a,b", "expected absolute paths");
	refused("trusted=/a, /b", "expected absolute paths");
	refused("state_dir=", "expected an absolute path");
	refused("state_dir=run/berth", "expected an absolute path");
	refused("squashfuse=squashfuse_ll", "expected an absolute path");
	for (int i = 0; i < CONFIG_LIST_MAX; i++)
		strcat(many, i ? ",/a" : "/a");
	c = taken(many);
	ck_assert_uint_eq(c.deny.n, CONFIG_LIST_MAX);
	config_done(&c);
	strcat(many, ",/a");
	refused(many, "expected absolute paths");
}
END_TEST

START_TEST(mounts)
{
	struct config c = taken("mounts=/a:/b:ro,tmpfs:/c");

	ck_assert_str_eq(c.mounts, "/a:/b:ro,tmpfs:/c");
	config_done(&c);
	refused("mounts=", "mounts");
	refused("mounts=/a:b", "mounts");
	refused("mounts=/a:/b:bogus", "mounts");
	refused("mounts=/a:/proc/x", "mounts");
}
END_TEST

START_TEST(the_last_one_counts)
{
	struct config c = fresh();
	struct err e = { "" };
	char *args[] = { "trusted=/a,/b", "timeout=5",	  "trusted=/c",
			 "timeout=6",	  "state_dir=/s", "state_dir=/t" };

	ck_assert_int_eq(config_parse(&c, args, 6, &e), 0);
	ck_assert_uint_eq(c.trusted.n, 1);
	ck_assert_str_eq(c.trusted.v[0], "/c");
	ck_assert_uint_eq(c.timeout, 6);
	ck_assert_str_eq(c.state_dir, "/t");
	config_done(&c);
}
END_TEST

START_TEST(one_bad_argument_is_enough)
{
	char *args[] = { "timeout=5", "trusted=/a", "nonsense", "state_dir=/s" };
	struct config c = fresh();
	struct err e = { "" };

	ck_assert_int_eq(config_parse(&c, args, 4, &e), -1);
	ck_assert_msg(strstr(e.text, "\"nonsense\"") != NULL, "%s", e.text);
	config_done(&c);
}
END_TEST

START_TEST(control_characters_stay_out_of_messages)
{
	refused("\033[31mred=yes\n", "unknown argument");
	refused("timeout=\033]0;title\a", "expected seconds");
	refused("trusted=\n/a", "expected absolute paths");
	refused("state_dir=\200\377", "expected an absolute path");
}
END_TEST

/* row 42: what a half-written file leaves must not mean more than the whole. */
START_TEST(cut_at_each_byte)
{
	static const char whole[] =
		"state_dir=/run/b trusted=/opt/i,/srv/i kernel_mount_user_images=yes "
		"image_linger=120 timeout=45 tmpfs_size=512m mounts=/a:/b:ro,/c deny=/etc/x "
		"mount_home=no remap_root=true squashfuse=/usr/bin/sq devices=/dev/x slurm=no";

	for (size_t cut = 0; cut < sizeof(whole); cut++) {
		char text[sizeof(whole)], *args[32], *save = NULL;
		struct config c = fresh();
		struct err e = { "" };
		size_t n = 0;
		int rc;

		memcpy(text, whole, cut);
		text[cut] = '\0';
		for (char *w = strtok_r(text, " ", &save); w; w = strtok_r(NULL, " ", &save))
			args[n++] = w;
		rc = config_parse(&c, args, n, &e);
		ck_assert((rc == 0) == (e.text[0] == '\0'));
		/* a word of yes or no is there as a whole, or an error */
		if (c.kernel_mount_user_images)
			ck_assert_uint_ge(cut, (size_t)(strstr(whole, "yes ") - whole) + 3);
		if (c.remap_root)
			ck_assert_uint_ge(cut, (size_t)(strstr(whole, "true ") - whole) + 4);
		if (rc == 0 && c.timeout != 30)
			ck_assert(c.timeout == 45 || c.timeout == 4);
		for (size_t i = 0; i < c.trusted.n; i++)
			ck_assert(strncmp("/opt/i", c.trusted.v[i], strlen(c.trusted.v[i])) == 0 ||
				  strncmp("/srv/i", c.trusted.v[i], strlen(c.trusted.v[i])) == 0);
		config_done(&c);
	}
}
END_TEST

START_TEST(a_megabyte)
{
	const size_t size = 1 << 20;
	char *arg = malloc(size + 1);
	static const char *const heads[] = {
		"", "trusted=", "trusted=/", "timeout=", "tmpfs_size=1", "account=", "mounts=/"
	};

	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		struct config c = fresh();
		struct err e = { "" };
		int rc;

		memset(arg, '1', size);
		memcpy(arg, heads[i], strlen(heads[i]));
		arg[size] = '\0';
		rc = config_parse(&c, &arg, 1, &e);
		/* a path may be of any length here; opening it will fail */
		ck_assert_int_eq(rc, strcmp(heads[i], "trusted=/") == 0 ? 0 : -1);
		ck_assert_uint_lt(strlen(e.text), ERR_TEXT_MAX);
		config_done(&c);
	}
	free(arg);
}
END_TEST

/* ---- config_check_files: root's files only ---- */

static char dir[64], conf[128];

static void make_dir(void)
{
	snprintf(dir, sizeof(dir), "/tmp/berth-config.XXXXXX");
	ck_assert(mkdtemp(dir) != NULL);
	ck_assert_int_eq(chmod(dir, 0755), 0);
	snprintf(conf, sizeof(conf), "%s/slurm.conf", dir);
}

static void remove_dir(void)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	ck_assert_int_eq(system(cmd), 0); /* NOLINT(cert-env33-c): our own directory */
}

static const char *in_dir(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void put(const char *name, mode_t mode)
{
	int fd = open(in_dir(name), O_WRONLY | O_CREAT, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fchmod(fd, mode), 0);
	close(fd);
}

static void sound(void)
{
	struct err e = { "" };

	ck_assert_msg(config_check_files(conf, &e) == 0, "%s", e.text);
	ck_assert_str_eq(e.text, "");
}

static void unsound(const char *part)
{
	struct err e = { "" };

	ck_assert_int_eq(config_check_files(conf, &e), -1);
	ck_assert_msg(strstr(e.text, part) != NULL, "\"%s\" lacks \"%s\"", e.text, part);
}

START_TEST(files_that_may_be_missing)
{
	sound();
	put("plugstack.conf", 0644);
	sound();
	ck_assert_int_eq(mkdir(in_dir("plugstack.conf.d"), 0755), 0);
	sound();
	put("plugstack.conf.d/berth.conf", 0600);
	sound();
	snprintf(conf, sizeof(conf), "%s/none/slurm.conf", dir);
	sound();
}
END_TEST

START_TEST(files_that_others_can_write)
{
	put("plugstack.conf", 0666);
	unsound("plugstack.conf: is owned by uid 0 with mode 0666");
	put("plugstack.conf", 0664);
	unsound("with mode 0664");
	put("plugstack.conf", 0644);
	sound();
	ck_assert_int_eq(mkdir(in_dir("plugstack.conf.d"), 0755), 0);
	put("plugstack.conf.d/a.conf", 0644);
	put("plugstack.conf.d/b.conf", 0602);
	unsound("plugstack.conf.d/b.conf: is owned by uid 0 with mode 0602");
	put("plugstack.conf.d/b.conf", 0644);
	sound();
	ck_assert_int_eq(chmod(in_dir("plugstack.conf.d"), 0777), 0);
	unsound("plugstack.conf.d: is owned");
	ck_assert_int_eq(chmod(in_dir("plugstack.conf.d"), 0755), 0);
	ck_assert_int_eq(chmod(dir, 0775), 0);
	unsound("mode 0775");
}
END_TEST

START_TEST(files_of_others)
{
	put("plugstack.conf", 0644);
	ck_assert_int_eq(chown(in_dir("plugstack.conf"), 12345, 0), 0);
	unsound("is owned by uid 12345");
	/* and where a link leads to one */
	put("elsewhere", 0644);
	ck_assert_int_eq(chown(in_dir("elsewhere"), 12345, 0), 0);
	ck_assert_int_eq(unlink(in_dir("plugstack.conf")), 0);
	ck_assert_int_eq(symlink("elsewhere", in_dir("plugstack.conf")), 0);
	unsound("is owned by uid 12345");
	ck_assert_int_eq(unlink(in_dir("plugstack.conf")), 0);
	ck_assert_int_eq(chown(dir, 12345, 0), 0);
	unsound("is owned by uid 12345");
}
END_TEST

/* What cannot be looked at is no reason to go on. */
START_TEST(files_that_cannot_be_checked)
{
	char name[64];

	ck_assert_int_eq(mkdir(in_dir("plugstack.conf.d"), 0755), 0);
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "plugstack.conf.d/%d.conf", i);
		put(name, 0644);
	}
	unsound("more than 256 files");
	snprintf(conf, sizeof(conf), "/proc/self/status/slurm.conf");
	unsound("Slurm's configuration directory");
}
END_TEST

START_TEST(trusted_directories)
{
	struct config c;
	struct err e = { "" };
	char arg[512];

	ck_assert_int_eq(mkdir(in_dir("images"), 0755), 0);
	/* /tmp is above it, which everybody can write */
	snprintf(arg, sizeof(arg), "trusted=%s", in_dir("images"));
	c = taken(arg);
	ck_assert_int_eq(config_check_trusted(&c, &e), -1);
	ck_assert_msg(strstr(e.text, "writable by group or others") != NULL, "%s", e.text);
	config_done(&c);
	e.text[0] = '\0';
	c = taken("trusted=/nonexistent/images,/usr");
	ck_assert_msg(config_check_trusted(&c, &e) == 0, "%s", e.text);
	config_done(&c);
}
END_TEST

START_TEST(state_directory)
{
	struct config c;
	struct err e = { "" };
	char arg[512];

	snprintf(arg, sizeof(arg), "state_dir=%s", in_dir("state"));
	c = taken(arg);
	ck_assert_int_eq(config_check_state(&c, &e), -1);
	ck_assert_msg(strstr(e.text, "writable by group or others") != NULL, "%s", e.text);
	config_done(&c);
	e.text[0] = '\0';
	c = taken("state_dir=/run/berth");
	ck_assert_msg(config_check_state(&c, &e) == 0, "%s", e.text);
	config_done(&c);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("config");
	TCase *parse = tcase_create("parse"), *files = tcase_create("files");

	tcase_add_test(parse, defaults);
	tcase_add_test(parse, keys);
	tcase_add_test(parse, booleans);
	tcase_add_test(parse, seconds);
	tcase_add_test(parse, sizes);
	tcase_add_test(parse, paths);
	tcase_add_test(parse, mounts);
	tcase_add_test(parse, the_last_one_counts);
	tcase_add_test(parse, one_bad_argument_is_enough);
	tcase_add_test(parse, control_characters_stay_out_of_messages);
	tcase_add_test(parse, cut_at_each_byte);
	tcase_add_test(parse, a_megabyte);
	suite_add_tcase(s, parse);

	tcase_add_checked_fixture(files, make_dir, remove_dir);
	tcase_add_test(files, files_that_may_be_missing);
	tcase_add_test(files, files_that_others_can_write);
	tcase_add_test(files, files_of_others);
	tcase_add_test(files, files_that_cannot_be_checked);
	tcase_add_test(files, trusted_directories);
	tcase_add_test(files, state_directory);
	/* the files are to be root's */
	if (geteuid() == 0)
		suite_add_tcase(s, files);
	else
		fprintf(stderr, "skipped: files (not root)\n");
	return unit_run(s);
}
