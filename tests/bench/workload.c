// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The two workloads of the demo, each access timed.
 *
 *   workload file --size-mib N --path P [--cgroup DIR]
 *       writes N MiB to P in 4 KiB writes, then reads it twice through an mmap, one byte a page
 *   workload anon --size-mib N [--cgroup DIR]
 *       faults in N MiB and rewrites them once, every cache line of a page, with incompressible data
 *
 * It locks its own memory, moves itself into DIR, waits for one byte on stdin, works, and prints one
 * line of JSON. Times are CLOCK_MONOTONIC. An access lasts from the end of the one before to its own end,
 * so that one clock read for each is enough: a guest without a usable TSC pays for every one of them.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PAGE_BYTES 4096
#define PAGES_PER_MIB 256
#define FILE_READS 2
#define MAX_SIZE_MIB (1 << 20)

/* 32 buckets to each power of two: a percentile read from them is at most 3 % too high. */
#define SUB_BITS 5
#define SUB_BUCKETS (1 << SUB_BITS)
#define BUCKETS ((64 - SUB_BITS + 1) * SUB_BUCKETS)

enum exit_status { RUN_FAILED = 1, BAD_USAGE = 2 };

struct options {
	const char *workload;
	const char *path;
	const char *cgroup;
	size_t pages;
};

/* Static, so that mlockall() before the start covers all of it and recording never faults. */
static struct {
	uint64_t counts[BUCKETS];
	uint64_t operations;
	uint64_t max_ns;
	uint64_t last_ns;
} timings;

static uint64_t page_words[PAGE_BYTES / sizeof(uint64_t)];

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static unsigned int bucket_of(uint64_t ns)
{
	unsigned int shift;

	if (ns < SUB_BUCKETS)
		return (unsigned int)ns;
	shift = 63U - (unsigned int)__builtin_clzll(ns) - SUB_BITS;
	return (shift + 1) * SUB_BUCKETS + (unsigned int)((ns >> shift) - SUB_BUCKETS);
}

/* The largest value that falls into the bucket. */
static uint64_t bucket_ceiling_ns(unsigned int bucket)
{
	unsigned int shift;

	if (bucket < SUB_BUCKETS)
		return bucket;
	shift = bucket / SUB_BUCKETS - 1;
	return (((uint64_t)SUB_BUCKETS + bucket % SUB_BUCKETS + 1) << shift) - 1;
}

static void record_access(void)
{
	uint64_t now = now_ns();
	uint64_t took_ns = now - timings.last_ns;

	timings.counts[bucket_of(took_ns)]++;
	timings.operations++;
	if (took_ns > timings.max_ns)
		timings.max_ns = took_ns;
	timings.last_ns = now;
}

/* In microseconds; the share is in thousandths, so 999 is p99.9. */
static double percentile_us(unsigned int per_mille)
{
	uint64_t wanted = (timings.operations * per_mille + 999) / 1000;
	uint64_t seen = 0;
	unsigned int bucket;

	for (bucket = 0; bucket < BUCKETS; bucket++) {
		seen += timings.counts[bucket];
		if (seen >= wanted)
			break;
	}
	uint64_t ceiling_ns = bucket_ceiling_ns(bucket);

	return (double)(ceiling_ns < timings.max_ns ? ceiling_ns : timings.max_ns) / 1000;
}

/* xorshift64*: cheap, and neither lz4 nor lzo finds anything to shorten in it. */
static void fill_page(uint64_t *words)
{
	static uint64_t state = 0x9e3779b97f4a7c15;

	for (size_t i = 0; i < PAGE_BYTES / sizeof(*words); i++) {
		state ^= state >> 12;
		state ^= state << 25;
		state ^= state >> 27;
		words[i] = state * 0x2545f4914f6cdd1d;
	}
}

static void write_file(int fd, size_t pages)
{
	for (size_t page = 0; page < pages; page++) {
		ssize_t written = write(fd, page_words, PAGE_BYTES);

		if (written < 0)
			err(RUN_FAILED, "write");
		if (written != PAGE_BYTES)
			errx(RUN_FAILED, "write: only %zd of %d bytes: is the disk full?", written, PAGE_BYTES);
		record_access();
	}
}

static void read_mapping(const volatile uint8_t *bytes, size_t pages)
{
	for (size_t page = 0; page < pages; page++) {
		(void)bytes[page * PAGE_BYTES];
		record_access();
	}
}

static void run_file(const struct options *options)
{
	int fd = open(options->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	void *bytes;

	if (fd < 0)
		err(RUN_FAILED, "%s", options->path);
	write_file(fd, options->pages);
	bytes = mmap(NULL, options->pages * PAGE_BYTES, PROT_READ, MAP_SHARED, fd, 0);
	if (bytes == MAP_FAILED)
		err(RUN_FAILED, "mmap %s", options->path);
	for (int reading = 0; reading < FILE_READS; reading++)
		read_mapping(bytes, options->pages);
}

static void run_anon(const struct options *options)
{
	uint64_t *words = mmap(NULL, options->pages * PAGE_BYTES, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (words == MAP_FAILED)
		err(RUN_FAILED, "mmap");
	for (int round = 0; round < 2; round++) {
		for (size_t page = 0; page < options->pages; page++) {
			fill_page(words + page * (PAGE_BYTES / sizeof(*words)));
			record_access();
		}
	}
}

static void enter_cgroup(const char *cgroup)
{
	char path[PATH_MAX];
	int fd;

	if (snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup) >= (int)sizeof(path))
		errx(BAD_USAGE, "--cgroup: the path is too long");
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "0", 1) != 1)
		err(RUN_FAILED, "%s", path);
	close(fd);
}

/*
 * Everything the program needs for itself is resident, and charged elsewhere, before it enters the cgroup:
 * what is charged there is the workload and nothing else, in every run alike.
 */
static void prepare(const struct options *options)
{
	fill_page(page_words);
	if (mlockall(MCL_CURRENT) < 0)
		err(RUN_FAILED, "mlockall");
	if (options->cgroup)
		enter_cgroup(options->cgroup);
}

static void await_start(void)
{
	char byte;

	if (read(STDIN_FILENO, &byte, 1) != 1)
		errx(RUN_FAILED, "stdin ended before the start signal");
}

static void print_result(uint64_t started_ns)
{
	printf("{\"started_ns\": %llu, \"wall_s\": %.6f, \"operations\": %llu, "
	       "\"p50_us\": %.3f, \"p99_us\": %.3f, \"p999_us\": %.3f, \"max_us\": %.3f}\n",
	       (unsigned long long)started_ns, (double)(timings.last_ns - started_ns) / 1e9,
	       (unsigned long long)timings.operations, percentile_us(500), percentile_us(990),
	       percentile_us(999), (double)timings.max_ns / 1000);
}

static void usage(void)
{
	fputs("usage: workload file --size-mib N --path P [--cgroup DIR]\n"
	      "       workload anon --size-mib N [--cgroup DIR]\n", stderr);
	exit(BAD_USAGE);
}

static size_t pages_of(const char *size_mib)
{
	char *end;
	unsigned long mib = strtoul(size_mib, &end, 10);

	if (*end || mib < 1 || mib > MAX_SIZE_MIB)
		errx(BAD_USAGE, "--size-mib %s: not a number from 1 to %d", size_mib, MAX_SIZE_MIB);
	return mib * PAGES_PER_MIB;
}

static struct options parse(int argc, char **argv)
{
	static const struct option known[] = {
		{"size-mib", required_argument, NULL, 's'},
		{"path", required_argument, NULL, 'p'},
		{"cgroup", required_argument, NULL, 'c'},
		{NULL, 0, NULL, 0},
	};
	struct options options = {0};
	int choice;

	while ((choice = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (choice == 's')
			options.pages = pages_of(optarg);
		else if (choice == 'p')
			options.path = optarg;
		else if (choice == 'c')
			options.cgroup = optarg;
		else
			usage();
	}
	if (optind + 1 != argc || !options.pages)
		usage();
	options.workload = argv[optind];
	return options;
}

int main(int argc, char **argv)
{
	struct options options = parse(argc, argv);
	int is_file = strcmp(options.workload, "file") == 0;
	uint64_t started_ns;

	if (!is_file && strcmp(options.workload, "anon") != 0)
		usage();
	if (is_file != !!options.path)
		usage();
	prepare(&options);
	await_start();
	started_ns = now_ns();
	timings.last_ns = started_ns;
	if (is_file)
		run_file(&options);
	else
		run_anon(&options);
	print_result(started_ns);
	return 0;
}
