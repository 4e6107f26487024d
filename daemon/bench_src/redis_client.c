// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Asks a Redis server for values at a steady rate, and tells how long each answer took.
 *
 *   redis_client --socket PATH --keys N --value-bytes N --rate N
 *
 * It fills the server, prints a heading, and waits for one byte on stdin. Then a request is due each 1/rate s,
 * whether or not earlier ones have been answered, until stdin ends; all of them go over one connection. A request
 * takes from the moment that it was due: a server that stalls makes the requests slow that wait meanwhile, and
 * none of them is left out for it. At the end a line of JSON is printed.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "histogram.h"

#define MAX_VALUE_BYTES 65536
#define MAX_OUTSTANDING (1 << 20)
#define REQUEST_BYTES 64
#define NS_PER_S 1000000000ULL
#define OK_BYTES 5 /* "+OK\r\n" */

enum exit_status { RUN_FAILED = 1, BAD_USAGE = 2 };
enum option_number { SOCKET_PATH, KEYS, VALUE_BYTES, RATE, OPTIONS };

struct client {
	int fd;
	uint64_t keys;
	size_t answer_bytes; /* all answers are equally long: so they can be counted by their bytes */
	uint64_t sent;
	uint64_t received_bytes;
	uint64_t answered;
};

static struct histogram answers;

/* When requests were due that are not answered yet, by their number. */
static uint64_t due_ns_of[MAX_OUTSTANDING];

static int connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(address.sun_path))
		errx(BAD_USAGE, "--socket: the path is too long");
	strcpy(address.sun_path, path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		err(RUN_FAILED, "%s", path);
	return fd;
}

static void send_all(int fd, const char *bytes, size_t count)
{
	while (count) {
		ssize_t sent = send(fd, bytes, count, MSG_NOSIGNAL);

		if (sent < 0)
			err(RUN_FAILED, "send");
		bytes += sent;
		count -= (size_t)sent;
	}
}

static void set_value(int fd, uint64_t key, const char *value, size_t value_bytes)
{
	static char request[MAX_VALUE_BYTES + REQUEST_BYTES];
	char answer[OK_BYTES];
	int head = snprintf(request, sizeof(request), "*3\r\n$3\r\nSET\r\n$10\r\nkey:%06llu\r\n$%zu\r\n",
			    (unsigned long long)key, value_bytes);

	memcpy(request + head, value, value_bytes);
	memcpy(request + head + value_bytes, "\r\n", 2);
	send_all(fd, request, (size_t)head + value_bytes + 2);
	if (recv(fd, answer, sizeof(answer), MSG_WAITALL) != OK_BYTES || memcmp(answer, "+OK\r\n", OK_BYTES))
		errx(RUN_FAILED, "the server does not take values");
}

/* Incompressible, so that no value is smaller in zram than in memory. */
static void fill_server(const struct client *client, size_t value_bytes)
{
	static char value[MAX_VALUE_BYTES];
	uint64_t state = 0x9e3779b97f4a7c15;

	for (uint64_t key = 0; key < client->keys; key++) {
		for (size_t i = 0; i < value_bytes; i++) {
			state ^= state >> 12;
			state ^= state << 25;
			state ^= state >> 27;
			value[i] = (char)(state * 0x2545f4914f6cdd1d >> 56);
		}
		set_value(client->fd, key, value, value_bytes);
	}
}

static void send_request(struct client *client, uint64_t due_ns)
{
	static uint64_t state = 1;
	char request[REQUEST_BYTES];
	int length;

	state = state * 6364136223846793005ULL + 1442695040888963407ULL;
	length = snprintf(request, sizeof(request), "*2\r\n$3\r\nGET\r\n$10\r\nkey:%06llu\r\n",
			  (unsigned long long)((state >> 33) % client->keys));
	if (client->sent - client->answered == MAX_OUTSTANDING)
		errx(RUN_FAILED, "%d requests are not answered", MAX_OUTSTANDING);
	due_ns_of[client->sent++ % MAX_OUTSTANDING] = due_ns;
	send_all(client->fd, request, (size_t)length);
}

static void take_answers(struct client *client)
{
	static char bytes[1 << 16];
	ssize_t count = recv(client->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	uint64_t now;

	if (count < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (count <= 0)
		errx(RUN_FAILED, "the server is gone");
	client->received_bytes += (uint64_t)count;
	now = now_ns();
	for (; client->answered < client->received_bytes / client->answer_bytes; client->answered++)
		record(&answers, now - due_ns_of[client->answered % MAX_OUTSTANDING]);
}

/* Returns whether stdin has ended. */
static int wait_for_something(const struct client *client, uint64_t until_ns, int watch_stdin)
{
	struct pollfd watched[] = {{client->fd, POLLIN, 0}, {watch_stdin ? STDIN_FILENO : -1, POLLIN, 0}};
	uint64_t now = now_ns(), left_ns = until_ns > now ? until_ns - now : 0;
	struct timespec timeout = {(time_t)(left_ns / NS_PER_S), (long)(left_ns % NS_PER_S)};

	if (ppoll(watched, 2, &timeout, NULL) < 0 && errno != EINTR)
		err(RUN_FAILED, "ppoll");
	return watched[1].revents != 0;
}

static void run(struct client *client, uint64_t interval_ns)
{
	uint64_t due_ns = now_ns();

	while (!wait_for_something(client, due_ns, 1)) {
		take_answers(client);
		for (; due_ns <= now_ns(); due_ns += interval_ns)
			send_request(client, due_ns);
	}
	while (client->answered < client->sent) {
		wait_for_something(client, now_ns() + NS_PER_S, 0);
		take_answers(client);
	}
}

static void usage(void)
{
	fputs("usage: redis_client --socket PATH --keys N --value-bytes N --rate N\n", stderr);
	exit(BAD_USAGE);
}

static uint64_t number(const char *option, const char *text, uint64_t most)
{
	char *end;
	unsigned long long value = strtoull(text, &end, 10);

	if (*end || !value || value > most)
		errx(BAD_USAGE, "--%s %s: not a number from 1 to %llu", option, text, (unsigned long long)most);
	return value;
}

int main(int argc, char **argv)
{
	static const struct option known[] = {
		{"socket", required_argument, NULL, SOCKET_PATH},
		{"keys", required_argument, NULL, KEYS},
		{"value-bytes", required_argument, NULL, VALUE_BYTES},
		{"rate", required_argument, NULL, RATE},
		{NULL, 0, NULL, 0},
	};
	static const uint64_t most[OPTIONS] = {0, 1000000, MAX_VALUE_BYTES, 1000000};
	uint64_t given[OPTIONS] = {0}, started_ns;
	const char *path = NULL;
	struct client client = {0};
	int choice;
	char byte;

	while ((choice = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (choice == SOCKET_PATH)
			path = optarg;
		else if (choice < OPTIONS)
			given[choice] = number(known[choice].name, optarg, most[choice]);
		else
			usage();
	}
	if (!path || !given[KEYS] || !given[VALUE_BYTES] || !given[RATE] || optind != argc)
		usage();
	client.fd = connect_to(path);
	client.keys = given[KEYS];
	client.answer_bytes = (size_t)snprintf(NULL, 0, "$%zu\r\n\r\n", (size_t)given[VALUE_BYTES]) +
			      given[VALUE_BYTES];
	fill_server(&client, given[VALUE_BYTES]);
	if (mlockall(MCL_CURRENT | MCL_FUTURE) < 0)
		err(RUN_FAILED, "mlockall");
	puts("filled");
	fflush(stdout);
	if (read(STDIN_FILENO, &byte, 1) != 1)
		errx(RUN_FAILED, "stdin ended before the start signal");
	started_ns = now_ns();
	run(&client, NS_PER_S / given[RATE]);
	print_timings(&answers, started_ns, now_ns());
	return 0;
}
