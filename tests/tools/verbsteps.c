/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * verbsteps DEVICE GID-INDEX [MESSAGES]: what a message costs in user space, exactly: single-steps
 * through ibv_post_recv, ibv_post_send and the ibv_poll_cq that finds both completions, of an
 * RC queue pair that is connected to itself, and prints for each message
 *
 *   message 1: 812 instructions, system calls by number: 1
 *
 * where 1 is write.  The time between, in which the device works, is not
 * stepped through, so nothing depends on how fast anything is.  Exit code 77: not on this
 * machine's kind of CPU.
 */
#include <errno.h>
#include <infiniband/verbs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define WARM_UP 2 /* messages that bind symbols and touch pages */
#define CALLS_MAX 64

/* Begin or end of what is counted: the tracer sees it. */
static void mark(void)
{
	syscall(SYS_tgkill, getpid(), (int)syscall(SYS_gettid), SIGUSR1);
}

static void die(const char *what)
{
	fprintf(stderr, "verbsteps: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- the traced: a queue pair connected to itself ---- */

struct end {
	struct ibv_context *context;
	struct ibv_cq *cq;
	struct ibv_qp *qp;
	struct ibv_mr *mr;
	char buf[64];
};

static struct ibv_context *open_device(const char *name)
{
	struct ibv_device **list = ibv_get_device_list(NULL);

	for (int i = 0; list && list[i]; i++)
		if (strcmp(ibv_get_device_name(list[i]), name) == 0)
			return ibv_open_device(list[i]);
	errno = ENODEV;
	return NULL;
}

static void connect_to_itself(struct end *n, int gid_index)
{
	struct ibv_qp_attr a = { .qp_state = IBV_QPS_INIT, .port_num = 1 };
	struct ibv_port_attr port;

	if (ibv_query_port(n->context, 1, &port))
		die("port 1");
	if (ibv_modify_qp(n->qp, &a,
			  IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_ACCESS_FLAGS))
		die("queue pair, to INIT");
	a = (struct ibv_qp_attr){
		.qp_state = IBV_QPS_RTR,
		.path_mtu = port.active_mtu,
		.dest_qp_num = n->qp->qp_num,
		.max_dest_rd_atomic = 1,
		.min_rnr_timer = 12,
		.ah_attr = { .is_global = 1, .dlid = port.lid, .port_num = 1 },
	};
	a.ah_attr.grh.sgid_index = (uint8_t)gid_index;
	a.ah_attr.grh.hop_limit = 1;
	if (ibv_query_gid(n->context, 1, gid_index, &a.ah_attr.grh.dgid))
		die("GID");
	if (ibv_modify_qp(n->qp, &a,
			  IBV_QP_STATE | IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN |
				  IBV_QP_RQ_PSN | IBV_QP_MAX_DEST_RD_ATOMIC | IBV_QP_MIN_RNR_TIMER))
		die("queue pair, to RTR");
	a = (struct ibv_qp_attr){
		.qp_state = IBV_QPS_RTS,
		.timeout = 14,
		.retry_cnt = 7,
		.rnr_retry = 7,
		.max_rd_atomic = 1,
	};
	if (ibv_modify_qp(n->qp, &a,
			  IBV_QP_STATE | IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT | IBV_QP_RNR_RETRY |
				  IBV_QP_SQ_PSN | IBV_QP_MAX_QP_RD_ATOMIC))
		die("queue pair, to RTS");
}

static void setup(struct end *n, const char *device, int gid_index)
{
	struct ibv_qp_init_attr q = {
		.cap = { .max_send_wr = 8, .max_recv_wr = 8, .max_send_sge = 1, .max_recv_sge = 1 },
		.qp_type = IBV_QPT_RC,
		.sq_sig_all = 1,
	};
	struct ibv_pd *pd;

	n->context = open_device(device);
	if (!n->context)
		die(device);
	pd = ibv_alloc_pd(n->context);
	n->mr = pd ? ibv_reg_mr(pd, n->buf, sizeof(n->buf), IBV_ACCESS_LOCAL_WRITE) : NULL;
	n->cq = ibv_create_cq(n->context, 16, NULL, NULL, 0);
	q.send_cq = q.recv_cq = n->cq;
	n->qp = n->mr && n->cq ? ibv_create_qp(pd, &q) : NULL;
	if (!n->qp)
		die("queue pair");
	connect_to_itself(n, gid_index);
}

static void message(struct end *n, int counted)
{
	struct ibv_sge from = { (uintptr_t)n->buf, 2, n->mr->lkey };
	struct ibv_sge to = { (uintptr_t)n->buf + 32, 2, n->mr->lkey };
	struct ibv_recv_wr r = { .sg_list = &to, .num_sge = 1 }, *bad_r;
	struct ibv_send_wr s = { .sg_list = &from, .num_sge = 1, .opcode = IBV_WR_SEND }, *bad_s;
	struct ibv_wc done[4];
	int rc, got;

	if (counted)
		mark();
	rc = ibv_post_recv(n->qp, &r, &bad_r) || ibv_post_send(n->qp, &s, &bad_s);
	if (counted)
		mark();
	if (rc)
		die("post");
	usleep(50000);
	if (counted)
		mark();
	got = ibv_poll_cq(n->cq, 4, done);
	if (counted)
		mark();
	if (got != 2 || done[0].status || done[1].status) {
		fprintf(stderr, "verbsteps: %d completions, expected 2: %s\n", got,
			got > 0 ? ibv_wc_status_str(done[0].status) : "none");
		exit(1);
	}
}

static void traced(const char *device, int gid_index, int messages)
{
	static struct end n;

	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	setup(&n, device, gid_index);
	for (int i = 0; i < WARM_UP + messages; i++)
		message(&n, i >= WARM_UP);
	exit(0);
}

/* ---- the tracer ---- */

#ifdef __x86_64__

static long calls[CALLS_MAX];
static unsigned ncalls;

/* The call that the next instruction makes, if it makes one: 0F 05 is syscall. */
static void note_call(pid_t pid)
{
	struct user_regs_struct r;

	if (ptrace(PTRACE_GETREGS, pid, NULL, &r) < 0)
		die("registers");
	if ((ptrace(PTRACE_PEEKTEXT, pid, r.rip, NULL) & 0xffff) == 0x050f && r.rax != SYS_tgkill &&
	    r.rax != SYS_gettid && r.rax != SYS_getpid && ncalls < CALLS_MAX)
		calls[ncalls++] = (long)r.rax;
}

static int trace(pid_t pid)
{
	int status, stepping = 0, half = 0, nth = 0;
	unsigned long count = 0;

	while (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
		int sig = WSTOPSIG(status);

		if (sig == SIGUSR1) {
			stepping = !stepping;
			sig = 0;
			if (!stepping && (half = !half) == 0) {
				printf("message %d: %lu instructions, system calls by number:",
				       ++nth, count);
				for (unsigned i = 0; i < ncalls; i++)
					printf(" %ld", calls[i]);
				printf("\n");
				count = 0;
				ncalls = 0;
			}
		} else if (sig == SIGTRAP) {
			count += (unsigned long)stepping;
			sig = 0;
		}
		if (stepping)
			note_call(pid);
		if (ptrace(stepping ? PTRACE_SINGLESTEP : PTRACE_CONT, pid, NULL, (long)sig) < 0)
			die("trace");
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int main(int argc, char **argv)
{
	pid_t pid;

	if (argc < 3) {
		fprintf(stderr, "usage: verbsteps DEVICE GID-INDEX [MESSAGES]\n");
		return 2;
	}
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0)
		traced(argv[1], (int)strtol(argv[2], NULL, 10),
		       argc > 3 ? (int)strtol(argv[3], NULL, 10) : 5);
	return trace(pid);
}

#else

int main(void)
{
	(void)traced;
	fprintf(stderr, "verbsteps: not on this kind of CPU\n");
	return 77;
}

#endif
