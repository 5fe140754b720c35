/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * berth-audit.so: inside a container, where the host's Slurm commands find the libraries that they
 * open by their whole path, as Slurm's mpi_pmix plugin does with PMIx's (mpi_pmix.c): below
 * /.berth/host, where the host's /usr is, and not in the image, whose library of that name may be
 * another.  The loader asks us, berth-launch names us to it (rtld-audit(7), ld.so(8) --audit).
 */
#define _GNU_SOURCE
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define HOST "/.berth/host"

#define PUBLIC __attribute__((visibility("default")))

PUBLIC unsigned la_version(unsigned version)
{
	return version < LAV_CURRENT ? version : LAV_CURRENT;
}

/* The loader copies the name that we return before it asks again. */
PUBLIC char *la_objsearch(const char *name, uintptr_t *cookie, unsigned flag)
{
	static char path[4096];
	int n;

	(void)cookie;
	if (flag != LA_SER_ORIG || strncmp(name, "/usr/", 5) != 0)
		return (char *)name;
	n = snprintf(path, sizeof(path), HOST "%s", name);
	return n > 0 && (size_t)n < sizeof(path) && access(path, R_OK) == 0 ? path : (char *)name;
}
