// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Charges memory to a cgroup in exact amounts, on command. Being small, it charges little else.
 *
 *	charger CGROUP_DIRECTORY
 *
 * moves into the cgroup, says 0, and then answers each line on stdin with a line on stdout:
 *	anon PAGES		fault in that many more anonymous pages (no huge ones)
 *	huge COUNT		fault in that many more huge pages, unasked for: the kernel may take small ones
 *	wanted COUNT		likewise, asked for (MADV_HUGEPAGE)
 *	free			unmap all of them
 *	file PATH PAGES		write a file of that many pages, to the disk
 *	dirty PATH PAGES	write one, and leave it to the kernel when it comes to the disk
 *	read PATH PAGES		read that many pages of a file
 *	ahead PATH PAGES	have them read ahead
 *	sink			open a UDP socket on the loopback that nobody reads from
 * The answer is the nanoseconds it took; for sink it is the port.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAPPINGS 64
#define HUGE_BYTES (2UL << 20)
#define LINE_BYTES 4200

static struct {
	unsigned char *start;
	size_t bytes;
} mappings[MAPPINGS];
static size_t nr_mappings;
static size_t page_bytes;

static long long now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void enter(const char *cgroup)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "0", 1) != 1)
		err(1, "%s", path);
	close(fd);
}

static unsigned char *map(size_t bytes)
{
	unsigned char *start = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (start == MAP_FAILED || nr_mappings == MAPPINGS)
		err(1, "mapping %zu bytes", bytes);
	mappings[nr_mappings].start = start;
	mappings[nr_mappings++].bytes = bytes;
	return start;
}

static void anon(size_t pages)
{
	size_t bytes = pages * page_bytes;
	unsigned char *start = map(bytes);

	if (madvise(start, bytes, MADV_NOHUGEPAGE))
		err(1, "madvise");
	for (size_t at = 0; at < bytes; at += page_bytes)
		start[at] = at / page_bytes + 1;
}

static void huge(size_t count, int wanted)
{
	/* One more, for the alignment. */
	size_t bytes = (count + 1) * HUGE_BYTES;
	unsigned char *start = map(bytes);
	size_t skip = -(uintptr_t)start % HUGE_BYTES;

	if (wanted && madvise(start, bytes, MADV_HUGEPAGE))
		err(1, "madvise");
	for (size_t i = 0; i < count; i++)
		start[skip + i * HUGE_BYTES] = 1;
}

static void release(void)
{
	while (nr_mappings) {
		nr_mappings--;
		munmap(mappings[nr_mappings].start, mappings[nr_mappings].bytes);
	}
}

static void file(const char *path, size_t pages, int to_disk)
{
	static char page[1 << 16];
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0)
		err(1, "%s", path);
	memset(page, 1, page_bytes);
	for (size_t i = 0; i < pages; i++)
		if (write(fd, page, page_bytes) != (ssize_t)page_bytes)
			err(1, "%s", path);
	/* Clean pages can be reclaimed at once. */
	if (to_disk && fsync(fd))
		err(1, "%s", path);
	close(fd);
}

static void read_file(const char *path, size_t pages)
{
	static char page[1 << 16];
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		err(1, "%s", path);
	for (size_t i = 0; i < pages; i++)
		if (read(fd, page, page_bytes) != (ssize_t)page_bytes)
			err(1, "%s", path);
	close(fd);
}

static void read_ahead(const char *path, size_t pages)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || (errno = posix_fadvise(fd, 0, pages * page_bytes, POSIX_FADV_WILLNEED)))
		err(1, "%s", path);
	close(fd);
}

static int sink(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int buffer_bytes = 64 << 20;

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer_bytes, sizeof(buffer_bytes)) ||
	    getsockname(fd, (struct sockaddr *)&address, &length))
		err(1, "sink");
	return ntohs(address.sin_port);
}

static long long obey(char *line)
{
	char path[4096];
	size_t pages;
	long long start_ns = now_ns();

	if (sscanf(line, "anon %zu", &pages) == 1)
		anon(pages);
	else if (sscanf(line, "huge %zu", &pages) == 1)
		huge(pages, 0);
	else if (sscanf(line, "wanted %zu", &pages) == 1)
		huge(pages, 1);
	else if (!strcmp(line, "free\n"))
		release();
	else if (sscanf(line, "file %4095s %zu", path, &pages) == 2)
		file(path, pages, 1);
	else if (sscanf(line, "dirty %4095s %zu", path, &pages) == 2)
		file(path, pages, 0);
	else if (sscanf(line, "read %4095s %zu", path, &pages) == 2)
		read_file(path, pages);
	else if (sscanf(line, "ahead %4095s %zu", path, &pages) == 2)
		read_ahead(path, pages);
	else if (!strcmp(line, "sink\n"))
		return sink();
	else
		errx(2, "no such command: %s", line);
	return now_ns() - start_ns;
}

int main(int argc, char **argv)
{
	static char line[LINE_BYTES], in[LINE_BYTES], out[BUFSIZ];

	if (argc != 2)
		errx(2, "usage: charger CGROUP_DIRECTORY");
	page_bytes = sysconf(_SC_PAGESIZE);
	setvbuf(stdin, in, _IOLBF, sizeof(in));
	setvbuf(stdout, out, _IOLBF, sizeof(out));
	enter(argv[1]);
	printf("0\n");
	while (fgets(line, sizeof(line), stdin))
		printf("%lld\n", obey(line));
	return 0;
}
