// SPDX-License-Identifier: GPL-2.0-only
/* A hook that calls the reclaim kfunc, which sleeps: not to be accepted. */
#include "common.bpf.h"

extern long bpf_try_to_free_mem_cgroup_pages(struct mem_cgroup *memcg, unsigned long nr_pages,
					     gfp_t gfp_mask, unsigned int reclaim_options,
					     int swappiness) __ksym;

SEC("struct_ops/memcg_charged")
unsigned int BPF_PROG(charged, struct mem_cgroup *memcg, unsigned int nr_pages)
{
	bpf_try_to_free_mem_cgroup_pages(memcg, nr_pages, 0, 0, -1);
	return 0;
}

SEC(".struct_ops.link")
struct memcg_bpf_ops reclaiming = {
	.memcg_charged = (void *)charged,
};
