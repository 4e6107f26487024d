/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the programs do with cgroups, and how all of them end. */
#ifndef BENCH_CGROUP_H
#define BENCH_CGROUP_H

#include <err.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

/* Beside those of cgroups. */
#define SPARE_FILES 16

enum exit_status { RUN_FAILED = 1, BAD_USAGE = 2 };

static inline int open_in_cgroup(const char *cgroup, const char *name, int flags)
{
	char path[PATH_MAX];
	int fd;

	if (snprintf(path, sizeof(path), "%s/%s", cgroup, name) >= (int)sizeof(path))
		errx(BAD_USAGE, "%s: the path is too long", cgroup);
	fd = open(path, flags | O_CLOEXEC);
	if (fd < 0)
		err(RUN_FAILED, "%s", path);
	return fd;
}

/* Moves the calling process. */
static inline void enter_cgroup(const char *cgroup)
{
	int fd = open_in_cgroup(cgroup, "cgroup.procs", O_WRONLY);

	if (write(fd, "0", 1) != 1)
		err(RUN_FAILED, "%s/cgroup.procs", cgroup);
	close(fd);
}

/* Files of many cgroups may be more than what may be open by default. */
static inline void allow_open_files(size_t count)
{
	struct rlimit limit;

	count += SPARE_FILES;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		err(RUN_FAILED, "getrlimit");
	if (limit.rlim_cur >= count)
		return;
	limit.rlim_cur = count;
	if (limit.rlim_max < count)
		limit.rlim_max = count;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		err(RUN_FAILED, "setrlimit");
}

#endif /* BENCH_CGROUP_H */
