/* SPDX-License-Identifier: BSD-3-Clause */
#include "plan.h"

#include <stdlib.h>

#include "sys.h"

void plan_init(struct plan *p)
{
	*p = (struct plan){ .image = -1 };
}

static void bind_done(struct plan_bind *b)
{
	free(b->dst);
	b->dst = NULL;
	sys_close(&b->fd);
}

void plan_etc_done(struct plan_etc *p)
{
	free(p->passwd);
	free(p->group);
	free(p->cwd);
	*p = (struct plan_etc){ 0 };
}

void plan_done(struct plan *p)
{
	sys_close(&p->image);
	for (size_t i = 0; i < p->nbinds; i++)
		bind_done(&p->binds[i]);
	for (uint32_t i = 0; i < p->nenv; i++)
		free(p->env[i]);
	free(p->env);
	plan_etc_done(&p->etc);
	free(p->cwd);
	plan_init(p);
}

int plan_add(struct plan *p, const struct plan_bind *b)
{
	struct plan_bind mine = *b;

	if (p->nbinds == PLAN_BINDS_MAX) {
		bind_done(&mine);
		return -1;
	}
	p->binds[p->nbinds++] = mine;
	return 0;
}

void plan_drop(struct plan *p, enum origin origin)
{
	size_t n = 0;

	for (size_t i = 0; i < p->nbinds; i++) {
		if (p->binds[i].origin == origin)
			bind_done(&p->binds[i]);
		else
			p->binds[n++] = p->binds[i];
	}
	p->nbinds = n;
}
