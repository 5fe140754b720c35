/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE 1
#include "match.h"

#include <fnmatch.h>
#include <locale.h>
#include <string.h>

int match_parse(const char *text, struct match *ret, struct err *e)
{
	char *part, *end;
	size_t len = text ? strlen(text) : 0;

	ret->nparts = 0;
	ret->nwanted = 0;
	if (!text)
		return 0;
	if (len >= sizeof(ret->text))
		return err_set(e, "the device pattern has %zu bytes, at most %zu are taken", len,
			       sizeof(ret->text) - 1);
	memcpy(ret->text, text, len + 1);
	for (part = ret->text; part; part = end ? end + 1 : NULL) {
		char quoted[ERR_QUOTE_MAX];
		bool excludes = *part == '!';

		end = strchr(part, '|');
		if (end)
			*end = '\0';
		if (excludes)
			part++;
		if (!*part)
			return err_set(e, "device pattern \"%s\": nothing stands %s",
				       err_quote(quoted, text, len),
				       excludes ? "behind a \"!\"" : "beside a \"|\"");
		if (ret->nparts == MATCH_PARTS_MAX)
			return err_set(e, "device pattern \"%s\": more than %d alternatives",
				       err_quote(quoted, text, len), MATCH_PARTS_MAX);
		ret->parts[ret->nparts].pattern = part;
		ret->parts[ret->nparts++].excludes = excludes;
		if (!excludes)
			ret->nwanted++;
	}
	return 0;
}

static bool match_one(const char *pattern, const struct hwmap_device *d)
{
	const char *const names[] = { d->ibdev, d->netdev, d->uverbs, d->pci, d->pf, d->driver };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i][0] && fnmatch(pattern, names[i], 0) == 0)
			return true;
	return false;
}

static bool match_device(const struct match *p, const struct hwmap_device *d)
{
	bool wanted = p->nwanted == 0;

	for (uint32_t i = 0; i < p->nparts; i++) {
		if (!p->parts[i].excludes && wanted)
			continue;
		if (!match_one(p->parts[i].pattern, d))
			continue;
		if (p->parts[i].excludes)
			return false;
		wanted = true;
	}
	return wanted;
}

void match_devices(const struct match *p, const struct hwmap *m, bool *ret)
{
	/* "C" is part of libc: no file is read, and it can't fail */
	locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0), before = uselocale(c);

	for (size_t i = 0; i < hwmap_ndevices(m); i++)
		ret[i] = match_device(p, hwmap_device(m, i));
	uselocale(before);
	if (c)
		freelocale(c);
}
