/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Everything that the BPF programs and the daemon share: the one definition.
 * The daemon's mirror (daemon/reclaimd/kernel/layout.py) is compared with the
 * object's BTF, member by member, before the object is loaded.
 *
 * Included after vmlinux.h, which brings __u32, __u64, struct bpf_wq and bpf_timer.
 */
#ifndef RECLAIMD_H
#define RECLAIMD_H

/* Cgroups with a rule of their own, at most. */
#define RECLAIMD_MAX_RULES 16384

/* Levels of the cgroup tree that a charge is followed up. */
#define RECLAIMD_MAX_DEPTH 32

#define RECLAIMD_RINGBUF_BYTES (256 * 1024)

/* Powers of two: they are used as masks. */
#define RECLAIMD_MAX_CONDITIONS 8
#define RECLAIMD_MAX_METRICS	16
#define RECLAIMD_MAX_REASONS	32

#define RECLAIMD_TIME_BUCKETS 16

#define RECLAIMD_MAX_GROUPS    4
#define RECLAIMD_MAX_THROTTLES 4

/* What conditions look at; all but the first are measured by the work, not at charge. */
enum reclaimd_metric {
	RECLAIMD_USAGE = 0,	/* pages */
	RECLAIMD_PSI_SOME = 1,	/* ns of stall, grows */
	RECLAIMD_PSI_FULL = 2,
	RECLAIMD_PGFAULTS = 3,	/* a number, grows; likewise below */
	RECLAIMD_REFAULTS = 4,
	RECLAIMD_REFAULTS_ANON = 5,
	RECLAIMD_REFAULTS_FILE = 6,
	RECLAIMD_EVENTS_HIGH = 7,
	RECLAIMD_EVENTS_MAX = 8,
	RECLAIMD_EVENTS_OOM = 9,
	RECLAIMD_SWAP_FREE = 10, /* pages, of the machine */
	RECLAIMD_RECLAIMED = 11, /* pages, in this episode */
	RECLAIMD_AFTER = 12,	 /* ns since this episode began */
};

struct reclaimd_condition {
	__u64 bound;
	__u64 window_ns; /* for what grows: by how much in this time; otherwise 0 */
	__u32 metric;
	__u32 pad;
};

/* Conditions joined by any and all, nested once. Without groups it never holds. */
struct reclaimd_combination {
	struct reclaimd_condition conditions[RECLAIMD_MAX_CONDITIONS];
	__u32 groups[RECLAIMD_MAX_GROUPS]; /* a bit for each condition in it; 0: unused */
	__u32 nr_conditions;
	__u32 any_of_all; /* 1: all of any group, 0: any of all groups */
};

/* Each charge waits for delay_ms while the cgroup is protected. */
struct reclaimd_throttle {
	__u64 cgroup_id; /* 0: unused */
	__u32 delay_ms;
	__u32 pad;
};

enum reclaimd_rule_flags {
	RECLAIMD_MONITOR = 1,	/* decide and count, and do nothing */
	RECLAIMD_TIMED = 2,	/* start or protect has conditions that need the timer */
	RECLAIMD_STOP_TIMED = 4, /* stop has: they are measured while an episode runs */
	RECLAIMD_READS_STATS = 8, /* of the conditions, one looks at page faults or refaults */
	RECLAIMD_READS_PSI = 16,
};

enum reclaimd_protect_as {
	RECLAIMD_PROTECT_NONE = 0, /* others are throttled, at most */
	RECLAIMD_PROTECT_LOW = 1,
	RECLAIMD_PROTECT_MIN = 2,
};

/*
 * A policy resolved for one cgroup. Replaced as a whole by user space, read by
 * the programs; key: cgroup id.
 */
struct reclaimd_rule {
	struct reclaimd_combination start;
	struct reclaimd_combination stop;
	struct reclaimd_combination protect;
	struct reclaimd_throttle throttles[RECLAIMD_MAX_THROTTLES];
	__u64 fingerprint; /* of its conditions: what was measured for others is no measure for these */
	__u64 wake_pages;  /* a charge below this usage is none of the rule's business */
	__u64 write_back_pages; /* from this usage on, dirty pages are seen to; 0: never */
	__u64 aim_pages;   /* where passes need not go below: the lowest usage in stop */
	__u64 floor_pages; /* nor may */
	__u64 pass_pages;  /* most that one pass asks for */
	__u64 rate_pages_per_s; /* most that is reclaimed in a second, 0: any */
	__u64 cpu_ns_per_s;	/* most CPU time spent on it in a second, 0: any */
	__u64 cooldown_ns;	/* between two episodes */
	__u64 backoff_min_ns;	/* after an episode without progress; */
	__u64 backoff_max_ns;	/* it doubles up to this */
	__u64 linger_ns;	/* the timer goes on so long after the last charge */
	__u64 protect_for_ns;	/* protection goes on so long after its condition */
	__u64 delay_start_pages; /* back-pressure begins at this usage, 0: none */
	__u64 delay_full_pages;	 /* and is max_delay_ms from here on */
	__u32 max_delay_ms;
	__u32 protect_as;
	__u32 flags;
	__s32 swappiness;
};

/*
 * How long something took, each time that it happened. Bucket n counts what took 4^n us
 * at most and fits none before it, the last one whatever took longer.
 */
struct reclaimd_times {
	__u64 sum_ns;
	__u64 buckets[RECLAIMD_TIME_BUCKETS];
};

/* All of them only grow. */
struct reclaimd_counters {
	__u64 triggers;	      /* start became true and an episode began */
	__u64 episodes;	      /* episodes that ended */
	__u64 passes;	      /* calls of the reclaim kfunc */
	__u64 pages_asked;
	__u64 pages_reclaimed;
	__u64 reclaim_ns;     /* time spent in those calls */
	__u64 reclaim_cpu_ns; /* CPU time spent in them */
	__u64 give_ups;	      /* episodes that ended for lack of progress */
	__u64 held_back;      /* passes put off because the rate or the CPU time was used up */
	__u64 delays;	      /* charges that were answered with a delay by back-pressure */
	__u64 delay_us;	      /* the sum of these */
	__u64 refusals;	      /* charges that it refused: of huge pages, readahead, stocks */
	__u64 write_backs;    /* times that the kernel was told to write back what is dirty */
	__u64 throttles;      /* charges delayed for the sake of a protected cgroup */
	__u64 throttle_ms;
	__u64 protections;    /* times that protection began */
	__u64 ticks;	      /* measurements */
	__u64 start_failures; /* work that could not be queued */
	__u64 started_for[RECLAIMD_MAX_METRICS]; /* triggers, by why */
	__u64 ended_for[RECLAIMD_MAX_REASONS];	 /* episodes, by why they ended */
	struct reclaimd_times durations;    /* of episodes, those that are only monitored aside */
	struct reclaimd_times first_passes; /* from the trigger to where the first pass began */
	struct reclaimd_times first_pages;  /* and to the end of the first that brought a page */
};

/* The cgroup's own accounts as they were when user space last had them read; for metrics. */
struct reclaimd_accounts {
	__u64 read; /* 1 once they have been */
	__u64 usage_pages;
	__u64 psi_some_ns;
	__u64 psi_full_ns;
	__u64 events_low;
	__u64 events_high;
	__u64 events_max;
	__u64 events_oom;
	__u64 events_oom_kill;
};

/* How much something has grown in a time that slides. */
struct reclaimd_window {
	__u64 started_ns; /* 0: not yet */
	__u64 started_value;
	__u64 previous_growth; /* in the window before */
	__u64 value;	       /* what the condition was last compared with */
};

enum reclaimd_phase {
	RECLAIMD_IDLE = 0,
	RECLAIMD_STARTING = 1, /* whoever made it so fills in the episode */
	RECLAIMD_RUNNING = 2,
};

/*
 * What goes on in one governed cgroup; key: cgroup id. Made by user space before
 * the cgroup's rule, which is what brings it to life. Only the programs write.
 */
struct reclaimd_state {
	struct reclaimd_counters counters;
	struct reclaimd_accounts accounts; /* only reclaimd_read_accounts writes these */
	__u64 phase;
	__u64 not_before_ns;	/* no episode until then (CLOCK_MONOTONIC) */
	__u64 backoff_ns;	/* the last pause for lack of progress, 0 after some */
	__u64 idle_passes;	/* passes in a row that reclaimed nothing */
	__u64 pages_per_s;	/* what recent passes got done, for the delays */
	__u64 turns_end_ns;	/* back-pressure: until then it is the turn of earlier charges */
	/* of the episode that runs */
	__u64 started_ns;
	__u64 last_pass_ns;	/* when the last pass ended, at first started_ns */
	__u64 started_usage_pages;
	__u64 started_metric;	/* what began it, and its value then */
	__u64 started_value;
	__u64 requested_pages;	/* it stops once it has reclaimed these, 0: when the rule says */
	__u64 passes;
	__u64 pages_asked;
	__u64 pages_reclaimed;
	__u64 reclaim_ns;
	__u64 reclaim_cpu_ns;
	/* what was spent in the second since */
	__u64 budget_started_ns;
	__u64 budget_pages;
	__u64 budget_cpu_ns;
	__u64 budget_held;	/* 1 once passes were put off in it */
	__u64 wrote_back_ns;	/* when write-back was last asked for */
	/* what charges cannot measure */
	__u64 ticking;		/* 1 while the timer or the work is on its way */
	__u64 charged_ns;	/* the last charge that a timed rule saw */
	__u64 measured_ns;
	__u64 measured_for;	/* the rule's fingerprint then */
	__u64 measured_since_ns; /* when that came, 0 for the first */
	__u64 start_truth;	/* a bit for each condition of start, as measured then */
	__u64 protected_until_ns;
	__u64 readings[RECLAIMD_MAX_METRICS];
	struct reclaimd_window start_windows[RECLAIMD_MAX_CONDITIONS];
	struct reclaimd_window stop_windows[RECLAIMD_MAX_CONDITIONS];
	struct reclaimd_window protect_windows[RECLAIMD_MAX_CONDITIONS];
	struct bpf_timer timer;
	struct bpf_wq work;
};

/* Why an episode began: a metric of start, or this; below RECLAIMD_MAX_METRICS. */
enum reclaimd_start_reason {
	RECLAIMD_REQUESTED = 15, /* user space asked for it */
};

/* Why an episode ended: a metric of stop, or one of these. */
enum reclaimd_stop_reason {
	RECLAIMD_NO_PROGRESS = 16,
	RECLAIMD_FLOOR = 17,
	RECLAIMD_GONE = 18, /* the cgroup is being removed */
	RECLAIMD_RULE_REMOVED = 19,
	RECLAIMD_MONITORED = 20, /* it never really began */
};

enum reclaimd_event_kind {
	RECLAIMD_EVENT_EPISODE = 1,
	RECLAIMD_EVENT_OFFLINE = 2, /* a governed cgroup was removed */
	RECLAIMD_EVENT_PROTECTED = 3, /* protection began, for start_metric */
};

/* What the ring buffer carries. What an event of its kind does not need is 0. */
struct reclaimd_event {
	__u64 kind;
	__u64 cgroup_id;
	__u64 episode; /* counts the episodes of that cgroup */
	__u64 start_metric; /* or RECLAIMD_REQUESTED */
	__u64 start_value; /* in the unit of its condition, or the pages requested */
	__u64 reason;
	__u64 stop_value; /* of the metric that is the reason */
	__u64 started_ns;
	__u64 ended_ns;
	__u64 started_usage_pages;
	__u64 ended_usage_pages;
	__u64 passes;
	__u64 pages_asked;
	__u64 pages_reclaimed;
	__u64 reclaim_ns;
	__u64 reclaim_cpu_ns;
};

/* Argument of the programs reclaimd_prepare and reclaimd_forget. */
struct reclaimd_cgroup_args {
	__u64 cgroup_id;
};

/* Argument of the program reclaimd_request. */
struct reclaimd_request_args {
	__u64 cgroup_id;
	__u64 pages;
};

#endif /* RECLAIMD_H */
