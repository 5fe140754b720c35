/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * config.h - the plugstack arguments, which are Berth's whole configuration.
 * docs/man/berth-plugstack.8 describes each; a test compares the two lists.
 */
#ifndef BERTH_CONFIG_H
#define BERTH_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

#define CONFIG_LIST_MAX 64

struct config_list {
	char *v[CONFIG_LIST_MAX]; /* absolute paths */
	size_t n;
};

/* What is looked at before a task with --usnic runs, and what comes of it. */
enum preflight { PREFLIGHT_OFF, PREFLIGHT_WARN, PREFLIGHT_STRICT };

/* confine=, bits: what the device cgroup keeps from whom. */
#define CONFINE_USNIC 1u  /* from steps with --usnic, the devices of others */
#define CONFINE_STRICT 2u /* from them, all devices but theirs and a few (devices.h) */
#define CONFINE_ALWAYS 4u /* from all other steps, all of these devices */

#define CONFIG_MEMLOCK_LEAVE 0u
#define CONFIG_MEMLOCK_UNLIMITED UINT64_MAX

struct config {
	char *state_dir;		/* root-owned directory, made at need */
	struct config_list trusted;	/* images below these are the site's own */
	struct config_list deny;	/* trees that no user may bind from */
	struct config_list devices;	/* nodes of the host's /dev that every container gets */
	struct config_list slurm_paths; /* more paths that Slurm's commands need inside */
	char *mounts;			/* the site's mounts, as --container-mounts; or NULL */
	char *squashfuse, *erofsfuse;	/* FUSE servers */
	unsigned image_linger;		/* seconds that an unused image stays mounted */
	unsigned timeout;		/* seconds that building a container may take */
	uint64_t tmpfs_size;		/* bytes of the writable layer, and of a tmpfs mount */
	char *map;	  /* file with the NICs of this node; NULL: they are looked for */
	char *usnic_env;  /* as usnicenv.h has it, or NULL */
	uint64_t memlock; /* RLIMIT_MEMLOCK of steps with --usnic, or as above */
	enum preflight preflight;
	unsigned confine; /* CONFINE_* */
	bool gres;	  /* --usnic takes only devices that Slurm's GRES grants */
	bool kernel_mount_user_images;
	bool writable, mount_home, mount_cwd, mount_tmp, mount_sys, account, resolv, pmix;
	bool slurm, remap_root;
};

/* Defaults. 0, or -1 when out of memory. */
int config_init(struct config *c);

/*
 * Take n "key=value" strings over the defaults.  An unknown key, a value that is
 * not of the key's kind, or a relative path is an error that names the argument.
 */
int config_parse(struct config *c, char *const *args, size_t n, struct err *e);

/*
 * Refuse a configuration that someone other than root can write: slurm_conf's
 * directory, plugstack.conf and plugstack.conf.d with its files beside it (those
 * that exist).
 */
int config_check_files(const char *slurm_conf, struct err *e);

/*
 * Likewise each trusted directory with all its parents.  They may be on a file server that
 * hangs: for a process that can be waited for with a limit.
 */
int config_check_trusted(const struct config *c, struct err *e);

/* Likewise the parents of the state directory, before anything is made in it. */
int config_check_state(const struct config *c, struct err *e);

void config_done(struct config *c);

/* The keys, for --help and for the test: "name", NULL-terminated. */
const char *const *config_keys(void);

#endif
