/* SPDX-License-Identifier: GPL-2.0-only */
/* The life of an episode: how it begins, what its passes do, why it ends. */
#ifndef RECLAIMD_EPISODE_BPF_H
#define RECLAIMD_EPISODE_BPF_H

/* What the kernel's reclaim takes at least (include/linux/swap.h). */
#define SWAP_CLUSTER_MAX 32

/* Passes in a row that bring nothing before an episode gives up. */
#define MAX_IDLE_PASSES 4

/* Monitored policies do not decide the same thing more often. */
#define MIN_MONITOR_PAUSE_NS NSEC_PER_SEC

/* What is to happen next; anything else is a time to wait for, in ns. */
#define NEXT_NOTHING 0
#define NEXT_AT_ONCE 1

static __always_inline __u64 min_u64(__u64 a, __u64 b)
{
	return a < b ? a : b;
}

static __always_inline __u64 max_u64(__u64 a, __u64 b)
{
	return a > b ? a : b;
}

static __always_inline void count_time(struct reclaimd_times *times, __u64 took_ns)
{
	__u64 bound_ns = NSEC_PER_USEC;
	int i;

	for (i = 0; i < RECLAIMD_TIME_BUCKETS - 1 && took_ns > bound_ns; i++)
		bound_ns *= 4;
	times->buckets[i]++;
	times->sum_ns += took_ns;
}

/* For whoever has made the phase STARTING: nobody else writes. */
static __noinline void close_episode(__u64 cgroup_id, struct reclaimd_state *state, __u64 reason,
				     __u64 value, __u64 usage_pages)
{
	struct reclaimd_rule *rule = bpf_map_lookup_elem(&rules, &cgroup_id);
	__u64 pause_ns = rule ? rule->cooldown_ns : 0;

	state->counters.episodes++;
	state->counters.ended_for[reason & (RECLAIMD_MAX_REASONS - 1)]++;
	if (reason != RECLAIMD_MONITORED)
		count_time(&state->counters.durations, bpf_ktime_get_ns() - state->started_ns);
	if (reason == RECLAIMD_NO_PROGRESS && rule) {
		state->counters.give_ups++;
		state->backoff_ns = state->backoff_ns ?
			min_u64(state->backoff_ns * 2, rule->backoff_max_ns) :
			rule->backoff_min_ns;
		pause_ns = max_u64(pause_ns, state->backoff_ns);
	} else if (reason == RECLAIMD_MONITORED) {
		pause_ns = max_u64(pause_ns, MIN_MONITOR_PAUSE_NS);
	}
	if (pause_ns)
		state->not_before_ns = bpf_ktime_get_ns() + pause_ns;
	report_episode(cgroup_id, state, reason, value, usage_pages);
	__sync_lock_test_and_set(&state->phase, RECLAIMD_IDLE);
}

/* End the episode if one runs. Its own work does, and whoever removes its rule: the first of them. */
static __always_inline void end_episode(__u64 cgroup_id, struct reclaimd_state *state,
					__u64 reason, __u64 value, __u64 usage_pages)
{
	if (__sync_val_compare_and_swap(&state->phase, RECLAIMD_RUNNING, RECLAIMD_STARTING) ==
	    RECLAIMD_RUNNING)
		close_episode(cgroup_id, state, reason, value, usage_pages);
}

static __always_inline void count_trigger(struct reclaimd_state *state, __u32 reason)
{
	reason &= RECLAIMD_MAX_METRICS - 1;
	__sync_fetch_and_add(&state->counters.triggers, 1);
	__sync_fetch_and_add(&state->counters.started_for[reason], 1);
}

/* What begins an episode. */
struct cause {
	__u64 metric; /* or RECLAIMD_REQUESTED */
	__u64 value;
	__u64 usage_pages;
	__u64 requested_pages; /* 0: it goes on until the rule's stop holds */
};

/* Begin an episode; -EBUSY if one runs. */
static __always_inline int begin_episode(__u64 cgroup_id, struct reclaimd_rule *rule,
					 struct reclaimd_state *state, const struct cause *cause)
{
	__u64 now_ns = bpf_ktime_get_ns();
	int i, err;

	if (__sync_val_compare_and_swap(&state->phase, RECLAIMD_IDLE, RECLAIMD_STARTING))
		return -EBUSY;

	state->started_ns = now_ns;
	state->last_pass_ns = now_ns;
	state->started_usage_pages = cause->usage_pages;
	state->started_metric = cause->metric;
	state->started_value = cause->value;
	state->requested_pages = cause->requested_pages;
	state->passes = 0;
	state->pages_asked = 0;
	state->pages_reclaimed = 0;
	state->reclaim_ns = 0;
	state->reclaim_cpu_ns = 0;
	state->idle_passes = 0;
	for (i = 0; i < RECLAIMD_MAX_CONDITIONS; i++)
		state->stop_windows[i].started_ns = 0;

	if (rule->flags & RECLAIMD_MONITOR) {
		count_trigger(state, cause->metric);
		close_episode(cgroup_id, state, RECLAIMD_MONITORED, 0, cause->usage_pages);
		return 0;
	}
	__sync_lock_test_and_set(&state->phase, RECLAIMD_RUNNING);
	err = bpf_wq_start(&state->work, 0);
	if (err) {
		__sync_fetch_and_add(&state->counters.start_failures, 1);
		__sync_lock_test_and_set(&state->phase, RECLAIMD_IDLE);
		return err;
	}
	count_trigger(state, cause->metric);
	return 0;
}

/* Begin an episode for what start's conditions say, unless one runs or it is too early for another. */
static __noinline void start_episode(__u64 cgroup_id, struct reclaimd_rule *rule,
				     struct reclaimd_state *state, __u32 why, __u64 usage_pages)
{
	__u32 place = first_of(why) & (RECLAIMD_MAX_CONDITIONS - 1);
	struct cause cause = {
		.metric = rule->start.conditions[place].metric,
		.usage_pages = usage_pages,
	};

	if (bpf_ktime_get_ns() < state->not_before_ns)
		return;
	cause.value = cause.metric == RECLAIMD_USAGE ? usage_pages :
						       state->start_windows[place].value;
	begin_episode(cgroup_id, rule, state, &cause);
}

/* What a second that is over owes to those since: no pass can be stopped in the middle. 0 allowed is any. */
static __always_inline __u64 owed(__u64 spent, __u64 allowed, __u64 seconds)
{
	return allowed && spent > allowed * seconds ? spent - allowed * seconds : 0;
}

/* What of this second's rate and CPU time is left: pages to ask for, or 0 and how long to wait. */
static __always_inline __u64 budget_left(struct reclaimd_rule *rule, struct reclaimd_state *state,
					 __u64 now_ns, __u64 *wait_ns)
{
	__u64 pages = ~0ULL, seconds;

	seconds = (now_ns - state->budget_started_ns) / NSEC_PER_SEC;
	if (seconds) {
		state->budget_started_ns = now_ns;
		state->budget_pages = owed(state->budget_pages, rule->rate_pages_per_s, seconds);
		state->budget_cpu_ns = owed(state->budget_cpu_ns, rule->cpu_ns_per_s, seconds);
		state->budget_held = 0;
	}
	if (rule->rate_pages_per_s)
		pages = rule->rate_pages_per_s > state->budget_pages ?
			rule->rate_pages_per_s - state->budget_pages : 0;
	if (rule->cpu_ns_per_s && state->budget_cpu_ns >= rule->cpu_ns_per_s)
		pages = 0;
	if (!pages) {
		*wait_ns = state->budget_started_ns + NSEC_PER_SEC - now_ns;
		if (!state->budget_held) {
			state->budget_held = 1;
			state->counters.held_back++;
		}
	}
	return pages;
}

static __always_inline void count_pass(struct reclaimd_state *state, __u64 asked_pages,
				       __u64 reclaimed_pages, __u64 spent_ns, __u64 spent_cpu_ns)
{
	__u64 now_ns = bpf_ktime_get_ns(), speed;

	if (reclaimed_pages && !state->pages_reclaimed)
		count_time(&state->counters.first_pages, now_ns - state->started_ns);
	state->passes++;
	state->pages_asked += asked_pages;
	state->pages_reclaimed += reclaimed_pages;
	state->reclaim_ns += spent_ns;
	state->reclaim_cpu_ns += spent_cpu_ns;
	state->budget_pages += reclaimed_pages;
	state->budget_cpu_ns += spent_cpu_ns;
	state->counters.passes++;
	state->counters.pages_asked += asked_pages;
	state->counters.pages_reclaimed += reclaimed_pages;
	state->counters.reclaim_ns += spent_ns;
	state->counters.reclaim_cpu_ns += spent_cpu_ns;

	/* The wait for a CPU between two passes is part of how fast reclaim is. */
	speed = reclaimed_pages * NSEC_PER_SEC / (now_ns - state->last_pass_ns + 1);
	state->pages_per_s = state->pages_per_s ? (state->pages_per_s * 3 + speed) / 4 : speed;
	state->last_pass_ns = now_ns;

	if (reclaimed_pages) {
		state->idle_passes = 0;
		state->backoff_ns = 0;
	} else {
		state->idle_passes++;
	}
}

/* Another rule has other conditions in the places that windows and truths are kept by. */
static __noinline void measure_for(struct reclaimd_state *state, __u64 fingerprint)
{
	int i;

	if (state->measured_for == fingerprint)
		return;
	state->measured_since_ns = state->measured_for ? bpf_ktime_get_ns() : 0;
	state->measured_for = fingerprint;
	state->measured_ns = 0;
	state->start_truth = 0;
	for (i = 0; i < RECLAIMD_MAX_CONDITIONS; i++) {
		state->start_windows[i].started_ns = 0;
		state->stop_windows[i].started_ns = 0;
		state->protect_windows[i].started_ns = 0;
	}
}

/* How often the current task has given up its CPU, or had to. */
static __always_inline __u64 times_switched(void)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return task->nvcsw + task->nivcsw;
}

/* End the episode if stop holds, or if it has brought what was requested. */
static __always_inline bool stop_if_due(__u64 id, struct reclaimd_rule *rule,
					struct reclaimd_state *state, struct mem_cgroup *memcg)
{
	__u64 now_ns, since_ns;
	__u32 why, place;

	if (state->requested_pages) {
		if (state->pages_reclaimed < state->requested_pages)
			return false;
		end_episode(id, state, RECLAIMD_RECLAIMED, state->pages_reclaimed,
			    memcg_usage_pages(memcg));
		return true;
	}
	measure_for(state, rule->fingerprint);
	now_ns = bpf_ktime_get_ns();
	since_ns = max_u64(state->started_ns, state->measured_since_ns);
	state->readings[RECLAIMD_USAGE] = memcg_usage_pages(memcg);
	state->readings[RECLAIMD_RECLAIMED] = state->pages_reclaimed;
	state->readings[RECLAIMD_AFTER] = now_ns - state->started_ns;
	why = why_holds(&rule->stop, truth_of(&rule->stop, state->stop_windows, state->readings,
					      now_ns, now_ns - since_ns + 1));
	if (!why)
		return false;
	place = first_of(why) & (RECLAIMD_MAX_CONDITIONS - 1);
	end_episode(id, state, rule->stop.conditions[place].metric,
		    state->stop_windows[place].value, state->readings[RECLAIMD_USAGE]);
	return true;
}

/*
 * One step of the episode that runs: its end, or a pass. Returns what is next.
 *
 * The maps' elements may be deleted, and their memory be another cgroup's, by the time
 * that a pass is over: they are looked up again then.
 */
static __always_inline __u64 continue_episode(__u64 id, struct mem_cgroup *memcg)
{
	struct reclaimd_rule *rule = bpf_map_lookup_elem(&rules, &id);
	struct reclaimd_state *state = bpf_map_lookup_elem(&states, &id);
	__u64 usage_pages, asked_pages, spent_ns, spent_cpu_ns, switches, wait_ns = 0;
	int swappiness;
	long reclaimed;

	if (!rule || !state || state->phase != RECLAIMD_RUNNING)
		return NEXT_NOTHING;
	if (stop_if_due(id, rule, state, memcg))
		return NEXT_NOTHING;

	usage_pages = memcg_usage_pages(memcg);
	/* It began under another rule: this one only watches, or does not reclaim at all. */
	if (rule->flags & RECLAIMD_MONITOR || !rule->pass_pages) {
		end_episode(id, state, RECLAIMD_RULE_REMOVED, 0, usage_pages);
		return NEXT_NOTHING;
	}
	/* The kernel takes no less than SWAP_CLUSTER_MAX. */
	if (rule->floor_pages ? usage_pages < rule->floor_pages + SWAP_CLUSTER_MAX :
				!usage_pages) {
		end_episode(id, state, RECLAIMD_FLOOR, usage_pages, usage_pages);
		return NEXT_NOTHING;
	}
	asked_pages = min_u64(rule->pass_pages, usage_pages - rule->floor_pages);
	if (state->requested_pages > state->pages_reclaimed)
		asked_pages = min_u64(asked_pages,
				      state->requested_pages - state->pages_reclaimed);
	else if (usage_pages > rule->aim_pages)
		asked_pages = min_u64(asked_pages, usage_pages - rule->aim_pages);
	asked_pages = min_u64(asked_pages,
			      budget_left(rule, state, bpf_ktime_get_ns(), &wait_ns));
	if (!asked_pages)
		return max_u64(wait_ns, NEXT_AT_ONCE);
	swappiness = rule->swappiness;

	switches = times_switched();
	spent_cpu_ns = bpf_get_current_task_btf()->se.sum_exec_runtime;
	spent_ns = bpf_ktime_get_ns();
	if (!state->passes)
		count_time(&state->counters.first_passes, spent_ns - state->started_ns);
	reclaimed = reclaim_pages(memcg, asked_pages, swappiness);
	spent_ns = bpf_ktime_get_ns() - spent_ns;
	spent_cpu_ns = bpf_get_current_task_btf()->se.sum_exec_runtime - spent_cpu_ns;
	/* The account is as of the last tick or switch: a short pass would seem to take nothing. */
	if (times_switched() == switches)
		spent_cpu_ns = spent_ns;

	rule = bpf_map_lookup_elem(&rules, &id);
	state = bpf_map_lookup_elem(&states, &id);
	if (!rule || !state || state->phase != RECLAIMD_RUNNING)
		return NEXT_NOTHING;
	count_pass(state, asked_pages, reclaimed < 0 ? 0 : reclaimed, spent_ns, spent_cpu_ns);
	if (stop_if_due(id, rule, state, memcg))
		return NEXT_NOTHING;
	if (state->idle_passes >= MAX_IDLE_PASSES) {
		end_episode(id, state, RECLAIMD_NO_PROGRESS, state->idle_passes,
			    memcg_usage_pages(memcg));
		return NEXT_NOTHING;
	}
	return NEXT_AT_ONCE;
}

#endif /* RECLAIMD_EPISODE_BPF_H */
