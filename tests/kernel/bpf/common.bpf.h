/* SPDX-License-Identifier: GPL-2.0-only */
/* What all test programs begin with. */
#ifndef COMMON_BPF_H
#define COMMON_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

/* uapi/asm-generic/errno-base.h */
#define ENOENT 2

char _license[] SEC("license") = "GPL";

/* What user space knows a cgroup by: its directory's inode number. */
static __always_inline __u64 memcg_cgroup_id(struct mem_cgroup *memcg)
{
	return memcg->css.cgroup->kn->id;
}

/* The other way round, with a reference to be put; NULL if there is none, or it is being removed. */
static __always_inline struct mem_cgroup *memcg_by_cgroup_id(__u64 cgroup_id)
{
	struct cgroup *cgroup = bpf_cgroup_from_id(cgroup_id);
	struct mem_cgroup *memcg;

	if (!cgroup)
		return NULL;
	memcg = bpf_get_mem_cgroup(&cgroup->self);
	bpf_cgroup_release(cgroup);
	return memcg;
}

#endif
