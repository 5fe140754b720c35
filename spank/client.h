/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * client.h - slurmstepd's end of the socket to berth-helper: start it, talk to it,
 * let it go.  What is said is helper/request.h.  Nothing here prints; no call waits
 * longer than it is told to; none changes ids, signal handlers or other descriptors.
 */
#ifndef BERTH_CLIENT_H
#define BERTH_CLIENT_H

#include <stdbool.h>
#include <sys/types.h>

#include "../helper/err.h"
#include "../helper/request.h"

struct client {
	int sock;  /* -1: no helper */
	int board; /* where the helper leaves the answer to JOIN that holds for all tasks; -1 */
	pid_t pid; /* the helper's first process, which ends as soon as it has forked; 0: reaped */
	pid_t parent; /* who started it */
};

#define CLIENT_NONE ((struct client){ .sock = -1, .board = -1 })

/*
 * Start the helper: fixed environment, the socket as REQUEST_FD, all else as in starter.h.
 * 0, or -1 with *e (and c as CLIENT_NONE).  Whether the program could be begun shows
 * later, as an end of the helper.
 */
int client_start(struct client *c, struct err *e);

/* *e for an end of the helper before it was expected, or was begun.  Returns -1. */
int client_ended(const char *before, struct err *e);

/*
 * For slurmd's start: have a helper of its own make the map of the node's NICs, and sweep
 * what a crash left.  Waits only for its first process, which ends at once.  0 or -1 with *e.
 */
int client_prepare(int ac, char **av, struct err *e);

/* Send REQUEST, with the helper's end of the board. 0 or -1 with *e. */
int client_request(struct client *c, const struct request *r, struct err *e);

/* Send a message with one optional string; false when the helper is gone. */
bool client_say(const struct client *c, enum msg_type type, const char *text);

/* The helper is still there: no message, which takes less of a task's time and none of the helper's. */
bool client_alive(const struct client *c);

/*
 * Send CWD with slurmstepd's own working directory, which the helper finds out.  Its path,
 * malloced; NULL if it is removed, has no printable name, or no answer came in timeout_ms.
 */
char *client_stepd_cwd(const struct client *c, int timeout_ms);

/* Send RANK. false when the helper is gone. */
bool client_rank(const struct client *c, const struct rank *k);

/* What a JOIN or a READY came to. */
struct client_joined {
	struct joined j;
	int ns[NS_COUNT]; /* descriptors by the order of the NS_* bits; -1 where there is none */
};

enum client_answer {
	CLIENT_JOINED,
	CLIENT_FAILED, /* the helper said why, to this task or to another one */
	CLIENT_DEAD,   /* end of file: no helper any more */
	CLIENT_TIMEOUT,
	CLIENT_SIGNAL, /* the task got a signal that ends it: *ret_signal */
	CLIENT_BROKEN, /* *e says what */
};

/*
 * Join: take the answer from the board, where it is once the container is ready, or ask, from task number `task` of this node.  mntns: an fd of the task's mount namespace where it is
 * not slurmstepd's, else -1 (the caller keeps it).  On CLIENT_JOINED the caller ends
 * *ret with client_joined_done; on CLIENT_FAILED *why is malloced text or NULL.
 *
 * Slurm's tasks have HUP, INT, QUIT and TERM blocked or diverted here, and 22.05
 * forgets what was pending later on.  So that scancel and ^C work during the wait,
 * these are blocked and looked for until it is over.  The signal that came is taken
 * from the pending ones.
 */
enum client_answer client_join(const struct client *c, uint32_t task, int mntns, int timeout_ms,
			       struct client_joined *ret, char **why, int *ret_signal,
			       struct err *e);
void client_joined_done(struct client_joined *j);

/*
 * Say READY and wait for what a task of --usnic is given: CLIENT_JOINED with *ret, which
 * the caller ends with granted_done; all else as client_join.
 */
enum client_answer client_ready(const struct client *c, uint32_t task, int timeout_ms,
				struct granted *ret, char **why, int *ret_signal, struct err *e);

/*
 * Ask the helper to leave the step's cgroup and wait for its word, timeout_ms at most.  What is
 * on the board goes: it would hold the container's namespaces.
 */
void client_drain(struct client *c, int timeout_ms);

/*
 * Reap the helper's first process, waiting for it for timeout_ms at most.  Only that
 * pid is waited for: slurmstepd waits for its tasks with wait3.
 */
void client_reap(struct client *c, int timeout_ms);

/* Say BYE, close the socket, reap. */
void client_end(struct client *c);

#endif
