// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Everything that can happen to attachments, on all CPUs at once, while tasks charge.
 *
 *	attach_race CGROUP_DIRECTORY SECONDS MAP_FD...
 *
 * works on a few nested cgroups below the directory, which must have no children, with struct_ops
 * maps that are ready to be linked:
 *	movers		make and remove the cgroups; attach any map to any of them, with and without
 *			BPF_F_ALLOW_OVERRIDE; ask links for their info; detach and close them
 *	starved		attaches with no file descriptor left, so that it fails after all else is done
 *	late		attaches to a cgroup that it has just removed
 *	doomed		attaches to a cgroup of its own, removes it, and waits until the link hangs up
 *	chargers	enter the cgroups, fault in memory, write files, leave
 * until the time is over and each thing has happened. Then it removes the cgroups and prints how
 * often each happened, a "NAME COUNT" a line.
 * What must not happen shows in the kernel log.
 */
#define _GNU_SOURCE /* memfd_create */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STRUCT_OPS_ATTACH_TYPE 44 /* BPF_STRUCT_OPS */
#define ALLOW_OVERRIDE (1U << 0)  /* BPF_F_ALLOW_OVERRIDE */
#define CGROUP_FD (1U << 7)	  /* BPF_F_CGROUP_FD */

#define MOVERS 3
#define CHARGERS 3
#define LINKS 4
#define CHARGE_BYTES (2 << 20)
#define PATH_BYTES 4096
#define DESCRIPTORS 1024
#define PATIENCE 10 /* times the seconds that were asked for */
#define PATIENCE_MS 60000

/* The cgroups, parents first; the last is doomed()'s own. */
static const char *const names[] = { "a", "a/b", "a/b/c", "a/d", "a/doomed" };
#define NAMES (sizeof(names) / sizeof(names[0]))
#define DOOMED (NAMES - 1)

enum event {
	ATTACHED,
	BUSY,
	GONE,
	WITHOUT_MEMORY,
	STARVED,
	HUNG_UP,
	DETACHED,
	REMOVED,
	CHARGED,
	EVENTS,
};

static const char *const event_names[EVENTS] = {
	[ATTACHED] = "attached",   [BUSY] = "busy",	    [GONE] = "gone",
	[WITHOUT_MEMORY] = "without_memory",		    [STARVED] = "starved",
	[HUNG_UP] = "hung_up",	   [DETACHED] = "detached", [REMOVED] = "removed",
	[CHARGED] = "charged",
};

static unsigned long *counts; /* shared by all processes */
static const char *base;
static int *map_fds;
static int nr_maps;

static void count(enum event event)
{
	__atomic_fetch_add(&counts[event], 1, __ATOMIC_RELAXED);
}

static bool chance(unsigned int one_in)
{
	return random() % one_in == 0;
}

static const char *any_name(void)
{
	return names[random() % DOOMED];
}

static const char *path_of(const char *name, const char *file)
{
	static char path[PATH_BYTES];

	snprintf(path, sizeof(path), "%s/%s%s", base, name, file);
	return path;
}

static bool write_to(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool written = fd >= 0 && write(fd, text, strlen(text)) > 0;

	if (fd >= 0)
		close(fd);
	return written;
}

static void make_cgroup(const char *name)
{
	if (!mkdir(path_of(name, ""), 0755) && !chance(8))
		write_to(path_of(name, "/cgroup.subtree_control"), "+memory");
}

static void remove_cgroup(const char *name)
{
	if (!rmdir(path_of(name, "")))
		count(REMOVED);
}

static int link_create(int target_fd)
{
	union bpf_attr attr = {
		.link_create.map_fd = map_fds[random() % nr_maps],
		.link_create.target_fd = target_fd,
		.link_create.attach_type = STRUCT_OPS_ATTACH_TYPE,
		.link_create.flags = CGROUP_FD | (chance(2) ? ALLOW_OVERRIDE : 0),
	};
	int fd = syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));

	if (fd >= 0) {
		count(ATTACHED);
		return fd;
	}
	switch (errno) {
	case EBUSY:
		count(BUSY);
		break;
	case ENOENT:
	case ENODEV:
		count(GONE);
		break;
	case EINVAL:
	case EOPNOTSUPP:
		count(WITHOUT_MEMORY);
		break;
	case EMFILE:
		count(STARVED);
		break;
	default:
		err(1, "BPF_LINK_CREATE");
	}
	return -1;
}

static int open_cgroup(const char *name)
{
	return open(path_of(name, ""), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int attach(const char *name)
{
	int cgroup_fd = open_cgroup(name), fd = -1;

	if (cgroup_fd >= 0) {
		fd = link_create(cgroup_fd);
		close(cgroup_fd);
	}
	return fd;
}

static void ask(int link_fd)
{
	char info[256];
	union bpf_attr attr = {
		.info.bpf_fd = link_fd,
		.info.info_len = sizeof(info),
		.info.info = (__u64)(unsigned long)info,
	};

	memset(info, 0, sizeof(info));
	if (syscall(SYS_bpf, BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof(attr)))
		err(1, "BPF_OBJ_GET_INFO_BY_FD");
}

static void detach(int link_fd)
{
	union bpf_attr attr = { .link_detach.link_fd = link_fd };

	if (syscall(SYS_bpf, BPF_LINK_DETACH, &attr, sizeof(attr)))
		err(1, "BPF_LINK_DETACH");
	count(DETACHED);
}

static void let_go(int *link_fd)
{
	if (*link_fd < 0)
		return;
	ask(*link_fd);
	if (chance(2))
		detach(*link_fd);
	close(*link_fd);
	*link_fd = -1;
}

static void mover(void)
{
	int links[LINKS];

	memset(links, -1, sizeof(links));
	for (;;) {
		int *link = &links[random() % LINKS];

		switch (random() % 8) {
		case 0:
			remove_cgroup(any_name());
			break;
		case 1:
		case 2:
		case 3:
			make_cgroup(any_name());
			break;
		case 4:
			write_to(path_of(any_name(), "/cgroup.subtree_control"), chance(2) ? "-memory" : "+memory");
			break;
		case 5:
		case 6:
			let_go(link);
			*link = attach(any_name());
			break;
		case 7:
			let_go(link);
			break;
		}
	}
}

static void limit_descriptors(int limit)
{
	struct rlimit descriptors = { .rlim_cur = limit, .rlim_max = DESCRIPTORS };

	if (setrlimit(RLIMIT_NOFILE, &descriptors))
		err(1, "setrlimit");
}

static void starved(void)
{
	for (;;) {
		int fd = open_cgroup(any_name());

		if (fd < 0)
			continue;
		/* It is the lowest that was free, so the next would be above it. */
		limit_descriptors(fd + 1);
		link_create(fd);
		limit_descriptors(DESCRIPTORS);
		close(fd);
	}
}

static void late(void)
{
	for (;;) {
		const char *name = any_name();
		int cgroup_fd = open_cgroup(name), link_fd;

		if (cgroup_fd < 0)
			continue;
		remove_cgroup(name);
		link_fd = link_create(cgroup_fd);
		if (link_fd >= 0)
			close(link_fd);
		close(cgroup_fd);
	}
}

static void doomed(void)
{
	for (;;) {
		int link_fd;

		make_cgroup(names[DOOMED]);
		link_fd = attach(names[DOOMED]);
		remove_cgroup(names[DOOMED]);
		if (link_fd < 0)
			continue;
		/* Without the cgroup there is no attachment; poll() says when that is so. */
		if (poll(&(struct pollfd){ .fd = link_fd }, 1, PATIENCE_MS) != 1)
			errx(1, "a link does not hang up");
		count(HUNG_UP);
		ask(link_fd);
		close(link_fd);
	}
}

static void charge_file(void)
{
	static char bytes[1 << 16];
	int fd = memfd_create("charge", MFD_CLOEXEC);

	if (fd < 0)
		err(1, "memfd_create");
	for (int i = 0; i < CHARGE_BYTES / (int)sizeof(bytes); i++)
		if (write(fd, bytes, sizeof(bytes)) != sizeof(bytes))
			err(1, "writing to a memfd");
	close(fd);
}

static void charge_anon(void)
{
	char *start = mmap(NULL, CHARGE_BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (start == MAP_FAILED)
		err(1, "mmap");
	munmap(start, CHARGE_BYTES);
}

static void charger(void)
{
	for (;;) {
		if (!write_to(path_of(any_name(), "/cgroup.procs"), "0"))
			continue;
		charge_anon();
		charge_file();
		count(CHARGED);
		if (!write_to("/sys/fs/cgroup/cgroup.procs", "0"))
			err(1, "leaving the cgroup");
	}
}

static pid_t start(void (*work)(void), int seed)
{
	pid_t pid = fork();

	if (pid < 0)
		err(1, "fork");
	if (!pid) {
		srandom(seed);
		work();
	}
	return pid;
}

static void remove_all(void)
{
	/* Those that were killed leave their cgroups a little after they were waited for. */
	for (int tries = 0; tries < 1000; tries++) {
		bool left = false;

		for (int i = NAMES - 1; i >= 0; i--)
			if (rmdir(path_of(names[i], "")) && errno != ENOENT)
				left = true;
		if (!left)
			return;
		usleep(10000);
	}
	errx(1, "cgroups are left");
}

static void wait_for_events(unsigned int seconds)
{
	bool all_seen = false;

	/* On a slow machine it takes longer until each thing has happened. */
	for (unsigned int waited = 0; waited < seconds || (!all_seen && waited < PATIENCE * seconds); waited++) {
		sleep(1);
		all_seen = true;
		for (int i = 0; i < EVENTS; i++)
			all_seen &= counts[i] != 0;
	}
}

int main(int argc, char **argv)
{
	pid_t pids[MOVERS + CHARGERS + 3];
	int nr_pids = 0, seed = time(NULL), status;

	if (argc < 4)
		errx(2, "usage: attach_race CGROUP_DIRECTORY SECONDS MAP_FD...");
	base = argv[1];
	nr_maps = argc - 3;
	map_fds = calloc(nr_maps, sizeof(*map_fds));
	counts = mmap(NULL, sizeof(*counts) * EVENTS, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (!map_fds || counts == MAP_FAILED)
		err(1, "memory");
	for (int i = 0; i < nr_maps; i++)
		map_fds[i] = atoi(argv[3 + i]);

	for (int i = 0; i < MOVERS; i++)
		pids[nr_pids++] = start(mover, seed++);
	for (int i = 0; i < CHARGERS; i++)
		pids[nr_pids++] = start(charger, seed++);
	pids[nr_pids++] = start(starved, seed++);
	pids[nr_pids++] = start(late, seed++);
	pids[nr_pids++] = start(doomed, seed++);

	wait_for_events(atoi(argv[2]));
	for (int i = 0; i < nr_pids; i++)
		kill(pids[i], SIGKILL);
	for (int i = 0; i < nr_pids; i++) {
		waitpid(pids[i], &status, 0);
		if (!WIFSIGNALED(status))
			errx(1, "a process ended with status %d", WEXITSTATUS(status));
	}
	remove_all();
	for (int i = 0; i < EVENTS; i++)
		printf("%s %lu\n", event_names[i], counts[i]);
	return 0;
}
