// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a page costs where nothing is reclaimed: faults and page-cache writes, each timed as a whole.
 *
 *   micro --pages N --path P --cgroup DIR
 *       enters the cgroup, faults in N anonymous pages, and writes as many to P, which is made for it and removed
 *
 * It prints a line of JSON with the ns (CLOCK_MONOTONIC) of both. In a virtual machine whose clock counts
 * instructions these are instructions.
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
#define MAX_PAGES (1 << 20)

struct options {
	size_t pages;
	const char *path;
	const char *cgroup;
};

static const char page_bytes[PAGE_BYTES];

/* A page for each fault: huge ones would hide what a charge costs. */
static uint64_t fault_ns(size_t pages)
{
	size_t bytes = pages * PAGE_BYTES;
	volatile char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t began, ended;

	if (memory == MAP_FAILED)
		err(RUN_FAILED, "mmap");
	/* Fails only where the kernel has no huge pages at all. */
	madvise((void *)memory, bytes, MADV_NOHUGEPAGE);
	began = now_ns();
	for (size_t at = 0; at < bytes; at += PAGE_BYTES)
		memory[at] = 1;
	ended = now_ns();
	munmap((void *)memory, bytes);
	return ended - began;
}

/* A new file each time: what is there already is found and not charged. */
static uint64_t write_ns(const char *path, size_t pages)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	uint64_t began, ended;

	if (fd < 0)
		err(RUN_FAILED, "%s", path);
	unlink(path);
	began = now_ns();
	for (size_t page = 0; page < pages; page++)
		if (write(fd, page_bytes, PAGE_BYTES) != PAGE_BYTES)
			err(RUN_FAILED, "write %s", path);
	ended = now_ns();
	close(fd);
	return ended - began;
}

static void usage(void)
{
	fputs("usage: micro --pages N --path P --cgroup DIR\n", stderr);
	exit(BAD_USAGE);
}

static size_t number(const char *text)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*end || value < 1 || value > MAX_PAGES)
		errx(BAD_USAGE, "--pages %s: not a number from 1 to %d", text, MAX_PAGES);
	return value;
}

static void parse(struct options *options, int argc, char **argv)
{
	static const struct option known[] = {
		{"pages", required_argument, NULL, 'n'},
		{"path", required_argument, NULL, 'p'},
		{"cgroup", required_argument, NULL, 'c'},
		{NULL, 0, NULL, 0},
	};
	int choice;

	while ((choice = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (choice == 'n')
			options->pages = number(optarg);
		else if (choice == 'p')
			options->path = optarg;
		else if (choice == 'c')
			options->cgroup = optarg;
		else
			usage();
	}
	if (optind != argc || !options->pages || !options->path || !options->cgroup)
		usage();
}

int main(int argc, char **argv)
{
	struct options options = {0};
	uint64_t faults_ns, writes_ns;

	parse(&options, argc, argv);
	/* What an earlier one left to be written back would be in the way. */
	sync();
	enter_cgroup(options.cgroup);
	faults_ns = fault_ns(options.pages);
	writes_ns = write_ns(options.path, options.pages);
	printf("{\"fault_ns\": %llu, \"write_ns\": %llu}\n", (unsigned long long)faults_ns,
	       (unsigned long long)writes_ns);
	return 0;
}
