// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Samples one number from a cgroup file (memory.current) until stdin ends.
 *
 *   sampler --path FILE --interval-us N
 *
 * It prints a heading once it samples. The samples stay in locked memory and are printed at the end, a line of
 * CLOCK_MONOTONIC ns and value for each, so that sampling costs the run it watches one pread() per interval and
 * no I/O.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define MAX_SAMPLES 65536
#define MAX_INTERVAL_US 1000000

enum exit_status { RUN_FAILED = 1, BAD_USAGE = 2 };

static struct {
	uint64_t at_ns;
	uint64_t value;
} samples[MAX_SAMPLES];

static size_t sample_count;

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static uint64_t read_value(int fd)
{
	char text[32];
	ssize_t length = pread(fd, text, sizeof(text) - 1, 0);

	if (length < 0)
		err(RUN_FAILED, "read");
	text[length] = '\0';
	return strtoull(text, NULL, 10);
}

static void take_sample(int fd)
{
	samples[sample_count].at_ns = now_ns();
	samples[sample_count].value = read_value(fd);
	sample_count++;
}

/* A run of any length fits: when memory is full, every other sample goes and the interval doubles. */
static void thin_out(void)
{
	for (size_t i = 0; i < MAX_SAMPLES / 2; i++)
		samples[i] = samples[2 * i];
	sample_count = MAX_SAMPLES / 2;
}

static int stdin_ended_within(uint64_t interval_ns)
{
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
	struct timespec timeout = {
		.tv_sec = (time_t)(interval_ns / 1000000000U),
		.tv_nsec = (long)(interval_ns % 1000000000U),
	};
	int ready = ppoll(&input, 1, &timeout, NULL);

	if (ready < 0 && errno != EINTR)
		err(RUN_FAILED, "ppoll");
	return ready > 0;
}

static void sample_until_stdin_ends(int fd, uint64_t interval_ns)
{
	do {
		if (sample_count == MAX_SAMPLES) {
			thin_out();
			interval_ns *= 2;
		}
		take_sample(fd);
	} while (!stdin_ended_within(interval_ns));
}

static void usage(void)
{
	fputs("usage: sampler --path FILE --interval-us N\n", stderr);
	exit(BAD_USAGE);
}

static uint64_t interval_of(const char *interval_us)
{
	char *end;
	unsigned long us = strtoul(interval_us, &end, 10);

	if (*end || us < 1 || us > MAX_INTERVAL_US)
		errx(BAD_USAGE, "--interval-us %s: not a number from 1 to %d", interval_us, MAX_INTERVAL_US);
	return us * 1000U;
}

static void print_samples(void)
{
	for (size_t i = 0; i < sample_count; i++)
		printf("%llu %llu\n", (unsigned long long)samples[i].at_ns, (unsigned long long)samples[i].value);
}

int main(int argc, char **argv)
{
	static const struct option known[] = {
		{"path", required_argument, NULL, 'p'},
		{"interval-us", required_argument, NULL, 'i'},
		{NULL, 0, NULL, 0},
	};
	const char *path = NULL;
	uint64_t interval_ns = 0;
	int choice, fd;

	while ((choice = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (choice == 'p')
			path = optarg;
		else if (choice == 'i')
			interval_ns = interval_of(optarg);
		else
			usage();
	}
	if (!path || !interval_ns || optind != argc)
		usage();
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		err(RUN_FAILED, "%s", path);
	if (mlockall(MCL_CURRENT) < 0)
		err(RUN_FAILED, "mlockall");
	puts("ns value");
	fflush(stdout);
	sample_until_stdin_ends(fd, interval_ns);
	print_samples();
	return 0;
}
