// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The workloads whose every access is timed.
 *
 *   workload file --size-mib N --path P [--processes N] [--cgroup DIR]... [--endless]
 *       writes N MiB to P in 4 KiB writes, then reads it twice through an mmap, one byte a page; endless, it
 *       does so again and again until it is killed
 *   workload anon --size-mib N [--processes N] [--cgroup DIR]...
 *       faults in N MiB and rewrites them once, every cache line of a page, with incompressible data
 *   workload burst --size-mib N [--cgroup DIR]
 *       allocates at a steady rate, then at six times that, and at the steady rate again; everything lives for
 *       a second, so that N MiB are in use at the height of it
 *
 * The work is done by processes of its own, each with N MiB. They lock their memory, move themselves into their
 * cgroups (in turn, if there are several) and wait; one byte on stdin starts them all. At the end a line of JSON
 * is printed. If one of them is killed, so is the program, without a line; and if it is, so are they.
 *
 * Times are CLOCK_MONOTONIC. An access of file and anon lasts from the end of the one before to its own end, so
 * that one clock read for each is enough: a guest without a usable TSC pays for every one of them. One of burst
 * lasts from the moment that it was due.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cgroup.h"
#include "histogram.h"

#define PAGE_BYTES 4096
#define PAGES_PER_MIB 256
#define FILE_READS 2
#define MAX_SIZE_MIB (1 << 20)
#define MAX_PROCESSES 1024

#define CHUNK_PAGES 16
#define LIFETIME_NS 1000000000ULL
#define BURST_FACTOR 6

struct options {
	const char *workload;
	const char *path;
	const char *cgroups[MAX_PROCESSES];
	size_t cgroup_count;
	size_t processes;
	size_t pages;
	bool endless;
};

/* What a process measures, in memory that it shares with its parent. */
struct account {
	struct histogram accesses;
	uint64_t last_ns;
};

static struct account *account;

static uint64_t page_words[PAGE_BYTES / sizeof(uint64_t)];

static void record_access(void)
{
	uint64_t now = now_ns();

	record(&account->accesses, now - account->last_ns);
	account->last_ns = now;
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

static void run_file(const char *path, size_t pages)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	void *bytes;

	if (fd < 0)
		err(RUN_FAILED, "%s", path);
	write_file(fd, pages);
	bytes = mmap(NULL, pages * PAGE_BYTES, PROT_READ, MAP_SHARED, fd, 0);
	if (bytes == MAP_FAILED)
		err(RUN_FAILED, "mmap %s", path);
	for (int reading = 0; reading < FILE_READS; reading++)
		read_mapping(bytes, pages);
	if (munmap(bytes, pages * PAGE_BYTES) < 0)
		err(RUN_FAILED, "munmap %s", path);
	close(fd);
}

static void *map_memory(size_t pages)
{
	void *memory = mmap(NULL, pages * PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		err(RUN_FAILED, "mmap");
	return memory;
}

static void run_anon(size_t pages)
{
	uint64_t *words = map_memory(pages);

	for (int round = 0; round < 2; round++) {
		for (size_t page = 0; page < pages; page++) {
			fill_page(words + page * (PAGE_BYTES / sizeof(*words)));
			record_access();
		}
	}
}

/* Chunks in the order in which they were allocated; the oldest goes first. */
struct ring {
	uint8_t *memory;
	uint64_t *due_ns; /* when each was to be allocated */
	size_t capacity;
	size_t oldest;
	size_t used;
};

static uint8_t *chunk_at(const struct ring *ring, size_t place)
{
	return ring->memory + place % ring->capacity * CHUNK_PAGES * PAGE_BYTES;
}

static void allocate_chunk(struct ring *ring, uint64_t due_ns)
{
	size_t place = ring->oldest + ring->used++;
	uint8_t *chunk = chunk_at(ring, place);

	ring->due_ns[place % ring->capacity] = due_ns;
	for (size_t page = 0; page < CHUNK_PAGES; page++)
		fill_page((uint64_t *)(void *)(chunk + page * PAGE_BYTES));
}

/* What is freed is read once more, as a queue's entries are. */
static void free_oldest_chunk(struct ring *ring)
{
	volatile uint8_t *chunk = chunk_at(ring, ring->oldest);

	for (size_t page = 0; page < CHUNK_PAGES; page++)
		(void)chunk[page * PAGE_BYTES];
	if (madvise((void *)chunk, CHUNK_PAGES * PAGE_BYTES, MADV_DONTNEED) < 0)
		err(RUN_FAILED, "madvise");
	ring->oldest++;
	ring->used--;
}

static void sleep_until(uint64_t due_ns)
{
	struct timespec due = {(time_t)(due_ns / 1000000000U), (long)(due_ns % 1000000000U)};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) == EINTR)
		;
}

static void run_burst(size_t pages)
{
	static const struct {
		uint64_t lasts_ns;
		uint64_t rate; /* of the steady one; 0: nothing is allocated */
	} phases[] = {
		{500000000, 0}, {1000000000, 1}, {1500000000, BURST_FACTOR}, {1500000000, 1},
	};
	uint64_t steady_ns = LIFETIME_NS * BURST_FACTOR * CHUNK_PAGES / pages;
	uint64_t due_ns = now_ns(), phase_ends_ns = due_ns;
	struct ring ring = {.capacity = 2 * pages / CHUNK_PAGES};

	ring.memory = map_memory(ring.capacity * CHUNK_PAGES);
	ring.due_ns = calloc(ring.capacity, sizeof(*ring.due_ns));
	if (!ring.due_ns)
		err(RUN_FAILED, "calloc");
	for (size_t i = 0; i < sizeof(phases) / sizeof(*phases); i++) {
		phase_ends_ns += phases[i].lasts_ns;
		for (; phases[i].rate && due_ns < phase_ends_ns; due_ns += steady_ns / phases[i].rate) {
			sleep_until(due_ns);
			/* Going by when it was due, a run that lags behind needs no less memory. */
			while (ring.used == ring.capacity ||
			       (ring.used && ring.due_ns[ring.oldest % ring.capacity] + LIFETIME_NS <= due_ns))
				free_oldest_chunk(&ring);
			allocate_chunk(&ring, due_ns);
			account->last_ns = now_ns();
			record(&account->accesses, account->last_ns - due_ns);
		}
		due_ns = phase_ends_ns;
	}
}

/* Each process has a file of its own; a single one has the path as it is. */
static const char *path_of(const struct options *options, size_t number)
{
	static char path[PATH_MAX];

	if (options->processes == 1)
		return options->path;
	if (snprintf(path, sizeof(path), "%s.%zu", options->path, number) >= (int)sizeof(path))
		errx(BAD_USAGE, "--path: the path is too long");
	return path;
}

/*
 * Everything the process needs for itself is resident, and charged elsewhere, before it enters the cgroup:
 * what is charged there is the workload and nothing else, in every run alike.
 */
static void prepare(const struct options *options, size_t number)
{
	fill_page(page_words);
	memset(account, 0, sizeof(*account));
	if (mlockall(MCL_CURRENT) < 0)
		err(RUN_FAILED, "mlockall");
	if (options->cgroup_count)
		enter_cgroup(options->cgroups[number % options->cgroup_count]);
}

static void run_process(const struct options *options, size_t number, int ready_fd, int start_fd)
{
	const char *path = options->path ? path_of(options, number) : NULL;
	char byte = 'r';

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		err(RUN_FAILED, "prctl");
	prepare(options, number);
	if (write(ready_fd, &byte, 1) != 1)
		err(RUN_FAILED, "write");
	close(ready_fd); /* its end tells that a process is neither getting ready nor waiting */
	if (read(start_fd, &byte, 1) != 1)
		exit(RUN_FAILED);
	account->last_ns = now_ns();
	if (path)
		do
			run_file(path, options->pages);
		while (options->endless);
	else if (strcmp(options->workload, "burst") == 0)
		run_burst(options->pages);
	else
		run_anon(options->pages);
	exit(0);
}

/* Whether all processes told that they are ready; one that failed has said why. */
static int all_ready(int ready_fd, size_t processes)
{
	char byte;

	while (processes && read(ready_fd, &byte, 1) == 1)
		processes--;
	return !processes;
}

/* The status of the first that did not end well, or 0. */
static int wait_for_all(void)
{
	int status, worst = 0;

	while (wait(&status) > 0) {
		if (WIFSIGNALED(status))
			worst = status;
		else if (WEXITSTATUS(status) && !worst)
			worst = status;
	}
	return worst;
}

static void end_like(int status)
{
	if (WIFSIGNALED(status)) {
		signal(WTERMSIG(status), SIG_DFL);
		raise(WTERMSIG(status));
	}
	exit(WEXITSTATUS(status));
}

static struct account *share_accounts(size_t processes)
{
	void *shared = mmap(NULL, processes * sizeof(struct account), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (shared == MAP_FAILED)
		err(RUN_FAILED, "mmap");
	return shared;
}

static void start_processes(const struct options *options, struct account *accounts, int ready[2], int start[2])
{
	if (pipe(ready) < 0 || pipe(start) < 0)
		err(RUN_FAILED, "pipe");
	for (size_t number = 0; number < options->processes; number++) {
		pid_t pid = fork();

		if (pid < 0)
			err(RUN_FAILED, "fork");
		if (pid == 0) {
			close(ready[0]);
			close(start[1]);
			account = &accounts[number];
			run_process(options, number, ready[1], start[0]);
		}
	}
	close(ready[1]);
	close(start[0]);
}

static void usage(void)
{
	fputs("usage: workload file --size-mib N --path P [--processes N] [--cgroup DIR]... [--endless]\n"
	      "       workload anon --size-mib N [--processes N] [--cgroup DIR]...\n"
	      "       workload burst --size-mib N [--cgroup DIR]\n", stderr);
	exit(BAD_USAGE);
}

static size_t number(const char *option, const char *text, unsigned long most)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*end || value < 1 || value > most)
		errx(BAD_USAGE, "--%s %s: not a number from 1 to %lu", option, text, most);
	return value;
}

static void parse(struct options *options, int argc, char **argv)
{
	static const struct option known[] = {
		{"size-mib", required_argument, NULL, 's'},
		{"path", required_argument, NULL, 'p'},
		{"processes", required_argument, NULL, 'n'},
		{"cgroup", required_argument, NULL, 'c'},
		{"endless", no_argument, NULL, 'e'},
		{NULL, 0, NULL, 0},
	};
	int choice;

	options->processes = 1;
	while ((choice = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (choice == 's')
			options->pages = number("size-mib", optarg, MAX_SIZE_MIB) * PAGES_PER_MIB;
		else if (choice == 'p')
			options->path = optarg;
		else if (choice == 'n')
			options->processes = number("processes", optarg, MAX_PROCESSES);
		else if (choice == 'c' && options->cgroup_count < MAX_PROCESSES)
			options->cgroups[options->cgroup_count++] = optarg;
		else if (choice == 'e')
			options->endless = true;
		else
			usage();
	}
	if (optind + 1 != argc || !options->pages)
		usage();
	options->workload = argv[optind];
	if (strcmp(options->workload, "file") && strcmp(options->workload, "anon") &&
	    strcmp(options->workload, "burst"))
		usage();
	if (!strcmp(options->workload, "file") != !!options->path || (options->endless && !options->path))
		usage();
}

int main(int argc, char **argv)
{
	static struct histogram all;
	static struct options options;
	struct account *accounts;
	uint64_t started_ns, ended_ns = 0;
	int ready[2], start[2], status;
	char byte;

	parse(&options, argc, argv);
	accounts = share_accounts(options.processes);
	start_processes(&options, accounts, ready, start);
	if (!all_ready(ready[0], options.processes)) {
		close(start[1]);
		end_like(wait_for_all());
	}
	if (read(STDIN_FILENO, &byte, 1) != 1)
		errx(RUN_FAILED, "stdin ended before the start signal");

	started_ns = now_ns();
	for (size_t i = 0; i < options.processes; i++)
		if (write(start[1], &byte, 1) != 1)
			err(RUN_FAILED, "write");
	status = wait_for_all();
	if (status)
		end_like(status);
	for (size_t i = 0; i < options.processes; i++) {
		merge(&all, &accounts[i].accesses);
		if (accounts[i].last_ns > ended_ns)
			ended_ns = accounts[i].last_ns;
	}
	print_timings(&all, started_ns, ended_ns);
	return 0;
}
