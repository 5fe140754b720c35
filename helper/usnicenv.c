/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "usnicenv.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_LEN_MAX 128
#define TEMPLATE_LEN_MAX 512

/* usNIC has unreliable datagrams alone, and a provider of its own in libfabric. */
static const struct {
	bool usnic;
	const char *entry;
} defaults[] = {
	{ true, "OMPI_MCA_btl_usnic_if_include=%i" },	/* Open MPI's usNIC BTL */
	{ false, "OMPI_MCA_btl_openib_if_include=%i" }, /* Open MPI's verbs BTL, up to 4.x */
	{ false, "UCX_NET_DEVICES=%p" },      /* UCX: Open MPI, MPICH, Intel MPI over mlx */
	{ false, "FI_VERBS_IFACE=%n" },	      /* libfabric's verbs: MPICH, Intel MPI */
	{ false, "FI_VERBS_DEVICE_NAME=%f" }, /* the same, of later releases */
	{ false, "NCCL_IB_HCA==%p" },	      /* the second "=" asks for exactly these */
};

static size_t name_length(const char *s)
{
	size_t n = 0;

	if (isalpha((unsigned char)s[0]) || s[0] == '_')
		while (isalnum((unsigned char)s[n]) || s[n] == '_')
			n++;
	return n <= NAME_LEN_MAX && s[n] == '=' ? n : 0;
}

static bool template_sound(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
			return false;
		if (s[i] != '%')
			continue;
		if (++i == n || !strchr("ipfnu%", s[i]))
			return false;
	}
	return n <= TEMPLATE_LEN_MAX;
}

int usnic_env_check(const char *text, struct err *e)
{
	size_t entries = 0;

	while (*text) {
		size_t n = strcspn(text, ";"), name = name_length(text);

		if (!name || name >= n || !template_sound(text + name + 1, n - name - 1))
			return err_set(
				e,
				"plugstack.conf: usnic_env: %.*s: expected NAME=TEMPLATE with "
				"%%i, %%p, %%f, %%n, %%u or %%%%",
				(int)(n < 80 ? n : 80), text);
		if (++entries > USNICENV_MAX / 2)
			return err_set(e, "plugstack.conf: usnic_env: more than %d variables",
				       USNICENV_MAX / 2);
		text += n + (text[n] == ';');
	}
	return 0;
}

/* ---- one value ---- */

struct devices {
	const struct hwmap_device *const *v;
	size_t n;
};

static void put_list(FILE *f, const struct devices *d, char code, bool *lacks)
{
	for (size_t i = 0; i < d->n; i++) {
		const char *text = code == 'u' ? d->v[i]->uverbs : d->v[i]->ibdev;

		if (!text[0])
			*lacks = true;
		fprintf(f, "%s%s", i ? "," : "", text);
		if (code == 'p')
			fprintf(f, ":%u", d->v[i]->port);
	}
}

/* The template with its codes replaced, malloced; NULL with *lacks: a device has no such name. */
static char *expand(const char *s, size_t n, const struct devices *d, bool *lacks)
{
	char *out = NULL;
	size_t size;
	FILE *f = open_memstream(&out, &size);

	*lacks = false;
	if (!f)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		if (s[i] != '%') {
			fputc(s[i], f);
			continue;
		}
		switch (s[++i]) {
		case '%': fputc('%', f); break;
		case 'f':
			*lacks = *lacks || !d->v[0]->ibdev[0];
			fputs(d->v[0]->ibdev, f);
			break;
		case 'n':
			*lacks = *lacks || !d->v[0]->netdev[0];
			fputs(d->v[0]->netdev, f);
			break;
		default: put_list(f, d, s[i], lacks);
		}
	}
	if (fclose(f) != 0 || *lacks) {
		free(out);
		return NULL;
	}
	return out;
}

/* ---- the tables ---- */

struct list {
	char **v;
	uint32_t n;
};

static void list_free(struct list *l)
{
	for (uint32_t i = 0; i < l->n; i++)
		free(l->v[i]);
	free(l->v);
	*l = (struct list){ NULL, 0 };
}

/* Does the site's table say something about this name? */
static bool site_has(const char *site, const char *name, size_t len)
{
	while (site && *site) {
		size_t n = strcspn(site, ";");

		if (name_length(site) == len && strncmp(site, name, len) == 0)
			return true;
		site += n + (site[n] == ';');
	}
	return false;
}

static bool add(struct list *l, const char *entry, size_t n, const struct devices *d)
{
	const size_t name = name_length(entry);
	bool lacks;
	char *value;

	if (!name || name + 1 >= n || l->n == USNICENV_MAX)
		return true; /* an empty template: taken out */
	value = expand(entry + name + 1, n - name - 1, d, &lacks);
	if (!value)
		return lacks;
	if (asprintf(&l->v[l->n], "%.*s=%s", (int)name, entry, value) < 0)
		l->v[l->n] = NULL;
	free(value);
	return l->v[l->n] && ++l->n;
}

static bool fits(bool usnic, const struct devices *d)
{
	for (size_t i = 0; i < d->n; i++)
		if ((d->v[i]->role == HWMAP_POOLED) != usnic)
			return false;
	return true;
}

static bool make_hints(const char *site, const struct devices *d, struct list *l)
{
	l->v = calloc(USNICENV_MAX, sizeof(*l->v));
	if (!l->v)
		return false;
	for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++) {
		const char *t = defaults[i].entry;

		if (fits(defaults[i].usnic, d) && !site_has(site, t, name_length(t)) &&
		    !add(l, t, strlen(t), d))
			return false;
	}
	while (site && *site) {
		size_t n = strcspn(site, ";");

		if (!add(l, site, n, d))
			return false;
		site += n + (site[n] == ';');
	}
	return true;
}

enum own { OWN_DEVICES, OWN_IBDEV, OWN_NETDEV, OWN_UVERBS, OWN_NUMA, OWN_COUNT };

static void put_own(FILE *f, enum own which, const struct hwmap_device *d)
{
	const char *text = which == OWN_IBDEV	 ? d->ibdev
			   : which == OWN_NETDEV ? d->netdev
						 : d->uverbs;

	if (which == OWN_NUMA)
		fprintf(f, "%d", d->numa);
	else if (!text[0])
		fputc('-', f);
	else
		fprintf(f, "%s%s", which == OWN_DEVICES ? "/dev/infiniband/" : "", text);
}

static bool make_own(const struct devices *d, struct list *l)
{
	static const char *const names[OWN_COUNT] = { "BERTH_DEVICES", "BERTH_IBDEV",
						      "BERTH_NETDEV", "BERTH_UVERBS",
						      "BERTH_NUMA" };

	l->v = calloc(OWN_COUNT, sizeof(*l->v));
	for (int which = 0; l->v && which < OWN_COUNT; which++) {
		size_t size;
		FILE *f = open_memstream(&l->v[which], &size);

		if (!f)
			return false;
		fprintf(f, "%s=", names[which]);
		for (size_t i = 0; i < d->n; i++) {
			fputs(i ? "," : "", f);
			put_own(f, (enum own)which, d->v[i]);
		}
		if (fclose(f) != 0) {
			free(l->v[which]);
			return false;
		}
		l->n++;
	}
	return l->v;
}

int usnic_env_make(const char *site, const struct hwmap_device *const *devices, size_t n,
		   char ***ret_own, uint32_t *ret_nown, char ***ret_hints, uint32_t *ret_nhints,
		   struct err *e)
{
	const struct devices d = { devices, n };
	struct list own = { NULL, 0 }, hints = { NULL, 0 };

	if (!make_own(&d, &own) || !make_hints(site, &d, &hints)) {
		list_free(&own);
		list_free(&hints);
		return err_set(e, "out of memory");
	}
	*ret_own = own.v;
	*ret_nown = own.n;
	*ret_hints = hints.v;
	*ret_nhints = hints.n;
	return 0;
}
