// SPDX-License-Identifier: GPL-2.0-only
/* A cgroup's memory pressure, brought up to date. */
#include "common.bpf.h"

extern void bpf_cgroup_flush_psi(struct cgroup *cgrp) __ksym;

/* BTF knows total[][NR_PSI_STATES - 1] as one row. */
#define MEMORY_SOME (PSI_AVGS * (NR_PSI_STATES - 1) + PSI_MEM_SOME)

struct pressure_args {
	__u64 cgroup_id;
	__u64 flushed_ns;
};

SEC("syscall")
int pressure(struct pressure_args *args)
{
	struct cgroup *cgroup = bpf_cgroup_from_id(args->cgroup_id);

	if (!cgroup)
		return -ENOENT;
	bpf_cgroup_flush_psi(cgroup);
	args->flushed_ns = cgroup->psi->total[MEMORY_SOME];
	bpf_cgroup_release(cgroup);
	return 0;
}
