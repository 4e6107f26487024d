// SPDX-License-Identifier: GPL-2.0-only
/* A hook that writes to the kernel's struct: not to be accepted. */
#include "common.bpf.h"

SEC("struct_ops/memcg_charged")
unsigned int BPF_PROG(charged, struct mem_cgroup *memcg, unsigned int nr_pages)
{
	memcg->oom_group = true;
	return 0;
}

SEC(".struct_ops.link")
struct memcg_bpf_ops writing = {
	.memcg_charged = (void *)charged,
};
