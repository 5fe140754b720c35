/* SPDX-License-Identifier: BSD-3-Clause */
#include "hwmap.h"

#include <stdio.h>
#include <string.h>

#define CPUS_MORE "..." /* stands at the end of what did not fit */

bool hwmap_cpus_has(const struct hwmap_cpus *c, unsigned cpu)
{
	return cpu < HWMAP_CPUS_MAX && (c->bits[cpu / 64] >> (cpu % 64) & 1);
}

void hwmap_cpus_set(struct hwmap_cpus *c, unsigned cpu)
{
	if (cpu < HWMAP_CPUS_MAX)
		c->bits[cpu / 64] |= UINT64_C(1) << (cpu % 64);
}

/* A number below HWMAP_CPUS_MAX at *text, which moves behind it. */
static int cpus_number(const char **text, unsigned *ret)
{
	const char *p = *text;
	unsigned n = 0;

	if (*p < '0' || *p > '9')
		return -1;
	for (; *p >= '0' && *p <= '9'; p++) {
		n = n * 10 + (unsigned)(*p - '0');
		if (n >= HWMAP_CPUS_MAX)
			return -1;
	}
	*text = p;
	*ret = n;
	return 0;
}

int hwmap_cpus_parse(const char *text, struct hwmap_cpus *ret)
{
	struct hwmap_cpus c = { { 0 } };
	const char *p = text;
	unsigned from, to;

	while (*p && *p != '\n') {
		if (cpus_number(&p, &from) < 0)
			return -1;
		to = from;
		if (*p == '-') {
			p++;
			if (cpus_number(&p, &to) < 0 || to < from)
				return -1;
		}
		for (; from <= to; from++)
			hwmap_cpus_set(&c, from);
		if (*p == ',' && p[1] >= '0' && p[1] <= '9')
			p++;
		else if (*p && *p != '\n')
			return -1;
	}
	if (*p == '\n' && p[1])
		return -1;
	*ret = c;
	return 0;
}

char *hwmap_cpus_text(const struct hwmap_cpus *c, char *buf, size_t size)
{
	size_t used = 0;

	if (size == 0)
		return buf;
	buf[0] = '\0';
	for (unsigned cpu = 0; cpu < HWMAP_CPUS_MAX; cpu++) {
		unsigned from = cpu;
		char one[32];
		int n;

		if (!c->bits[cpu / 64]) {
			cpu |= 63;
			continue;
		}
		if (!hwmap_cpus_has(c, cpu))
			continue;
		while (hwmap_cpus_has(c, cpu + 1))
			cpu++;
		n = snprintf(one, sizeof(one), cpu > from ? "%s%u-%u" : "%s%u", used ? "," : "",
			     from, cpu);
		if (used + (size_t)n + sizeof(CPUS_MORE) > size) {
			if (used + sizeof(CPUS_MORE) <= size)
				memcpy(buf + used, CPUS_MORE, sizeof(CPUS_MORE));
			break;
		}
		memcpy(buf + used, one, (size_t)n + 1);
		used += (size_t)n;
	}
	return buf;
}
