/* SPDX-License-Identifier: BSD-3-Clause */
#include "devices_prog.h"

/*
 * The kernel calls the program with struct bpf_cgroup_dev_ctx in R1 and takes 1 for "allow"
 * (linux/bpf.h).  access_type holds the type in its low half, the access in its high half;
 * the access does not matter here: a rule is about reading, writing and making at once.
 */
enum {
	TYPE = BPF_REG_2,
	MAJOR = BPF_REG_4,
	MINOR = BPF_REG_5,
	CTX = BPF_REG_1,
	ANSWER = BPF_REG_0
};

static struct bpf_insn load(int to, size_t offset)
{
	return (struct bpf_insn){ .code = BPF_LDX | BPF_MEM | BPF_W,
				  .dst_reg = to & 0xf,
				  .src_reg = CTX,
				  .off = (short)offset };
}

/* if (reg != value) skip the next n instructions */
static struct bpf_insn skip_unless(int reg, uint32_t value, short n)
{
	return (struct bpf_insn){ .code = BPF_JMP | BPF_JNE | BPF_K,
				  .dst_reg = reg & 0xf,
				  .off = n,
				  .imm = (int)value };
}

static size_t answer(struct bpf_insn *out, bool allow)
{
	out[0] = (struct bpf_insn){ .code = BPF_ALU64 | BPF_MOV | BPF_K,
				    .dst_reg = ANSWER,
				    .imm = allow };
	out[1] = (struct bpf_insn){ .code = BPF_JMP | BPF_EXIT };
	return 2;
}

size_t devices_prog_make(const struct devices_plan *p, struct bpf_insn out[DEVICES_PROG_MAX])
{
	size_t n = 0;

	out[n++] = load(TYPE, offsetof(struct bpf_cgroup_dev_ctx, access_type));
	out[n++] = (struct bpf_insn){ .code = BPF_ALU | BPF_AND | BPF_K,
				      .dst_reg = TYPE,
				      .imm = 0xffff };
	out[n++] = load(MAJOR, offsetof(struct bpf_cgroup_dev_ctx, major));
	out[n++] = load(MINOR, offsetof(struct bpf_cgroup_dev_ctx, minor));
	for (size_t i = 0; i < p->n; i++) {
		const struct devices_plan_rule *r = &p->rule[i];
		bool any = r->minor == DEVICES_PLAN_ANY;

		out[n++] =
			skip_unless(TYPE, r->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR,
				    any ? 3 : 4);
		out[n++] = skip_unless(MAJOR, r->major, any ? 2 : 3);
		if (!any)
			out[n++] = skip_unless(MINOR, r->minor, 2);
		n += answer(out + n, r->allow);
	}
	return n + answer(out + n, p->allow_rest);
}
