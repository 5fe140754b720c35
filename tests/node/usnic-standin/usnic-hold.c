/*
 * usnic-hold DEVICE [--qps N] [CMD...]: takes what a process that uses DEVICE (usnic_0, or uverbs0) has: a context, a
 * protection domain, a completion queue and N queue pairs (default 1), by the write() interface of /dev/infiniband,
 * as no libibverbs provider knows the device. Says on standard output
 *     held: context, pd, cq, N qp
 * and keeps them while CMD runs, whose exit code is its own, or until standard input ends.
 * Exit code 1: something could not be had; a message says what.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <rdma/ib_user_ioctl_verbs.h>
#include <rdma/ib_user_verbs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int device = -1;

static void fail(const char *what)
{
	fprintf(stderr, "usnic-hold: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* One command: header, input, and the response to be written to OUT. */
static int command(unsigned int number, void *in, size_t in_size, void *out, size_t out_size)
{
	struct {
		struct ib_uverbs_cmd_hdr header;
		char in[256];
	} message;

	message.header.command = number;
	message.header.in_words = (sizeof(message.header) + in_size) / 4;
	message.header.out_words = out_size / 4;
	*(__aligned_u64 *)in = (__aligned_u64)(unsigned long)out;
	memcpy(message.in, in, in_size);
	return write(device, &message, sizeof(message.header) + in_size) < 0 ? -1 : 0;
}

/* The uverbs name of an RDMA device, which may be one already. */
static const char *uverbs_of(const char *name)
{
	static char found[300];
	DIR *dir = opendir("/sys/class/infiniband_verbs");
	struct dirent *e;
	char path[600], ibdev[128];

	while (dir != NULL && (e = readdir(dir)) != NULL) {
		FILE *f;
		int same;

		snprintf(path, sizeof(path), "/sys/class/infiniband_verbs/%s/ibdev", e->d_name);
		f = fopen(path, "re");
		if (f == NULL)
			continue;
		same = fscanf(f, "%127s", ibdev) == 1 && strcmp(ibdev, name) == 0;
		fclose(f);
		if (same)
			snprintf(found, sizeof(found), "%s", e->d_name);
	}
	if (dir != NULL)
		closedir(dir);
	return found[0] != '\0' ? found : name;
}

static void hold(int qps)
{
	struct ib_uverbs_get_context context = { 0 };
	struct ib_uverbs_get_context_resp context_resp;
	struct ib_uverbs_alloc_pd pd = { 0 };
	struct ib_uverbs_alloc_pd_resp pd_resp;
	struct ib_uverbs_create_cq cq = { .cqe = 16, .comp_channel = -1 };
	struct ib_uverbs_create_cq_resp cq_resp;
	int i;

	if (command(IB_USER_VERBS_CMD_GET_CONTEXT, &context, sizeof(context), &context_resp,
		    sizeof(context_resp)) != 0)
		fail("context");
	if (command(IB_USER_VERBS_CMD_ALLOC_PD, &pd, sizeof(pd), &pd_resp, sizeof(pd_resp)) != 0)
		fail("protection domain");
	if (command(IB_USER_VERBS_CMD_CREATE_CQ, &cq, sizeof(cq), &cq_resp, sizeof(cq_resp)) != 0)
		fail("completion queue");
	for (i = 0; i < qps; i++) {
		struct ib_uverbs_create_qp qp = {
			.pd_handle = pd_resp.pd_handle,
			.send_cq_handle = cq_resp.cq_handle,
			.recv_cq_handle = cq_resp.cq_handle,
			.max_send_wr = 1,
			.max_recv_wr = 1,
			.max_send_sge = 1,
			.max_recv_sge = 1,
			.qp_type = IB_UVERBS_QPT_UD,
		};
		struct ib_uverbs_create_qp_resp qp_resp;

		if (command(IB_USER_VERBS_CMD_CREATE_QP, &qp, sizeof(qp), &qp_resp,
			    sizeof(qp_resp)) != 0)
			fail("queue pair");
	}
	printf("held: context, pd, cq, %d qp\n", qps);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	int qps = 1, status, i = 2;
	char path[400], c;
	pid_t pid;

	if (argc > 3 && strcmp(argv[2], "--qps") == 0) {
		qps = atoi(argv[3]);
		i = 4;
	}
	snprintf(path, sizeof(path), "/dev/infiniband/%s", uverbs_of(name));
	device = open(path, O_RDWR | O_CLOEXEC);
	if (device < 0)
		fail(path);
	hold(qps);
	if (i >= argc) {
		while (read(0, &c, 1) > 0)
			continue;
		return 0;
	}
	pid = fork();
	if (pid == 0) {
		execvp(argv[i], argv + i);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		fail(argv[i]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
