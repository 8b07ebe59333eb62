// One side of a one-way stream of datagrams, with GSO where it sends and GRO where it receives (udp(7), Linux 4.18 and 5.0):
// the kernel takes and gives many datagrams of one size as one piece of up to 64 KiB.
//
//     gcc -O2 -Wall -o udp_bulk udp_bulk.c
//     ./udp_bulk recv PORT         counts what comes; a datagram of one byte asks for the counts, of datagrams and
//                                  of bytes, after which the answer has that byte
//     ./udp_bulk send PORT SIZE    sends datagrams of SIZE to whom the first comes from, until another comes
//
// What is sent begins, in the first datagram of each piece, with the number of datagrams sent with it and before; all other
// bytes are 0. Numbers have 8 bytes and the machine's order.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

enum {
	PIECES = 16,          // in a call
	PIECE = 64 << 10,     // bytes, more than a piece can have
	SEND_MAX = 60000,     // bytes of a piece that is sent
	BUFFER = 4 << 20,     // of the socket, and the kernel gives what it allows
	BETWEEN = 8,          // calls to send between looks whether to stop
};

static char bytes[PIECES][PIECE];
static char control[PIECES][CMSG_SPACE(sizeof(int))];
static struct sockaddr_in names[PIECES];
static struct iovec vectors[PIECES];
static struct mmsghdr messages[PIECES];

static void die(const char *what) {
	perror(what);
	exit(1);
}

static void option(int s, int level, int name, int value, const char *what) {
	if (setsockopt(s, level, name, &value, sizeof value) < 0)
		die(what);
}

static void prepare(int i) {
	vectors[i] = (struct iovec){bytes[i], PIECE};
	messages[i].msg_hdr = (struct msghdr){.msg_name = &names[i], .msg_namelen = sizeof names[i], .msg_iov = &vectors[i],
		.msg_iovlen = 1, .msg_control = control[i], .msg_controllen = sizeof control[i]};
}

// segment is the size of the datagrams that a piece is made of.
static int segment(struct msghdr *m, int length) {
	int size = length;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
		if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO)
			memcpy(&size, CMSG_DATA(c), sizeof size);
	return size;
}

static void receive(int s) {
	struct {
		uint64_t datagrams, bytes;
		char question;
	} __attribute__((packed)) counts = {0, 0, 0};
	for (int i = 0; i < PIECES; i++)
		prepare(i);
	for (;;) {
		int n = recvmmsg(s, messages, PIECES, MSG_WAITFORONE, NULL);
		if (n < 0) {
			if (errno == EINTR)
				continue;
			die("recvmmsg");
		}
		for (int i = 0; i < n; i++) {
			int length = messages[i].msg_len;
			if (length == 1) {
				counts.question = bytes[i][0];
				if (sendto(s, &counts, sizeof counts, 0, (struct sockaddr *)&names[i], sizeof names[i]) < 0)
					perror("sendto");
			} else if (length > 0) {
				int size = segment(&messages[i].msg_hdr, length);
				counts.datagrams += (length + size - 1) / size;
				counts.bytes += length;
			}
			prepare(i);
		}
	}
}

static void stream(int s, int size) {
	struct sockaddr_in to;
	socklen_t length = sizeof to;
	char ignored[16];
	if (recvfrom(s, ignored, sizeof ignored, 0, (struct sockaddr *)&to, &length) < 0)
		die("recvfrom");
	uint64_t sent = 0;
	int segments = SEND_MAX / size;
	memset(messages, 0, sizeof messages);
	for (int i = 0; i < PIECES; i++) {
		vectors[i] = (struct iovec){bytes[i], segments * size};
		messages[i].msg_hdr = (struct msghdr){.msg_name = &to, .msg_namelen = length, .msg_iov = &vectors[i], .msg_iovlen = 1};
	}
	while (recv(s, ignored, sizeof ignored, MSG_DONTWAIT) < 0) {
		for (int k = 0; k < BETWEEN; k++) {
			for (int i = 0; i < PIECES; i++) {
				uint64_t with = sent + (uint64_t)(i + 1) * segments;
				memcpy(bytes[i], &with, sizeof with);
			}
			int n = sendmmsg(s, messages, PIECES, 0);
			if (n < 0 && errno != EINTR)
				die("sendmmsg");
			if (n > 0)
				sent += (uint64_t)n * segments;
		}
	}
}

int main(int argc, char **argv) {
	int sends = argc == 4 && strcmp(argv[1], "send") == 0;
	int size = sends ? atoi(argv[3]) : 0;
	if (!(sends && size >= 8 && size <= SEND_MAX) && !(argc == 3 && strcmp(argv[1], "recv") == 0)) {
		fprintf(stderr, "usage: udp_bulk recv PORT | udp_bulk send PORT SIZE (8 to %d)\n", SEND_MAX);
		return 2;
	}
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (s < 0)
		die("socket");
	option(s, SOL_SOCKET, sends ? SO_SNDBUF : SO_RCVBUF, BUFFER, "setsockopt of the buffer's size");
	if (sends)
		option(s, SOL_UDP, UDP_SEGMENT, size, "setsockopt UDP_SEGMENT");
	else
		option(s, SOL_UDP, UDP_GRO, 1, "setsockopt UDP_GRO");
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[2])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	if (bind(s, (struct sockaddr *)&at, sizeof at) < 0)
		die("bind");
	fprintf(stderr, "listening udp://127.0.0.1:%s\n", argv[2]);
	if (sends)
		stream(s, size);
	else
		receive(s);
	return 0;
}
