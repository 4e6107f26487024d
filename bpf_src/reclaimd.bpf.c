// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keeps memory cgroups below their limits in the background.
 *
 * A charge looks at the rules of the charged cgroup and of all its ancestors. One
 * that takes a cgroup to its start threshold begins an episode: it queues that
 * cgroup's work and goes on. The work reclaims one bounded pass after the other
 * until usage is down to the stop threshold, or nothing can be reclaimed. From the
 * back-pressure threshold on, charges are answered with a delay.
 *
 * User space makes the rules and reads the counters. Nothing here waits for it.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "reclaimd.h"
#include "compat.bpf.h"
#include "memcg.bpf.h"

#define NSEC_PER_SEC  1000000000ULL
#define NSEC_PER_MSEC 1000000ULL
#define MSEC_PER_SEC  1000ULL

#define ENOENT 2

/* Passes in a row that bring nothing before an episode gives up. */
#define MAX_IDLE_PASSES 4

/* The pause after that; it doubles as long as nothing gets better. */
#define MIN_BACKOFF_NS (10 * NSEC_PER_MSEC)
#define MAX_BACKOFF_NS (1000 * NSEC_PER_MSEC)

struct cgroup *bpf_cgroup_from_id(u64 cgid) __ksym;
void bpf_cgroup_release(struct cgroup *cgrp) __ksym;
struct mem_cgroup *bpf_get_mem_cgroup(struct cgroup_subsys_state *css) __ksym;
void bpf_put_mem_cgroup(struct mem_cgroup *memcg) __ksym;

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

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, RECLAIMD_RINGBUF_BYTES);
} events SEC(".maps");

__u64 dropped_events;

/* For user space, which finds the types of the maps' values and of events by BTF. */
const struct reclaimd_event *unused_event __attribute__((unused));

static __always_inline __u64 min_u64(__u64 a, __u64 b)
{
	return a < b ? a : b;
}

static void report_offline(__u64 cgroup_id)
{
	struct reclaimd_event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

	if (!event) {
		__sync_fetch_and_add(&dropped_events, 1);
		return;
	}
	__builtin_memset(event, 0, sizeof(*event));
	event->kind = RECLAIMD_EVENT_OFFLINE;
	event->cgroup_id = cgroup_id;
	bpf_ringbuf_submit(event, 0);
}

static void report_episode(__u64 cgroup_id, struct reclaimd_state *state,
			   enum reclaimd_stop_reason reason, __u64 usage_pages)
{
	struct reclaimd_event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

	if (!event) {
		__sync_fetch_and_add(&dropped_events, 1);
		return;
	}
	event->kind = RECLAIMD_EVENT_EPISODE;
	event->cgroup_id = cgroup_id;
	event->episode = state->counters.episodes;
	event->reason = reason;
	event->started_ns = state->started_ns;
	event->ended_ns = bpf_ktime_get_ns();
	event->started_usage_pages = state->started_usage_pages;
	event->ended_usage_pages = usage_pages;
	event->passes = state->passes;
	event->pages_asked = state->pages_asked;
	event->pages_reclaimed = state->pages_reclaimed;
	event->reclaim_ns = state->reclaim_ns;
	bpf_ringbuf_submit(event, 0);
}

/* Only the work of the episode itself ends it: it is the only one that writes. */
static void end_episode(__u64 cgroup_id, struct reclaimd_state *state,
			enum reclaimd_stop_reason reason, __u64 usage_pages)
{
	state->counters.episodes++;
	if (reason == RECLAIMD_NO_PROGRESS) {
		state->counters.give_ups++;
		state->backoff_ns = state->backoff_ns ?
			min_u64(state->backoff_ns * 2, MAX_BACKOFF_NS) : MIN_BACKOFF_NS;
		state->not_before_ns = bpf_ktime_get_ns() + state->backoff_ns;
	}
	report_episode(cgroup_id, state, reason, usage_pages);
	__sync_lock_test_and_set(&state->active, 0);
}

static void start_episode(struct reclaimd_state *state, __u64 usage_pages)
{
	__u64 now;

	if (state->active)
		return;
	now = bpf_ktime_get_ns();
	if (now < state->not_before_ns)
		return;
	if (__sync_val_compare_and_swap(&state->active, 0, 1))
		return;

	state->started_ns = now;
	state->last_pass_ns = now;
	state->started_usage_pages = usage_pages;
	state->passes = 0;
	state->pages_asked = 0;
	state->pages_reclaimed = 0;
	state->reclaim_ns = 0;
	state->idle_passes = 0;
	if (bpf_wq_start(&state->work, 0)) {
		__sync_fetch_and_add(&state->counters.start_failures, 1);
		__sync_lock_test_and_set(&state->active, 0);
		return;
	}
	__sync_fetch_and_add(&state->counters.triggers, 1);
}

/*
 * As long as reclaim needs for what is above the threshold, going by its recent
 * speed, and ever longer than that on the way to delay_full_pages. From there on, or
 * if nothing is known of its speed, the longest there is.
 */
static __u32 back_pressure(const struct reclaimd_rule *rule, struct reclaimd_state *state,
			   __u64 usage_pages)
{
	__u64 delay_ms = rule->max_delay_ms, above, left;

	if (!rule->delay_start_pages || usage_pages < rule->delay_start_pages)
		return 0;

	if (usage_pages < rule->delay_full_pages && state->pages_per_s) {
		above = usage_pages - rule->delay_start_pages;
		left = rule->delay_full_pages - usage_pages;
		delay_ms = min_u64(delay_ms, 1 + above * MSEC_PER_SEC / state->pages_per_s *
						     (above + left) / left);
	}

	__sync_fetch_and_add(&state->counters.delays, 1);
	__sync_fetch_and_add(&state->counters.delay_ms, delay_ms);
	return delay_ms;
}

SEC("struct_ops/memcg_charged")
unsigned int BPF_PROG(reclaimd_charged, struct mem_cgroup *memcg, unsigned int nr_pages)
{
	__u32 delay_ms = 0;
	int level;

	bpf_for(level, 0, RECLAIMD_MAX_DEPTH) {
		__u64 id = memcg_id(memcg), usage_pages;
		struct reclaimd_state *state;
		struct reclaimd_rule *rule;

		rule = bpf_map_lookup_elem(&rules, &id);
		usage_pages = memcg_usage_pages(memcg);
		if (rule && usage_pages >= rule->start_pages) {
			state = bpf_map_lookup_elem(&states, &id);
			if (state) {
				__u32 own_ms;

				start_episode(state, usage_pages);
				own_ms = back_pressure(rule, state, usage_pages);
				if (own_ms > delay_ms)
					delay_ms = own_ms;
			}
		}
		memcg = memcg_parent(memcg);
		if (!memcg)
			break;
	}
	return deferrable(delay_ms);
}

SEC("struct_ops/handle_cgroup_offline")
void BPF_PROG(reclaimd_offline, struct mem_cgroup *memcg)
{
	__u64 id = memcg_id(memcg);

	if (bpf_map_delete_elem(&rules, &id))
		return;
	bpf_map_delete_elem(&states, &id);
	report_offline(id);
}

SEC(".struct_ops.link")
struct memcg_bpf_ops reclaimd_ops = {
	.memcg_charged = (void *)reclaimd_charged,
	.handle_cgroup_offline = (void *)reclaimd_offline,
};

static void count_pass(struct reclaimd_state *state, __u64 asked_pages, __u64 reclaimed_pages,
		       __u64 spent_ns)
{
	__u64 now = bpf_ktime_get_ns(), speed;

	state->passes++;
	state->pages_asked += asked_pages;
	state->pages_reclaimed += reclaimed_pages;
	state->reclaim_ns += spent_ns;
	state->counters.passes++;
	state->counters.pages_asked += asked_pages;
	state->counters.pages_reclaimed += reclaimed_pages;
	state->counters.reclaim_ns += spent_ns;

	/* The wait for a CPU between two passes is part of how fast reclaim is. */
	speed = reclaimed_pages * NSEC_PER_SEC / (now - state->last_pass_ns + 1);
	state->pages_per_s = state->pages_per_s ? (state->pages_per_s * 3 + speed) / 4 : speed;
	state->last_pass_ns = now;

	if (reclaimed_pages) {
		state->idle_passes = 0;
		state->backoff_ns = 0;
	} else {
		state->idle_passes++;
	}
}

/*
 * The states map's element may be deleted, and its memory be another cgroup's, by
 * the time that a pass is over: it is looked up again then.
 */
static void continue_episode(__u64 id, struct mem_cgroup *memcg, __u64 stop_pages,
			     __u64 pass_pages)
{
	__u64 usage_pages = memcg_usage_pages(memcg), asked_pages, spent_ns;
	struct reclaimd_state *state;
	long reclaimed = 0;

	if (usage_pages > stop_pages) {
		asked_pages = min_u64(usage_pages - stop_pages, pass_pages);
		spent_ns = bpf_ktime_get_ns();
		reclaimed = reclaim_pages(memcg, asked_pages);
		spent_ns = bpf_ktime_get_ns() - spent_ns;
		if (reclaimed < 0)
			reclaimed = 0;

		state = bpf_map_lookup_elem(&states, &id);
		if (!state)
			return;
		count_pass(state, asked_pages, reclaimed, spent_ns);
		usage_pages = memcg_usage_pages(memcg);
	} else {
		state = bpf_map_lookup_elem(&states, &id);
		if (!state)
			return;
	}

	if (usage_pages <= stop_pages)
		end_episode(id, state, RECLAIMD_BELOW_STOP, usage_pages);
	else if (state->idle_passes >= MAX_IDLE_PASSES)
		end_episode(id, state, RECLAIMD_NO_PROGRESS, usage_pages);
	else if (bpf_wq_start(&state->work, 0))
		end_episode(id, state, RECLAIMD_RULE_REMOVED, usage_pages);
}

static void abandon_episode(__u64 id, enum reclaimd_stop_reason reason)
{
	struct reclaimd_state *state = bpf_map_lookup_elem(&states, &id);

	if (state)
		end_episode(id, state, reason, 0);
}

static int reclaim_work(void *map, int *key, void *value)
{
	__u64 id = *(__u64 *)key, stop_pages, pass_pages;
	struct reclaimd_rule *rule = bpf_map_lookup_elem(&rules, &id);
	struct mem_cgroup *memcg;
	struct cgroup *cgrp;

	if (!rule) {
		abandon_episode(id, RECLAIMD_RULE_REMOVED);
		return 0;
	}
	stop_pages = rule->stop_pages;
	pass_pages = rule->pass_pages;

	/* Neither is found from the moment on that the cgroup is being removed. */
	cgrp = bpf_cgroup_from_id(id);
	if (!cgrp) {
		abandon_episode(id, RECLAIMD_GONE);
		return 0;
	}
	memcg = bpf_get_mem_cgroup(&cgrp->self);
	bpf_cgroup_release(cgrp);
	if (!memcg) {
		abandon_episode(id, RECLAIMD_GONE);
		return 0;
	}
	continue_episode(id, memcg, stop_pages, pass_pages);
	bpf_put_mem_cgroup(memcg);
	return 0;
}

/* Makes a fresh state ready to have its work queued. Run by user space, once for each. */
SEC("syscall")
int reclaimd_prepare(struct reclaimd_prepare_args *args)
{
	__u64 id = args->cgroup_id;
	struct reclaimd_state *state = bpf_map_lookup_elem(&states, &id);
	int err;

	if (!state)
		return -ENOENT;
	err = bpf_wq_init(&state->work, &states, 0);
	if (err)
		return err;
	return bpf_wq_set_callback(&state->work, reclaim_work, 0);
}

char LICENSE[] SEC("license") = "GPL";
