/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * request.h - what spank/ asks of helper/: the only interface between the two.
 *
 * Transport: one SOCK_SEQPACKET socketpair per step and node, made by the
 * plugin in slurmstepd; the helper has the other end as fd 3.  One packet is one
 * message: a struct msg_head and then msg_head.len bytes of fields.  The
 * lifetime of the step is the lifetime of that socket: when the last copy on
 * slurmstepd's side is closed, the helper takes everything back and exits.
 *
 * Sequence:
 *   slurmstepd  REQUEST  at init_post_opt: the step and all its options; with the helper's end
 *                        of the board, one more such socket
 *   slurmstepd  CWD      at user_init: the job's working directory, host view
 *   helper      JOINED   on the board, when the container is ready, if one answer holds for all
 *                        tasks: each looks at it at task_init_privileged (msg_look).  Else:
 *   each task   JOIN     at task_init_privileged: with a reply socket (and the
 *                        task's mount namespace where it isn't slurmstepd's); its text
 *                        is the task's number on this node
 *   helper      JOINED   on that reply socket: namespace fds, environment, cwd
 *        or     FAILED   on that reply socket: one line for the user
 *   slurmstepd  RANK     at task_post_fork, for each task, if the step has --usnic: the
 *                        CPUs that the task is bound to
 *   helper      LEASES   on the main socket, with the descriptor that holds the leases of a
 *                        step with --usnic, for slurmstepd to hold, too
 *   a task      READY    at task_init: it stands in its final cgroups.  The first task that comes
 *                        there, or each of a step with --usnic: then the text is its number, and
 *                        there is a reply socket:
 *   helper      GRANTED  on that reply socket, or FAILED
 *   slurmstepd  DRAIN    at the last task_exit: leave the step's cgroup now
 *   helper      DRAINED  on the main socket
 *   slurmstepd  BYE      at exit, then close
 *
 * All integers are host order: both ends are one installation on one machine.
 * A field is (uint16 tag, uint16 0, uint32 length, bytes); unknown tags, short
 * or over-long fields and bytes behind the last field are errors.
 */
#ifndef BERTH_REQUEST_H
#define BERTH_REQUEST_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "err.h"

#define REQUEST_MAGIC 0x42525448u /* "BRTH" */
#define REQUEST_VERSION 3
#define REQUEST_FD 3			/* the helper's end of the socket */
#define REQUEST_OPTION_MAX 4096		/* bytes of one user option, NUL included */
#define REQUEST_MOUNTS_MAX 64		/* mounts that a user may ask for */
#define REQUEST_GROUPS_MAX 8192		/* supplementary groups */
#define REQUEST_ARGS_MAX 128		/* plugstack arguments */
#define REQUEST_PACKET_MAX (160 * 1024) /* bytes of one message, head included */
#define REQUEST_FDS_MAX 6		/* descriptors in one message */
#define REQUEST_CPU_WORDS 128		/* 32 CPUs each: HWMAP_CPUS_MAX of hwmap.h */
#define REQUEST_LINES_MAX 1024		/* of what --usnic=explain says */

enum msg_type {
	MSG_REQUEST = 1,
	MSG_CWD,
	MSG_JOIN,
	MSG_JOINED,
	MSG_FAILED,
	MSG_READY,
	MSG_DRAIN,
	MSG_DRAINED,
	MSG_BYE,
	MSG_RANK,
	MSG_GRANTED,
	MSG_LEASES,
};

/* Text of a CWD that asks for slurmstepd's own; the answer is a CWD with its path, or with none. */
#define MSG_CWD_STEPD "."

struct msg_head {
	uint32_t magic; /* REQUEST_MAGIC */
	uint16_t version;
	uint16_t type; /* enum msg_type */
	uint32_t len;  /* bytes behind the head */
};

enum tristate { UNSET = 0, NO = 1, YES = 2 };

/* Strings are NULL where not given, else 1..REQUEST_OPTION_MAX-1 bytes. */
struct request {
	uint32_t job_id, step_id; /* Slurm's numbers; batch 0xfffffffb, interactive 0xfffffffa */
	uint32_t uid, gid;
	uint32_t ntasks; /* tasks of the step on this node, >= 1 */
	uint32_t *groups;
	uint32_t ngroups;
	char *node;   /* SLURMD_NODENAME, for messages */
	char *image;  /* absolute path; NULL with join, or with usnic alone: the host's root */
	char *mounts; /* as in --container-mounts */
	char *workdir;
	char *env_names;  /* of --container-env, those that the job has */
	char *unshare;	  /* as in --container-unshare */
	char *join;	  /* as in --container-join */
	char *script;	  /* batch script on the host, slurmd's spool; else NULL */
	char *spool;	  /* SlurmdSpoolDir, expanded; NULL if unknown */
	char *tmp_fs;	  /* TmpFS, expanded; NULL if unknown */
	char *slurm_conf; /* path of slurm.conf as slurmd has it; NULL: /etc/slurm */
	char *pwd;	  /* the job's PWD: a guess at its cwd, or NULL */
	char *command;	  /* what the tasks will run, to be read ahead (warm.h), or NULL */
	char *usnic;	  /* as in --usnic (usnicspec.h), or NULL: none */
	enum tristate writable, mount_home, remap_root;
	char **args; /* plugstack arguments, verbatim "key=value" */
	uint32_t nargs;
};

struct joined {
	char **env; /* "NAME=VALUE" to set for the task; NULL-terminated */
	uint32_t nenv;
	char *cwd;    /* absolute, inside the container */
	char *note;   /* one line for the user's stderr, or NULL */
	char **unset; /* names of the job's variables that are none of the container's */
	uint32_t nunset;
	char *memlock; /* RLIMIT_MEMLOCK to set: bytes, or "unlimited"; NULL: leave it */
	/* namespaces passed with the message, in this order of fds */
	uint32_t ns; /* NS_* bits */
};
#define JOINED_UNSET_MAX 8
#define NS_MNT 1u
#define NS_NET 2u
#define NS_IPC 4u
#define NS_UTS 8u
#define NS_USER 16u    /* entered at task_init, as the user */
#define NS_DEVICES 32u /* no namespace: a mount for the task's own /dev/infiniband */
#define NS_COUNT 6

struct failed {
	char *text; /* one line; NULL: another task has already said it */
};

struct rank {
	uint32_t task;	/* number on this node, from 0 */
	uint32_t gtask; /* number in the step: the MPI rank */
	uint32_t pid;
	uint32_t *cpus; /* bit n % 32 of word n / 32: CPU n; none: not bound */
	uint32_t ncpus; /* words */
};

/* What a task of a step with --usnic has been given. */
struct granted {
	char **env; /* "NAME=VALUE": Berth's own, which always hold */
	uint32_t nenv;
	char **hints; /* "NAME=VALUE" for libraries, each unless the user has set NAME */
	uint32_t nhints;
	char **lines; /* for the user's stderr, in this order */
	uint32_t nlines;
	char **nodes; /* device nodes that the task must be able to open */
	uint32_t nnodes;
	uint32_t preflight; /* enum preflight of config.h */
};

/*
 * Encoders write one whole message to buf[0..size) and return its length in
 * bytes, or -1 (buffer too small, value over its cap).  Decoders check head,
 * type and every field of buf[0..len), fill *ret (whose strings the caller frees
 * with the matching _done) and return 0, or -1 with *e set and *ret untouched.
 * No decoder reads past len, recurses, or allocates more than twice len bytes +
 * a constant.  Strings must be free of NUL and control bytes (env values may hold
 * anything but NUL).
 */
ssize_t request_encode(void *buf, size_t size, const struct request *r);
int request_decode(const void *buf, size_t len, struct request *ret, struct err *e);
void request_done(struct request *r);

ssize_t joined_encode(void *buf, size_t size, const struct joined *j);
int joined_decode(const void *buf, size_t len, struct joined *ret, struct err *e);
void joined_done(struct joined *j);

ssize_t failed_encode(void *buf, size_t size, const struct failed *f);
int failed_decode(const void *buf, size_t len, struct failed *ret, struct err *e);
void failed_done(struct failed *f);

ssize_t rank_encode(void *buf, size_t size, const struct rank *k);
int rank_decode(const void *buf, size_t len, struct rank *ret, struct err *e);
void rank_done(struct rank *k);

ssize_t granted_encode(void *buf, size_t size, const struct granted *g);
int granted_decode(const void *buf, size_t len, struct granted *ret, struct err *e);
void granted_done(struct granted *g);

/*
 * Messages with one optional string (CWD: the path; JOIN, READY: the task's number; DRAIN
 * and BYE have none): same rules.  plain_decode sets *ret to NULL where there is no string.
 */
ssize_t plain_encode(void *buf, size_t size, enum msg_type type, const char *text);
int plain_decode(const void *buf, size_t len, enum msg_type type, char **ret, struct err *e);

/* Type of the message in buf[0..len), or -1 if its head is not sound. */
int msg_type(const void *buf, size_t len);

/*
 * Send or receive one message with at most REQUEST_FDS_MAX descriptors.  Received
 * descriptors are CLOEXEC and the caller's.  More than were asked for are closed
 * and the call fails.  timeout_ms < 0: no limit.  msg_recv returns the message's
 * length, 0 at end of file, -1 with errno (ETIMEDOUT, EMSGSIZE, ...).
 * pid (may be NULL) gets the sender's pid where SO_PASSCRED is on, else 0.
 * Neither raises SIGPIPE.
 */
int msg_send(int sock, const void *buf, size_t len, const int *fds, unsigned nfds);
ssize_t msg_recv(int sock, void *buf, size_t size, int *fds, unsigned *nfds, pid_t *pid,
		 int timeout_ms);

/*
 * As msg_recv without waiting (ETIMEDOUT), but the message stays for whoever looks next; each
 * gets descriptors of its own.
 */
ssize_t msg_look(int sock, void *buf, size_t size, int *fds, unsigned *nfds);

#endif
