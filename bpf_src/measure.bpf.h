/* SPDX-License-Identifier: GPL-2.0-only */
/* Reading what conditions look at, from the kernel's own accounts. */
#ifndef RECLAIMD_MEASURE_BPF_H
#define RECLAIMD_MEASURE_BPF_H

unsigned long bpf_mem_cgroup_vm_events(struct mem_cgroup *memcg, enum vm_event_item event) __ksym;
unsigned long bpf_mem_cgroup_memory_events(struct mem_cgroup *memcg,
					   enum memcg_memory_event event) __ksym;
unsigned long bpf_mem_cgroup_page_state(struct mem_cgroup *memcg, int idx) __ksym;
void bpf_mem_cgroup_flush_stats(struct mem_cgroup *memcg) __ksym;

/* An atomic_long_t of mm/swapfile.c. */
extern const void nr_swap_pages __ksym __weak;

/* May sleep. */
static __always_inline void flush_accounts(struct mem_cgroup *memcg, struct cgroup *cgrp, __u32 flags)
{
	if (flags & RECLAIMD_READS_STATS)
		bpf_mem_cgroup_flush_stats(memcg);
	if (flags & RECLAIMD_READS_PSI)
		flush_psi(cgrp);
}

static __always_inline __u64 swap_free_pages(void)
{
	__s64 pages = 0;

	if (&nr_swap_pages)
		bpf_probe_read_kernel(&pages, sizeof(pages), &nr_swap_pages);
	return pages < 0 ? 0 : pages;
}

/* BTF knows psi_group.total[][NR_PSI_STATES - 1] as one row; the averages come first in it. */
static __always_inline __u64 psi_total(struct cgroup *cgrp, enum psi_states state)
{
	return cgrp->psi->total[state];
}

#define READ_PSI(cgrp, state) psi_total(cgrp, bpf_core_enum_value(enum psi_states, state))
#define READ_EVENT(memcg, event) \
	bpf_mem_cgroup_memory_events(memcg, bpf_core_enum_value(enum memcg_memory_event, event))
#define READ_STATE(memcg, item) \
	bpf_mem_cgroup_page_state(memcg, bpf_core_enum_value(enum node_stat_item, item))

static __always_inline void take_readings(__u64 *readings, struct mem_cgroup *memcg,
					  struct cgroup *cgrp)
{
	readings[RECLAIMD_USAGE] = memcg_usage_pages(memcg);
	readings[RECLAIMD_PSI_SOME] = READ_PSI(cgrp, PSI_MEM_SOME);
	readings[RECLAIMD_PSI_FULL] = READ_PSI(cgrp, PSI_MEM_FULL);
	readings[RECLAIMD_PGFAULTS] =
		bpf_mem_cgroup_vm_events(memcg, bpf_core_enum_value(enum vm_event_item, PGFAULT));
	readings[RECLAIMD_REFAULTS_ANON] = READ_STATE(memcg, WORKINGSET_REFAULT_ANON);
	readings[RECLAIMD_REFAULTS_FILE] = READ_STATE(memcg, WORKINGSET_REFAULT_FILE);
	readings[RECLAIMD_REFAULTS] =
		readings[RECLAIMD_REFAULTS_ANON] + readings[RECLAIMD_REFAULTS_FILE];
	readings[RECLAIMD_EVENTS_HIGH] = READ_EVENT(memcg, MEMCG_HIGH);
	readings[RECLAIMD_EVENTS_MAX] = READ_EVENT(memcg, MEMCG_MAX);
	readings[RECLAIMD_EVENTS_OOM] = READ_EVENT(memcg, MEMCG_OOM);
	readings[RECLAIMD_SWAP_FREE] = swap_free_pages();
}

/* What is counted by and by, such as pressure, is as old as its last update: 2 s at most. */
static __always_inline void read_accounts(struct reclaimd_accounts *accounts,
					  struct mem_cgroup *memcg, struct cgroup *cgrp)
{
	accounts->usage_pages = memcg_usage_pages(memcg);
	accounts->psi_some_ns = READ_PSI(cgrp, PSI_MEM_SOME);
	accounts->psi_full_ns = READ_PSI(cgrp, PSI_MEM_FULL);
	accounts->events_low = READ_EVENT(memcg, MEMCG_LOW);
	accounts->events_high = READ_EVENT(memcg, MEMCG_HIGH);
	accounts->events_max = READ_EVENT(memcg, MEMCG_MAX);
	accounts->events_oom = READ_EVENT(memcg, MEMCG_OOM);
	accounts->events_oom_kill = READ_EVENT(memcg, MEMCG_OOM_KILL);
	accounts->read = 1;
}

#endif /* RECLAIMD_MEASURE_BPF_H */
