// deny RULE... -- COMMAND... runs a command under a seccomp filter, which its children inherit:
//
//	uring        io_uring is refused as by the default profiles of containers
//	uring-setup  no ring can be made, which is what kernel.io_uring_disabled=2 does
//	userns       no user namespace can be made, as in a container that may not
//	inet6        no socket of IPv6 can be made, as after booting with ipv6.disable=1
#define _GNU_SOURCE
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct sock_filter prog[100];
static unsigned short len;

static void emit(unsigned short code, unsigned char yes, unsigned char no, unsigned k)
{
	prog[len++] = (struct sock_filter){code, yes, no, k};
}

static void load(unsigned offset) { emit(BPF_LD | BPF_W | BPF_ABS, 0, 0, offset); }
static void give(unsigned action) { emit(BPF_RET | BPF_K, 0, 0, action); }

// deny has a call end with the errno.
static void deny(int call, int error)
{
	emit(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, call);
	give(SECCOMP_RET_ERRNO | error);
}

// deny_if is deny where the call's first argument is k, or, for BPF_JSET, has a bit of it.
static void deny_if(int call, unsigned short is, unsigned k, int error)
{
	emit(BPF_JMP | BPF_JEQ | BPF_K, 0, 4, call);
	load(offsetof(struct seccomp_data, args[0])); // the low half, where bytes are in this order
	emit(BPF_JMP | is | BPF_K, 0, 1, k);
	give(SECCOMP_RET_ERRNO | error);
	give(SECCOMP_RET_ALLOW);
}

static int rule(const char *name)
{
	if (!strcmp(name, "uring") || !strcmp(name, "uring-setup")) {
		deny(SYS_io_uring_setup, EPERM);
		if (strcmp(name, "uring"))
			return 1;
		deny(SYS_io_uring_enter, EPERM);
		deny(SYS_io_uring_register, EPERM);
	} else if (!strcmp(name, "userns")) {
		deny_if(SYS_clone, BPF_JSET, CLONE_NEWUSER, EPERM);
		deny_if(SYS_unshare, BPF_JSET, CLONE_NEWUSER, EPERM);
		deny(SYS_clone3, ENOSYS); // its flags are in memory: callers fall back
	} else if (!strcmp(name, "inet6")) {
		deny_if(SYS_socket, BPF_JEQ, AF_INET6, EAFNOSUPPORT);
	} else {
		return 0;
	}
	return 1;
}

int main(int argc, char **argv)
{
	int i = 1;
	load(offsetof(struct seccomp_data, nr));
	for (; i < argc && strcmp(argv[i], "--"); i++)
		if (!rule(argv[i]) || len > 80)
			return fprintf(stderr, "deny: no rule is called %s\n", argv[i]), 125;
	give(SECCOMP_RET_ALLOW);
	if (i + 1 >= argc)
		return fprintf(stderr, "usage: deny RULE... -- COMMAND...\n"), 125;
	struct sock_fprog all = {len, prog};
	// Only who is not privileged has to promise to gain nothing by exec.
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &all) &&
	    (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &all)))
		return perror("deny: seccomp"), 125;
	execvp(argv[i + 1], argv + i + 1);
	return perror(argv[i + 1]), 125;
}
