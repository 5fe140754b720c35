/* SPDX-License-Identifier: BSD-3-Clause */
#include "slurm_stub.h"

#include <string.h>

#include "../../spank/options.h"
#include "unit.h"

#define JOB_ENV_MAX 8

struct spank_option *slurm_registered[32];
size_t slurm_nregistered;
unsigned slurm_errors_said;
/* NULL in front of the first that is free */
static const char *job_env[JOB_ENV_MAX][2];

spank_err_t spank_option_register(spank_t sp, struct spank_option *o)
{
	(void)sp;
	if (slurm_nregistered < 32)
		slurm_registered[slurm_nregistered++] = o;
	return ESPANK_SUCCESS;
}

void slurm_error(const char *format, ...)
{
	(void)format;
	slurm_errors_said++;
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

spank_err_t spank_getenv(spank_t sp, const char *name, char *buf, int len)
{
	(void)sp;
	for (size_t i = 0; i < JOB_ENV_MAX && job_env[i][0]; i++) {
		if (strcmp(job_env[i][0], name) != 0)
			continue;
		if (strlen(job_env[i][1]) >= (size_t)len)
			return ESPANK_NOSPACE;
		strcpy(buf, job_env[i][1]);
		return ESPANK_SUCCESS;
	}
	return ESPANK_ENV_NOEXIST;
}

void slurm_job_env(const char *name, const char *value)
{
	size_t i = 0;

	while (i < JOB_ENV_MAX && job_env[i][0] && strcmp(job_env[i][0], name) != 0)
		i++;
	ck_assert_uint_lt(i, JOB_ENV_MAX);
	job_env[i][0] = name;
	job_env[i][1] = value;
}

void slurm_begin(void)
{
	struct err e = { "" };

	option_set_done(options_given());
	memset(job_env, 0, sizeof(job_env));
	slurm_nregistered = slurm_errors_said = 0;
	ck_assert_int_eq(options_register(NULL, &e), 0);
}

void slurm_end(void)
{
	option_set_done(options_given());
}

int slurm_call(const char *name, const char *arg, int remote)
{
	for (size_t i = 0; i < slurm_nregistered; i++)
		if (strcmp(slurm_registered[i]->name, name) == 0)
			return slurm_registered[i]->cb(slurm_registered[i]->val, arg, remote);
	ck_abort_msg("no option %s", name);
	return -1;
}
