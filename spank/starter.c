/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE 1
#include "starter.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STACK_BYTES 32768
#define LIBC_SIGNALS 32 /* from here to SIGRTMIN: not for programs */

/* What the new process is to do, below its stack. */
struct start {
	const char *path;
	char *const *argv;
	char *const *envp;
	int sock, fd;
	atomic_int error;
};

static struct start *last;

/* exec leaves ignored signals ignored. */
static void default_signals(void)
{
	const struct sigaction by_default = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int sig = 1; sig <= SIGRTMAX; sig++)
		if (sig != SIGKILL && sig != SIGSTOP && (sig < LIBC_SIGNALS || sig >= SIGRTMIN))
			sigaction(sig, &by_default, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static int set_descriptors(const struct start *s)
{
	int null = open("/dev/null", O_RDWR);

	if (null < 0)
		return -1;
	for (int fd = 0; fd <= 2; fd++)
		if (dup2(null, fd) < 0)
			return -1;
	if (s->sock >= 0 && dup2(s->sock, s->fd) < 0)
		return -1;
	return close_range(s->sock >= 0 ? (unsigned)s->fd + 1 : 3, ~0U, 0);
}

/*
 * execve(2), which returns only an errno.  libc's would leave it where slurmstepd, which goes on
 * meanwhile, has its own: each would read the other's.
 */
static int start_program(const struct start *s)
{
#if defined(__x86_64__)
	long rc;

	__asm__ volatile("syscall"
			 : "=a"(rc)
			 : "0"((long)SYS_execve), "D"(s->path), "S"(s->argv), "d"(s->envp)
			 : "rcx", "r11", "memory");
	return (int)-rc;
#elif defined(__aarch64__)
	register long x8 __asm__("x8") = SYS_execve;
	register long x0 __asm__("x0") = (long)s->path;
	register long x1 __asm__("x1") = (long)s->argv;
	register long x2 __asm__("x2") = (long)s->envp;

	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
	return (int)-x0;
#else
	execve(s->path, s->argv, s->envp);
	return errno ? errno : ENOEXEC;
#endif
}

/* In the new process, where a sanitizer must not look for the caller's stack. */
__attribute__((no_sanitize("address"))) static int begin(void *arg)
{
	struct start *s = arg;

	default_signals();
	if (set_descriptors(s) == 0 && chdir("/") == 0)
		atomic_store(&s->error, start_program(s));
	else
		atomic_store(&s->error, errno ? errno : ENOEXEC);
	_exit(1);
}

int starter_start(const char *path, char *const argv[], char *const envp[], int sock, int fd,
		  pid_t *pid)
{
	struct start *s;
	void *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	sigset_t all, old;
	int rc = 0;

	if (stack == MAP_FAILED)
		return errno;
	s = stack;
	s->path = path;
	s->argv = argv;
	s->envp = envp;
	s->sock = sock;
	s->fd = fd;
	/* a handler of slurmstepd's must not run in there */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	*pid = clone(begin, (char *)stack + STACK_BYTES, CLONE_VM | SIGCHLD, s);
	if (*pid < 0)
		rc = errno;
	sigprocmask(SIG_SETMASK, &old, NULL);
	if (rc) {
		munmap(stack, STACK_BYTES);
		return rc;
	}
	last = s;
	/*
	 * Where Linux has queued it behind us it would wait for our slice to end, 3 ms.  It
	 * comes as far as its exec, where a process goes to the CPU that has least to do.
	 */
	sched_yield();
	return 0;
}

int starter_error(void)
{
	return last ? atomic_load(&last->error) : 0;
}
