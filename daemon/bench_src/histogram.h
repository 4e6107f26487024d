/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How long operations took: counted in buckets, so that any number of them takes the same memory and no time. */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>
#include <stdio.h>
#include <time.h>

/* 32 buckets to each power of two: a percentile read from them is at most 3 % too high. */
#define SUB_BITS 5
#define SUB_BUCKETS (1 << SUB_BITS)
#define BUCKETS ((64 - SUB_BITS + 1) * SUB_BUCKETS)

struct histogram {
	uint64_t counts[BUCKETS];
	uint64_t operations;
	uint64_t max_ns;
};

static inline uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static inline unsigned int bucket_of(uint64_t ns)
{
	unsigned int shift;

	if (ns < SUB_BUCKETS)
		return (unsigned int)ns;
	shift = 63U - (unsigned int)__builtin_clzll(ns) - SUB_BITS;
	return (shift + 1) * SUB_BUCKETS + (unsigned int)((ns >> shift) - SUB_BUCKETS);
}

/* The largest value that falls into the bucket. */
static inline uint64_t bucket_ceiling_ns(unsigned int bucket)
{
	unsigned int shift;

	if (bucket < SUB_BUCKETS)
		return bucket;
	shift = bucket / SUB_BUCKETS - 1;
	return (((uint64_t)SUB_BUCKETS + bucket % SUB_BUCKETS + 1) << shift) - 1;
}

static inline void record(struct histogram *histogram, uint64_t took_ns)
{
	histogram->counts[bucket_of(took_ns)]++;
	histogram->operations++;
	if (took_ns > histogram->max_ns)
		histogram->max_ns = took_ns;
}

static inline void merge(struct histogram *into, const struct histogram *from)
{
	for (unsigned int bucket = 0; bucket < BUCKETS; bucket++)
		into->counts[bucket] += from->counts[bucket];
	into->operations += from->operations;
	if (from->max_ns > into->max_ns)
		into->max_ns = from->max_ns;
}

/* In microseconds; the share is in thousandths, so 999 is p99.9. */
static inline double percentile_us(const struct histogram *histogram, unsigned int per_mille)
{
	uint64_t wanted = (histogram->operations * per_mille + 999) / 1000;
	uint64_t seen = 0, ceiling_ns;
	unsigned int bucket;

	for (bucket = 0; bucket < BUCKETS - 1; bucket++) {
		seen += histogram->counts[bucket];
		if (seen >= wanted)
			break;
	}
	ceiling_ns = bucket_ceiling_ns(bucket);
	return (double)(ceiling_ns < histogram->max_ns ? ceiling_ns : histogram->max_ns) / 1000;
}

/* A line of JSON, as workloads.py reads it. */
static inline void print_timings(const struct histogram *histogram, uint64_t started_ns, uint64_t ended_ns)
{
	printf("{\"started_ns\": %llu, \"wall_s\": %.6f, \"operations\": %llu, "
	       "\"p50_us\": %.3f, \"p99_us\": %.3f, \"p999_us\": %.3f, \"max_us\": %.3f}\n",
	       (unsigned long long)started_ns, (double)(ended_ns - started_ns) / 1e9,
	       (unsigned long long)histogram->operations, percentile_us(histogram, 500),
	       percentile_us(histogram, 990), percentile_us(histogram, 999),
	       (double)histogram->max_ns / 1000);
}

#endif /* BENCH_HISTOGRAM_H */
