/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Everything that the BPF programs and the daemon share: the one definition.
 * The daemon's mirror (daemon/reclaimd/kernel/layout.py) is compared with the
 * object's BTF, member by member, before the object is loaded.
 *
 * Included after vmlinux.h, which brings __u32, __u64 and struct bpf_wq.
 */
#ifndef RECLAIMD_H
#define RECLAIMD_H

/* Cgroups with a rule of their own, at most. */
#define RECLAIMD_MAX_RULES 16384

/* Levels of the cgroup tree that a charge is followed up. */
#define RECLAIMD_MAX_DEPTH 32

#define RECLAIMD_RINGBUF_BYTES (256 * 1024)

/*
 * A policy resolved for one cgroup. Replaced as a whole by user space, read by
 * the programs; key: cgroup id.
 */
struct reclaimd_rule {
	__u64 start_pages; /* an episode begins at this usage */
	__u64 stop_pages;  /* and ends when usage is down to this */
	__u64 pass_pages;  /* most that one pass asks for */
	__u64 delay_start_pages; /* back-pressure begins at this usage, 0: none */
	__u64 delay_full_pages;	 /* and is max_delay_ms from here on */
	__u32 max_delay_ms;
	__u32 pad;
};

/* All of them only grow. */
struct reclaimd_counters {
	__u64 triggers;	      /* start became true and an episode began */
	__u64 episodes;	      /* episodes that ended */
	__u64 passes;	      /* calls of the reclaim kfunc */
	__u64 pages_asked;
	__u64 pages_reclaimed;
	__u64 reclaim_ns;     /* time spent in those calls */
	__u64 give_ups;	      /* episodes that ended for lack of progress */
	__u64 delays;	      /* charges that were answered with a delay */
	__u64 delay_ms;	      /* the sum of these */
	__u64 start_failures; /* triggers whose work could not be queued */
};

/*
 * What goes on in one governed cgroup; key: cgroup id. Made by user space before
 * the cgroup's rule, which is what brings it to life. Only the programs write.
 */
struct reclaimd_state {
	struct reclaimd_counters counters;
	__u64 active;		/* 1 while an episode runs */
	__u64 not_before_ns;	/* no episode until then (CLOCK_MONOTONIC) */
	__u64 backoff_ns;	/* the last such pause, 0 after progress */
	__u64 idle_passes;	/* passes in a row that reclaimed nothing */
	__u64 pages_per_s;	/* what recent passes got done, for the delays */
	/* of the episode that runs */
	__u64 started_ns;
	__u64 last_pass_ns;	/* when the last pass ended, at first started_ns */
	__u64 started_usage_pages;
	__u64 passes;
	__u64 pages_asked;
	__u64 pages_reclaimed;
	__u64 reclaim_ns;
	struct bpf_wq work;
};

enum reclaimd_stop_reason {
	RECLAIMD_BELOW_STOP = 1,
	RECLAIMD_NO_PROGRESS = 2,
	RECLAIMD_GONE = 3, /* the cgroup is being removed */
	RECLAIMD_RULE_REMOVED = 4,
};

enum reclaimd_event_kind {
	RECLAIMD_EVENT_EPISODE = 1,
	RECLAIMD_EVENT_OFFLINE = 2, /* a governed cgroup was removed */
};

/* What the ring buffer carries. Of an OFFLINE event only the first two are set. */
struct reclaimd_event {
	__u64 kind;
	__u64 cgroup_id;
	__u64 episode; /* counts the episodes of that cgroup */
	__u64 reason;
	__u64 started_ns;
	__u64 ended_ns;
	__u64 started_usage_pages;
	__u64 ended_usage_pages;
	__u64 passes;
	__u64 pages_asked;
	__u64 pages_reclaimed;
	__u64 reclaim_ns;
};

/* Argument of the program reclaimd_prepare. */
struct reclaimd_prepare_args {
	__u64 cgroup_id;
};

#endif /* RECLAIMD_H */
