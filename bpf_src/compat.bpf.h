/* SPDX-License-Identifier: GPL-2.0-only */
/* What differs between the kernels that the programs load on. */
#ifndef RECLAIMD_COMPAT_BPF_H
#define RECLAIMD_COMPAT_BPF_H

/* mm/internal.h has these as macros, so BTF does not know them. */
#define MEMCG_RECLAIM_MAY_SWAP	(1 << 1)
#define MEMCG_RECLAIM_PROACTIVE (1 << 2)

/* GFP_KERNEL of the running kernel: user space makes it from BTF's ___GFP_*_BIT. */
const volatile __u32 gfp_kernel;

const volatile __u32 page_bytes;

long bpf_try_to_free_mem_cgroup_pages(struct mem_cgroup *memcg, unsigned long nr_pages,
				      gfp_t gfp_mask, unsigned int reclaim_options,
				      int swappiness) __ksym __weak;

/* Takes bytes, and reclaims MEMCG_CHARGE_BATCH pages at most. */
long bpf_proactive_reclaim(struct mem_cgroup *memcg, unsigned long size,
			   int swappiness) __ksym __weak;

static __always_inline long reclaim_pages(struct mem_cgroup *memcg, __u64 nr_pages, int swappiness)
{
	if (bpf_ksym_exists(bpf_try_to_free_mem_cgroup_pages))
		return bpf_try_to_free_mem_cgroup_pages(memcg, nr_pages, gfp_kernel,
							MEMCG_RECLAIM_MAY_SWAP |
								MEMCG_RECLAIM_PROACTIVE,
							swappiness);
	if (bpf_ksym_exists(bpf_proactive_reclaim))
		return bpf_proactive_reclaim(memcg, nr_pages * page_bytes, swappiness);
	return 0;
}

/*
 * enum memcg_bpf_delay_flags of kernels that can hold up a task after its charge, and
 * that take delays in us. Whether there is one is left to CO-RE, its value is not:
 * libbpf 1.5 takes an enumerator of 32 bits for a negative one.
 */
enum memcg_bpf_delay_flags___known {
	MEMCG_BPF_DELAY_USEC___known = 1U << 30,
	MEMCG_BPF_DELAY_DEFER___known = 1U << 31,
};

#define kernel_has(flag) bpf_core_enum_value_exists(enum memcg_bpf_delay_flags___known, flag)

/* As precisely as this kernel can have it. */
static __always_inline __u64 rounded_us(__u64 delay_us)
{
	if (kernel_has(MEMCG_BPF_DELAY_USEC___known))
		return delay_us;
	return (delay_us + USEC_PER_MSEC - 1) / USEC_PER_MSEC * USEC_PER_MSEC;
}

/* What memcg_charged returns for a delay; it is served on return to user space if the charge may not sleep. */
static __always_inline __u32 delay_of(__u64 delay_us)
{
	__u32 delay;

	if (!delay_us)
		return 0;
	if (kernel_has(MEMCG_BPF_DELAY_USEC___known))
		delay = delay_us | MEMCG_BPF_DELAY_USEC___known;
	else
		delay = delay_us / USEC_PER_MSEC;
	if (kernel_has(MEMCG_BPF_DELAY_DEFER___known))
		delay |= MEMCG_BPF_DELAY_DEFER___known;
	return delay;
}

/* Whether the current task is to be held up on its way back to user space. */
static __always_inline bool owes_delay(void)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return bpf_core_field_exists(task->memcg_bpf_delay_us) && task->memcg_bpf_delay_us;
}

/* enum bpf_wq_flags of kernels that can run work on another CPU than the one that queued it. */
enum bpf_wq_flags___unbound {
	BPF_F_WQ_UNBOUND___unbound = 1U << 0,
};

static __always_inline __u32 work_flags(void)
{
	if (bpf_core_enum_value_exists(enum bpf_wq_flags___unbound, BPF_F_WQ_UNBOUND___unbound))
		return bpf_core_enum_value(enum bpf_wq_flags___unbound, BPF_F_WQ_UNBOUND___unbound);
	return 0;
}

void bpf_cgroup_flush_psi(struct cgroup *cgrp) __ksym __weak;

/* On kernels without it, pressure totals are as old as the last update of the averages: 2 s. */
static __always_inline void flush_psi(struct cgroup *cgrp)
{
	if (bpf_ksym_exists(bpf_cgroup_flush_psi))
		bpf_cgroup_flush_psi(cgrp);
}

void bpf_mem_cgroup_start_writeback(struct mem_cgroup *memcg,
				    unsigned long min_pages) __ksym __weak;

/* Kernels without it look at what is dirty every two seconds. */
static __always_inline bool can_write_back(void)
{
	return bpf_ksym_exists(bpf_mem_cgroup_start_writeback);
}

#endif /* RECLAIMD_COMPAT_BPF_H */
