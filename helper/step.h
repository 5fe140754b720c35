/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * step.h - the helper of one step on one node, from its first message to the end.
 */
#ifndef BERTH_STEP_H
#define BERTH_STEP_H

#include <stddef.h>

/*
 * Serve the socket main_fd (request.h) until slurmstepd is done with it or dead, then
 * take everything back.  Exit code of the process.
 */
int step_main(int main_fd);

/*
 * At slurmd's start, with the plugstack arguments: sweep what a crash left in the state
 * directory, and make the map of the node's NICs.  Exit code of the process.
 */
int step_prepare(char *const *args, size_t n);

#endif
