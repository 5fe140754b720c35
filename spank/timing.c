/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE 1
#include "timing.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <slurm/spank.h>

static int timing_fd = -1;
static uint32_t timing_job, timing_step;

void timing_open(int ac, char **av, uint32_t job_id, uint32_t step_id)
{
	static const char key[] = "timing=";

	for (int i = 0; i < ac && timing_fd < 0; i++) {
		const char *path = av[i] + strlen(key);

		if (strncmp(av[i], key, strlen(key)) != 0)
			continue;
		timing_fd =
			path[0] != '/'
				? -1
				: open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
				       0600);
		if (timing_fd < 0)
			slurm_error("berth: %s: cannot open the file for writing, expected an "
				    "absolute path in an existing directory; no times are kept",
				    av[i]);
	}
	timing_job = job_id;
	timing_step = step_id;
}

int64_t timing_clock(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int64_t timing_now(void)
{
	return timing_fd < 0 ? 0 : timing_clock();
}

void timing_note(const char *hook, int64_t enter_ns)
{
	char line[256];
	int n;

	if (timing_fd < 0)
		return;
	n = snprintf(line, sizeof(line),
		     "berth-timing hook=%s enter_ns=%lld exit_ns=%lld step=%u.%u pid=%d\n", hook,
		     (long long)enter_ns, (long long)timing_now(), timing_job, timing_step,
		     (int)getpid());
	if (n > 0 && (size_t)n < sizeof(line) && write(timing_fd, line, (size_t)n) < 0)
		return; /* the benchmark sees the gap */
}

void timing_close(void)
{
	if (timing_fd >= 0)
		close(timing_fd);
	timing_fd = -1;
}
