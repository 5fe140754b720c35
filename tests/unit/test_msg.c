/* SPDX-License-Identifier: BSD-3-Clause */
/* The sockets of request.h (helper/msg.c); what the bytes mean is tested in test_request.c. */
#define _GNU_SOURCE 1
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "../../helper/request.h"
#include "unit.h"

static unsigned char buf[REQUEST_PACKET_MAX + 64];

static int pair[2];

static void pair_open(void)
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
}

static void pair_close(void)
{
	close(pair[0]);
	close(pair[1]);
}

static unsigned count_fds(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

START_TEST(msg_passes_bytes_descriptors_and_pid)
{
	int on = 1, in[] = { 0, 1, 2, 0, 1, 2 }, out[REQUEST_FDS_MAX];
	unsigned nout = REQUEST_FDS_MAX;
	pid_t pid = -1;

	ck_assert_int_eq(setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), 0);
	ck_assert_int_eq(msg_send(pair[0], "hello", 5, in, 6), 0);
	ck_assert_int_eq(msg_recv(pair[1], buf, sizeof(buf), out, &nout, &pid, 1000), 5);
	ck_assert_mem_eq(buf, "hello", 5);
	ck_assert_uint_eq(nout, 6);
	ck_assert_int_eq(pid, getpid());
	for (unsigned i = 0; i < nout; i++) {
		ck_assert_int_eq(fcntl(out[i], F_GETFD), FD_CLOEXEC);
		close(out[i]);
	}
	nout = REQUEST_FDS_MAX;
	ck_assert_int_eq(msg_send(pair[0], "bare", 4, NULL, 0), 0);
	ck_assert_int_eq(msg_recv(pair[1], buf, sizeof(buf), out, &nout, NULL, 1000), 4);
	ck_assert_uint_eq(nout, 0);
}
END_TEST

START_TEST(msg_look_leaves_the_message)
{
	unsigned nout = REQUEST_FDS_MAX, before = count_fds();
	int fd = 0, first, out[REQUEST_FDS_MAX];

	ck_assert_int_eq(msg_look(pair[1], buf, sizeof(buf), out, &nout), -1);
	ck_assert_int_eq(errno, ETIMEDOUT);
	ck_assert_int_eq(msg_send(pair[0], "note", 4, &fd, 1), 0);
	close(pair[0]);
	pair[0] = -1;
	for (int i = 0; i < 3; i++) {
		nout = REQUEST_FDS_MAX;
		ck_assert_int_eq(msg_look(pair[1], buf, sizeof(buf), out, &nout), 4);
		ck_assert_int_eq(memcmp(buf, "note", 4), 0);
		ck_assert_uint_eq(nout, 1);
		ck_assert_int_eq(fcntl(out[0], F_GETFD), FD_CLOEXEC);
		if (i == 0)
			first = out[0];
		else
			close(out[0]);
	}
	close(first);
	/* one that asks for no descriptors gets none, and leaves the message as well */
	ck_assert_int_eq(msg_look(pair[1], buf, sizeof(buf), NULL, NULL), -1);
	nout = 1;
	ck_assert_int_eq(msg_recv(pair[1], buf, sizeof(buf), out, &nout, NULL, 0), 4);
	close(out[0]);
	ck_assert_uint_eq(count_fds(), before - 1);
	ck_assert_int_eq(msg_look(pair[1], buf, sizeof(buf), out, &nout), 0);
}
END_TEST

START_TEST(msg_pid_is_zero_without_passcred)
{
	pid_t pid = -1;

	ck_assert_int_eq(msg_send(pair[0], "x", 1, NULL, 0), 0);
	ck_assert_int_eq(msg_recv(pair[1], buf, sizeof(buf), NULL, NULL, &pid, 1000), 1);
	ck_assert_int_eq(pid, 0);
}
END_TEST

/* Send n descriptors past msg_send's own limit. */
static void send_many(int sock, unsigned n)
{
	union {
		char buf[CMSG_SPACE(64 * sizeof(int))];
		struct cmsghdr align;
	} c = { { 0 } };
	struct iovec iov = { "x", 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = c.buf };
	struct cmsghdr *h;
	int fd = 0;

	m.msg_controllen = CMSG_SPACE(n * sizeof(int));
	h = CMSG_FIRSTHDR(&m);
	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(n * sizeof(int));
	for (unsigned i = 0; i < n; i++)
		memcpy(CMSG_DATA(h) + i * sizeof(int), &fd, sizeof(fd));
	ck_assert_int_eq(sendmsg(sock, &m, 0), 1);
}

START_TEST(msg_extra_descriptors_are_closed)
{
	unsigned before = count_fds(), nout;
	int out[REQUEST_FDS_MAX];

	for (unsigned n = 1; n <= 64; n++) {
		nout = n <= REQUEST_FDS_MAX ? n - 1 : REQUEST_FDS_MAX;
		send_many(pair[0], n);
		ck_assert_int_eq(msg_recv(pair[1], buf, sizeof(buf), out, &nout, NULL, 1000), -1);
		ck_assert_int_eq(errno, EPROTO);
		ck_assert_uint_eq(count_fds(), before);
	}
	send_many(pair[0], 1);
	ck_assert_int_eq(msg_recv(pair[1], buf, sizeof(buf), NULL, NULL, NULL, 1000), -1);
	ck_assert_uint_eq(count_fds(), before);
}
END_TEST

START_TEST(msg_truncation_is_an_error)
{
	unsigned before = count_fds(), nout = 1;
	int fd = 0, out[1];

	ck_assert_int_eq(msg_send(pair[0], "12345678", 8, &fd, 1), 0);
	ck_assert_int_eq(msg_recv(pair[1], buf, 7, out, &nout, NULL, 1000), -1);
	ck_assert_int_eq(errno, EMSGSIZE);
	ck_assert_uint_eq(count_fds(), before);
}
END_TEST

START_TEST(msg_largest_packet)
{
	memset(buf, 'z', sizeof(buf));
	ck_assert_int_eq(msg_send(pair[0], buf, REQUEST_PACKET_MAX, NULL, 0), 0);
	ck_assert_int_eq(msg_recv(pair[1], buf, sizeof(buf), NULL, NULL, NULL, 1000),
			 REQUEST_PACKET_MAX);
	ck_assert_int_eq(msg_send(pair[0], buf, REQUEST_PACKET_MAX + 1, NULL, 0), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(msg_send(pair[0], buf, 0, NULL, 0), -1);
}
END_TEST

START_TEST(msg_timeout)
{
	struct timespec a, b;

	clock_gettime(CLOCK_MONOTONIC, &a);
	ck_assert_int_eq(msg_recv(pair[1], buf, sizeof(buf), NULL, NULL, NULL, 60), -1);
	ck_assert_int_eq(errno, ETIMEDOUT);
	clock_gettime(CLOCK_MONOTONIC, &b);
	ck_assert_int_ge((b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000, 59);
	ck_assert_int_eq(msg_recv(pair[1], buf, sizeof(buf), NULL, NULL, NULL, 0), -1);
	ck_assert_int_eq(errno, ETIMEDOUT);
}
END_TEST

static void on_alarm(int sig)
{
	(void)sig;
}

/* Signals must neither end the wait nor make it longer. */
START_TEST(msg_timeout_under_signals)
{
	struct sigaction sa = { .sa_handler = on_alarm };
	struct itimerval tick = { { 0, 5000 }, { 0, 5000 } }, off = { { 0, 0 }, { 0, 0 } };

	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &tick, NULL);
	ck_assert_int_eq(msg_recv(pair[1], buf, sizeof(buf), NULL, NULL, NULL, 100), -1);
	ck_assert_int_eq(errno, ETIMEDOUT);
	setitimer(ITIMER_REAL, &off, NULL);
}
END_TEST

START_TEST(msg_end_of_file)
{
	close(pair[0]);
	ck_assert_int_eq(msg_recv(pair[1], buf, sizeof(buf), NULL, NULL, NULL, -1), 0);
	ck_assert_int_eq(msg_send(pair[1], "x", 1, NULL, 0), -1); /* and no SIGPIPE */
	ck_assert_int_eq(errno, EPIPE);
	pair[0] = -1;
}
END_TEST

/* A peer that closes with mail unread must not hide what it sent before. */
START_TEST(msg_mail_before_a_reset_arrives)
{
	ck_assert_int_eq(msg_send(pair[1], "unread", 6, NULL, 0), 0);
	ck_assert_int_eq(msg_send(pair[0], "last", 4, NULL, 0), 0);
	close(pair[0]);
	pair[0] = -1;
	ck_assert_int_eq(msg_recv(pair[1], buf, sizeof(buf), NULL, NULL, NULL, 1000), 4);
	ck_assert_int_eq(msg_recv(pair[1], buf, sizeof(buf), NULL, NULL, NULL, 1000), 0);
}
END_TEST

START_TEST(msg_bad_arguments)
{
	int fd = 0;

	ck_assert_int_eq(msg_send(pair[0], "x", 1, &fd, REQUEST_FDS_MAX + 1), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(msg_send(pair[0], "x", 1, NULL, 1), -1);
	ck_assert_int_eq(msg_send(-1, "x", 1, NULL, 0), -1);
	ck_assert_int_eq(errno, EBADF);
	ck_assert_int_eq(msg_recv(-1, buf, 1, NULL, NULL, NULL, 10), -1);
	ck_assert_int_eq(errno, EBADF);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("msg");
	TCase *tc = tcase_create("transport");

	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(tc, pair_open, pair_close);
	tcase_add_test(tc, msg_passes_bytes_descriptors_and_pid);
	tcase_add_test(tc, msg_look_leaves_the_message);
	tcase_add_test(tc, msg_pid_is_zero_without_passcred);
	tcase_add_test(tc, msg_extra_descriptors_are_closed);
	tcase_add_test(tc, msg_truncation_is_an_error);
	tcase_add_test(tc, msg_largest_packet);
	tcase_add_test(tc, msg_timeout);
	tcase_add_test(tc, msg_timeout_under_signals);
	tcase_add_test(tc, msg_end_of_file);
	tcase_add_test(tc, msg_mail_before_a_reset_arrives);
	tcase_add_test(tc, msg_bad_arguments);
	return unit_run(s);
}
