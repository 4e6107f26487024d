/* SPDX-License-Identifier: GPL-2.0-only */
/* Reading a memory cgroup and those above it. No call, no reference, no lock. */
#ifndef RECLAIMD_MEMCG_BPF_H
#define RECLAIMD_MEMCG_BPF_H

static __always_inline __u64 memcg_id(struct mem_cgroup *memcg)
{
	return memcg->css.cgroup->kn->id;
}

static __always_inline __u64 memcg_usage_pages(struct mem_cgroup *memcg)
{
	return memcg->memory.usage.counter;
}

/* NULL above the root. */
static __always_inline struct mem_cgroup *memcg_parent(struct mem_cgroup *memcg)
{
	struct cgroup_subsys_state *css = memcg->css.parent;

	if (!css)
		return NULL;
	return bpf_core_cast((void *)css - bpf_core_field_offset(struct mem_cgroup, css),
			     struct mem_cgroup);
}

#endif /* RECLAIMD_MEMCG_BPF_H */
