// SPDX-License-Identifier: GPL-2.0-only
/* The reclaim kfunc, called on behalf of user space and from a bpf_wq callback. */
#include "common.bpf.h"

extern long bpf_try_to_free_mem_cgroup_pages(struct mem_cgroup *memcg, unsigned long nr_pages,
					     gfp_t gfp_mask, unsigned int reclaim_options,
					     int swappiness) __ksym;

/* GFP_KERNEL, a macro of the kernel's. */
#define GFP_KERNEL                                                            \
	((1U << ___GFP_DIRECT_RECLAIM_BIT) | (1U << ___GFP_KSWAPD_RECLAIM_BIT) | \
	 (1U << ___GFP_IO_BIT) | (1U << ___GFP_FS_BIT))

#define EBUSY 16

struct reclaim_args {
	__u64 cgroup_id;
	__u64 nr_pages;
	__u32 reclaim_options;
	__s32 swappiness;
	__s64 result;
};

static int reclaim_from(struct reclaim_args *args)
{
	struct mem_cgroup *memcg = memcg_by_cgroup_id(args->cgroup_id);

	if (!memcg)
		return -ENOENT;
	args->result = bpf_try_to_free_mem_cgroup_pages(memcg, args->nr_pages, GFP_KERNEL,
							args->reclaim_options, args->swappiness);
	bpf_put_mem_cgroup(memcg);
	return 0;
}

SEC("syscall")
int reclaim(struct reclaim_args *args)
{
	return reclaim_from(args);
}

/* The same from a work queue. */
struct work {
	struct reclaim_args args;
	struct bpf_wq wq;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct work);
} works SEC(".maps");

__s64 work_result;
__u32 work_done;

static int reclaim_in_work(void *map, int *key, void *value)
{
	struct work *work = value;
	struct reclaim_args args = work->args;

	reclaim_from(&args);
	work_result = args.result;
	__sync_fetch_and_add(&work_done, 1);
	return 0;
}

SEC("syscall")
int start_work(struct reclaim_args *args)
{
	__u32 key = 0;
	struct work *work = bpf_map_lookup_elem(&works, &key);
	int err;

	if (!work)
		return -ENOENT;
	work->args = *args;
	err = bpf_wq_init(&work->wq, &works, 0);
	if (err && err != -EBUSY) /* initialised by an earlier call */
		return err;
	err = bpf_wq_set_callback(&work->wq, reclaim_in_work, 0);
	if (err)
		return err;
	return bpf_wq_start(&work->wq, 0);
}
