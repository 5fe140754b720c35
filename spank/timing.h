/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * timing.h - when each hook was entered and left, for the benchmark.  Off (and
 * without cost) unless the plugstack arguments say timing=FILE.  One line per hook:
 *   berth-timing hook=NAME enter_ns=N exit_ns=N step=J.S pid=P
 * by CLOCK_MONOTONIC, appended to FILE, which root makes with mode 0600.
 */
#ifndef BERTH_TIMING_H
#define BERTH_TIMING_H

#include <stdint.h>

/* Open the file, as root.  A failure leaves timing off and a line in slurmd's log. */
void timing_open(int ac, char **av, uint32_t job_id, uint32_t step_id);

/* Nanoseconds of CLOCK_MONOTONIC. */
int64_t timing_clock(void);

/* The same, or 0 when timing is off. */
int64_t timing_now(void);

/* Write a hook's line; nothing when timing is off. */
void timing_note(const char *hook, int64_t enter_ns);

void timing_close(void);

#endif
