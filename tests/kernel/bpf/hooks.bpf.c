// SPDX-License-Identifier: GPL-2.0-only
/*
 * Three sets of memcg_bpf_ops that do the same: count each call by cgroup, and
 * answer as the global variables say. They differ in nothing but the set that
 * they report, which is how a test tells whose ops a cgroup has.
 */
#include "common.bpf.h"

enum hook {
	HOOK_ONLINE,
	HOOK_OFFLINE,
	HOOK_BELOW_LOW,
	HOOK_BELOW_MIN,
	HOOK_CHARGED,
	HOOK_UNCHARGED,
	HOOK_REFUSE,
};

struct call_key {
	__u64 cgroup_id;
	__u32 hook;
	__u32 set;
};

struct call_record {
	__u64 calls;
	__u64 pages;	 /* charged and uncharged: all of them */
	__u64 batches;	 /* charged and uncharged: calls for MEMCG_CHARGE_BATCH pages */
	__u64 delay_ms;	 /* charged: all that was returned to last_tgid */
	__u64 last_limit; /* below_low and below_min: elow or emin */
	__u64 last_usage; /* below_low and below_min */
	__u64 last_tgid;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct call_key);
	__type(value, struct call_record);
} calls SEC(".maps");

/* Calls that could not be counted. */
__u64 lost_calls;

/* What memcg_charged returns, if the charged cgroup's id is delayed_cgroup_id. */
__u64 delayed_cgroup_id;
__u32 delay_ms;

/* The cgroups that below_low and below_min say are protected. */
__u64 low_cgroup_id;
__u64 min_cgroup_id;

/* The cgroup whose charges refuse_charge has fail. */
__u64 refused_cgroup_id;

/* How long memcg_charged and memcg_uncharged dawdle, to make races likely. */
__u32 dawdle_us;

#define CHARGE_BATCH 64 /* MEMCG_CHARGE_BATCH, a macro of the kernel's */

static int is_over(__u32 round, __u64 *end_ns)
{
	return bpf_ktime_get_ns() >= *end_ns;
}

static void dawdle(void)
{
	__u64 end_ns = bpf_ktime_get_ns() + dawdle_us * 1000ULL;

	bpf_loop(1 << 20, is_over, &end_ns, 0);
}

static struct call_record *record(struct mem_cgroup *memcg, enum hook hook, __u32 set)
{
	static const struct call_record none;
	struct call_key key = {
		.cgroup_id = memcg_cgroup_id(memcg),
		.hook = hook,
		.set = set,
	};
	struct call_record *found = bpf_map_lookup_elem(&calls, &key);

	if (!found) {
		bpf_map_update_elem(&calls, &key, &none, BPF_NOEXIST);
		found = bpf_map_lookup_elem(&calls, &key);
	}
	if (!found) {
		__sync_fetch_and_add(&lost_calls, 1);
		return NULL;
	}
	__sync_fetch_and_add(&found->calls, 1);
	found->last_tgid = bpf_get_current_pid_tgid() >> 32;
	return found;
}

static void count_pages(struct call_record *found, unsigned int nr_pages)
{
	__sync_fetch_and_add(&found->pages, nr_pages);
	if (nr_pages == CHARGE_BATCH)
		__sync_fetch_and_add(&found->batches, 1);
	if (dawdle_us)
		dawdle();
}

static bool answer(struct mem_cgroup *memcg, enum hook hook, __u32 set, __u64 protected_id,
		   unsigned long limit, unsigned long usage)
{
	struct call_record *found = record(memcg, hook, set);

	if (found) {
		found->last_limit = limit;
		found->last_usage = usage;
	}
	return memcg_cgroup_id(memcg) == protected_id;
}

static unsigned int charged(struct mem_cgroup *memcg, unsigned int nr_pages, __u32 set)
{
	struct call_record *found = record(memcg, HOOK_CHARGED, set);

	if (!found)
		return 0;
	count_pages(found, nr_pages);
	if (memcg_cgroup_id(memcg) != delayed_cgroup_id)
		return 0;
	__sync_fetch_and_add(&found->delay_ms, delay_ms);
	return delay_ms;
}

#define DEFINE_SET(name, set)								\
SEC("struct_ops/handle_cgroup_online")							\
void BPF_PROG(name##_online, struct mem_cgroup *memcg)					\
{											\
	record(memcg, HOOK_ONLINE, set);						\
}											\
											\
SEC("struct_ops/handle_cgroup_offline")							\
void BPF_PROG(name##_offline, struct mem_cgroup *memcg)					\
{											\
	record(memcg, HOOK_OFFLINE, set);						\
}											\
											\
SEC("struct_ops/below_low")								\
bool BPF_PROG(name##_below_low, struct mem_cgroup *memcg, unsigned long elow,		\
	      unsigned long usage)							\
{											\
	return answer(memcg, HOOK_BELOW_LOW, set, low_cgroup_id, elow, usage);		\
}											\
											\
SEC("struct_ops/below_min")								\
bool BPF_PROG(name##_below_min, struct mem_cgroup *memcg, unsigned long emin,		\
	      unsigned long usage)							\
{											\
	return answer(memcg, HOOK_BELOW_MIN, set, min_cgroup_id, emin, usage);		\
}											\
											\
SEC("struct_ops/memcg_charged")								\
unsigned int BPF_PROG(name##_charged, struct mem_cgroup *memcg, unsigned int nr_pages)	\
{											\
	return charged(memcg, nr_pages, set);						\
}											\
											\
SEC("struct_ops/memcg_uncharged")							\
void BPF_PROG(name##_uncharged, struct mem_cgroup *memcg, unsigned int nr_pages)	\
{											\
	struct call_record *found = record(memcg, HOOK_UNCHARGED, set);			\
											\
	if (found)									\
		count_pages(found, nr_pages);						\
}											\
											\
SEC("struct_ops/refuse_charge")								\
bool BPF_PROG(name##_refuse, struct mem_cgroup *memcg, unsigned int nr_pages)		\
{											\
	record(memcg, HOOK_REFUSE, set);						\
	return memcg_cgroup_id(memcg) == refused_cgroup_id;				\
}											\
											\
SEC(".struct_ops.link")									\
struct memcg_bpf_ops name = {								\
	.handle_cgroup_online = (void *)name##_online,					\
	.handle_cgroup_offline = (void *)name##_offline,				\
	.below_low = (void *)name##_below_low,						\
	.below_min = (void *)name##_below_min,						\
	.memcg_charged = (void *)name##_charged,					\
	.memcg_uncharged = (void *)name##_uncharged,					\
	.refuse_charge = (void *)name##_refuse,						\
}

DEFINE_SET(first, 1);
DEFINE_SET(second, 2);
DEFINE_SET(third, 3);

/* Every hook may be left out. */
SEC(".struct_ops.link")
struct memcg_bpf_ops only_charged = {
	.memcg_charged = (void *)first_charged,
};

SEC(".struct_ops.link")
struct memcg_bpf_ops empty = {};
