// epoll_echo PORT: a TCP echo server on one thread and one epoll, tuned, as the yardstick for servers without io_uring.
//
// What makes it fast: one edge-triggered registration for a connection's life, one hot buffer for all of them, and no
// further read after one that came back short: that socket is drained, and the next arrival is an edge again.
//
// What keeps it right: the read that would say EAGAIN is skipped only while no hang-up, error or urgent byte was
// announced, for those bring no further edge. What a slow peer does not take is kept, and that peer is not read until it
// is gone. A connection with much to read gives way to the others after a few buffers.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	BUFFER_SIZE = 65536,
	READS_MAX = 8, // buffers read from one connection before the others get their turn
	EVENTS_MAX = 512,
	FDS_MAX = 65536,
};

// A backlog holds what a peer has not taken yet.
struct backlog {
	size_t off, len;
	char bytes[];
};

struct conn {
	struct backlog *backlog;
	bool drain;  // read until EAGAIN or EOF: no edge will tell of what is left
	bool queued; // on the list of connections that gave way
};

static int ep, listener, fds_max;
static bool accepting;
static struct conn *conns; // by fd
static int *ready, ready_count;
static char buffer[BUFFER_SIZE];

static void die(const char *step) {
	fprintf(stderr, "epoll_echo: %s: %s\n", step, strerror(errno));
	exit(1);
}

static void *must_alloc(size_t n, size_t size) {
	void *p = calloc(n, size);
	if (!p)
		die("calloc");
	return p;
}

// watch_listener is level-triggered, so that connections left in the queue by a full table are announced again.
static void watch_listener(bool on) {
	struct epoll_event e = {.events = on ? EPOLLIN : 0, .data.fd = listener};
	if (epoll_ctl(ep, EPOLL_CTL_MOD, listener, &e))
		die("epoll_ctl of the listener");
	accepting = on;
}

static void close_conn(int fd) {
	free(conns[fd].backlog);
	conns[fd].backlog = NULL;
	close(fd);
	if (!accepting)
		watch_listener(true);
}

static void give_way(int fd) {
	if (conns[fd].queued)
		return;
	conns[fd].queued = true;
	ready[ready_count++] = fd;
}

// flush sends the backlog. It returns 1 when nothing is left, 0 when the peer takes no more now, -1 on an error.
static int flush(int fd) {
	struct conn *c = &conns[fd];
	struct backlog *b = c->backlog;
	if (!b)
		return 1;
	while (b->off < b->len) {
		ssize_t n = send(fd, b->bytes + b->off, b->len - b->off, MSG_NOSIGNAL);
		if (n < 0)
			return errno == EAGAIN ? 0 : -1;
		b->off += n;
	}
	free(b);
	c->backlog = NULL;
	c->drain = true; // edges that came while it was not read are gone
	return 1;
}

static int send_or_keep(int fd, const char *p, size_t len) {
	ssize_t n = send(fd, p, len, MSG_NOSIGNAL);
	if (n == (ssize_t)len)
		return 1;
	if (n < 0 && errno != EAGAIN)
		return -1;
	if (n < 0)
		n = 0;
	struct backlog *b = must_alloc(1, sizeof *b + len - n);
	b->len = len - n;
	memcpy(b->bytes, p + n, b->len);
	conns[fd].backlog = b;
	return flush(fd); // asks the kernel for the edge that comes with room
}

static void serve(int fd) {
	struct conn *c = &conns[fd];
	int r = flush(fd);
	for (int i = 0; r == 1; i++) {
		if (i == READS_MAX) {
			c->drain = true;
			give_way(fd);
			return;
		}
		ssize_t n = recv(fd, buffer, sizeof buffer, 0);
		if (n < 0 && errno == EAGAIN) {
			c->drain = false;
			return;
		}
		if (n <= 0) {
			r = -1;
			break;
		}
		r = send_or_keep(fd, buffer, n);
		if (n < (ssize_t)sizeof buffer && !c->drain)
			break;
	}
	if (r < 0)
		close_conn(fd);
}

static void accept_all(void) {
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0) {
			if (errno == ECONNABORTED || errno == EINTR)
				continue;
			if (errno != EAGAIN)
				watch_listener(false); // out of fds: the next close turns it on again
			return;
		}
		if (fd >= fds_max) {
			close(fd);
			continue;
		}
		conns[fd].drain = false;
		struct epoll_event e = {
			.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET, .data.fd = fd};
		if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e))
			die("epoll_ctl");
	}
}

static void turn(void) {
	static struct epoll_event events[EVENTS_MAX];
	int n = epoll_wait(ep, events, EVENTS_MAX, ready_count ? 0 : -1);
	if (n < 0 && errno != EINTR)
		die("epoll_wait");
	int waiting = ready_count;
	ready_count = 0;
	for (int i = 0; i < waiting; i++) { // give_way may append again, but never beyond i
		conns[ready[i]].queued = false;
		serve(ready[i]);
	}
	for (int i = 0; i < n; i++) {
		int fd = events[i].data.fd;
		if (fd == listener) {
			accept_all();
			continue;
		}
		if (events[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI))
			conns[fd].drain = true;
		if (events[i].events != EPOLLOUT || conns[fd].backlog)
			serve(fd);
	}
}

static void setup_listener(uint16_t port) {
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int one = 1;
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); // accepted sockets inherit it
	if (bind(listener, (struct sockaddr *)&a, sizeof a) || listen(listener, 4096))
		die("listen");
	struct epoll_event e = {.events = EPOLLIN, .data.fd = listener};
	if (epoll_ctl(ep, EPOLL_CTL_ADD, listener, &e))
		die("epoll_ctl of the listener");
	accepting = true;
}

int main(int argc, char **argv) {
	if (argc != 2) {
		fprintf(stderr, "usage: epoll_echo PORT\n");
		return 2;
	}
	struct rlimit lim;
	getrlimit(RLIMIT_NOFILE, &lim);
	lim.rlim_cur = lim.rlim_max;
	setrlimit(RLIMIT_NOFILE, &lim);
	fds_max = lim.rlim_cur < FDS_MAX ? lim.rlim_cur : FDS_MAX;
	conns = must_alloc(fds_max, sizeof *conns);
	ready = must_alloc(fds_max, sizeof *ready);
	if ((ep = epoll_create1(EPOLL_CLOEXEC)) < 0)
		die("epoll_create1");
	setup_listener(atoi(argv[1]));
	fprintf(stderr, "listening tcp://127.0.0.1:%s driver=c-epoll\n", argv[1]);
	for (;;)
		turn();
}
