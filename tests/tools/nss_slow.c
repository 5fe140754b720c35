/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libnss_berthslow.so.2, a user database that does not answer berth-passwd, and knows nobody
 * when others ask.  See nss(5); only what glibc looks for in `passwd: berthslow` is here.
 */
#include <errno.h>
#include <nss.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

enum nss_status _nss_berthslow_getpwuid_r(uid_t uid, struct passwd *ret, char *buf, size_t size,
					  int *error);

enum nss_status _nss_berthslow_getpwuid_r(uid_t uid, struct passwd *ret, char *buf, size_t size,
					  int *error)
{
	(void)uid;
	(void)ret;
	(void)buf;
	(void)size;
	if (strcmp(program_invocation_short_name, "berth-passwd") == 0)
		pause();
	*error = ENOENT;
	return NSS_STATUS_NOTFOUND;
}
