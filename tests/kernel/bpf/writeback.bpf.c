// SPDX-License-Identifier: GPL-2.0-only
/* Write-back of a cgroup's dirty pages, started on behalf of user space. */
#include "common.bpf.h"

extern void bpf_mem_cgroup_start_writeback(struct mem_cgroup *memcg,
					   unsigned long min_pages) __ksym;

struct writeback_args {
	__u64 cgroup_id;
	__u64 min_pages;
};

SEC("syscall")
int writeback(struct writeback_args *args)
{
	struct mem_cgroup *memcg = memcg_by_cgroup_id(args->cgroup_id);

	if (!memcg)
		return -ENOENT;
	bpf_mem_cgroup_start_writeback(memcg, args->min_pages);
	bpf_put_mem_cgroup(memcg);
	return 0;
}
