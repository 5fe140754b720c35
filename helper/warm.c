/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "warm.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "elfneeds.h"
#include "imageenv.h"
#include "sys.h"

#define FILES_MAX 64
#define FILE_BYTES_MAX (4u << 20) /* of a large one not all is read at once by exec, either */
#define ALL_BYTES_MAX (64u << 20)
#define CHUNK_BYTES (512u << 10) /* between two looks at stop */
#define SCRIPT_LINE_MAX 256	 /* BINPRM_BUF_SIZE of the kernel */

#if defined(__x86_64__)
#define TRIPLET "x86_64-linux-gnu"
#elif defined(__aarch64__)
#define TRIPLET "aarch64-linux-gnu"
#else
#define TRIPLET "powerpc64le-linux-gnu"
#endif

/* Where loaders look, as far as that needs no ld.so.cache. */
static const char library_path[] =
	"/lib64:/usr/lib64:/lib/" TRIPLET ":/usr/lib/" TRIPLET ":/usr/local/lib:/lib:/usr/lib";

struct warming {
	const struct warm *ask;
	uint64_t bytes; /* asked for so far */
	unsigned n;
	struct library {
		char name[ELFNEEDS_NAME_MAX];
		char runpath[ELFNEEDS_PATH_MAX]; /* of who needs it */
	} library[FILES_MAX];
	struct elfneeds needs;
};

static bool stopped(const struct warming *w)
{
	struct pollfd p = { w->ask->stop, POLLIN, 0 };

	return w->bytes >= ALL_BYTES_MAX || poll(&p, 1, 0) != 0;
}

/* name in the first of the directories "a:b:..." that has it; -1: none.  Relative ones, and $ORIGIN, are left out. */
static int search(const struct warming *w, const char *dirs, const char *name)
{
	char path[PATH_MAX];

	for (size_t len; *dirs; dirs += len + (dirs[len] == ':')) {
		int fd;

		len = strcspn(dirs, ":");
		if (dirs[0] != '/' || len + strlen(name) + 2 > sizeof(path))
			continue;
		snprintf(path, sizeof(path), "%.*s/%s", (int)len, dirs, name);
		fd = imageenv_open(w->ask->root, path);
		if (fd >= 0)
			return fd;
	}
	return -1;
}

static void read_ahead(struct warming *w, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return;
	for (off_t at = 0; at < st.st_size && at < (off_t)FILE_BYTES_MAX && !stopped(w);
	     at += CHUNK_BYTES) {
		(void)readahead(fd, at, CHUNK_BYTES);
		w->bytes += CHUNK_BYTES;
	}
}

static void add_needs(struct warming *w)
{
	for (unsigned i = 0; i < w->needs.n; i++) {
		unsigned k = 0;

		while (k < w->n && strcmp(w->library[k].name, w->needs.name[i]) != 0)
			k++;
		if (k < w->n || k == FILES_MAX)
			continue;
		memcpy(w->library[k].name, w->needs.name[i], sizeof(w->library[k].name));
		memcpy(w->library[k].runpath, w->needs.runpath, sizeof(w->library[k].runpath));
		w->n++;
	}
}

/* "#!/bin/sh -e": the program; else "". */
static const char *interpreter(int fd, char line[SCRIPT_LINE_MAX])
{
	ssize_t n = pread(fd, line, SCRIPT_LINE_MAX - 1, 0);

	if (n < 2 || line[0] != '#' || line[1] != '!')
		return "";
	line[n] = '\0';
	line += 2 + strspn(line + 2, " \t");
	line[strcspn(line, " \t\n")] = '\0';
	return line;
}

/* Of the host, whose links lead where they lead. */
static int open_outside(const char *path)
{
	return sys_regular(open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
}

/*
 * The command.  One that is not in the image, but in a directory that is mounted into it, is
 * looked at only: its file system is warm, or not.
 */
static int open_command(const struct warming *w, bool *inside)
{
	const char *command = w->ask->command;
	char path[PATH_MAX];
	int fd;

	*inside = true;
	if (command && !strchr(command, '/'))
		return search(w, w->ask->path ? w->ask->path : IMAGEENV_USUAL_PATH, command);
	if (command && command[0] == '/') {
		fd = imageenv_open(w->ask->root, command);
		if (fd >= 0)
			return fd;
	}
	*inside = false;
	if (w->ask->script)
		return open_outside(w->ask->script);
	if (command && command[0] == '/')
		return open_outside(command);
	if (!command || !w->ask->cwd ||
	    snprintf(path, sizeof(path), "%s/%s", w->ask->cwd, command) >= (int)sizeof(path))
		return -1;
	return open_outside(path);
}

/* A program, its loader, and what it needs to the list. */
static void take_program(struct warming *w, int fd, bool inside)
{
	int loader;

	if (inside)
		read_ahead(w, fd);
	if (elfneeds_read(fd, &w->needs) < 0)
		return;
	loader = w->needs.interp[0] == '/' ? imageenv_open(w->ask->root, w->needs.interp) : -1;
	if (loader >= 0)
		read_ahead(w, loader);
	sys_close(&loader);
	add_needs(w);
}

void warm_command(const struct warm *ask)
{
	static struct warming w; /* too large for the stack, and used once by a process */
	char line[SCRIPT_LINE_MAX];
	const char *script;
	bool inside;
	int fd;

	w = (struct warming){ .ask = ask };
	fd = open_command(&w, &inside);
	if (fd < 0)
		return;
	script = interpreter(fd, line);
	if (script[0]) {
		sys_close(&fd);
		fd = imageenv_open(ask->root, script);
		inside = true;
	}
	if (fd >= 0)
		take_program(&w, fd, inside);
	sys_close(&fd);
	for (unsigned i = 0; i < w.n && !stopped(&w); i++) { /* the list grows meanwhile */
		const struct library *l = &w.library[i];

		fd = search(&w, l->runpath, l->name);
		if (fd < 0)
			fd = search(&w, library_path, l->name);
		if (fd < 0)
			continue;
		read_ahead(&w, fd);
		if (elfneeds_read(fd, &w.needs) == 0)
			add_needs(&w);
		sys_close(&fd);
	}
}
