// SPDX-License-Identifier: GPL-2.0-only
/* One of everything that the Python bindings handle and that needs no patched kernel. */
#include "common.bpf.h"

struct pair {
	__u32 left;
	__u32 right;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4);
	__type(key, __u64);
	__type(value, struct pair);
} pairs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} per_cpu SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} records SEC(".maps");

const volatile __u32 factor = 1;
__u64 runs;

struct multiply_args {
	struct pair pair;
	__s64 product;
};

SEC("syscall")
int multiply(struct multiply_args *args)
{
	struct multiply_args done = *args;
	__u32 key = 0, *count = bpf_map_lookup_elem(&per_cpu, &key);

	if (count)
		__sync_fetch_and_add(count, 1);
	__sync_fetch_and_add(&runs, 1);
	done.product = (__s64)factor * done.pair.left * done.pair.right;
	args->product = done.product;
	bpf_ringbuf_output(&records, &done, sizeof(done), 0);
	return -(int)args->pair.left;
}

SEC("tp/sched/sched_process_fork")
int count_fork(void *context)
{
	__sync_fetch_and_add(&runs, 1);
	return 0;
}

/* The verifier cannot know that the index is in bounds, and says so. */
SEC("?syscall")
int refused(struct multiply_args *args)
{
	char bytes[8] = {};

	return *(volatile char *)(bytes + args->pair.left);
}
