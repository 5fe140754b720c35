/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the kernel says of devices and cgroups: /proc/devices, /proc/misc, names of /sys/dev,
 * devices.list, /proc/PID/cgroup and mountinfo.  The texts are separated by NULs.
 */
#include "fuzz.h"

#include "../../helper/cgroups.h"
#include "../../helper/devices_plan.h"

#define TEXTS 6

static const struct devices_node granted[] = { { 'c', 231, 193 }, { 'c', 240, 2 } };

struct count {
	const struct devices_plan *plan;
	bool allowed;
	size_t n;
};

static int check_entry(const struct devices_plan_entry *x, void *arg)
{
	struct count *c = arg;

	FUZZ_CHECK(!c->allowed || !devices_plan_denies(c->plan, x));
	FUZZ_CHECK(devices_plan_allows(c->plan, x->type, x->major,
				       x->minor == DEVICES_PLAN_ANY ? 0 : x->minor) == c->allowed);
	return ++c->n > 5000; /* enough of it */
}

static void check_list(const struct devices_plan *p, const struct devices_plan_tops *t,
		       const char *text)
{
	size_t n;

	for (const char *line = text; *line; line += n, line += *line == '\n') {
		struct devices_plan_entry x, again;
		struct count c = { p, false, 0 };
		char out[DEVICES_PLAN_TEXT];

		n = strcspn(line, "\n");
		if (devices_plan_read(line, n, &x) < 0)
			continue;
		devices_plan_write(out, &x);
		FUZZ_CHECK(x.access == 0 || devices_plan_read(out, strlen(out), &again) == 0);
		if (x.type == 'a')
			continue;
		devices_plan_expand(p, t, x, false, check_entry, &c);
		c.allowed = true;
		devices_plan_expand(p, t, x, true, check_entry, &c);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum devices_mode modes[] = { DEVICES_OTHERS, DEVICES_STRICT };
	char *copy = malloc(size + TEXTS), *text[TEXTS], path[CGROUPS_PATH_MAX];
	static struct devices_plan_tops tops;
	size_t at = 0;

	FUZZ_CHECK(copy);
	if (size > 0)
		memcpy(copy, data, size);
	memset(copy + size, 0, TEXTS);
	for (int i = 0; i < TEXTS; i++) {
		text[i] = copy + at;
		at += strlen(text[i]) + (at + strlen(text[i]) < size);
	}
	for (int i = 0; i < 2; i++) {
		struct err e = { "" };
		struct devices_plan p;
		int rc = devices_plan_make(&p, modes[i], granted, 2, text[0], text[1], &e);

		fuzz_check_err(rc, &e);
		if (rc < 0)
			continue;
		FUZZ_CHECK(e.text[0] == '\0');
		FUZZ_CHECK(devices_plan_allows(&p, 'c', 231, 193));
		FUZZ_CHECK(!devices_plan_allows(&p, 'c', 231, 192));
		rc = devices_plan_tops(&tops, &p, text[2], text[2], &e);
		fuzz_check_err(rc, &e);
		if (rc == 0)
			check_list(&p, &tops, text[3]);
	}
	if (cgroups_find_devices(text[4], text[5], size % 2, path) == 0)
		FUZZ_CHECK(strstr(path, size % 2 ? "/task_" : "/step_"));
	free(copy);
	return 0;
}
