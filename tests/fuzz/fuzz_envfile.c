/* SPDX-License-Identifier: BSD-3-Clause */
/* /etc/environment and a SIF's environment files, the one after the other, and the filter. */
#include "fuzz.h"

#include "../../helper/envscript.h"

static void check_list(const struct env_list *l)
{
	size_t bytes = 0;

	FUZZ_CHECK(l->n <= ENV_MAX_VARS);
	for (size_t i = 0; i < l->n; i++) {
		char *eq = strchr(l->v[i], '=');

		FUZZ_CHECK(eq && eq != l->v[i]);
		*eq = '\0';
		FUZZ_CHECK(env_names_valid(l->v[i]));
		FUZZ_CHECK(env_get(l, l->v[i]) == NULL); /* its '=' is gone: no second one */
		*eq = '=';
		bytes += strlen(l->v[i]);
	}
	FUZZ_CHECK(bytes == l->bytes && bytes <= ENV_MAX_BYTES);
	FUZZ_CHECK(!l->v || !l->v[l->n]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct env_list l = { NULL, 0, 0 }, known = { NULL, 0, 0 };
	struct env_left_out left = { "" };
	struct err e = { "" };
	const char *text = (const char *)data;

	fuzz_check_err(env_set(&known, "PATH=/usr/bin:/bin", &e), &e);
	fuzz_check_err(env_parse_singularity(text, size, &known, &l, &left, &e), &e);
	FUZZ_CHECK(!left.name[0] || env_names_valid(left.name));
	check_list(&l);
	e.text[0] = '\0';
	fuzz_check_err(env_parse_environment(text, size, &l, &e), &e);
	check_list(&l);
	env_filter(&l, "KEEP,A");
	check_list(&l);
	FUZZ_CHECK(!env_get(&l, "HOME") && !env_get(&l, "A") && !env_get(&l, "PMI_RANK"));
	env_list_done(&l);
	env_list_done(&known);
	return 0;
}
