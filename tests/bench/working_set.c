// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A program that has more memory than it is busy with.
 *
 *   working_set --size-mib N --hot-mib H --cgroup DIR
 *
 * It moves itself into DIR, writes N MiB and prints "ready". Then it waits for lines on stdin. A line is a
 * number of milliseconds for which it works: each operation changes a word of a page, chosen by chance, 99 of
 * 100 times from the first H MiB and else from all. It prints how many operations it has done in it, as a line
 * of JSON. Between lines it holds its memory and sleeps. Half of each page can be compressed.
 */
#define _GNU_SOURCE
#include <err.h>
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cgroup.h"
#include "histogram.h"

#define PAGE_BYTES 4096
#define PAGE_WORDS (PAGE_BYTES / sizeof(uint64_t))
#define PAGES_PER_MIB 256
#define MAX_SIZE_MIB (1 << 20)
#define COLD_IN 100
/* The clock is read once for so many operations, which without faults take microseconds. */
#define OPERATIONS_PER_LOOK 16

/* xorshift64*: cheap, and nothing of it can be compressed. */
static uint64_t random_word(void)
{
	static uint64_t state = 0x9e3779b97f4a7c15;

	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * 0x2545f4914f6cdd1d;
}

static void fill(uint64_t *words, size_t pages)
{
	for (size_t page = 0; page < pages; page++)
		for (size_t word = 0; word < PAGE_WORDS; word++)
			words[page * PAGE_WORDS + word] = word % 2 ? random_word() : 0;
}

static void operate(uint64_t *words, size_t pages, size_t hot_pages)
{
	uint64_t chance = random_word();
	size_t among = chance % COLD_IN ? hot_pages : pages;

	words[(chance >> 32) % among * PAGE_WORDS + 1] = chance;
}

static void work(uint64_t *words, size_t pages, size_t hot_pages, uint64_t for_ns)
{
	uint64_t started_ns = now_ns(), took_ns, operations = 0;

	do {
		for (int i = 0; i < OPERATIONS_PER_LOOK; i++)
			operate(words, pages, hot_pages);
		operations += OPERATIONS_PER_LOOK;
		took_ns = now_ns() - started_ns;
	} while (took_ns < for_ns);
	printf("{\"operations\": %llu, \"wall_s\": %.6f}\n", (unsigned long long)operations,
	       (double)took_ns / 1e9);
	fflush(stdout);
}

static void usage(void)
{
	fputs("usage: working_set --size-mib N --hot-mib H --cgroup DIR\n", stderr);
	exit(BAD_USAGE);
}

static size_t pages_of(const char *size_mib)
{
	char *end;
	unsigned long mib = strtoul(size_mib, &end, 10);

	if (*end || mib < 1 || mib > MAX_SIZE_MIB)
		errx(BAD_USAGE, "%s: not a number of MiB from 1 to %d", size_mib, MAX_SIZE_MIB);
	return mib * PAGES_PER_MIB;
}

int main(int argc, char **argv)
{
	static const struct option known[] = {
		{"size-mib", required_argument, NULL, 's'},
		{"hot-mib", required_argument, NULL, 'h'},
		{"cgroup", required_argument, NULL, 'c'},
		{NULL, 0, NULL, 0},
	};
	size_t pages = 0, hot_pages = 0;
	const char *cgroup = NULL;
	unsigned int for_ms;
	uint64_t *words;
	int choice;

	while ((choice = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (choice == 's')
			pages = pages_of(optarg);
		else if (choice == 'h')
			hot_pages = pages_of(optarg);
		else if (choice == 'c')
			cgroup = optarg;
		else
			usage();
	}
	if (optind != argc || !cgroup || !hot_pages || hot_pages > pages)
		usage();

	/* Its own few pages stay: what is reclaimed is what is measured. */
	if (mlockall(MCL_CURRENT) < 0)
		err(RUN_FAILED, "mlockall");
	enter_cgroup(cgroup);
	words = mmap(NULL, pages * PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (words == MAP_FAILED)
		err(RUN_FAILED, "mmap");
	fill(words, pages);
	puts("ready");
	fflush(stdout);
	while (scanf("%u", &for_ms) == 1)
		work(words, pages, hot_pages, for_ms * 1000000ULL);
	return 0;
}
