// charges CPU OTHER: what the host charges for going into the kernel, waking a thread and leaving the guest, a line
// each with nanoseconds, of the quickest of several batches: other programs can only add. Threads run on the two CPUs.
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/io_uring.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

enum { BATCHES = 11, CALLS = 20000, WAKES = 1000, EXITS = 2000 };

static void die(const char *step) {
	fprintf(stderr, "charges: %s: %s\n", step, strerror(errno));
	exit(1);
}

static double now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static void pin(int cpu) {
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof set, &set))
		die("sched_setaffinity");
}

// measure prints what one of n costs that batch does.
static void measure(const char *name, int n, void (*batch)(int n)) {
	double least = 0;
	for (int i = 0; i < BATCHES; i++) {
		double from = now();
		batch(n);
		double took = (now() - from) / n;
		if (i == 0 || took < least)
			least = took;
	}
	printf("%s %.1f\n", name, least);
}

static void getppids(int n) {
	while (n--)
		syscall(SYS_getppid);
}

static int ep, ring;

static void epoll_waits(int n) {
	struct epoll_event e;
	while (n--)
		if (epoll_wait(ep, &e, 1, 0) != 0)
			die("epoll_wait");
}

static void enters(int n) {
	while (n--)
		if (syscall(SYS_io_uring_enter, ring, 0, 0, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
			die("io_uring_enter");
}

#if defined(__x86_64__)
// A guest's CPUID always leaves for the hypervisor.
static void cpuids(int n) {
	unsigned a, b, c, d;
	while (n--)
		__cpuid(0, a, b, c, d);
}
#endif

// Two threads pass a turn to and fro, each on its CPU, and sleep until theirs comes.
static atomic_int turn;
static int other_cpu;

static void sleep_while(int value) {
	while (atomic_load(&turn) == value)
		syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void pass(int value) {
	atomic_store(&turn, value);
	syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void *partner(void *unused) {
	(void)unused;
	pin(other_cpu);
	for (;;) {
		sleep_while(0);
		pass(0);
	}
	return NULL;
}

static void wakes(int n) {
	for (n = n / 2 + 1; n--;) {
		pass(1);
		sleep_while(1);
	}
}

int main(int argc, char **argv) {
	if (argc != 3) {
		fprintf(stderr, "usage: charges CPU OTHER\n");
		return 2;
	}
	pin(atoi(argv[1]));
	other_cpu = atoi(argv[2]);
	measure("getppid", CALLS, getppids);
	ep = epoll_create1(EPOLL_CLOEXEC);
	if (ep < 0)
		die("epoll_create1");
	measure("epoll_wait", CALLS, epoll_waits);
	struct io_uring_params p = {0};
	ring = syscall(SYS_io_uring_setup, 8, &p);
	if (ring >= 0) // it may be forbidden
		measure("io_uring_enter", CALLS, enters);
#if defined(__x86_64__)
	measure("cpuid", EXITS, cpuids);
#endif
	pthread_t thread;
	if (pthread_create(&thread, NULL, partner, NULL))
		die("pthread_create");
	measure("wake", WAKES, wakes);
	return 0;
}
