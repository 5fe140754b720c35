/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * berth-script: inside a container, start a task's prolog as slurmstepd itself would.
 *
 * From 24.11 on slurmstepd runs such scripts by another copy of itself (src/common/run_command.c),
 * for which no image has the libraries; the plugin puts this program in its place
 * (spank/launcher.c).  Called as that copy is:
 *
 *   argv[0]  slurmstepd's path     argv[1]  "slurm_script_launcher"
 *   argv[2]  the script            argv[3..] the script's own argv
 *
 * Static: it runs on top of any libc.  It has no privilege and gives none.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	if (argc < 4 || strcmp(argv[1], "slurm_script_launcher") != 0) {
		fputs("usage: berth-script slurm_script_launcher SCRIPT ARGV0 [ARGUMENT]...\n",
		      stderr);
		return 2;
	}
	/* a group of its own, which slurmstepd ends with it; ids that nothing can take back */
	if (close_range(3, ~0U, 0) < 0 || setpgid(0, 0) < 0 ||
	    setresgid(getegid(), getegid(), (gid_t)-1) < 0 ||
	    setresuid(geteuid(), geteuid(), (uid_t)-1) < 0) {
		fprintf(stderr, "berth-script: %s\n", strerror(errno));
		return 127;
	}
	execv(argv[2], argv + 3);
	fprintf(stderr, "%s: %s\n", argv[2], strerror(errno));
	return 127;
}
