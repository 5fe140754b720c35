/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * devices_prog.h - a plan as a program of BPF_PROG_TYPE_CGROUP_DEVICE.
 */
#ifndef BERTH_DEVICES_PROG_H
#define BERTH_DEVICES_PROG_H

#include <linux/bpf.h>
#include <stddef.h>

#include "devices_plan.h"

/* Four to begin with, at most five for each rule, two at the end. */
#define DEVICES_PROG_MAX (4 + 5 * DEVICES_PLAN_RULES_MAX + 2)

/* Writes the program and returns its length, at most DEVICES_PROG_MAX. No loops, no maps, no helpers. */
size_t devices_prog_make(const struct devices_plan *p, struct bpf_insn out[DEVICES_PROG_MAX]);

#endif
