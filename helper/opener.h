/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * opener.h - the child that opens every path a user named, as the user.
 *
 * It has the user's full identity (uid, gid, all groups) and no privilege, so
 * whatever it can open, the user can; root acts on the descriptors that it sends and
 * never on the paths.  It also does all reading of hostile content: what the image
 * is, an OCI config.json, the image's /etc.  The helper reads its messages as
 * hostile, too.
 *
 * Before it becomes the user it looks at the trusted= directories (config_check_trusted):
 * like all that may hang with a file server, that is not for the helper itself.
 *
 * Conversation (wire.h fields):
 *   opener  IMAGE   kind, offset, length, f_type of its file system [image]
 *   opener  BIND    origin, flags, mode, size, dst [source, unless tmpfs] ...
 *   opener  OPENED  canonical path of the job's PWD, or ""
 *   helper  ROOT    [root directory of the mounted image]
 *   opener  ENV     image's cwd, a note for the user or "", n, n strings [passwd, group: memfds, where wanted]
 *   helper  WARM    - (perhaps; is not answered: warm.h)
 *   helper  CWD     path
 *   opener  BIND    ... (PMIx's directory, which is there by now; cwd, if not guessed)
 *   opener  DONE    -
 * or at any time
 *   opener  ERROR   text
 */
#ifndef BERTH_OPENER_H
#define BERTH_OPENER_H

#include <sys/types.h>

#include "config.h"
#include "err.h"
#include "plan.h"
#include "request.h"

enum opener_msg {
	OPENER_IMAGE = 1,
	OPENER_BIND,
	OPENER_OPENED,
	OPENER_ROOT,
	OPENER_ENV,
	OPENER_CWD,
	OPENER_DONE,
	OPENER_ERROR,
	OPENER_WARM,
};

enum bind_flag { BIND_RO = 1, BIND_SLAVE = 2, BIND_TMPFS = 4, BIND_DIR = 8, BIND_NOEXEC = 16 };

struct opener {
	pid_t pid; /* 0: none */
	int sock;
};
#define OPENER_NONE ((struct opener){ 0, -1 })

/*
 * Start it for request r, in the mount namespace base (-1: this one).  0 or -1, *e.
 */
int opener_start(const struct request *r, const struct config *c, int base, struct opener *ret,
		 struct err *e);

/*
 * The phases from the helper's side.  Each fills *p from the opener's messages
 * until the phase's last one; alive is a descriptor that becomes readable or hangs up
 * when slurmstepd is gone (-1: none).  0, or -1 with *e (ETIMEDOUT and a lost opener
 * included).
 */
int opener_take_image(struct opener *o, int alive, int timeout_ms, struct plan *p, struct err *e);
/* Also sets p->cwd to the guess, if there is one. */
int opener_take_binds(struct opener *o, int alive, int timeout_ms, struct plan *p, struct err *e);
/* The root directory of the mounted image (stays the caller's): it reads what env and etc tell. */
int opener_give_root(struct opener *o, int root, struct err *e);
int opener_take_env(struct opener *o, int alive, int timeout_ms, struct plan *p, struct err *e);
/* p->cwd becomes cwd; a bind of a wrong guess is dropped. */
int opener_take_cwd(struct opener *o, const char *cwd, int alive, int timeout_ms, struct plan *p,
		    struct err *e);

/* Nobody waits for it any more: may read ahead, until it is told something or stopped. */
void opener_warm(struct opener *o);

/* Kill and reap it. */
void opener_stop(struct opener *o);

/* Body of the child (opener_child.c): does not return. */
void opener_child(const struct request *r, const struct config *c, int base, int sock)
	__attribute__((noreturn));

#endif
