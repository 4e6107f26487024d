// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What user space can do without a patched kernel: polls the usage of cgroups, and reclaims through
 * memory.reclaim from one that has reached start, until it is down to stop.
 *
 *   loop --interval-us N --start-bytes N --stop-bytes N CGROUP...
 *
 * It prints a heading once it polls, and runs until it is killed. It is meant to be as good as such a loop can
 * be: its memory is locked, files stay open, polls are due at absolute times, and a request is for all that is
 * above stop, because the kernel divides requests by itself, and small ones are slow.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "cgroup.h"

#define MAX_IDLE_REQUESTS 4
#define FILES_PER_CGROUP 2
#define NS_PER_S 1000000000

struct cgroup {
	int usage_fd;
	int reclaim_fd;
};

static uint64_t usage_bytes(const struct cgroup *cgroup)
{
	char text[32];
	ssize_t length = pread(cgroup->usage_fd, text, sizeof(text) - 1, 0);

	if (length < 0)
		err(RUN_FAILED, "memory.current");
	text[length] = '\0';
	return strtoull(text, NULL, 10);
}

/* Whether all of it was reclaimed. */
static int request(const struct cgroup *cgroup, uint64_t bytes)
{
	char text[32];
	int length = snprintf(text, sizeof(text), "%llu", (unsigned long long)bytes);

	if (pwrite(cgroup->reclaim_fd, text, (size_t)length, 0) == length)
		return 1;
	if (errno != EAGAIN && errno != EINTR)
		err(RUN_FAILED, "memory.reclaim");
	return 0;
}

static void reclaim(const struct cgroup *cgroup, uint64_t usage, uint64_t stop_bytes)
{
	int idle = 0;

	while (usage > stop_bytes && idle < MAX_IDLE_REQUESTS) {
		if (!request(cgroup, usage - stop_bytes))
			idle++;
		usage = usage_bytes(cgroup);
	}
}

static void sleep_until_next(struct timespec *due, uint64_t interval_ns)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	due->tv_nsec += (long)(interval_ns % NS_PER_S);
	due->tv_sec += (time_t)(interval_ns / NS_PER_S) + due->tv_nsec / NS_PER_S;
	due->tv_nsec %= NS_PER_S;
	/* A poll that took longer than the interval is followed by the next one at once. */
	if (now.tv_sec > due->tv_sec || (now.tv_sec == due->tv_sec && now.tv_nsec > due->tv_nsec))
		*due = now;
	else
		while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, due, NULL) == EINTR)
			;
}

static void usage(void)
{
	fputs("usage: loop --interval-us N --start-bytes N --stop-bytes N CGROUP...\n", stderr);
	exit(BAD_USAGE);
}

static uint64_t number(const char *option, const char *text)
{
	char *end;
	unsigned long long value = strtoull(text, &end, 10);

	if (*end || !value)
		errx(BAD_USAGE, "--%s %s: not a number above 0", option, text);
	return value;
}

int main(int argc, char **argv)
{
	static const struct option known[] = {
		{"interval-us", required_argument, NULL, 0},
		{"start-bytes", required_argument, NULL, 1},
		{"stop-bytes", required_argument, NULL, 2},
		{NULL, 0, NULL, 0},
	};
	uint64_t given[3] = {0};
	struct timespec due;
	struct cgroup *cgroups;
	size_t count;
	int choice;

	while ((choice = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (choice == '?')
			usage();
		given[choice] = number(known[choice].name, optarg);
	}
	count = (size_t)(argc - optind);
	if (!given[0] || !given[1] || !given[2] || !count)
		usage();
	allow_open_files(FILES_PER_CGROUP * count);
	cgroups = calloc(count, sizeof(*cgroups));
	if (!cgroups)
		err(RUN_FAILED, "calloc");
	for (size_t i = 0; i < count; i++) {
		cgroups[i].usage_fd = open_in_cgroup(argv[optind + (int)i], "memory.current", O_RDONLY);
		cgroups[i].reclaim_fd = open_in_cgroup(argv[optind + (int)i], "memory.reclaim", O_WRONLY);
	}
	if (mlockall(MCL_CURRENT | MCL_FUTURE) < 0)
		err(RUN_FAILED, "mlockall");
	puts("polling");
	fflush(stdout);

	clock_gettime(CLOCK_MONOTONIC, &due);
	for (;;) {
		for (size_t i = 0; i < count; i++) {
			uint64_t bytes = usage_bytes(&cgroups[i]);

			if (bytes >= given[1])
				reclaim(&cgroups[i], bytes, given[2]);
		}
		sleep_until_next(&due, given[0] * 1000);
	}
}
