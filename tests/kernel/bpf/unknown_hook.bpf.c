// SPDX-License-Identifier: GPL-2.0-only
/* A hook that no kernel has, beside one that this kernel has. */
#define memcg_bpf_ops memcg_bpf_ops_of_this_kernel
#include "common.bpf.h"
#undef memcg_bpf_ops

struct memcg_bpf_ops {
	unsigned int (*memcg_charged)(struct mem_cgroup *memcg, unsigned int nr_pages);
	int (*memcg_unheard_of)(struct mem_cgroup *memcg);
};

SEC("struct_ops/memcg_charged")
unsigned int BPF_PROG(charged, struct mem_cgroup *memcg, unsigned int nr_pages)
{
	return 0;
}

SEC("struct_ops/memcg_unheard_of")
int BPF_PROG(unheard_of, struct mem_cgroup *memcg)
{
	return 0;
}

SEC(".struct_ops.link")
struct memcg_bpf_ops unknown = {
	.memcg_charged = (void *)charged,
	.memcg_unheard_of = (void *)unheard_of,
};
