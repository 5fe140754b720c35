/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * inject.so, by LD_PRELOAD into slurmd and so into slurmstepd and its tasks (the helper
 * is static and does not load it): calls that give up privileges fail, or only say that
 * they worked.  The file $BERTH_INJECT is read at every call; its one line is
 *
 *   CALL ARG error     CALL with first argument ARG fails with EPERM
 *   CALL ARG lie       it returns 0 and does nothing
 *
 * CALL is prctl, setns (ARG: the kind of namespace), capset or close_range (ARG: 0).
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* -1 with errno, 0: pretend, 1: nothing to inject */
static int inject(const char *call, long arg)
{
	const char *path = getenv("BERTH_INJECT");
	FILE *f = path ? fopen(path, "re") : NULL;
	char name[32] = "", how[32] = "";
	long want = -1;
	int n = f ? fscanf(f, "%31s %ld %31s", name, &want, how) : 0;

	if (f)
		fclose(f);
	if (n != 3 || want != arg || strcmp(name, call) != 0)
		return 1;
	if (strcmp(how, "lie") == 0)
		return 0;
	errno = EPERM;
	return -1;
}

int prctl(int option, ...)
{
	static int (*real)(int, ...);
	unsigned long a[4];
	va_list ap;
	int rc = inject("prctl", option);

	va_start(ap, option);
	for (int i = 0; i < 4; i++)
		a[i] = va_arg(ap, unsigned long);
	va_end(ap);
	if (rc != 1)
		return rc;
	if (!real)
		real = (int (*)(int, ...))dlsym(RTLD_NEXT, "prctl");
	return real(option, a[0], a[1], a[2], a[3]);
}

int setns(int fd, int kind)
{
	static int (*real)(int, int);
	int rc = inject("setns", kind);

	if (rc != 1)
		return rc;
	if (!real)
		real = (int (*)(int, int))dlsym(RTLD_NEXT, "setns");
	return real(fd, kind);
}

long syscall(long number, ...)
{
	static long (*real)(long, ...);
	long a[6];
	va_list ap;
	int rc = number == SYS_capset	     ? inject("capset", 0)
		 : number == SYS_close_range ? inject("close_range", 0)
					     : 1;

	va_start(ap, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	if (rc != 1)
		return rc;
	if (!real)
		real = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
	return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
