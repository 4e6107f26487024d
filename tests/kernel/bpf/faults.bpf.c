// SPDX-License-Identifier: GPL-2.0-only
/* The tracepoint that tells of a cgroup's events. */
#include "common.bpf.h"

__u64 watched_cgroup_id;
__u64 faults;

SEC("tp_btf/count_memcg_events")
int BPF_PROG(count_faults, struct mem_cgroup *memcg, int item, unsigned long val)
{
	if (item == PGFAULT && memcg_cgroup_id(memcg) == watched_cgroup_id)
		__sync_fetch_and_add(&faults, val);
	return 0;
}
