/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A tree like /sys with names, links and contents from the input: all parts of a scan but hwloc.
 *
 * The input is a list of lines "KIND PATH TEXT" of which each puts one file or link into a tree
 * that has one of everything: KIND 'f' a file, 'l' a link, 'x' removes.
 */
#define _GNU_SOURCE 1
#include "fuzz.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../hwmap/notes.h"
#include "../../hwmap/scan.h"
#include "../hwmap/tree.h"

#define LINES_MAX 24

static struct tree tree;

static int drop(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	return ftw->level ? remove(path) : 0;
}

/* Only below the tree, and only names that the file system takes. */
static bool path_ok(const char *path)
{
	size_t len = strlen(path);

	if (len == 0 || len > 200 || path[0] == '/' || path[len - 1] == '/' || strstr(path, "//") ||
	    strstr(path, ".."))
		return false;
	return strcmp(path, ".") != 0 && strncmp(path, "./", 2) != 0 && !strstr(path, "/.");
}

static void make_above(const char *path)
{
	char part[256];

	snprintf(part, sizeof(part), "%s", path);
	for (char *p = strchr(part, '/'); p; p = strchr(p + 1, '/')) {
		*p = '\0';
		mkdirat(tree.fd, part, 0755);
		*p = '/';
	}
}

static void put(char kind, const char *path, const char *text, size_t size)
{
	FILE *f;
	int fd;

	if (!path_ok(path))
		return;
	make_above(path);
	unlinkat(tree.fd, path, 0);
	if (kind == 'l' && size && text[0] != '/' && symlinkat(text, tree.fd, path) == 0)
		return;
	if (kind != 'f')
		return;
	/* O_EXCL: never through a link that leads out of the tree */
	fd = openat(tree.fd, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	f = fd < 0 ? NULL : fdopen(fd, "w");
	if (!f)
		return;
	fwrite(text, 1, size, f);
	fclose(f);
}

static void put_lines(const uint8_t *data, size_t size)
{
	char line[8192];

	for (int n = 0; n < LINES_MAX && size; n++) {
		const uint8_t *end = memchr(data, '\n', size);
		size_t len = end ? (size_t)(end - data) : size;
		char *space;

		if (len < sizeof(line) && len > 2) {
			memcpy(line, data, len);
			line[len] = '\0';
			space = strchr(line + 2, ' ');
			if (space && line[1] == ' ') {
				*space = '\0';
				put(line[0], line + 2, space + 1,
				    (size_t)(line + len - (space + 1)));
			}
		}
		data += len + (end != NULL);
		size -= len + (end != NULL);
	}
}

static void whole_tree(void)
{
	struct tree_pci pf = {
		"pci0000:00/0000:06:00.0", 0x020000, 0x1137, 0x43, 0, "0-3", "enic", 3, 2, 2
	};
	struct tree_pci vf = {
		"pci0000:00/0000:06:00.1", 0x020000, 0x1137, 0xcf, 0, "0-3", "vfio-pci", 4, 0, 0
	};

	tree_pci(&tree, &pf);
	tree_pci(&tree, &vf);
	tree_vf(&tree, pf.dev, vf.dev, 0);
	tree_net(&tree, pf.dev, "eth0", "1");
	tree_ib(&tree, pf.dev, "u0", "4: ACTIVE", NULL, 0);
	tree_usnic(&tree, "u0", "eth0", 2);
	tree_usnic_qp(&tree, "u0", 1, 0);
	tree_ib(&tree, "virtual", "rxe0", "4: ACTIVE", "eth0", 1);
}

static void check_notes(const struct hwmap_notes *notes)
{
	char copy[ERR_TEXT_MAX];

	FUZZ_CHECK(notes->n <= NOTES_MAX + 1);
	for (size_t i = 0; i < notes->n; i++) {
		FUZZ_CHECK(strlen(notes->lines[i]) < sizeof(copy));
		memcpy(copy, notes->lines[i], strlen(notes->lines[i]) + 1);
		err_clean(copy, strlen(copy));
		FUZZ_CHECK(strcmp(copy, notes->lines[i]) == 0);
	}
}

static void clean_up(void)
{
	tree_remove(&tree);
}

static void scan_tree(void)
{
	struct topo_node node = { .os = 0 };
	struct topo topo = { .nodes = &node, .nnodes = 1 };
	struct hwmap_notes notes = { NULL, 0 };
	struct scan s = { .notes = &notes };
	struct hwmap *m = NULL;
	struct err e = { "" };

	for (unsigned cpu = 0; cpu < 8; cpu++)
		hwmap_cpus_set(&topo.cpus, cpu);
	node.cpus = topo.cpus;
	FUZZ_CHECK(sysfs_open(&s.sysfs, tree.dir, &notes, &e) == 0);
	FUZZ_CHECK(scan_sysfs(&s, &topo, &m, &e) == 0);
	FUZZ_CHECK(hwmap_check(m, &e) == 0);
	check_notes(&notes);
	hwmap_free(m);
	hwmap_notes_done(&notes);
	scan_done(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool made;

	if (!made) {
		if (access("/dev/shm", W_OK) == 0)
			setenv("TMPDIR", "/dev/shm", 1);
		tree_temp(&tree);
		atexit(clean_up);
		made = true;
	}
	whole_tree();
	put_lines(data, size);
	scan_tree();
	nftw(tree.dir, drop, 16, FTW_DEPTH | FTW_PHYS);
	return 0;
}
