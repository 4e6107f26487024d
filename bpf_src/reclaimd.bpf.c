// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keeps memory cgroups below their limits in the background.
 *
 * A charge looks at the rules of the charged cgroup and of all its ancestors. One
 * that makes a start condition true begins an episode: it queues that cgroup's work
 * and goes on. The work reclaims one bounded pass after the other until the stop
 * condition is true, or nothing can be reclaimed. From the back-pressure threshold
 * on, charges are answered with a delay.
 *
 * What a charge cannot see (pressure, faults, events, free swap) the work measures,
 * which a timer queues for as long as the cgroup is charged.
 *
 * User space makes the rules and reads the counters. Nothing here waits for it.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define USEC_PER_MSEC 1000ULL
#define CLOCK_MONOTONIC 1
/* MEMCG_CHARGE_BATCH (mm/memcontrol.c). */
#define CHARGE_BATCH_PAGES 64
/* As long as a task's default timer slack: no sleep is more precise. */
#define MIN_DELAY_US 50
/* How fast reclaim is where nothing is known of it. */
#define LIKELY_BYTES_PER_S (32U << 20)
/* For which the products of a turn fit in 64 bits, with as many pages as there may be. */
#define MAX_TURN_NS (8 * NSEC_PER_SEC)
/* How often a charge tries for its turn when others take theirs at the same moment. */
#define MAX_TURN_TRIES 4
/* Between two times that write-back is asked for. */
#define WRITE_BACK_PAUSE_NS (10 * NSEC_PER_MSEC)
/* What is dirty is no obstacle to reclaim as long as it is less than so little of all pages. */
#define DIRTY_SHARE 8
#define ENOENT 2
#define EBUSY 16
#define EINVAL 22

#include "reclaimd.h"
#include "compat.bpf.h"
#include "memcg.bpf.h"
#include "condition.bpf.h"
#include "measure.bpf.h"
#include "maps.bpf.h"
#include "episode.bpf.h"

struct cgroup *bpf_cgroup_from_id(u64 cgid) __ksym;
void bpf_cgroup_release(struct cgroup *cgrp) __ksym;
struct mem_cgroup *bpf_get_mem_cgroup(struct cgroup_subsys_state *css) __ksym;
void bpf_put_mem_cgroup(struct mem_cgroup *memcg) __ksym;

/* Queue the work now or, by the timer, later; without it there is no ticking either. */
static __always_inline int queue_work(struct reclaimd_state *state, __u64 wait_ns)
{
	int err = wait_ns ? bpf_timer_start(&state->timer, wait_ns, 0) :
			    bpf_wq_start(&state->work, 0);

	if (err) {
		__sync_fetch_and_add(&state->counters.start_failures, 1);
		state->ticking = 0;
	}
	return err;
}

/*
 * The rule has to be looked at again by and by, until a while after the last charge;
 * and at once for the first time: what grows from now on is to be seen growing.
 */
static __always_inline void keep_ticking(struct reclaimd_state *state)
{
	state->charged_ns = bpf_ktime_get_ns();
	if (!state->ticking && !__sync_val_compare_and_swap(&state->ticking, 0, 1))
		queue_work(state, 0);
}

/* With the usage of this moment, and what was last measured of the rest. */
static __noinline void start_if_due(__u64 cgroup_id, struct reclaimd_rule *rule,
				    struct reclaimd_state *state, __u64 usage_pages)
{
	__u32 truth = 0, why;
	int i;

	if (state->phase != RECLAIMD_IDLE)
		return;
	if (state->measured_for == rule->fingerprint &&
	    bpf_ktime_get_ns() - state->measured_ns <= MAX_TICK_NS)
		truth = state->start_truth;
	bpf_for(i, 0, RECLAIMD_MAX_CONDITIONS) {
		const struct reclaimd_condition *condition;

		if (i >= rule->start.nr_conditions)
			break;
		condition = &rule->start.conditions[i & (RECLAIMD_MAX_CONDITIONS - 1)];
		if (condition->metric == RECLAIMD_USAGE && usage_pages >= condition->bound)
			truth |= 1U << (i & (RECLAIMD_MAX_CONDITIONS - 1));
	}
	why = why_holds(&rule->start, truth);
	if (why)
		start_episode(cgroup_id, rule, state, why, usage_pages);
}

/*
 * Dirty pages can be reclaimed only once they are clean, and the kernel learns of them every
 * two seconds: in less, a cgroup can fill up with them. So write-back is started in time.
 */
static __always_inline bool wants_write_back(const struct reclaimd_rule *rule, __u64 usage_pages)
{
	return can_write_back() && !(rule->flags & RECLAIMD_MONITOR) && rule->write_back_pages &&
	       usage_pages >= rule->write_back_pages;
}

static __always_inline bool is_write_back_due(const struct reclaimd_state *state)
{
	return bpf_ktime_get_ns() - state->wrote_back_ns >= WRITE_BACK_PAUSE_NS;
}

/* Have the work start it; an episode's does anyway. */
static __noinline void have_written_back(__u64 cgroup_id)
{
	struct reclaimd_state *state = bpf_map_lookup_elem(&states, &cgroup_id);

	if (state && state->phase == RECLAIMD_IDLE && is_write_back_due(state) &&
	    bpf_wq_start(&state->work, 0))
		__sync_fetch_and_add(&state->counters.start_failures, 1);
}

/* How long reclaim needs for a page, going by its recent passes and the one that runs; 0: for ever. */
static __always_inline __u64 ns_per_page(const struct reclaimd_rule *rule,
					 const struct reclaimd_state *state, __u64 now_ns)
{
	__u64 speed = state->pages_per_s, took_ns = 0;

	if (!state->counters.passes)
		speed = LIKELY_BYTES_PER_S / page_bytes;
	if (!speed)
		return 0;
	if (state->phase == RECLAIMD_RUNNING && now_ns > state->last_pass_ns)
		took_ns = now_ns - state->last_pass_ns;
	return max_u64(NSEC_PER_SEC / speed, took_ns / (rule->pass_pages + 1));
}

/*
 * How long a charge keeps the next ones waiting: as long as reclaim needs for its pages, but
 * less than that close to the threshold, and ever longer on the way to delay_full_pages. From
 * there on, or if passes bring nothing, the longest there is.
 */
static __always_inline __u64 turn_ns(const struct reclaimd_rule *rule,
				     const struct reclaimd_state *state, __u64 usage_pages,
				     __u64 nr_pages, __u64 now_ns, __u64 max_ns)
{
	__u64 page_ns = ns_per_page(rule, state, now_ns), above, left, turn;

	if (usage_pages >= rule->delay_full_pages || !page_ns)
		return max_ns;
	above = usage_pages - rule->delay_start_pages;
	left = rule->delay_full_pages - usage_pages;
	turn = min_u64(MAX_TURN_NS, nr_pages * page_ns);
	turn = min_u64(max_ns, turn * above / left);
	return min_u64(max_ns, turn * (above + left) / left);
}

/*
 * Above the threshold charges take turns, whoever makes them, so that all of them together
 * are no faster than reclaim. Each waits for the end of its own.
 */
static __noinline __u64 take_turn_ns(const struct reclaimd_rule *rule,
				     struct reclaimd_state *state, __u64 usage_pages,
				     __u64 nr_pages)
{
	__u64 max_ns = rule->max_delay_ms * NSEC_PER_MSEC, now_ns = bpf_ktime_get_ns();
	__u64 takes_ns = turn_ns(rule, state, usage_pages, nr_pages, now_ns, max_ns);
	__u64 waits_ns = takes_ns;
	int i;

	/* Nobody waits where it is only counted. */
	if (rule->flags & RECLAIMD_MONITOR)
		return waits_ns;
	bpf_for(i, 0, MAX_TURN_TRIES) {
		__u64 last_ns = state->turns_end_ns;

		waits_ns = min_u64(max_ns, max_u64(now_ns, last_ns) - now_ns + takes_ns);
		if (__sync_val_compare_and_swap(&state->turns_end_ns, last_ns,
						now_ns + waits_ns) == last_ns)
			break;
	}
	return waits_ns;
}

static __always_inline __u64 back_pressure_us(const struct reclaimd_rule *rule,
					      struct reclaimd_state *state, __u64 usage_pages,
					      __u64 nr_pages)
{
	__u64 delay_us;

	if (!rule->delay_start_pages || usage_pages < rule->delay_start_pages)
		return 0;
	delay_us = take_turn_ns(rule, state, usage_pages, nr_pages) / NSEC_PER_USEC;
	/* What is too short to be slept is left to those whose turn comes after it. */
	if (delay_us < MIN_DELAY_US)
		return 0;
	delay_us = rounded_us(delay_us);
	__sync_fetch_and_add(&state->counters.delays, 1);
	__sync_fetch_and_add(&state->counters.delay_us, delay_us);
	return delay_us;
}

/* The longest delay that is due to the protection of others. */
static __always_inline __u64 throttle_us(const struct reclaimd_rule *rule,
					 struct reclaimd_state *state)
{
	__u32 delay_ms = 0;
	int i;

	for (i = 0; i < RECLAIMD_MAX_THROTTLES; i++) {
		__u64 id = rule->throttles[i].cgroup_id;
		struct reclaimd_state *other;

		if (!id)
			break;
		other = bpf_map_lookup_elem(&states, &id);
		if (other && bpf_ktime_get_ns() < other->protected_until_ns &&
		    rule->throttles[i].delay_ms > delay_ms)
			delay_ms = rule->throttles[i].delay_ms;
	}
	if (delay_ms) {
		__sync_fetch_and_add(&state->counters.throttles, 1);
		__sync_fetch_and_add(&state->counters.throttle_ms, delay_ms);
	}
	return delay_ms * USEC_PER_MSEC;
}

/* Carry out the cgroup's rule; returns its delay in us. */
static __noinline __u64 charged_by_rule(__u64 cgroup_id, struct reclaimd_rule *rule,
					__u64 usage_pages, __u64 nr_pages)
{
	struct reclaimd_state *state = bpf_map_lookup_elem(&states, &cgroup_id);
	__u64 delay_us;

	if (!state) {
		__sync_fetch_and_add(&ungoverned_charges, 1);
		return 0;
	}
	if (rule->flags & RECLAIMD_TIMED)
		keep_ticking(state);
	start_if_due(cgroup_id, rule, state, usage_pages);
	delay_us = max_u64(back_pressure_us(rule, state, usage_pages, nr_pages),
			   throttle_us(rule, state));
	return rule->flags & RECLAIMD_MONITOR ? 0 : delay_us;
}

SEC("struct_ops/memcg_charged")
unsigned int BPF_PROG(reclaimd_charged, struct mem_cgroup *memcg, unsigned int nr_pages)
{
	bool governed = false;
	__u64 delay_us = 0;
	int level;

	bpf_for(level, 0, RECLAIMD_MAX_DEPTH) {
		__u64 id = memcg_id(memcg), usage_pages;
		struct reclaimd_rule *rule;

		rule = bpf_map_lookup_elem(&rules, &id);
		if (rule)
			governed = true;
		usage_pages = memcg_usage_pages(memcg);
		if (rule && wants_write_back(rule, usage_pages))
			have_written_back(id);
		if (rule && usage_pages >= rule->wake_pages)
			delay_us = max_u64(delay_us, charged_by_rule(id, rule, usage_pages, nr_pages));
		memcg = memcg_parent(memcg);
		if (!memcg)
			break;
	}
	if (!governed)
		__sync_fetch_and_add(&ungoverned_charges, 1);
	return delay_of(delay_us);
}

/*
 * Whether a rule has a charge refused. Readahead locks as many pages as it likes before they
 * are read, which until then nobody can reclaim: it has to end where passes bring nothing,
 * and where its task is to be held up for it already, or delays would add up in one go.
 * Near the limit the stocks that tasks fill take all that is left, and so do a few huge
 * pages: there are none either while others wait for their turn.
 */
static __noinline bool refused_by_rule(__u64 cgroup_id, struct reclaimd_rule *rule,
				       __u64 usage_pages, unsigned int nr_pages)
{
	struct reclaimd_state *state = bpf_map_lookup_elem(&states, &cgroup_id);
	__u64 middle_pages = (rule->delay_start_pages + rule->delay_full_pages) / 2;
	bool refused;

	if (!state)
		return false;
	if (nr_pages > CHARGE_BATCH_PAGES)
		refused = usage_pages + nr_pages > middle_pages ||
			  bpf_ktime_get_ns() < state->turns_end_ns;
	else if (nr_pages == CHARGE_BATCH_PAGES)
		refused = usage_pages + nr_pages > rule->delay_full_pages || owes_delay();
	else
		refused = state->idle_passes || owes_delay();
	if (!refused)
		return false;
	__sync_fetch_and_add(&state->counters.refusals, 1);
	return !(rule->flags & RECLAIMD_MONITOR);
}

/* Under back-pressure tasks do without what they can do without. */
SEC("struct_ops/refuse_charge")
bool BPF_PROG(reclaimd_refuse, struct mem_cgroup *memcg, unsigned int nr_pages)
{
	bool refused = false;
	int level;

	bpf_for(level, 0, RECLAIMD_MAX_DEPTH) {
		__u64 id = memcg_id(memcg), usage_pages;
		struct reclaimd_rule *rule = bpf_map_lookup_elem(&rules, &id);

		if (rule && rule->delay_start_pages) {
			usage_pages = memcg_usage_pages(memcg);
			if (usage_pages + nr_pages > rule->delay_start_pages)
				refused |= refused_by_rule(id, rule, usage_pages, nr_pages);
		}
		memcg = memcg_parent(memcg);
		if (!memcg)
			break;
	}
	return refused;
}

/*
 * Whether a cgroup may be what reclaim is from: of its own limit, or of its own rule. Hooks are
 * not told, and no protection of a cgroup is against these.
 */
static __always_inline bool may_be_target(struct mem_cgroup *memcg, struct reclaimd_state *state)
{
	__u64 full_pages = memcg_usage_pages(memcg) + CHARGE_BATCH_PAGES;

	return state->phase == RECLAIMD_RUNNING || full_pages > memcg->memory.max ||
	       full_pages > memcg->memory.high;
}

/* Whether this cgroup, or one that it is in, is protected in this way at the moment. */
static __noinline bool is_protected(struct mem_cgroup *memcg, __u32 protect_as)
{
	int level;

	bpf_for(level, 0, RECLAIMD_MAX_DEPTH) {
		__u64 id = memcg_id(memcg);
		struct reclaimd_state *state;
		struct reclaimd_rule *rule;

		rule = bpf_map_lookup_elem(&rules, &id);
		if (rule && rule->protect_as == protect_as && !(rule->flags & RECLAIMD_MONITOR)) {
			state = bpf_map_lookup_elem(&states, &id);
			if (state && bpf_ktime_get_ns() < state->protected_until_ns &&
			    !(level && may_be_target(memcg, state)))
				return true;
		}
		memcg = memcg_parent(memcg);
		if (!memcg)
			break;
	}
	return false;
}

SEC("struct_ops/below_low")
bool BPF_PROG(reclaimd_below_low, struct mem_cgroup *memcg, unsigned long elow,
	      unsigned long usage)
{
	return is_protected(memcg, RECLAIMD_PROTECT_LOW);
}

SEC("struct_ops/below_min")
bool BPF_PROG(reclaimd_below_min, struct mem_cgroup *memcg, unsigned long emin,
	      unsigned long usage)
{
	return is_protected(memcg, RECLAIMD_PROTECT_MIN);
}

/* Leave nothing of a cgroup's rule. The rule goes first: without it no episode begins. */
static __noinline void forget(__u64 id, enum reclaimd_stop_reason reason, __u64 usage_pages)
{
	struct reclaimd_state *state;

	bpf_map_delete_elem(&rules, &id);
	state = bpf_map_lookup_elem(&states, &id);
	if (state)
		end_episode(id, state, reason, 0, usage_pages);
	bpf_map_delete_elem(&states, &id);
	bpf_map_delete_elem(&carried, &id);
}

SEC("struct_ops/handle_cgroup_offline")
void BPF_PROG(reclaimd_offline, struct mem_cgroup *memcg)
{
	__u64 id = memcg_id(memcg);

	if (!bpf_map_lookup_elem(&rules, &id))
		return;
	forget(id, RECLAIMD_GONE, memcg_usage_pages(memcg));
	report_offline(id);
}

SEC(".struct_ops.link")
struct memcg_bpf_ops reclaimd_ops = {
	.memcg_charged = (void *)reclaimd_charged,
	.below_low = (void *)reclaimd_below_low,
	.below_min = (void *)reclaimd_below_min,
	.handle_cgroup_offline = (void *)reclaimd_offline,
	.refuse_charge = (void *)reclaimd_refuse,
};

/* Protection is prolonged for as long as its condition holds. */
static __always_inline void protect_if_due(__u64 id, struct reclaimd_rule *rule,
					   struct reclaimd_state *state, __u64 now_ns)
{
	__u32 why, place;

	if (!rule->protect.nr_conditions)
		return;
	why = why_holds(&rule->protect, truth_of(&rule->protect, state->protect_windows,
						 state->readings, now_ns, 0));
	if (!why)
		return;
	if (now_ns >= state->protected_until_ns) {
		place = first_of(why) & (RECLAIMD_MAX_CONDITIONS - 1);
		state->counters.protections++;
		report_protected(id, rule->protect.conditions[place].metric,
				 state->protect_windows[place].value, now_ns);
	}
	state->protected_until_ns = now_ns + rule->protect_for_ns;
}

/* Measure what charges cannot, if it is time to, and act on it. */
static __always_inline void tick(__u64 id, struct mem_cgroup *memcg, struct cgroup *cgrp)
{
	struct reclaimd_rule *rule = bpf_map_lookup_elem(&rules, &id);
	struct reclaimd_state *state = bpf_map_lookup_elem(&states, &id);
	__u64 now_ns;
	__u32 flags;

	if (!rule || !state)
		return;
	flags = rule->flags;
	if (!(flags & RECLAIMD_TIMED) &&
	    !(flags & RECLAIMD_STOP_TIMED && state->phase == RECLAIMD_RUNNING))
		return;
	/* The timer is never early; an episode's passes are. */
	if (bpf_ktime_get_ns() - state->measured_ns < TICK_NS)
		return;
	flush_accounts(memcg, cgrp, flags);

	rule = bpf_map_lookup_elem(&rules, &id);
	state = bpf_map_lookup_elem(&states, &id);
	if (!rule || !state)
		return;
	measure_for(state, rule->fingerprint);
	now_ns = bpf_ktime_get_ns();
	take_readings(state->readings, memcg, cgrp);
	state->counters.ticks++;
	state->start_truth =
		truth_of(&rule->start, state->start_windows, state->readings, now_ns, 0);
	state->measured_ns = now_ns;
	protect_if_due(id, rule, state, now_ns);
	start_if_due(id, rule, state, state->readings[RECLAIMD_USAGE]);
}

static __always_inline void write_back(__u64 id, struct mem_cgroup *memcg)
{
	struct reclaimd_rule *rule = bpf_map_lookup_elem(&rules, &id);
	struct reclaimd_state *state = bpf_map_lookup_elem(&states, &id);
	__u64 usage_pages = memcg_usage_pages(memcg);

	if (!rule || !state || !wants_write_back(rule, usage_pages) || !is_write_back_due(state))
		return;
	state->wrote_back_ns = bpf_ktime_get_ns();
	state->counters.write_backs++;
	bpf_mem_cgroup_start_writeback(memcg, usage_pages / DIRTY_SHARE);
}

/* Have the work run again when that is of use. */
static __always_inline void arrange_next(__u64 id, __u64 next)
{
	struct reclaimd_rule *rule = bpf_map_lookup_elem(&rules, &id);
	struct reclaimd_state *state = bpf_map_lookup_elem(&states, &id);
	__u64 now_ns = bpf_ktime_get_ns();

	if (!rule || !state)
		return;
	if (next != NEXT_AT_ONCE) {
		if (state->ticking && !next && now_ns - state->charged_ns >= rule->linger_ns &&
		    now_ns >= state->protected_until_ns)
			state->ticking = 0;
		if (state->ticking)
			next = next ? min_u64(next, TICK_NS) : TICK_NS;
		if (!next)
			return;
	}
	/* Without the next step of it an episode is over: no other could begin. */
	if (queue_work(state, next == NEXT_AT_ONCE ? 0 : next))
		end_episode(id, state, RECLAIMD_RULE_REMOVED, 0, 0);
}

static void abandon(__u64 id, enum reclaimd_stop_reason reason)
{
	struct reclaimd_state *state = bpf_map_lookup_elem(&states, &id);

	if (!state)
		return;
	state->ticking = 0;
	end_episode(id, state, reason, 0, 0);
}

static int do_work(void *map, int *key, void *value)
{
	__u64 id = *(__u64 *)key;
	struct mem_cgroup *memcg;
	struct cgroup *cgrp;
	__u64 next;

	if (!bpf_map_lookup_elem(&rules, &id)) {
		abandon(id, RECLAIMD_RULE_REMOVED);
		return 0;
	}
	/* Neither is found from the moment on that the cgroup is being removed. */
	cgrp = bpf_cgroup_from_id(id);
	if (!cgrp) {
		abandon(id, RECLAIMD_GONE);
		return 0;
	}
	memcg = bpf_get_mem_cgroup(&cgrp->self);
	if (memcg) {
		tick(id, memcg, cgrp);
		next = continue_episode(id, memcg);
		write_back(id, memcg);
		arrange_next(id, next);
		bpf_put_mem_cgroup(memcg);
	} else {
		abandon(id, RECLAIMD_GONE);
	}
	bpf_cgroup_release(cgrp);
	return 0;
}

static int on_timer(void *map, __u64 *key, struct reclaimd_state *state)
{
	queue_work(state, 0);
	return 0;
}

/* Makes a fresh state ready to have its work queued. Run by user space, once for each. */
SEC("syscall")
int reclaimd_prepare(struct reclaimd_cgroup_args *args)
{
	__u64 id = args->cgroup_id;
	struct reclaimd_state *state = bpf_map_lookup_elem(&states, &id);
	int err;

	if (!state)
		return -ENOENT;
	err = bpf_timer_init(&state->timer, &states, CLOCK_MONOTONIC);
	if (err)
		return err;
	err = bpf_timer_set_callback(&state->timer, on_timer);
	if (err)
		return err;
	err = bpf_wq_init(&state->work, &states, work_flags());
	if (err)
		return err;
	return bpf_wq_set_callback(&state->work, do_work, 0);
}

/* The usage of a cgroup in pages, -ENOENT if it is being removed. */
static __noinline long usage_pages_of(__u64 id)
{
	struct cgroup *cgrp = bpf_cgroup_from_id(id);
	struct mem_cgroup *memcg;
	long usage_pages = -ENOENT;

	if (!cgrp)
		return -ENOENT;
	memcg = bpf_get_mem_cgroup(&cgrp->self);
	if (memcg) {
		usage_pages = memcg_usage_pages(memcg);
		bpf_put_mem_cgroup(memcg);
	}
	bpf_cgroup_release(cgrp);
	return usage_pages;
}

/* Begins an episode that reclaims so much, if it can. Run by user space. */
SEC("syscall")
int reclaimd_request(struct reclaimd_request_args *args)
{
	__u64 id = args->cgroup_id;
	struct reclaimd_rule *rule = bpf_map_lookup_elem(&rules, &id);
	struct reclaimd_state *state = bpf_map_lookup_elem(&states, &id);
	struct cause cause = {
		.metric = RECLAIMD_REQUESTED,
		.value = args->pages,
		.requested_pages = args->pages,
	};
	long usage_pages;

	if (!rule || !state)
		return -ENOENT;
	/* The rule of a cgroup that is only protected or throttled. */
	if (!rule->pass_pages || !args->pages)
		return -EINVAL;
	usage_pages = usage_pages_of(id);
	if (usage_pages < 0)
		return usage_pages;
	cause.usage_pages = usage_pages;
	return begin_episode(id, rule, state, &cause);
}

/* Removes a cgroup's rule, and what was counted under it. Run by user space. */
SEC("syscall")
int reclaimd_forget(struct reclaimd_cgroup_args *args)
{
	long usage_pages = usage_pages_of(args->cgroup_id);

	forget(args->cgroup_id, RECLAIMD_RULE_REMOVED, usage_pages < 0 ? 0 : usage_pages);
	return 0;
}

static long read_accounts_of(struct bpf_map *map, __u64 *key, struct reclaimd_state *state, void *ctx)
{
	struct cgroup *cgrp = bpf_cgroup_from_id(*key);
	struct mem_cgroup *memcg;

	if (!cgrp)
		return 0;
	memcg = bpf_get_mem_cgroup(&cgrp->self);
	if (memcg) {
		read_accounts(&state->accounts, memcg, cgrp);
		bpf_put_mem_cgroup(memcg);
	}
	bpf_cgroup_release(cgrp);
	return 0;
}

/* Brings every state's accounts up to date. Run by user space before it reads them. */
SEC("syscall")
int reclaimd_read_accounts(void *ctx)
{
	return bpf_for_each_map_elem(&states, read_accounts_of, NULL, 0);
}

char LICENSE[] SEC("license") = "GPL";
