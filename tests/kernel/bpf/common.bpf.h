/* SPDX-License-Identifier: GPL-2.0-only */
/* What all test programs begin with. */
#ifndef COMMON_BPF_H
#define COMMON_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char _license[] SEC("license") = "GPL";

/* What user space knows a cgroup by: its directory's inode number. */
static __always_inline __u64 memcg_cgroup_id(struct mem_cgroup *memcg)
{
	return memcg->css.cgroup->kn->id;
}

#endif
