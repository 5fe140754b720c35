/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The submit side without Slurm: option callbacks, checks, absolute paths, and
 * which of many sources decides; and what slurmstepd's own socket is called.
 */
#include <stdlib.h>
#include <string.h>

#include "../../spank/local.h"
#include "../../spank/options.h"
#include "../../spank/stepinfo.h"
#include "unit.h"

/* --- Slurm, as far as these files call it --- */

static struct spank_option *registered[32];
static size_t nregistered;
static unsigned errors_said;

spank_err_t spank_option_register(spank_t sp, struct spank_option *o)
{
	(void)sp;
	if (nregistered < 32)
		registered[nregistered++] = o;
	return ESPANK_SUCCESS;
}

void slurm_error(const char *format, ...)
{
	(void)format;
	errors_said++;
}

spank_err_t spank_unsetenv(spank_t sp, const char *name)
{
	(void)sp, (void)name;
	return ESPANK_SUCCESS;
}

spank_err_t spank_job_control_setenv(spank_t sp, const char *name, const char *value, int overwrite)
{
	(void)sp, (void)name, (void)value, (void)overwrite;
	return ESPANK_SUCCESS;
}

spank_err_t spank_get_item(spank_t sp, spank_item_t item, ...)
{
	(void)sp, (void)item;
	return ESPANK_ERROR;
}

/* The job's environment on the node. */
static const char *job_env[8][2];

spank_err_t spank_getenv(spank_t sp, const char *name, char *buf, int len)
{
	(void)sp;
	for (size_t i = 0; i < 8 && job_env[i][0]; i++) {
		if (strcmp(job_env[i][0], name) != 0)
			continue;
		if (strlen(job_env[i][1]) >= (size_t)len)
			return ESPANK_NOSPACE;
		strcpy(buf, job_env[i][1]);
		return ESPANK_SUCCESS;
	}
	return ESPANK_ENV_NOEXIST;
}

/* --- help --- */

static void start(void)
{
	struct err e = { "" };

	option_set_done(options_given());
	memset(job_env, 0, sizeof(job_env));
	nregistered = errors_said = 0;
	ck_assert_int_eq(options_register(NULL, &e), 0);
}

static void stop(void)
{
	option_set_done(options_given());
}

/* Call an option's callback as Slurm does. */
static int call(const char *name, const char *arg, int remote)
{
	for (size_t i = 0; i < nregistered; i++)
		if (strcmp(registered[i]->name, name) == 0)
			return registered[i]->cb(registered[i]->val, arg, remote);
	ck_abort_msg("no option %s", name);
	return -1;
}

static char *filled(size_t n, char c)
{
	static char buf[8192];

	ck_assert_uint_lt(n, sizeof(buf));
	memset(buf, c, n);
	buf[n] = '\0';
	return buf;
}

static bool good(enum option_id id, const char *value)
{
	struct err e = { "" };
	int rc = option_check(id, value, "--x", true, &e);

	ck_assert_int_eq(rc < 0, e.text[0] != '\0');
	return rc == 0;
}

/* --- names and texts --- */

START_TEST(names_of_one_option)
{
	char out[OPTION_NAME_MAX];

	ck_assert_str_eq(option_name(out, OPTION_REMAP_ROOT, NAME_OPTION),
			 "--container-remap-root");
	ck_assert_str_eq(option_name(out, OPTION_REMAP_ROOT, NAME_INPUT),
			 "BERTH_CONTAINER_REMAP_ROOT");
	ck_assert_str_eq(option_name(out, OPTION_REMAP_ROOT, NAME_CARRIER),
			 "SLURM_BERTH_CONTAINER_REMAP_ROOT");
	ck_assert_str_eq(option_name(out, OPTION_MOUNT_HOME, NAME_CARRIER_SBATCH),
			 "SLURM_SPANK_BERTH_CONTAINER_MOUNT_HOME");
}
END_TEST

START_TEST(help_takes_two_lines_at_most)
{
	for (size_t i = 0; i < nregistered; i++) {
		const struct spank_option *o = registered[i];
		size_t head = strlen(o->name) + (o->arginfo ? strlen(o->arginfo) + 1 : 0);

		/* "      --" in front, the text from column 30, of 80 */
		ck_assert_uint_le(strlen(o->usage), head + 8 < 30 ? 95 : 50);
		ck_assert_str_ne(o->name, "container"); /* is Slurm's */
	}
}
END_TEST

START_TEST(inherited_options_are_forgotten)
{
	setenv("SLURM_SPANK__SLURM_SPANK_OPTION_berth_no_container_mount_home", "", 1);
	setenv("_SLURM_SPANK_OPTION_berth_container_image", "/a", 1);
	setenv("SLURM_SPANK__SLURM_SPANK_OPTION_other_container_image", "/a", 1);
	options_forget_inherited();
	ck_assert_ptr_null(getenv("SLURM_SPANK__SLURM_SPANK_OPTION_berth_no_container_mount_home"));
	ck_assert_ptr_null(getenv("_SLURM_SPANK_OPTION_berth_container_image"));
	ck_assert_ptr_nonnull(getenv("SLURM_SPANK__SLURM_SPANK_OPTION_other_container_image"));
}
END_TEST

/* --- checks --- */

START_TEST(any_option_refuses_long_and_control)
{
	for (int id = 0; id < OPTION_COUNT; id++) {
		ck_assert(!good((enum option_id)id, filled(4096, '/')));
		ck_assert(!good((enum option_id)id, "/a\nb"));
		ck_assert(!good((enum option_id)id, "/a\x7f"));
		ck_assert(!good((enum option_id)id, "\x1b[2J"));
	}
	ck_assert(good(OPTION_IMAGE, filled(4095, '/')));
	ck_assert(good(OPTION_IMAGE, "/im\xc3\xa4ge")); /* a path may hold any letters */
}
END_TEST

START_TEST(image_is_absolute_in_the_end)
{
	struct err e = { "" };

	ck_assert(good(OPTION_IMAGE, "/a"));
	ck_assert(!good(OPTION_IMAGE, "a"));
	ck_assert_int_eq(option_check(OPTION_IMAGE, "a", "--x", false, &e), 0);
}
END_TEST

START_TEST(forms_of_lists)
{
	static const struct {
		enum option_id id;
		const char *value;
		bool ok;
	} t[] = {
		{ OPTION_ENV, "A", true },
		{ OPTION_ENV, "_a1,B", true },
		{ OPTION_ENV, "", false },
		{ OPTION_ENV, "A,", false },
		{ OPTION_ENV, ",A", false },
		{ OPTION_ENV, "1A", false },
		{ OPTION_ENV, "A=1", false },
		{ OPTION_ENV, "A B", false },
		{ OPTION_UNSHARE, "net", true },
		{ OPTION_UNSHARE, "net,ipc,uts", true },
		{ OPTION_UNSHARE, "pid", false },
		{ OPTION_UNSHARE, "net,", false },
		{ OPTION_UNSHARE, "netipc", false },
		{ OPTION_JOIN, "0", true },
		{ OPTION_JOIN, "1234.0", true },
		{ OPTION_JOIN, "1.batch", true },
		{ OPTION_JOIN, "batch", true },
		{ OPTION_JOIN, "", false },
		{ OPTION_JOIN, "1.", false },
		{ OPTION_JOIN, ".1", false },
		{ OPTION_JOIN, "1.2.3", false },
		{ OPTION_JOIN, "-1", false },
		{ OPTION_JOIN, "4294967295", false },
		{ OPTION_JOIN, "99999999999", false },
		{ OPTION_JOIN, "1.extern", false },
		{ OPTION_WRITABLE, "yes", true },
		{ OPTION_WRITABLE, "0", true },
		{ OPTION_WRITABLE, "YES", false },
		{ OPTION_WRITABLE, "", false },
		{ OPTION_WORKDIR, "/w", true },
		{ OPTION_WORKDIR, "w", false },
		{ OPTION_MOUNTS, "/a,/b:/c:ro", true },
		{ OPTION_MOUNTS, "/a:/proc/x", false },
		{ OPTION_MOUNTS, "/a,", false },
		{ OPTION_USNIC, "2,per=node", true },
		{ OPTION_USNIC, "0", false },
		{ OPTION_USNIC, "help", false },
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		ck_assert_msg(good(t[i].id, t[i].value) == t[i].ok, "%d: \"%s\"", t[i].id,
			      t[i].value);
}
END_TEST

/* --- callbacks --- */

START_TEST(mounts_add_up_here)
{
	ck_assert_int_eq(call("container-mounts", "/a", 0), 0);
	ck_assert_int_eq(call("container-mounts", "/b:/c", 0), 0);
	ck_assert_str_eq(options_given()->v[OPTION_MOUNTS], "/a,/b:/c");
}
END_TEST

START_TEST(mounts_are_replaced_there)
{
	ck_assert_int_eq(call("container-mounts", "/a", 1), 0);
	ck_assert_int_eq(call("container-mounts", "/a", 1), 0);
	ck_assert_str_eq(options_given()->v[OPTION_MOUNTS], "/a");
}
END_TEST

START_TEST(last_of_a_pair_wins)
{
	ck_assert_int_eq(call("container-mount-home", NULL, 0), 0);
	ck_assert_int_eq(call("no-container-mount-home", "(null)", 0), 0);
	ck_assert_str_eq(options_given()->v[OPTION_MOUNT_HOME], "no");
	ck_assert_int_eq(call("container-readonly", "", 0), 0);
	ck_assert_int_eq(call("container-writable", "", 0), 0);
	ck_assert_str_eq(options_given()->v[OPTION_WRITABLE], "yes");
	ck_assert_int_eq(call("no-container", NULL, 1), 0);
	ck_assert(options_given()->off);
}
END_TEST

START_TEST(usnic_needs_no_value)
{
	for (int remote = 0; remote < 2; remote++) {
		ck_assert_int_eq(call("usnic", NULL, remote), 0);
		ck_assert_str_eq(options_given()->v[OPTION_USNIC], "1");
		ck_assert_int_eq(call("usnic", "none", remote), 0);
		ck_assert_str_eq(options_given()->v[OPTION_USNIC], "none");
	}
}
END_TEST

START_TEST(bad_value_is_one_line_here)
{
	ck_assert_int_lt(call("container-env", "1", 0), 0);
	ck_assert_int_lt(call("container-image", "", 0), 0);
	ck_assert_int_lt(call("container-mounts", "/a:/sys", 0), 0);
	ck_assert_uint_eq(errors_said, 3);
}
END_TEST

START_TEST(bad_value_is_kept_there)
{
	ck_assert_int_eq(call("container-env", "1", 1), 0);
	ck_assert_str_eq(options_given()->v[OPTION_ENV], "1");
	ck_assert_int_eq(call("container-env", "(null)", 1), 0);
	ck_assert_ptr_null(options_given()->v[OPTION_ENV]);
	ck_assert_uint_eq(errors_said, 0);
}
END_TEST

START_TEST(long_value_waits_for_post_opt)
{
	ck_assert_int_eq(call("container-mounts", "/a", 0), 0);
	ck_assert_int_eq(call("container-mounts", filled(5000, 'x'), 0), 0);
	ck_assert(options_given()->too_long[OPTION_MOUNTS]);
	ck_assert_ptr_null(options_given()->v[OPTION_MOUNTS]);
	ck_assert_int_eq(call("container-mounts", "/b", 0), 0); /* and stays too long */
	ck_assert(options_given()->too_long[OPTION_MOUNTS]);
}
END_TEST

/* --- absolute paths --- */

START_TEST(paths_become_absolute)
{
	static const char *const t[][3] = {
		{ "a", "/c/d", "/c/d/a" },
		{ "./a", "/c/d", "/c/d/a" },
		{ ".", "/c/d", "/c/d" },
		{ "../a", "/c/d", "/c/a" },
		{ "../../../a", "/c/d", "/a" },
		{ "..", "/c", "/" },
		{ "./../a/", "/c/d", "/c/a" },
		{ ".a", "/c", "/c/.a" },
		{ "..a", "/c", "/c/..a" },
		{ "...", "/c", "/c/..." },
		{ "a/../b", "/c", "/c/a/../b" },
		{ "/x//y/./z/", "/c", "/x/y/z" },
		{ "/../x", "/c", "/../x" },
		{ "a", "/", "/a" },
		{ "", "/", "/" },
		{ "/", "/c", "/" },
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		char *out = option_absolute(t[i][0], t[i][1]);

		ck_assert_str_eq(out, t[i][2]);
		free(out);
	}
}
END_TEST

START_TEST(mount_sources_become_absolute)
{
	static const char *const t[][2] = {
		{ "/a:/b", "/a:/b" },
		{ "a:/b", "/w/a:/b" },
		{ "./a", "/w/a" },
		{ "./a:/b:ro+rslave,tmpfs:/t,../c:/d", "/w/a:/b:ro+rslave,tmpfs:/t,/c:/d" },
		{ "a\\,b\\:c:/d,e", "/w/a\\,b\\:c:/d,/w/e" },
		{ "", "" },
		{ ",", "," },
		{ "a,", "/w/a," },
		{ ":/b", ":/b" },
		{ "a\\", "/w/a\\" },
		/* left for the parser, which refuses them with a reason */
		{ "~:/b,~/a:/b,~a:/b", "~:/b,~/a:/b,/w/~a:/b" },
		{ "umount:/b,./umount:/b", "umount:/b,/w/umount:/b" },
	};
	char *out;

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		out = option_absolute_mounts(t[i][0], "/w");
		ck_assert_str_eq(out, t[i][1]);
		free(out);
	}
	out = option_absolute_mounts("x,y:/z,../v", "/a:b,c\\d");
	ck_assert_str_eq(out, "/a\\:b\\,c\\\\d/x,/a\\:b\\,c\\\\d/y:/z,/v");
	free(out);
}
END_TEST

/* --- who decides, here --- */

static struct option_set given, inherited, input;

static struct local_words words(void)
{
	option_set_done(&given);
	option_set_done(&inherited);
	option_set_done(&input);
	return (struct local_words){ .given = &given,
				     .inherited = &inherited,
				     .input = &input,
				     .cwd = "/w" };
}

static struct local_decision decided(const struct local_words *w)
{
	static struct local_decision d;
	struct err e = { "" };

	option_set_done(&d.set);
	ck_assert_msg(local_decide(w, &d, &e) == 0, "%s", e.text);
	return d;
}

static void refused(const struct local_words *w)
{
	struct local_decision d;
	struct err e = { "" };

	ck_assert_int_lt(local_decide(w, &d, &e), 0);
	ck_assert_uint_gt(strlen(e.text), 0);
}

START_TEST(nothing_said_is_no_container)
{
	struct local_words w = words();
	struct local_decision d = decided(&w);

	for (int id = 0; id < OPTION_COUNT; id++)
		ck_assert_ptr_null(d.set.v[id]);
	ck_assert(!d.none);
}
END_TEST

START_TEST(image_by_rank)
{
	struct local_words w = words();

	option_set_value(&input, OPTION_IMAGE, "i");
	ck_assert_str_eq(decided(&w).set.v[OPTION_IMAGE], "/w/i");
	w.found = "/found";
	ck_assert_str_eq(decided(&w).set.v[OPTION_IMAGE], "/found");
	ck_assert(decided(&w).show_container);
	option_set_value(&inherited, OPTION_IMAGE, "/carried");
	ck_assert_str_eq(decided(&w).set.v[OPTION_IMAGE], "/carried");
	ck_assert(!decided(&w).show_container);
	w.found = "/carried";
	ck_assert(decided(&w).show_container);
	w.container = "env";
	w.container_is_env = true;
	ck_assert_str_eq(decided(&w).set.v[OPTION_IMAGE], "/w/env");
	option_set_value(&given, OPTION_IMAGE, "given");
	ck_assert_str_eq(decided(&w).set.v[OPTION_IMAGE], "/w/given");
	ck_assert(!decided(&w).show_container);
	option_set_value(&given, OPTION_IMAGE, NULL);
	w.container_is_env = false;
	w.container = "c";
	ck_assert_str_eq(decided(&w).set.v[OPTION_IMAGE], "/w/c");
	ck_assert(decided(&w).show_container);
}
END_TEST

START_TEST(two_images_must_be_one)
{
	struct local_words w = words();

	w.container = "a";
	option_set_value(&given, OPTION_IMAGE, "/w/./a");
	ck_assert_str_eq(decided(&w).set.v[OPTION_IMAGE], "/w/a");
	option_set_value(&given, OPTION_IMAGE, "b");
	refused(&w);
	w.container_is_env = true;
	ck_assert_str_eq(decided(&w).set.v[OPTION_IMAGE], "/w/b");
	w.container_is_env = false;
	option_set_value(&given, OPTION_IMAGE, NULL);
	w.container = "";
	refused(&w);
}
END_TEST

START_TEST(no_container_beats_what_is_around)
{
	struct local_words w = words();

	given.off = true;
	option_set_value(&inherited, OPTION_IMAGE, "/a");
	option_set_value(&input, OPTION_IMAGE, "/a");
	w.found = "/a";
	ck_assert_ptr_null(decided(&w).set.v[OPTION_IMAGE]);
	ck_assert(decided(&w).none);
	w.container = "/a";
	refused(&w);
	w.container_is_env = true;
	ck_assert_ptr_null(decided(&w).set.v[OPTION_IMAGE]);
	option_set_value(&given, OPTION_JOIN, "1");
	refused(&w);
	option_set_value(&given, OPTION_JOIN, NULL);
	option_set_value(&given, OPTION_WORKDIR, "/x");
	refused(&w);
}
END_TEST

START_TEST(none_is_inherited)
{
	struct local_words w = words();

	w.inherited_none = true;
	w.found = "/a";
	option_set_value(&input, OPTION_IMAGE, "/a");
	ck_assert_ptr_null(decided(&w).set.v[OPTION_IMAGE]);
	ck_assert(decided(&w).none);
	option_set_value(&given, OPTION_IMAGE, "/b");
	ck_assert_str_eq(decided(&w).set.v[OPTION_IMAGE], "/b");
	ck_assert(!decided(&w).none);
}
END_TEST

START_TEST(join_and_image)
{
	struct local_words w = words();

	option_set_value(&inherited, OPTION_IMAGE, "/a");
	option_set_value(&given, OPTION_JOIN, "3");
	ck_assert_str_eq(decided(&w).set.v[OPTION_JOIN], "3");
	ck_assert_ptr_null(decided(&w).set.v[OPTION_IMAGE]);
	ck_assert(decided(&w).none);
	/* what the running step has decided cannot be said again, a directory in it can */
	option_set_value(&given, OPTION_WORKDIR, "/wd");
	ck_assert_str_eq(decided(&w).set.v[OPTION_WORKDIR], "/wd");
	option_set_value(&given, OPTION_MOUNTS, "/m");
	refused(&w);
	option_set_value(&given, OPTION_MOUNTS, NULL);
	option_set_value(&inherited, OPTION_MOUNTS, "/m");
	ck_assert_str_eq(decided(&w).set.v[OPTION_JOIN], "3");
	option_set_value(&given, OPTION_IMAGE, "/b");
	refused(&w);
	option_set_value(&given, OPTION_JOIN, NULL);
	option_set_value(&inherited, OPTION_JOIN, "4");
	ck_assert_ptr_null(decided(&w).set.v[OPTION_JOIN]);
	ck_assert_str_eq(decided(&w).set.v[OPTION_IMAGE], "/b");
}
END_TEST

START_TEST(other_options_are_taken_one_by_one)
{
	struct local_words w = words();
	struct local_decision d;

	option_set_value(&given, OPTION_IMAGE, "/new");
	option_set_value(&inherited, OPTION_MOUNTS, "/m:/n");
	option_set_value(&inherited, OPTION_WRITABLE, "1");
	option_set_value(&given, OPTION_WRITABLE, "no");
	option_set_value(&input, OPTION_MOUNTS, "/other");
	option_set_value(&input, OPTION_WORKDIR, "/wd");
	option_set_value(&input, OPTION_MOUNT_HOME, "0");
	d = decided(&w);
	ck_assert_str_eq(d.set.v[OPTION_MOUNTS], "/m:/n");
	ck_assert_str_eq(d.set.v[OPTION_WRITABLE], "no");
	ck_assert_str_eq(d.set.v[OPTION_WORKDIR], "/wd");
	ck_assert_str_eq(d.set.v[OPTION_MOUNT_HOME], "no");
	option_set_value(&given, OPTION_MOUNTS, "rel:/x,/y");
	ck_assert_str_eq(decided(&w).set.v[OPTION_MOUNTS], "/w/rel:/x,/y");
	option_set_value(&input, OPTION_ENV, "1bad");
	refused(&w);
	option_set_value(&given, OPTION_ENV, "GOOD");
	ck_assert_str_eq(decided(&w).set.v[OPTION_ENV], "GOOD");
}
END_TEST

START_TEST(workdir_belongs_to_its_image)
{
	struct local_words w = words();

	option_set_value(&inherited, OPTION_IMAGE, "/a");
	option_set_value(&inherited, OPTION_WORKDIR, "/wd");
	ck_assert_str_eq(decided(&w).set.v[OPTION_WORKDIR], "/wd");
	option_set_value(&given, OPTION_IMAGE, "/a");
	ck_assert_str_eq(decided(&w).set.v[OPTION_WORKDIR], "/wd");
	option_set_value(&given, OPTION_IMAGE, "/b");
	ck_assert_ptr_null(decided(&w).set.v[OPTION_WORKDIR]);
	option_set_value(&given, OPTION_WORKDIR, "/other");
	ck_assert_str_eq(decided(&w).set.v[OPTION_WORKDIR], "/other");
}
END_TEST

START_TEST(options_without_image)
{
	struct local_words w = words();

	option_set_value(&given, OPTION_MOUNTS, "/a");
	refused(&w);
	w.allocator = true; /* an srun inside may name one */
	ck_assert_str_eq(decided(&w).set.v[OPTION_MOUNTS], "/a");
	w.allocator = false;
	option_set_value(&input, OPTION_IMAGE, "/i");
	ck_assert_str_eq(decided(&w).set.v[OPTION_MOUNTS], "/a");
}
END_TEST

START_TEST(too_long_is_refused)
{
	struct local_words w = words();

	option_set_value(&given, OPTION_IMAGE, filled(5000, 'x'));
	refused(&w);
	option_set_value(&given, OPTION_IMAGE, filled(4094, 'x')); /* with "/w/" in front */
	refused(&w);
	option_set_value(&given, OPTION_IMAGE, "/a");
	option_set_value(&given, OPTION_MOUNTS, filled(4094, 'x'));
	refused(&w);
}
END_TEST

/* --- who decides, on the node --- */

static bool container;

static const char *node_image(void)
{
	static struct option_set s;
	struct err e = { "" };

	option_set_done(&s);
	ck_assert_msg(stepinfo_options(NULL, &s, &container, &e) == 0, "%s", e.text);
	ck_assert_int_eq(container, s.v[OPTION_IMAGE] || s.v[OPTION_JOIN]);
	return s.v[OPTION_IMAGE];
}

static void node_refuses(void)
{
	struct option_set s;
	struct err e = { "" };

	ck_assert_int_lt(stepinfo_options(NULL, &s, &container, &e), 0);
	ck_assert(container); /* never the host instead */
	ck_assert_uint_gt(strlen(e.text), 0);
}

static void env(size_t i, const char *name, const char *value)
{
	job_env[i][0] = name;
	job_env[i][1] = value;
}

START_TEST(node_sources_by_rank)
{
	ck_assert_ptr_null(node_image());
	env(0, "BERTH_CONTAINER_IMAGE", "/input");
	ck_assert_str_eq(node_image(), "/input");
	env(1, "SLURM_CONTAINER", "/slurm");
	ck_assert_str_eq(node_image(), "/slurm");
	call("container-image", "/callback", 1);
	ck_assert_str_eq(node_image(), "/callback");
	env(2, "SLURM_SPANK_BERTH_CONTAINER_IMAGE", "/sbatch");
	ck_assert_str_eq(node_image(), "/sbatch");
	env(3, "SLURM_BERTH_CONTAINER_IMAGE", "/carrier");
	ck_assert_str_eq(node_image(), "/carrier");
	env(3, "SLURM_BERTH_CONTAINER_IMAGE", "");
	ck_assert_ptr_null(node_image());
	env(4, "BERTH_CONTAINER_JOIN", "1");
	ck_assert_ptr_null(node_image());
	ck_assert(!container);
	env(5, "SLURM_BERTH_CONTAINER_JOIN", "1");
	ck_assert_ptr_null(node_image());
	ck_assert(container);
}
END_TEST

START_TEST(node_off_by_callback)
{
	env(0, "SLURM_CONTAINER", "/slurm");
	call("no-container", "", 1);
	ck_assert_ptr_null(node_image());
	ck_assert(!container);
}
END_TEST

START_TEST(node_trusts_nothing)
{
	env(0, "SLURM_BERTH_CONTAINER_IMAGE", "relative");
	node_refuses();
	env(0, "SLURM_BERTH_CONTAINER_IMAGE", filled(5000, '/'));
	node_refuses();
	env(0, "SLURM_BERTH_CONTAINER_IMAGE", "/a\x1b[2J");
	node_refuses();
	env(0, "SLURM_BERTH_CONTAINER_IMAGE", "/a");
	env(1, "SLURM_BERTH_CONTAINER_WRITABLE", "perhaps");
	node_refuses();
	env(1, "SLURM_BERTH_CONTAINER_MOUNTS", "/a:/b/../..");
	node_refuses();
	env(1, "SLURM_BERTH_CONTAINER_MOUNTS", "/a:/b");
	ck_assert_str_eq(node_image(), "/a");
	call("container-unshare", filled(5000, 'x'), 1);
	node_refuses();
}
END_TEST

START_TEST(other_options_need_no_care_without_image)
{
	env(0, "BERTH_CONTAINER_WRITABLE", "perhaps");
	ck_assert_ptr_null(node_image());
	ck_assert(!container);
}
END_TEST

START_TEST(devices_of_the_step_around_are_forgotten)
{
	struct err e = { "" };

	setenv(USNIC_SET_CARRIER,
	       "BERTH_IBDEV=usnic_0;UCX_NET_DEVICES=usnic_0:1;=x;odd;NCCL_IB_HCA==usnic_0;", 1);
	setenv("BERTH_IBDEV", "usnic_0", 1);
	setenv("UCX_NET_DEVICES", "changed by the script", 1);
	setenv("NCCL_IB_HCA", "=usnic_0", 1);
	setenv("odd", "stays", 1);
	ck_assert_int_eq(local_init(false, &e), 0);
	ck_assert_ptr_null(getenv("BERTH_IBDEV"));
	ck_assert_ptr_null(getenv("NCCL_IB_HCA"));
	ck_assert_ptr_null(getenv(USNIC_SET_CARRIER));
	ck_assert_str_eq(getenv("UCX_NET_DEVICES"), "changed by the script");
	ck_assert_str_eq(getenv("odd"), "stays");
}
END_TEST

START_TEST(own_socket_is_known)
{
	ck_assert(stepinfo_is_step_socket("/s/n1_12.3", 12, 3));
	ck_assert(stepinfo_is_step_socket("/s/n1_12.4294967291", 12, 4294967291u));
	ck_assert(stepinfo_is_step_socket("/s/n1_12.3.0", 12, 3));
	ck_assert(stepinfo_is_step_socket("/s/n_1.2_12.3", 12, 3));
	ck_assert(!stepinfo_is_step_socket("/s/n1_12.3", 2, 3));
	ck_assert(!stepinfo_is_step_socket("/s/n1_12.33", 12, 3));
	ck_assert(!stepinfo_is_step_socket("/s/n1_12.3.x", 12, 3));
	ck_assert(!stepinfo_is_step_socket("n1_12.3", 12, 3));
	ck_assert(!stepinfo_is_step_socket("", 12, 3));
	ck_assert(!stepinfo_is_step_socket("/", 12, 3));
	ck_assert(!stepinfo_is_step_socket("/12.3", 12, 3));
	ck_assert(!stepinfo_is_step_socket("/.", 12, 3));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("options");
	TCase *t = tcase_create("options");

	tcase_add_checked_fixture(t, start, stop);
	tcase_add_test(t, names_of_one_option);
	tcase_add_test(t, help_takes_two_lines_at_most);
	tcase_add_test(t, inherited_options_are_forgotten);
	tcase_add_test(t, any_option_refuses_long_and_control);
	tcase_add_test(t, image_is_absolute_in_the_end);
	tcase_add_test(t, forms_of_lists);
	tcase_add_test(t, mounts_add_up_here);
	tcase_add_test(t, mounts_are_replaced_there);
	tcase_add_test(t, last_of_a_pair_wins);
	tcase_add_test(t, usnic_needs_no_value);
	tcase_add_test(t, bad_value_is_one_line_here);
	tcase_add_test(t, bad_value_is_kept_there);
	tcase_add_test(t, long_value_waits_for_post_opt);
	tcase_add_test(t, paths_become_absolute);
	tcase_add_test(t, mount_sources_become_absolute);
	tcase_add_test(t, nothing_said_is_no_container);
	tcase_add_test(t, image_by_rank);
	tcase_add_test(t, two_images_must_be_one);
	tcase_add_test(t, no_container_beats_what_is_around);
	tcase_add_test(t, none_is_inherited);
	tcase_add_test(t, join_and_image);
	tcase_add_test(t, other_options_are_taken_one_by_one);
	tcase_add_test(t, workdir_belongs_to_its_image);
	tcase_add_test(t, options_without_image);
	tcase_add_test(t, too_long_is_refused);
	tcase_add_test(t, node_sources_by_rank);
	tcase_add_test(t, node_off_by_callback);
	tcase_add_test(t, node_trusts_nothing);
	tcase_add_test(t, other_options_need_no_care_without_image);
	tcase_add_test(t, devices_of_the_step_around_are_forgotten);
	tcase_add_test(t, own_socket_is_known);
	suite_add_tcase(s, t);
	return unit_run(s);
}
