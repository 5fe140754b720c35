/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fault: a SPANK plugin that makes system calls of a task fail, or do nothing and claim
 * success, from slurm_spank_task_init_privileged on.  Standing before berth.so in
 * plugstack.conf it shows what Berth's own hooks do then.  Its one argument names a file
 * with lines "NAME ARGUMENT ERRNO": calls of NAME whose first argument is ARGUMENT (a
 * number, or - for any) return ERRNO (0: success).
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <slurm/spank.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

SPANK_PLUGIN(fault, 1)

#define RULES_MAX 16

static const struct {
	const char *name;
	unsigned nr;
} calls[] = {
	{ "capget", SYS_capget },
	{ "capset", SYS_capset },
	{ "close_range", SYS_close_range },
	{ "getgroups", SYS_getgroups },
	{ "getresuid", SYS_getresuid },
	{ "prctl", SYS_prctl },
	{ "setgid", SYS_setgid },
	{ "setgroups", SYS_setgroups },
	{ "setns", SYS_setns },
	{ "setregid", SYS_setregid },
	{ "setresgid", SYS_setresgid },
	{ "setresuid", SYS_setresuid },
	{ "setreuid", SYS_setreuid },
	{ "setuid", SYS_setuid },
};

static unsigned number(const char *name)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (!strcmp(calls[i].name, name))
			return calls[i].nr;
	return ~0u;
}

/* The instructions of one rule: where the call is another one, go on behind them. */
static unsigned rule(struct sock_filter *to, unsigned nr, const char *arg, unsigned error)
{
	const struct sock_filter any[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
	};
	const struct sock_filter one[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)strtoul(arg, NULL, 10), 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
	};

	if (!strcmp(arg, "-")) {
		memcpy(to, any, sizeof(any));
		return sizeof(any) / sizeof(any[0]);
	}
	memcpy(to, one, sizeof(one));
	return sizeof(one) / sizeof(one[0]);
}

int slurm_spank_task_init_privileged(spank_t sp, int ac, char **av)
{
	struct sock_filter code[RULES_MAX * 5 + 1];
	struct sock_fprog prog = { .len = 0, .filter = code };
	char name[32], arg[32];
	unsigned error, rules = 0;
	FILE *f = ac > 0 ? fopen(av[0], "r") : NULL;

	(void)sp;
	while (f && rules++ < RULES_MAX && fscanf(f, "%31s %31s %u", name, arg, &error) == 3)
		prog.len += rule(code + prog.len, number(name), arg, error);
	if (f)
		fclose(f);
	if (prog.len == 0)
		return 0;
	code[prog.len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0 ? -1 : 0;
}
