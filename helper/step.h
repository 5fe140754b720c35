/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * step.h - the helper of one step on one node, from its first message to the end.
 */
#ifndef BERTH_STEP_H
#define BERTH_STEP_H

/*
 * Serve the socket main_fd (request.h) until slurmstepd is done with it or dead, then
 * take everything back.  Exit code of the process.
 */
int step_main(int main_fd);

#endif
