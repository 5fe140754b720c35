/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "lease_record.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEP_BATCH 0xfffffffbu
#define STEP_EXTERN 0xfffffffcu
#define STEP_INTERACTIVE 0xfffffffau

_Static_assert(LEASE_DEVICE_MAX >= 3 * (HWMAP_NAME_MAX - 1) + 1 + 3 * (HWMAP_PCI_MAX - 1) + 1,
	       "every name fits");
_Static_assert(LEASE_NAME_MAX >= LEASE_DEVICE_MAX + sizeof("#4095") - 1, "with its slot");

static bool is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-' || c == ':' || c == '.';
}

/* Returns the end of what was written; out has room for three bytes each, and NUL. */
static char *escape(char *out, const char *in, size_t max)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < max && in[i]; i++) {
		unsigned char c = (unsigned char)in[i];

		if (is_plain(in[i])) {
			*out++ = in[i];
			continue;
		}
		*out++ = '%';
		*out++ = hex[c >> 4];
		*out++ = hex[c & 15];
	}
	*out = '\0';
	return out;
}

int lease_record_device(const struct hwmap_device *d, char ret[LEASE_DEVICE_MAX])
{
	char *p = escape(ret, d->ibdev, HWMAP_NAME_MAX - 1);

	*p++ = '@';
	escape(p, d->pci, HWMAP_PCI_MAX - 1);
	return ret[0] == '@' && ret[1] == '\0' ? -1 : 0;
}

void lease_record_name(const char *device, uint32_t slot, char ret[LEASE_NAME_MAX])
{
	snprintf(ret, LEASE_NAME_MAX, "%.*s#%" PRIu32, LEASE_DEVICE_MAX - 1, device, slot);
}

int lease_record_parse_name(const char *name, struct lease_record *ret)
{
	const char *hash = strrchr(name, '#');
	char again[LEASE_NAME_MAX];
	unsigned long slot;

	memset(ret, 0, sizeof(*ret));
	if (!hash || (size_t)(hash - name) >= sizeof(ret->device) ||
	    !memchr(name, '@', (size_t)(hash - name)))
		return -1;
	slot = strtoul(hash + 1, NULL, 10);
	if (slot >= LEASE_SLOTS_MAX)
		return -1;
	memcpy(ret->device, name, (size_t)(hash - name));
	ret->slot = (uint32_t)slot;
	lease_record_name(ret->device, ret->slot, again);
	return strcmp(again, name) == 0 ? 0 : -1;
}

const char *lease_record_pci(const char *device)
{
	const char *at = strchr(device, '@');

	return at ? at + 1 : "";
}

int lease_record_encode(const struct lease_record *r, char ret[LEASE_TEXT_MAX])
{
	char boot[3 * LEASE_BOOT_MAX], user[3 * LEASE_USER_MAX];
	int n;

	escape(boot, r->boot, LEASE_BOOT_MAX - 1);
	escape(user, r->user, LEASE_USER_MAX - 1);
	n = snprintf(ret, LEASE_TEXT_MAX,
		     "v1 boot=%s job=%" PRIu32 " step=%" PRIu32 " uid=%" PRIu32
		     " user=%s since=%" PRId64 " dev=%" PRIu32 ":%" PRIu32 " cgroup=%" PRIu64 ":%s",
		     boot, r->job, r->step, r->uid, user, r->since, r->major, r->minor,
		     r->cgroup_ino, r->cgroup);
	return n > 0 && n < LEASE_TEXT_MAX ? 0 : -1;
}

/* ---- reading: each moves *p on, and says whether all was as expected ---- */

static bool take_key(const char **p, const char *key)
{
	size_t n = strlen(key);

	if (strncmp(*p, key, n) != 0)
		return false;
	*p += n;
	return true;
}

static bool take_number(const char **p, char end, uint64_t max, uint64_t *ret)
{
	uint64_t v = 0;
	const char *from = *p;

	for (; **p >= '0' && **p <= '9'; ++*p) {
		unsigned digit = (unsigned)(**p - '0');

		if (v > (max - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	if (*p == from || **p != end)
		return false;
	++*p;
	*ret = v;
	return true;
}

static bool take_u32(const char **p, char end, uint32_t *ret)
{
	uint64_t v;

	if (!take_number(p, end, UINT32_MAX, &v))
		return false;
	*ret = (uint32_t)v;
	return true;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* An escaped word up to the space. */
static bool take_word(const char **p, char *out, size_t size)
{
	size_t n = 0;

	for (; **p && **p != ' '; ++*p) {
		char c = **p;

		if (c == '%') {
			int high = hex_digit((*p)[1]), low = high < 0 ? -1 : hex_digit((*p)[2]);

			if (low < 0 || high + low == 0)
				return false;
			c = (char)(high << 4 | low);
			*p += 2;
		} else if (!is_plain(c)) {
			return false;
		}
		if (n + 1 >= size)
			return false;
		out[n++] = c;
	}
	out[n] = '\0';
	return *(*p)++ == ' ';
}

static bool take_rest(const char *p, char *out, size_t size)
{
	size_t n = strlen(p);

	if (n >= size)
		return false;
	memcpy(out, p, n + 1);
	return true;
}

static bool decode(const char *p, struct lease_record *r)
{
	uint64_t since = 0;

	if (!take_key(&p, "v1 boot=") || !take_word(&p, r->boot, sizeof(r->boot)) ||
	    !take_key(&p, "job=") || !take_u32(&p, ' ', &r->job) || !take_key(&p, "step=") ||
	    !take_u32(&p, ' ', &r->step) || !take_key(&p, "uid=") || !take_u32(&p, ' ', &r->uid) ||
	    !take_key(&p, "user=") || !take_word(&p, r->user, sizeof(r->user)) ||
	    !take_key(&p, "since=") || !take_number(&p, ' ', INT64_MAX, &since) ||
	    !take_key(&p, "dev=") || !take_u32(&p, ':', &r->major) ||
	    !take_u32(&p, ' ', &r->minor) || !take_key(&p, "cgroup=") ||
	    !take_number(&p, ':', UINT64_MAX, &r->cgroup_ino) ||
	    !take_rest(p, r->cgroup, sizeof(r->cgroup)))
		return false;
	r->since = (int64_t)since;
	return r->boot[0] && (r->cgroup_ino ? r->cgroup[0] == '/' : r->cgroup[0] == '\0');
}

void lease_record_decode(const char *text, size_t len, struct lease_record *r)
{
	struct lease_record got = { .slot = r->slot };
	char copy[LEASE_TEXT_MAX];

	memcpy(got.device, r->device, sizeof(got.device));
	*r = got;
	if (len >= sizeof(copy))
		return;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (strlen(copy) != len || !decode(copy, &got))
		return;
	got.sound = true;
	*r = got;
}

/* FNV-1a, 64 bits */
static uint64_t hash(const char *s)
{
	uint64_t h = 14695981039346656037u;

	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 1099511628211u;
	return h;
}

off_t lease_record_byte(const char *device, uint32_t slot)
{
	/* 46 bits of it; the first LEASE_SLOTS_MAX bytes are the mutex's */
	return (off_t)(((hash(device) >> 18) + 1) * LEASE_SLOTS_MAX + slot);
}

const char *lease_record_step(const struct lease_record *r, char *buf, size_t size)
{
	const char *name = r->step == STEP_BATCH	 ? "batch"
			   : r->step == STEP_EXTERN	 ? "extern"
			   : r->step == STEP_INTERACTIVE ? "interactive"
							 : NULL;

	if (name)
		snprintf(buf, size, "%" PRIu32 ".%s", r->job, name);
	else
		snprintf(buf, size, "%" PRIu32 ".%" PRIu32, r->job, r->step);
	return buf;
}
