/* SPDX-License-Identifier: GPL-2.0-only */
/* The maps, and what goes into the ring buffer. */
#ifndef RECLAIMD_MAPS_BPF_H
#define RECLAIMD_MAPS_BPF_H

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, RECLAIMD_MAX_RULES);
	__type(key, __u64);
	__type(value, struct reclaimd_rule);
} rules SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, RECLAIMD_MAX_RULES);
	__type(key, __u64);
	__type(value, struct reclaimd_state);
} states SEC(".maps");

/* What programs that these took the place of had counted; user space writes. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, RECLAIMD_MAX_RULES);
	__type(key, __u64);
	__type(value, struct reclaimd_counters);
} carried SEC(".maps");

/*
 * The object's own BTF, by which a daemon that loads other programs reads what these have counted. User space sizes
 * and fills it: what the kernel has of it, it shows to CAP_SYS_ADMIN only.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u64));
} types SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, RECLAIMD_RINGBUF_BYTES);
} events SEC(".maps");

__u64 dropped_events;
__u64 carried_dropped_events;

/* Charges below an attachment for which there was no rule: a gap in the rules. */
__u64 ungoverned_charges;
__u64 carried_ungoverned_charges;

/* For user space, which finds the types of the maps' values and of events by BTF. */
const struct reclaimd_event *unused_event __attribute__((unused));

/* Zeroed, to be submitted; NULL if there is no room, which is counted. */
static __always_inline struct reclaimd_event *new_event(enum reclaimd_event_kind kind,
							__u64 cgroup_id)
{
	struct reclaimd_event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

	if (!event) {
		__sync_fetch_and_add(&dropped_events, 1);
		return NULL;
	}
	__builtin_memset(event, 0, sizeof(*event));
	event->kind = kind;
	event->cgroup_id = cgroup_id;
	return event;
}

static void report_offline(__u64 cgroup_id)
{
	struct reclaimd_event *event = new_event(RECLAIMD_EVENT_OFFLINE, cgroup_id);

	if (event)
		bpf_ringbuf_submit(event, 0);
}

static void report_protected(__u64 cgroup_id, __u64 metric, __u64 value, __u64 now_ns)
{
	struct reclaimd_event *event = new_event(RECLAIMD_EVENT_PROTECTED, cgroup_id);

	if (!event)
		return;
	event->start_metric = metric;
	event->start_value = value;
	event->started_ns = now_ns;
	bpf_ringbuf_submit(event, 0);
}

static void report_episode(__u64 cgroup_id, struct reclaimd_state *state, __u64 reason,
			   __u64 stop_value, __u64 usage_pages)
{
	struct reclaimd_event *event = new_event(RECLAIMD_EVENT_EPISODE, cgroup_id);

	if (!event)
		return;
	event->episode = state->counters.episodes;
	event->start_metric = state->started_metric;
	event->start_value = state->started_value;
	event->reason = reason;
	event->stop_value = stop_value;
	event->started_ns = state->started_ns;
	event->ended_ns = bpf_ktime_get_ns();
	event->started_usage_pages = state->started_usage_pages;
	event->ended_usage_pages = usage_pages;
	event->passes = state->passes;
	event->pages_asked = state->pages_asked;
	event->pages_reclaimed = state->pages_reclaimed;
	event->reclaim_ns = state->reclaim_ns;
	event->reclaim_cpu_ns = state->reclaim_cpu_ns;
	bpf_ringbuf_submit(event, 0);
}

#endif /* RECLAIMD_MAPS_BPF_H */
