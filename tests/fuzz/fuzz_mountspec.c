/* SPDX-License-Identifier: BSD-3-Clause */
/* --container-mounts, and single destinations. */
#include "fuzz.h"

#include "../../helper/mountspec.h"
#include "../../helper/request.h"

/* The promises of mountspec.h about a destination. */
static void check_dst(const char *dst)
{
	FUZZ_CHECK(dst[0] == '/' && dst[1] != '\0');
	FUZZ_CHECK(!strstr(dst, "//") && !strstr(dst, "/./") && !strstr(dst, "/../"));
	FUZZ_CHECK(strcmp(dst + strlen(dst) - 1, "/") != 0);
	FUZZ_CHECK(strlen(dst) < 3 || strcmp(dst + strlen(dst) - 3, "/..") != 0);
	FUZZ_CHECK(!path_within(dst, "/proc") && !path_within(dst, "/sys"));
}

static void check_mount(const struct mount_spec *m)
{
	check_dst(m->dst);
	FUZZ_CHECK((m->kind == MOUNT_TMPFS) == !m->src);
	if (m->kind == MOUNT_TMPFS)
		FUZZ_CHECK(m->tmpfs_mode <= 01777);
	if (path_within(m->dst, "/dev"))
		FUZZ_CHECK(m->src && strcmp(m->src, m->dst) == 0 && strcmp(m->dst, "/dev") != 0);
	if (m->src)
		FUZZ_CHECK(m->src[0] != '\0');
}

static void fuzz_dst(const char *text)
{
	char out[256];
	struct err e = { "" };
	int rc = mount_dst_normalise(text, out, sizeof(out), &e);

	fuzz_check_err(rc, &e);
	if (rc == 0) {
		check_dst(out);
		FUZZ_CHECK(!path_within(out, "/dev"));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct mount_list l;
	struct err e = { "" };
	int rc;

	FUZZ_CHECK(text);
	memcpy(text, data, size);
	text[size] = '\0';
	rc = mount_list_parse(text, REQUEST_MOUNTS_MAX, &l, &e);
	fuzz_check_err(rc, &e);
	if (rc == 0) {
		FUZZ_CHECK(l.n > 0 && l.n <= REQUEST_MOUNTS_MAX);
		for (size_t i = 0; i < l.n; i++)
			check_mount(&l.v[i]);
		mount_list_done(&l);
	}
	fuzz_dst(text);
	free(text);
	return 0;
}
