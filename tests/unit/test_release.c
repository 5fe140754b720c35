/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which release berth.so says that it is for: the one that runs, if it is on the list.  This
 * program stands for srun or slurmstepd: it has the symbols that the plugin takes from there.
 */
#include <dlfcn.h>
#include <slurm/spank.h>

#include "unit.h"

#define PLUGIN "spank/berth.so"

static long api; /* what the release that runs says */

long slurm_api_version(void);
long slurm_api_version(void)
{
	return api;
}

/* --- bound when the plugin is loaded; no hook is called here --- */

void slurm_error(const char *format, ...)
{
	(void)format;
}

void slurm_spank_log(const char *format, ...)
{
	(void)format;
}

spank_context_t spank_context(void)
{
	return S_CTX_ERROR;
}

spank_err_t spank_get_item(spank_t sp, spank_item_t item, ...)
{
	(void)sp, (void)item;
	return ESPANK_ERROR;
}

spank_err_t spank_getenv(spank_t sp, const char *name, char *buf, int len)
{
	(void)sp, (void)name, (void)buf, (void)len;
	return ESPANK_ERROR;
}

spank_err_t spank_setenv(spank_t sp, const char *name, const char *value, int overwrite)
{
	(void)sp, (void)name, (void)value, (void)overwrite;
	return ESPANK_ERROR;
}

spank_err_t spank_unsetenv(spank_t sp, const char *name)
{
	(void)sp, (void)name;
	return ESPANK_ERROR;
}

spank_err_t spank_job_control_setenv(spank_t sp, const char *name, const char *value, int overwrite)
{
	(void)sp, (void)name, (void)value, (void)overwrite;
	return ESPANK_ERROR;
}

spank_err_t spank_option_register(spank_t sp, struct spank_option *o)
{
	(void)sp, (void)o;
	return ESPANK_ERROR;
}

/* --- tests --- */

/* plugin_version as Slurm finds it, when that release loads the plugin. */
static unsigned version_under(unsigned release)
{
	const unsigned *version;
	unsigned found;
	void *plugin;

	api = (long)release << 16 | 5;
	plugin = dlopen(PLUGIN, RTLD_LAZY);
	ck_assert_msg(plugin != NULL, "%s", dlerror());
	version = dlsym(plugin, "plugin_version");
	ck_assert_ptr_nonnull(version);
	found = *version;
	ck_assert_int_eq(dlclose(plugin), 0);
	return found;
}

START_TEST(known_releases)
{
	ck_assert_uint_eq(version_under(38), SLURM_VERSION_NUM(22, 5, 0));
	ck_assert_uint_eq(version_under(41), SLURM_VERSION_NUM(24, 5, 0));
	ck_assert_uint_eq(version_under(42), SLURM_VERSION_NUM(24, 11, 0));
	ck_assert_uint_eq(version_under(45), SLURM_VERSION_NUM(26, 5, 0));
}
END_TEST

/* It stays that of the headers it was built with, so Slurm refuses it as any plugin. */
START_TEST(unknown_releases)
{
	static const unsigned unknown[] = { 0, 1, 37, 46, 99 };

	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
		ck_assert_uint_eq(version_under(unknown[i]), SLURM_VERSION_NUMBER);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("release");
	TCase *tc = tcase_create("release");

	suite_add_tcase(s, tc);
	tcase_add_test(tc, known_releases);
	tcase_add_test(tc, unknown_releases);
	return unit_run(s);
}
