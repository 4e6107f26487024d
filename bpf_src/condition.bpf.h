/* SPDX-License-Identifier: GPL-2.0-only */
/* Whether conditions, and combinations of them, hold. */
#ifndef RECLAIMD_CONDITION_BPF_H
#define RECLAIMD_CONDITION_BPF_H

#define NSEC_PER_USEC 1000ULL
#define NSEC_PER_MSEC 1000000ULL
#define NSEC_PER_SEC  1000000000ULL

/* How often what a charge cannot see is measured while it may matter. */
#define TICK_NS (50 * NSEC_PER_MSEC)

/* Measurements further apart than this say nothing of the time in between. */
#define MAX_TICK_NS (8 * TICK_NS)

/*
 * By how much a value has grown in the last size_ns, going by where the window in
 * between began and by how much it had grown in the one before: window_update() of
 * kernel/sched/psi.c.
 */
static __always_inline __u64 window_growth(struct reclaimd_window *window, __u64 now_ns,
					   __u64 size_ns, __u64 value)
{
	__u64 elapsed_ns = now_ns - window->started_ns;
	__u64 growth = value - window->started_value;

	if (!window->started_ns || elapsed_ns > size_ns + MAX_TICK_NS)
		growth = 0;
	else if (elapsed_ns <= size_ns)
		return growth + window->previous_growth *
					((size_ns - elapsed_ns) / NSEC_PER_USEC) /
					(size_ns / NSEC_PER_USEC);

	window->started_ns = now_ns;
	window->started_value = value;
	window->previous_growth = growth;
	return growth;
}

/*
 * Compare each condition with what was read, and return a bit for each that is true.
 *
 * What is to start something must have reached its bound. What is to stop an episode,
 * which has run for running_ns, must be down to it, and have been watched for a whole
 * window; but the episode's own measures must have been reached there too.
 */
static __noinline __u32 truth_of(struct reclaimd_combination *combination,
				 struct reclaimd_window *windows, __u64 *readings,
				 __u64 now_ns, __u64 running_ns)
{
	__u32 truth = 0;
	int i;

	bpf_for(i, 0, RECLAIMD_MAX_CONDITIONS) {
		struct reclaimd_condition *condition;
		struct reclaimd_window *window;
		__u64 value;
		bool reached;

		if (i >= combination->nr_conditions)
			break;
		condition = &combination->conditions[i & (RECLAIMD_MAX_CONDITIONS - 1)];
		window = &windows[i & (RECLAIMD_MAX_CONDITIONS - 1)];
		value = readings[condition->metric & (RECLAIMD_MAX_METRICS - 1)];
		if (condition->window_ns)
			value = window_growth(window, now_ns, condition->window_ns, value);
		window->value = value;

		reached = value >= condition->bound;
		if (running_ns && condition->metric < RECLAIMD_RECLAIMED)
			reached = value <= condition->bound &&
				  running_ns >= condition->window_ns;
		if (reached)
			truth |= 1U << (i & (RECLAIMD_MAX_CONDITIONS - 1));
	}
	return truth;
}

/* Which conditions make the combination hold; 0 if it does not. */
static __always_inline __u32 why_holds(const struct reclaimd_combination *combination, __u32 truth)
{
	__u32 reasons = 0;
	int i;

	for (i = 0; i < RECLAIMD_MAX_GROUPS; i++) {
		__u32 group = combination->groups[i];

		if (!group)
			break;
		if (combination->any_of_all) {
			if ((truth & group) == group)
				return group;
		} else {
			if (!(truth & group))
				return 0;
			reasons |= truth & group;
		}
	}
	return reasons;
}

/* The lowest of some bits, as a place in conditions[]. */
static __always_inline __u32 first_of(__u32 bits)
{
	__u32 i;

	for (i = 0; i < RECLAIMD_MAX_CONDITIONS - 1; i++)
		if (bits & (1U << i))
			break;
	return i;
}

#endif /* RECLAIMD_CONDITION_BPF_H */
