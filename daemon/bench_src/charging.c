// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a charge costs in cgroups that each charge now and then.
 *
 *   charging --visits N --pages P CGROUP...
 *       visits the cgroups in turn, N visits in all: enters one, has the kernel populate P pages of anonymous
 *       memory, and gives them back
 *
 * Only populating is timed. It prints a line of JSON with the median over all visits, in ns a page, so that what
 * else the machine did meanwhile hardly counts.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cgroup.h"
#include "histogram.h"

#define PAGE_BYTES 4096
#define MOST (1 << 20)

static uint64_t visit_ns(int procs_fd, char *memory, size_t bytes)
{
	uint64_t began, ended;

	if (pwrite(procs_fd, "0", 1, 0) != 1)
		err(RUN_FAILED, "cgroup.procs");
	began = now_ns();
	if (madvise(memory, bytes, MADV_POPULATE_WRITE) < 0)
		err(RUN_FAILED, "MADV_POPULATE_WRITE");
	ended = now_ns();
	if (madvise(memory, bytes, MADV_DONTNEED) < 0)
		err(RUN_FAILED, "MADV_DONTNEED");
	return ended - began;
}

static int compare(const void *a, const void *b)
{
	uint64_t first = *(const uint64_t *)a, second = *(const uint64_t *)b;

	return (first > second) - (first < second);
}

static void usage(void)
{
	fputs("usage: charging --visits N --pages P CGROUP...\n", stderr);
	exit(BAD_USAGE);
}

static size_t number(const char *option, const char *text)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*end || value < 1 || value > MOST)
		errx(BAD_USAGE, "--%s %s: not a number from 1 to %d", option, text, MOST);
	return value;
}

static void *allocate(size_t count, size_t size)
{
	void *memory = calloc(count, size);

	if (!memory)
		err(RUN_FAILED, "calloc");
	return memory;
}

int main(int argc, char **argv)
{
	static const struct option known[] = {
		{"visits", required_argument, NULL, 0},
		{"pages", required_argument, NULL, 1},
		{NULL, 0, NULL, 0},
	};
	size_t given[2] = {0}, count, bytes;
	uint64_t *took_ns;
	int *procs_fds, choice;
	char *memory;

	while ((choice = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (choice == '?')
			usage();
		given[choice] = number(known[choice].name, optarg);
	}
	count = (size_t)(argc - optind);
	if (!given[0] || !given[1] || !count)
		usage();
	allow_open_files(count);
	procs_fds = allocate(count, sizeof(*procs_fds));
	for (size_t i = 0; i < count; i++)
		procs_fds[i] = open_in_cgroup(argv[optind + (int)i], "cgroup.procs", O_WRONLY);
	took_ns = allocate(given[0], sizeof(*took_ns));
	bytes = given[1] * PAGE_BYTES;
	memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		err(RUN_FAILED, "mmap");
	/* Fails only where the kernel has no huge pages at all. */
	madvise(memory, bytes, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < given[0]; i++)
		took_ns[i] = visit_ns(procs_fds[i % count], memory, bytes);
	qsort(took_ns, given[0], sizeof(*took_ns), compare);
	printf("{\"ns_per_charge\": %.3f}\n", (double)took_ns[given[0] / 2] / (double)given[1]);
	return 0;
}
