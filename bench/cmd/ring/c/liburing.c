// liburing WORK OPS FILE: the work of cmd/ring by liburing. It prints the operations and the processor time they took.
#define _GNU_SOURCE
#include <fcntl.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef IORING_SETUP_NO_SQARRAY // a liburing older than 2.5 would write an array that is not there
#define IORING_SETUP_NO_SQARRAY 0
#endif

enum { entries = 256, page = 4096, pairs = 16 };

static void check(int bad, const char *what) {
	if (bad) {
		perror(what);
		exit(1);
	}
}

static double cpu(void) {
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	return u.ru_utime.tv_sec + u.ru_stime.tv_sec + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static struct io_uring ring;

static void prepare_ring(void) {
	struct io_uring_params p = {.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL |
					     IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_NO_SQARRAY |
					     IORING_SETUP_CQSIZE,
				    .cq_entries = 4 * entries};
	check(io_uring_queue_init_params(entries, &ring, &p) < 0, "setup");
	io_uring_register_ring_fd(&ring);
}

// reap takes all completions there are and returns their number.
static unsigned reap(int want) {
	struct io_uring_cqe *cqe;
	unsigned head, n = 0;
	io_uring_for_each_cqe(&ring, head, cqe) {
		if (cqe->res != want) {
			fprintf(stderr, "result %d, want %d\n", cqe->res, want);
			exit(1);
		}
		n++;
	}
	io_uring_cq_advance(&ring, n);
	return n;
}

static void nops(long ops, unsigned depth) {
	for (long done = 0; done < ops;) {
		for (unsigned i = 0; i < depth; i++)
			io_uring_prep_nop(io_uring_get_sqe(&ring));
		io_uring_submit_and_wait(&ring, depth);
		done += reap(0);
	}
}

static void reads(long ops, unsigned depth, const char *name, int flags) {
	int fd = open(name, O_RDONLY | flags);
	check(fd < 0, name);
	unsigned long pages = lseek(fd, 0, SEEK_END) / page, at = 0;
	char *mem;
	check(posix_memalign((void **)&mem, page, depth * page), "memory");
	unsigned slot[entries], free = depth;
	for (unsigned i = 0; i < depth; i++)
		slot[i] = i;
	for (long started = 0, done = 0; done < ops;) {
		for (; free > 0 && started < ops; started++) {
			unsigned i = slot[--free];
			struct io_uring_sqe *e = io_uring_get_sqe(&ring);
			at = at * 6364136223846793005UL + 1442695040888963407UL;
			io_uring_prep_read(e, fd, mem + i * page, page, (at >> 33) % pages * page);
			io_uring_sqe_set_data64(e, i);
		}
		io_uring_submit_and_wait(&ring, 1);
		struct io_uring_cqe *cqe;
		unsigned head, n = 0;
		io_uring_for_each_cqe(&ring, head, cqe) {
			if (cqe->res != page) {
				fprintf(stderr, "read %d\n", cqe->res);
				exit(1);
			}
			slot[free++] = cqe->user_data;
			n++;
		}
		io_uring_cq_advance(&ring, n);
		done += n;
	}
}

static void sockets(long ops) {
	int s[pairs][2];
	char out[64], in[pairs][64];
	memset(out, 1, sizeof out);
	for (int i = 0; i < pairs; i++)
		check(socketpair(AF_UNIX, SOCK_STREAM, 0, s[i]), "socketpair");
	for (long done = 0; done < ops;) {
		for (int i = 0; i < pairs; i++) {
			io_uring_prep_send(io_uring_get_sqe(&ring), s[i][0], out, sizeof out, 0);
			io_uring_prep_recv(io_uring_get_sqe(&ring), s[i][1], in[i], sizeof in[i], 0);
		}
		io_uring_submit_and_wait(&ring, 2 * pairs);
		done += reap(sizeof out);
	}
}

int main(int argc, char **argv) {
	if (argc != 4) {
		fprintf(stderr, "usage: liburing WORK OPS FILE\n");
		return 2;
	}
	long ops = atol(argv[2]);
	prepare_ring();
	double begin = cpu();
	if (!strcmp(argv[1], "nop"))
		nops(ops, 32);
	else if (!strcmp(argv[1], "nop-1"))
		nops(ops, 1);
	else if (!strcmp(argv[1], "cached"))
		reads(ops, 32, argv[3], 0);
	else if (!strcmp(argv[1], "direct-32"))
		reads(ops, 32, argv[3], O_DIRECT);
	else if (!strcmp(argv[1], "direct-128"))
		reads(ops, 128, argv[3], O_DIRECT);
	else if (!strcmp(argv[1], "sockets"))
		sockets(ops);
	else
		return 2;
	printf("%ld %.6f\n", ops, cpu() - begin);
	return 0;
}
