/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * loop.h - a read-only loop device that goes away by itself.
 */
#ifndef BERTH_LOOP_H
#define BERTH_LOOP_H

#include <stdint.h>

/*
 * Bind bytes [offset, offset + length) of file to a free loop device, read-only and
 * with autoclear: it is freed when the returned descriptor is closed and nothing has
 * it mounted.  Writes "/dev/loopN" to name[0..size).  Another user of loop devices
 * may win the race for the free one: retried with jitter for about two seconds.
 * Returns the device's descriptor, or -1 with errno (EBUSY: none could be had).
 * Source: Documentation/admin-guide/blockdev, drivers/block/loop.c (LOOP_CONFIGURE).
 */
int loop_attach(int file, uint64_t offset, uint64_t length, char *name, unsigned size);

#endif
