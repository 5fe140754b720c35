/* SPDX-License-Identifier: BSD-3-Clause */
/* optionpath.h - paths in options as the node needs them: absolute.  Pure text: no file is looked at. */
#ifndef BERTH_OPTIONPATH_H
#define BERTH_OPTIONPATH_H

/*
 * path made absolute against cwd (absolute, no trailing slash but for "/"), with
 * "." components and double slashes left out, and ".." in front taken off cwd.
 * Other ".." and symlinks stay as they are: they are resolved once, on the node, as
 * the user.  Malloced; NULL when out of memory.
 */
char *option_absolute(const char *path, const char *cwd);

/*
 * The same for every relative source of a --container-mounts text; "tmpfs:" entries,
 * destinations, flags and absolute sources stay.  Malloced; NULL when out of memory.
 */
char *option_absolute_mounts(const char *mounts, const char *cwd);

#endif
