/* SPDX-License-Identifier: BSD-3-Clause */
/* An image's passwd and group, and what berth-passwd prints. */
#include "fuzz.h"

#include "../../helper/account.h"

static const struct account ann = { .name = "ann",
				    .home = "/home/ann",
				    .shell = "/bin/sh",
				    .group = "lab" };

/* The result ends in a newline, has no NUL, and is not much longer than what came in. */
static void check_text(char *out, size_t len, size_t size)
{
	FUZZ_CHECK(out && len > 0 && len <= size + 64);
	FUZZ_CHECK(out[len - 1] == '\n' && strlen(out) == len);
	free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	const uint32_t gids[] = { 0, 1, 1000 };
	struct account a;
	struct err e = { "" };
	size_t len = 0;
	char *out;

	out = account_passwd(text, size, &ann, 1000, 100, &len, &e);
	check_text(out, len, size);
	out = account_group(text, size, &ann, 100, &len, &e);
	check_text(out, len, size);
	fuzz_check_err(account_parse(text, size, &a, &e), &e);
	if (account_from_files(text, size, text, size, 1000, 100, &a) == 0) {
		out = account_passwd(NULL, 0, &a, 1000, 100, &len, NULL); /* sound, so taken */
		check_text(out, len, size + sizeof(a));
	}
	a = ann;
	(void)account_groups_from_file(text, size, gids, 3, 100, &a);
	out = account_group(NULL, 0, &a, 100, &len, NULL); /* likewise */
	check_text(out, len, size + sizeof(a));
	return 0;
}
