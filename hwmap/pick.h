/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pick.h - what explaining a choice needs to know of making it.
 */
#ifndef BERTH_HWMAP_PICK_H
#define BERTH_HWMAP_PICK_H

#include "assign.h"
#include "groups.h"

/* HWMAP_RAIL: the NIC, among the groups', of rank r. */
uint32_t pick_rail(const struct hwmap_ask *ask, const struct groups *g, uint32_t r);

#endif
