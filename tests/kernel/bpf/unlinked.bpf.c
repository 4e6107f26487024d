// SPDX-License-Identifier: GPL-2.0-only
/* Ops in a map without BPF_F_LINK: updating it would register them for no cgroup in particular. */
#include "common.bpf.h"

SEC("struct_ops/memcg_charged")
unsigned int BPF_PROG(charged, struct mem_cgroup *memcg, unsigned int nr_pages)
{
	return 0;
}

SEC(".struct_ops")
struct memcg_bpf_ops unlinked = {
	.memcg_charged = (void *)charged,
};
