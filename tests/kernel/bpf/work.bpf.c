// SPDX-License-Identifier: GPL-2.0-only
/* A work item, and the CPU that it runs on. */
#include "common.bpf.h"

struct work {
	struct bpf_wq wq;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct work);
} works SEC(".maps");

struct work_args {
	__u32 flags;
	__u32 cpu; /* where it was queued */
};

__u32 ran;
__u32 ran_on_cpu;

static int note_cpu(void *map, int *key, void *value)
{
	ran_on_cpu = bpf_get_smp_processor_id();
	__sync_fetch_and_add(&ran, 1);
	return 0;
}

SEC("syscall")
int queue(struct work_args *args)
{
	struct work *work, fresh = {};
	__u32 key = 0;
	int err;

	bpf_map_delete_elem(&works, &key);
	bpf_map_update_elem(&works, &key, &fresh, 0);
	work = bpf_map_lookup_elem(&works, &key);
	if (!work)
		return -ENOENT;
	err = bpf_wq_init(&work->wq, &works, args->flags);
	if (err)
		return err;
	err = bpf_wq_set_callback(&work->wq, note_cpu, 0);
	if (err)
		return err;
	args->cpu = bpf_get_smp_processor_id();
	return bpf_wq_start(&work->wq, 0);
}
