// UDP echo the plain fast way: one thread, one socket, recvmmsg for what has come, up to 64 datagrams, and one sendmmsg
// for the replies.
//
//     gcc -O2 -Wall -o udp_echo udp_echo.c
//     ./udp_echo PORT
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { BATCH = 64, SIZE = 2048, BUFFER = 1 << 20 };

static char bytes[BATCH][SIZE];
static struct sockaddr_in names[BATCH];
static struct iovec vectors[BATCH];
static struct mmsghdr messages[BATCH];

static void die(const char *what) {
	perror(what);
	exit(1);
}

static void prepare(int i) {
	vectors[i] = (struct iovec){bytes[i], SIZE};
	messages[i].msg_hdr = (struct msghdr){
		.msg_name = &names[i], .msg_namelen = sizeof names[i], .msg_iov = &vectors[i], .msg_iovlen = 1};
}

int main(int argc, char **argv) {
	if (argc != 2) {
		fprintf(stderr, "usage: udp_echo PORT\n");
		return 2;
	}
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (s < 0)
		die("socket");
	int buffer = BUFFER; // what the load has in flight must fit, so that nothing is lost
	if (setsockopt(s, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer) < 0)
		die("setsockopt SO_RCVBUF");
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	if (bind(s, (struct sockaddr *)&at, sizeof at) < 0)
		die("bind");
	for (int i = 0; i < BATCH; i++)
		prepare(i);
	fprintf(stderr, "listening udp://127.0.0.1:%s\n", argv[1]);
	for (;;) {
		// It waits for the first datagram, and takes the others that are there.
		int n = recvmmsg(s, messages, BATCH, MSG_WAITFORONE, NULL);
		if (n < 0) {
			if (errno == EINTR)
				continue;
			die("recvmmsg");
		}
		for (int i = 0; i < n; i++)
			vectors[i].iov_len = messages[i].msg_len;
		for (int sent = 0; sent < n;) {
			int k = sendmmsg(s, messages + sent, n - sent, 0);
			if (k < 0) {
				if (errno == EINTR)
					continue;
				// One that can't be sent is lost, as datagrams are: a peer that is gone must not end the others.
				fprintf(stderr, "sendmmsg: %s\n", strerror(errno));
				k = 1;
			}
			sent += k;
		}
		for (int i = 0; i < n; i++)
			prepare(i);
	}
}
