/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE 1
#include "stepinfo.h"

#include <dlfcn.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "optioncheck.h"

/*
 * Slurm reads a line of plugstack.conf up to 4095 bytes and goes on without the rest:
 * with a restriction cut off, more would be allowed than was written.
 */
#define ARGS_BYTES_MAX 3584
#define SPOOL_FDS_MAX 512 /* descriptors that are looked at */

/* --- options --- */

struct reader {
	spank_t sp;
	struct option_set *set;	     /* what has been found */
	char *buf;		     /* REQUEST_OPTION_MAX bytes */
	char label[OPTION_NAME_MAX]; /* the name under which the last value came */
	struct err *e;
};

enum found { ABSENT, EMPTY, FOUND };

/* The variable r->label of the job's environment.  One that is too long is found, and an error. */
static enum found read_variable(struct reader *r, enum option_id id)
{
	spank_err_t rc = spank_getenv(r->sp, r->label, r->buf, REQUEST_OPTION_MAX);

	if (rc == ESPANK_NOSPACE) {
		err_set(r->e, "%s: the value is longer than %d bytes, shorten it", r->label,
			REQUEST_OPTION_MAX - 1);
		return FOUND;
	}
	if (rc != ESPANK_SUCCESS)
		return ABSENT;
	if (option_set_value(r->set, id, r->buf) < 0)
		err_set(r->e, "out of memory");
	return r->set->v[id] ? FOUND : EMPTY;
}

static enum found read_carrier(struct reader *r, enum option_id id)
{
	enum found f;

	option_name(r->label, id, NAME_CARRIER);
	f = read_variable(r, id);
	if (f != ABSENT)
		return f;
	option_name(r->label, id, NAME_CARRIER_SBATCH);
	return read_variable(r, id);
}

/* What Slurm itself carried: the last occurrence only. */
static enum found read_callback(struct reader *r, enum option_id id)
{
	struct option_set *given = options_given();

	option_name(r->label, id, NAME_OPTION);
	if (given->too_long[id]) {
		err_set(r->e, "%s: the value is longer than %d bytes, shorten it", r->label,
			REQUEST_OPTION_MAX - 1);
		return FOUND;
	}
	free(r->set->v[id]);
	r->set->v[id] = given->v[id];
	given->v[id] = NULL;
	return r->set->v[id] ? FOUND : ABSENT;
}

static enum found read_input(struct reader *r, enum option_id id)
{
	enum found f;

	option_name(r->label, id, NAME_INPUT);
	f = read_variable(r, id);
	if (id != OPTION_WRITABLE || f == FOUND)
		return f;
	strcpy(r->label, OPTION_READONLY_INPUT);
	f = read_variable(r, id);
	if (f == FOUND && !r->e->text[0] && option_set_readonly(r->set, r->buf) < 0)
		err_set(r->e, "out of memory");
	return f;
}

static int check_found(struct reader *r, enum option_id id)
{
	if (r->e->text[0])
		return -1;
	return option_check(id, r->set->v[id], r->label, true, r->e);
}

/*
 * Join or image, from the first source that says anything of either; join first,
 * for where both stand the submit side has decided for it.  1: found, 0: no container.
 */
static int read_root(struct reader *r)
{
	static enum found (*const source[])(struct reader *, enum option_id) = { read_carrier,
										 read_callback,
										 read_input };

	for (size_t i = 0; i < 3; i++) {
		enum found join, image;

		if (source[i] == read_input) {
			strcpy(r->label, "SLURM_CONTAINER");
			if (read_variable(r, OPTION_IMAGE) == FOUND)
				return check_found(r, OPTION_IMAGE) < 0 ? -1 : 1;
		}
		join = source[i](r, OPTION_JOIN);
		if (join == FOUND)
			return check_found(r, OPTION_JOIN) < 0 ? -1 : 1;
		image = source[i](r, OPTION_IMAGE);
		if (image == FOUND)
			return check_found(r, OPTION_IMAGE) < 0 ? -1 : 1;
		if (image == EMPTY || (source[i] == read_callback && options_given()->off))
			return 0;
	}
	return 0;
}

static int read_option(struct reader *r, enum option_id id)
{
	enum found f = read_carrier(r, id);

	if (f == ABSENT)
		f = read_callback(r, id);
	if (f == ABSENT)
		f = read_input(r, id);
	return f == FOUND ? check_found(r, id) : 0;
}

int stepinfo_options(spank_t sp, struct option_set *ret, bool *ret_container, struct err *e)
{
	struct option_set s = { .off = false };
	struct reader r = { .sp = sp, .set = &s, .buf = malloc(REQUEST_OPTION_MAX), .e = e };
	int rc = r.buf ? read_root(&r) : err_set(e, "out of memory");

	*ret_container = rc != 0;
	/* without a container the rest does not matter, whatever it holds */
	for (int id = 0; id < OPTION_COUNT && rc > 0; id++)
		if (id != OPTION_IMAGE && id != OPTION_JOIN && id != OPTION_USNIC &&
		    read_option(&r, (enum option_id)id) < 0)
			rc = -1;
	if (rc >= 0 && read_option(&r, OPTION_USNIC) < 0)
		rc = -1;
	free(r.buf);
	if (rc < 0) {
		option_set_done(&s);
		return -1;
	}
	*ret = s;
	return 0;
}

/* --- request --- */

static int get_ids(spank_t sp, struct request *r, struct err *e)
{
	uid_t uid;
	gid_t gid;

	if (spank_get_item(sp, S_JOB_ID, &r->job_id) != ESPANK_SUCCESS ||
	    spank_get_item(sp, S_JOB_STEPID, &r->step_id) != ESPANK_SUCCESS ||
	    spank_get_item(sp, S_JOB_UID, &uid) != ESPANK_SUCCESS ||
	    spank_get_item(sp, S_JOB_GID, &gid) != ESPANK_SUCCESS)
		return err_set(e, "Slurm does not tell the step's ids");
	if (spank_get_item(sp, S_JOB_LOCAL_TASK_COUNT, &r->ntasks) != ESPANK_SUCCESS)
		r->ntasks = 0;
	if (r->step_id == STEP_EXTERN && r->ntasks == 0)
		r->ntasks = 1; /* it has a process, which is no task */
	if (r->ntasks == 0)
		return err_set(e, "Slurm does not tell the step's number of tasks");
	r->uid = uid;
	r->gid = gid;
	return 0;
}

static int get_groups(spank_t sp, struct request *r, struct err *e)
{
	gid_t *groups = NULL;
	int n = 0;

	_Static_assert(sizeof(gid_t) == sizeof(uint32_t), "groups are passed as they are");
	if (spank_get_item(sp, S_JOB_SUPPLEMENTARY_GIDS, &groups, &n) != ESPANK_SUCCESS || n < 0)
		return err_set(e, "Slurm does not tell the user's groups");
	if (n > REQUEST_GROUPS_MAX)
		return err_set(e, "the user is in %d groups, expected at most %d", n,
			       REQUEST_GROUPS_MAX);
	r->groups = groups;
	r->ngroups = groups ? (uint32_t)n : 0;
	return 0;
}

static int get_command(spank_t sp, struct request *r, struct err *e)
{
	char **argv = NULL;
	int argc = 0;
	bool told = spank_get_item(sp, S_JOB_ARGV, &argc, &argv) == ESPANK_SUCCESS && argc > 0 &&
		    argv && argv[0];
	struct err unsound = { "" };

	if (r->step_id != STEP_BATCH) {
		/* a hint, so that any that cannot be told is left out */
		if (told && argv[0][0] &&
		    option_check(OPTION_IMAGE, argv[0], "command", false, &unsound) == 0)
			r->command = argv[0];
		return 0;
	}
	if (!told)
		return err_set(e, "Slurm does not tell the path of the batch script");
	r->script = argv[0];
	return 0;
}

/* Where the job says that it is: user_init tells for certain, but late. */
static void get_pwd(spank_t sp, struct request *r)
{
	struct err unsound = { "" };
	char *buf = malloc(REQUEST_OPTION_MAX);

	if (buf && spank_getenv(sp, "PWD", buf, REQUEST_OPTION_MAX) == ESPANK_SUCCESS &&
	    buf[0] == '/' && option_check(OPTION_IMAGE, buf, "PWD", false, &unsound) == 0)
		r->pwd = buf;
	else
		free(buf);
}

/*
 * Those of the names of --container-env that the job has a value for, as the option is
 * spelt; malloced, or NULL if there is none.  For the others the image's value holds.
 */
static char *names_set(spank_t sp, const char *names)
{
	char *out = malloc(strlen(names) + 1), *end = out, value[1];

	while (out && *names) {
		size_t n = strcspn(names, ",");
		spank_err_t rc;

		memcpy(end, names, n);
		end[n] = '\0';
		rc = spank_getenv(sp, end, value, sizeof(value));
		if (rc == ESPANK_SUCCESS || rc == ESPANK_NOSPACE) {
			end += n;
			*end++ = ',';
		}
		names += n + (names[n] == ',');
	}
	if (out && end > out) {
		end[-1] = '\0';
		return out;
	}
	free(out);
	return NULL;
}

/* A variable of slurmstepd's own; slurmd's, so nothing that the user could set. */
static char *own_variable(const char *name)
{
	char *value = getenv(name);

	return value && value[0] ? value : NULL;
}

static char *stepinfo_tmp_fs(const char *node);

/* What a file that was damaged, or cut short by Slurm, looks like from here. */
static int check_args(const struct request *r, struct err *e)
{
	size_t sum = 0;

	if (r->nargs > REQUEST_ARGS_MAX)
		return err_set(e, "plugstack.conf has %u arguments for berth, expected at most %d",
			       r->nargs, REQUEST_ARGS_MAX);
	for (uint32_t i = 0; i < r->nargs; i++) {
		for (const unsigned char *c = (const unsigned char *)r->args[i]; *c; c++)
			if (*c < 0x20 || *c == 0x7f)
				return err_set(e,
					       "plugstack.conf: the argument %.80s holds a control "
					       "character: do the lines end as on DOS?",
					       r->args[i]);
		sum += strlen(r->args[i]) + 1;
	}
	if (sum > ARGS_BYTES_MAX)
		return err_set(
			e,
			"plugstack.conf: the arguments for berth take %zu bytes, expected at "
			"most %d: Slurm cuts long lines",
			sum, ARGS_BYTES_MAX);
	return 0;
}

int stepinfo_request(spank_t sp, const struct option_set *o, int ac, char **av, struct request *ret,
		     struct err *e)
{
	struct request r = {
		.node = own_variable("SLURMD_NODENAME"),
		.slurm_conf = own_variable("SLURM_CONF"),
		.image = o->v[OPTION_IMAGE],
		.mounts = o->v[OPTION_MOUNTS],
		.workdir = o->v[OPTION_WORKDIR],
		.unshare = o->v[OPTION_UNSHARE],
		.join = o->v[OPTION_JOIN],
		/* a step that has nothing of ours has a helper only to be kept from devices */
		.usnic = o->v[OPTION_USNIC] || o->v[OPTION_IMAGE] || o->v[OPTION_JOIN]
				 ? o->v[OPTION_USNIC]
				 : (char *)"none",
		.args = av,
		.nargs = ac > 0 ? (uint32_t)ac : 0,
	};

	if (check_args(&r, e) < 0)
		return -1;
	if (get_ids(sp, &r, e) < 0 || get_groups(sp, &r, e) < 0 || get_command(sp, &r, e) < 0)
		return -1;
	if (o->v[OPTION_WRITABLE])
		r.writable = option_tristate(o->v[OPTION_WRITABLE]);
	if (o->v[OPTION_MOUNT_HOME])
		r.mount_home = option_tristate(o->v[OPTION_MOUNT_HOME]);
	if (o->v[OPTION_REMAP_ROOT])
		r.remap_root = option_tristate(o->v[OPTION_REMAP_ROOT]);
	if (o->v[OPTION_ENV])
		r.env_names = names_set(sp, o->v[OPTION_ENV]);
	get_pwd(sp, &r);
	r.spool = stepinfo_spool(r.job_id, r.step_id);
	r.tmp_fs = stepinfo_tmp_fs(r.node);
	*ret = r;
	return 0;
}

void stepinfo_request_done(struct request *r)
{
	free(r->spool);
	free(r->tmp_fs);
	free(r->pwd);
	free(r->env_names);
	memset(r, 0, sizeof(*r));
}

/* --- Slurm's directories --- */

/*
 * slurm.conf's TmpFS for this node, as Slurm's PMIx plugin asks for it
 * (slurm_get_tmp_fs() of src/common/slurm_protocol_api.c, exported by libslurmfull from
 * 22.05 to 26.05).  malloced, or NULL.
 */
static char *stepinfo_tmp_fs(const char *node)
{
	union {
		void *symbol;
		char *(*get_tmp_fs)(char *);
	} u = { dlsym(RTLD_DEFAULT, "slurm_get_tmp_fs") };
	char *theirs = u.symbol && node ? u.get_tmp_fs((char *)node) : NULL;

	/* Slurm's own allocation, a few bytes once per step: its free is a macro of each release */
	return theirs && theirs[0] == '/' ? strdup(theirs) : NULL;
}

bool stepinfo_is_step_socket(const char *path, uint32_t job_id, uint32_t step_id)
{
	const char *slash = strrchr(path, '/'), *at;
	char id[32];
	int n = snprintf(id, sizeof(id), "_%u.%u", job_id, step_id);

	if (path[0] != '/' || !slash || n < 0)
		return false;
	/* a node's name may hold "_1.2" itself: only the end of the path counts */
	at = slash + strlen(slash);
	while (at > slash && isdigit((unsigned char)at[-1]))
		at--;
	if (at - slash > n && at[-1] == '.' && strncmp(at - 1 - n, id, (size_t)n) == 0)
		return true; /* a component's number stands behind */
	at = slash + strlen(slash) - n;
	return at > slash && strcmp(at, id) == 0;
}

/* slurmstepd opens it early: descriptors are looked at without their list in /proc, which takes longer. */
char *stepinfo_spool(uint32_t job_id, uint32_t step_id)
{
	for (int fd = 0; fd < SPOOL_FDS_MAX; fd++) {
		struct sockaddr_un a = { .sun_family = AF_UNSPEC };
		socklen_t len = sizeof(a) - 1; /* the path may come without its NUL */

		if (getsockname(fd, (struct sockaddr *)&a, &len) == 0 && a.sun_family == AF_UNIX &&
		    stepinfo_is_step_socket(a.sun_path, job_id, step_id)) {
			size_t n = (size_t)(strrchr(a.sun_path, '/') - a.sun_path);

			return strndup(a.sun_path, n ? n : 1);
		}
	}
	return NULL;
}
