/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "ids.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys.h"

#define CAP_NUMBERS 64 /* the kernel answers EINVAL past the last one it knows */

static int caps_set(uint64_t permitted, uint64_t effective)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 }, back[2];

	for (int i = 0; i < 2; i++) {
		data[i].permitted = (uint32_t)(permitted >> (32 * i));
		data[i].effective = (uint32_t)(effective >> (32 * i));
		data[i].inheritable = (uint32_t)((permitted & IDS_SHIELD) >> (32 * i));
	}
	if (syscall(SYS_capset, &head, data) < 0 || syscall(SYS_capget, &head, back) < 0)
		return -1;
	if (memcmp(data, back, sizeof(data)) != 0) {
		errno = EPERM;
		return -1;
	}
	return 0;
}

static int bounding_drop(void)
{
	for (int cap = 0; cap < CAP_NUMBERS; cap++) {
		int has = prctl(PR_CAPBSET_READ, cap, 0, 0, 0);

		if (has < 0)
			return errno == EINVAL ? 0 : -1;
		if (has && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			return -1;
		if (has && prctl(PR_CAPBSET_READ, cap, 0, 0, 0) != 0) {
			errno = EPERM;
			return -1;
		}
	}
	return 0;
}

/* While we are root, and before the bounding set is dropped, which bounds this one. */
static int shield_inherit(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data) < 0)
		return -1;
	for (int i = 0; i < 2; i++)
		data[i].inheritable = (uint32_t)(IDS_SHIELD >> (32 * i));
	return (int)syscall(SYS_capset, &head, data);
}

static int ids_verify(const struct ids *who)
{
	uid_t ru, eu, su;
	gid_t rg, eg, sg;
	int n = getgroups(0, NULL);
	gid_t *now;
	int rc = -1;

	if (getresuid(&ru, &eu, &su) < 0 || getresgid(&rg, &eg, &sg) < 0)
		return -1;
	errno = EPERM;
	if (ru != who->uid || eu != who->uid || su != who->uid || rg != who->gid ||
	    eg != who->gid || sg != who->gid || n < 0 || (uint32_t)n != who->ngroups)
		return -1;
	if (n == 0)
		return 0;
	now = calloc((size_t)n, sizeof(*now));
	if (now && getgroups(n, now) == n) {
		/* the kernel keeps them sorted: look each of ours up */
		rc = 0;
		for (uint32_t i = 0; i < who->ngroups && rc == 0; i++) {
			int k = 0;
			while (k < n && now[k] != who->groups[i])
				k++;
			if (k == n)
				rc = -1;
		}
	}
	free(now);
	errno = EPERM;
	return rc;
}

int ids_become(const struct ids *who, uint64_t caps, struct err *e)
{
	/* what runs for the user is as killable as the user's tasks, or memory cannot be freed */
	(void)sys_write_file(AT_FDCWD, "/proc/self/oom_score_adj", "0");
	if ((caps & IDS_SHIELD) && prctl(PR_CAPBSET_READ, CAP_BLOCK_SUSPEND, 0, 0, 0) != 1)
		caps &= ~IDS_SHIELD;
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
	    ((caps & IDS_SHIELD) && shield_inherit() < 0) || bounding_drop() < 0)
		return err_sys(e, errno, "cannot drop capabilities");
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
		return err_sys(e, errno, "cannot clear the ambient capabilities");
	if (caps && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return err_sys(e, errno, "cannot keep capabilities");
	if (setgroups(who->ngroups, (const gid_t *)who->groups) < 0)
		return err_sys(e, errno, "cannot set %u supplementary groups", who->ngroups);
	if (setresgid(who->gid, who->gid, who->gid) < 0)
		return err_sys(e, errno, "cannot become group %u", who->gid);
	if (setresuid(who->uid, who->uid, who->uid) < 0)
		return err_sys(e, errno, "cannot become user %u", who->uid);
	if (caps_set(caps, 0) < 0)
		return err_sys(e, errno, "cannot set the capabilities of user %u", who->uid);
	if ((caps & IDS_SHIELD) &&
	    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_BLOCK_SUSPEND, 0, 0) < 0)
		return err_sys(e, errno, "cannot keep the programs of user %u from being traced",
			       who->uid);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return err_sys(e, errno, "cannot set no_new_privs");
	if (ids_verify(who) < 0)
		return err_sys(e, errno, "user %u: the kernel did not take over the ids", who->uid);
	/* a change of ids resets it to fs.suid_dumpable, which may be 1 */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_sys(e, errno, "cannot become undumpable");
	return 0;
}

int ids_raise(uint64_t caps, struct err *e)
{
	if (caps_set(caps, caps) < 0)
		return err_sys(e, errno, "cannot raise capabilities");
	return 0;
}

int ids_drop_caps(struct err *e)
{
	if (caps_set(0, 0) < 0)
		return err_sys(e, errno, "cannot drop capabilities");
	return 0;
}
