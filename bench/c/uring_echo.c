// uring_echo PORT [BUFFERS]: a TCP echo server on one thread and one io_uring, tuned, as the yardstick for the others.
//
// What makes it fast: accepts and receives are multishot, so a request costs no receive SQE; connections are direct
// descriptors; a reply leaves straight from the provided buffer that the kernel filled; the send runs inline, with
// MSG_DONTWAIT, and posts no CQE when all went out; buffers go back in batches; each turn is one io_uring_enter.
//
// What keeps it right: a send that was short or refused posts a CQE with the bytes that did go out. Until the enter that
// ran a send has returned and its CQEs have been read, the buffer stays ours and the connection gets no second send. What
// a slow peer does not take is copied out of the ring and sent by an op that waits; its receive is cancelled meanwhile.
//
// Needs Linux 6.6 (SETUP_NO_SQARRAY) and raw system calls only, so that any gcc with kernel headers can build it.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef IORING_SETUP_NO_SQARRAY // Linux 6.6
#define IORING_SETUP_NO_SQARRAY (1U << 16)
#endif

#define load_acquire(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define store_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)

enum {
	SQ_ENTRIES = 512,   // small, so that the SQEs that rotate through the cache stay few
	CQ_ENTRIES = 4096,  // takes a burst of accepts; past it the kernel keeps an overflow list
	BUFFER_SIZE = 16384,
	GROUP = 0,
	SLOTS_MAX = 65536,
	NONE = 0xffff,
	SHOTS_MAX = 32, // buffers that the kernel fills for one recv before another gets its turn
};

enum op { OP_ACCEPT, OP_RECV, OP_SEND, OP_DRAIN, OP_QUIET };

// A conn is what a turn touches for a connection. Segments (filled buffers not yet sent) form a list through seg_next.
struct conn {
	uint16_t head, tail;
	bool open, dirty;  // dirty: on the list of connections to advance in this turn
	bool receiving;    // a multishot recv is armed
	bool cancelling;   // and its cancel is on the way
	bool starved;      // its recv ended for want of buffers
	bool queued;       // and it is in the queue for being armed again
	bool eof, dead;    // dead: a socket error, nothing more is sent
	struct backlog *backlog; // only while the peer reads slower than it sends
};

// A backlog holds bytes copied out of the buffer ring: out is with the kernel while sending, next collects what follows.
struct backlog {
	bool sending;
	char *out, *next;
	size_t out_off, out_len, next_len, next_cap;
};

static struct {
	int fd;
	unsigned *sq_head, *sq_tail, *sq_flags, sq_mask, sq_entries, tail;
	unsigned *cq_head, *cq_tail, cq_mask;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
} ring;

static struct io_uring_buf_ring *buffer_ring;
static char *buffers;
static unsigned buffer_count = 256, buffer_tail, buffers_free;
static uint32_t *seg_len;
static uint16_t *seg_next;

static struct conn *conns;
static unsigned *dirty, dirty_count, slot_count;
static unsigned *queue, queue_mask, queue_head, queue_tail; // starved connections; each is in it at most once
static uint16_t *held; // buffers that a send of the last enter read, or that were copied out
static unsigned held_count;
static int listener;
static bool accepting;

static void die(const char *step) {
	fprintf(stderr, "uring_echo: %s: %s\n", step, strerror(errno));
	exit(1);
}

static void *must_alloc(size_t n, size_t size) {
	void *p = calloc(n, size);
	if (!p)
		die("calloc");
	return p;
}

static uint64_t pack(enum op op, unsigned slot, unsigned bid) {
	return (uint64_t)op << 56 | (uint64_t)bid << 32 | slot;
}

static void enter(unsigned wait, unsigned flags) {
	store_release(ring.sq_tail, ring.tail);
	unsigned n = ring.tail - load_acquire(ring.sq_head);
	long r = syscall(__NR_io_uring_enter, ring.fd, n, wait, flags | IORING_ENTER_REGISTERED_RING, NULL, 0);
	if (r < 0 && errno != EINTR)
		die("io_uring_enter");
}

static struct io_uring_sqe *get_sqe(uint8_t opcode, int fd, uint64_t user_data) {
	while (ring.tail - load_acquire(ring.sq_head) == ring.sq_entries)
		enter(0, 0);
	struct io_uring_sqe *s = &ring.sqes[ring.tail++ & ring.sq_mask];
	memset(s, 0, sizeof *s);
	s->opcode = opcode;
	s->fd = fd;
	s->user_data = user_data;
	return s;
}

static void arm_accept(void) {
	struct io_uring_sqe *s = get_sqe(IORING_OP_ACCEPT, listener, pack(OP_ACCEPT, 0, 0));
	s->ioprio = IORING_ACCEPT_MULTISHOT;
	s->file_index = IORING_FILE_INDEX_ALLOC;
	accepting = true;
}

static void arm_recv(unsigned slot) {
	struct io_uring_sqe *s = get_sqe(IORING_OP_RECV, slot, pack(OP_RECV, slot, 0));
	s->flags = IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT;
	s->ioprio = IORING_RECV_MULTISHOT;
	s->buf_group = GROUP;
	conns[slot].receiving = true;
}

static void cancel_recv(unsigned slot) {
	struct io_uring_sqe *s = get_sqe(IORING_OP_ASYNC_CANCEL, -1, pack(OP_QUIET, slot, 0));
	s->addr = pack(OP_RECV, slot, 0);
	s->flags = IOSQE_CQE_SKIP_SUCCESS;
	conns[slot].cancelling = true;
}

static void send_buffer(unsigned slot, uint16_t bid) {
	struct io_uring_sqe *s = get_sqe(IORING_OP_SEND, slot, pack(OP_SEND, slot, bid));
	s->flags = IOSQE_FIXED_FILE | IOSQE_CQE_SKIP_SUCCESS;
	s->addr = (uint64_t)(buffers + (size_t)bid * BUFFER_SIZE);
	s->len = seg_len[bid];
	s->msg_flags = MSG_DONTWAIT | MSG_WAITALL | MSG_NOSIGNAL;
}

static void mark(unsigned slot) {
	if (conns[slot].dirty)
		return;
	conns[slot].dirty = true;
	dirty[dirty_count++] = slot;
}

static uint16_t pop_segment(struct conn *c) {
	uint16_t bid = c->head;
	c->head = seg_next[bid];
	held[held_count++] = bid;
	return bid;
}

static void publish_held(void) {
	for (unsigned i = 0; i < held_count; i++) {
		struct io_uring_buf *b = &buffer_ring->bufs[buffer_tail++ & (buffer_count - 1)];
		b->addr = (uint64_t)(buffers + (size_t)held[i] * BUFFER_SIZE);
		b->len = BUFFER_SIZE;
		b->bid = held[i];
	}
	store_release(&buffer_ring->tail, (uint16_t)buffer_tail);
	buffers_free += held_count;
	held_count = 0;
}

static void copy_out(struct conn *c, uint16_t bid, size_t from) {
	if (!c->backlog)
		c->backlog = must_alloc(1, sizeof *c->backlog);
	struct backlog *b = c->backlog;
	size_t n = seg_len[bid] - from;
	if (b->next_len + n > b->next_cap) {
		b->next_cap = (b->next_len + n) * 2;
		b->next = realloc(b->next, b->next_cap);
		if (!b->next)
			die("realloc");
	}
	memcpy(b->next + b->next_len, buffers + (size_t)bid * BUFFER_SIZE + from, n);
	b->next_len += n;
}

static void free_backlog(struct conn *c) {
	if (!c->backlog)
		return;
	free(c->backlog->out);
	free(c->backlog->next);
	free(c->backlog);
	c->backlog = NULL;
}

// drain sends the backlog with an op that waits for room. It tells whether there is still something to wait for.
static bool drain(unsigned slot) {
	struct conn *c = &conns[slot];
	struct backlog *b = c->backlog;
	if (b->sending)
		return true;
	if (b->out_off == b->out_len) {
		free(b->out);
		b->out = b->next, b->out_len = b->next_len, b->out_off = 0;
		b->next = NULL, b->next_len = b->next_cap = 0;
	}
	if (b->out_len == 0) {
		free_backlog(c);
		return false;
	}
	struct io_uring_sqe *s = get_sqe(IORING_OP_SEND, slot, pack(OP_DRAIN, slot, 0));
	s->flags = IOSQE_FIXED_FILE;
	s->addr = (uint64_t)(b->out + b->out_off);
	s->len = b->out_len - b->out_off;
	s->msg_flags = MSG_WAITALL | MSG_NOSIGNAL;
	b->sending = true;
	return true;
}

static void close_conn(unsigned slot) {
	struct io_uring_sqe *s = get_sqe(IORING_OP_CLOSE, 0, pack(OP_QUIET, slot, 0));
	s->file_index = slot + 1;
	s->flags = IOSQE_CQE_SKIP_SUCCESS;
	free_backlog(&conns[slot]);
	conns[slot].open = false;
	if (!accepting) // the table was full
		arm_accept();
}

// advance looks at a connection's state after all CQEs of a turn and issues what is due: at most one send.
static void advance(unsigned slot) {
	struct conn *c = &conns[slot];
	if (!c->open)
		return;
	if (c->dead || c->backlog) {
		while (c->head != NONE) {
			uint16_t bid = pop_segment(c);
			if (!c->dead)
				copy_out(c, bid, 0);
		}
		if (c->receiving && !c->cancelling)
			cancel_recv(slot);
	}
	if (c->dead) {
		if (!c->receiving && !(c->backlog && c->backlog->sending))
			close_conn(slot);
		return;
	}
	if (c->backlog && drain(slot))
		return;
	if (c->head != NONE) {
		send_buffer(slot, pop_segment(c));
		// Whether that send succeeded is known after the next enter, so what follows waits until then.
		if (c->head != NONE || c->eof)
			mark(slot);
	} else if (c->eof) {
		close_conn(slot);
		return;
	}
	if (c->receiving || c->eof || c->queued)
		return;
	if (c->starved) {
		c->queued = true;
		queue[queue_tail++ & queue_mask] = slot;
	} else {
		arm_recv(slot);
	}
}

// feed arms starved connections again, in the order in which they starved and no more than there are buffers for: were all
// armed at once, the first of them would take the buffers each time.
static void feed(void) {
	if (buffers_free == 0)
		return;
	for (unsigned n = 0; n <= buffers_free / SHOTS_MAX && queue_head != queue_tail; n++) {
		unsigned slot = queue[queue_head++ & queue_mask];
		struct conn *c = &conns[slot];
		c->queued = c->starved = false;
		mark(slot);
	}
}

static void on_accept(int res, bool more) {
	if (res >= 0) {
		conns[res] = (struct conn){.head = NONE, .open = true, .queued = conns[res].queued};
		mark(res);
	}
	if (more)
		return;
	accepting = false;
	if (res != -ENFILE)
		arm_accept();
}

static void on_recv(unsigned slot, int res, unsigned flags) {
	struct conn *c = &conns[slot];
	if (flags & IORING_CQE_F_BUFFER) {
		uint16_t bid = flags >> IORING_CQE_BUFFER_SHIFT;
		buffers_free--;
		seg_len[bid] = res > 0 ? res : 0;
		seg_next[bid] = NONE;
		if (c->head == NONE)
			c->head = bid;
		else
			seg_next[c->tail] = bid;
		c->tail = bid;
	}
	if (!(flags & IORING_CQE_F_MORE)) {
		c->receiving = c->cancelling = false;
		c->starved = res == -ENOBUFS;
		c->eof |= res == 0;
		c->dead |= res < 0 && res != -ENOBUFS && res != -ECANCELED;
	}
	mark(slot);
}

// on_send_failed is called for sends that were short (res says by how much) or refused; the others post no CQE.
static void on_send_failed(unsigned slot, uint16_t bid, int res) {
	if (res >= 0 || res == -EAGAIN)
		copy_out(&conns[slot], bid, res > 0 ? res : 0);
	else
		conns[slot].dead = true;
	mark(slot);
}

static void on_drain(unsigned slot, int res) {
	struct conn *c = &conns[slot];
	c->backlog->sending = false;
	if (res >= 0)
		c->backlog->out_off += res;
	else
		c->dead = true;
	mark(slot);
}

static void reap(void) {
	unsigned head = *ring.cq_head, tail = load_acquire(ring.cq_tail);
	for (; head != tail; head++) {
		struct io_uring_cqe *e = &ring.cqes[head & ring.cq_mask];
		unsigned slot = (uint32_t)e->user_data;
		switch ((enum op)(e->user_data >> 56)) {
		case OP_RECV: on_recv(slot, e->res, e->flags); break;
		case OP_SEND: on_send_failed(slot, e->user_data >> 32, e->res); break;
		case OP_DRAIN: on_drain(slot, e->res); break;
		case OP_ACCEPT: on_accept(e->res, e->flags & IORING_CQE_F_MORE); break;
		case OP_QUIET: break; // a cancel that found nothing
		}
	}
	store_release(ring.cq_head, head);
}

static void turn(void) {
	reap();
	while (load_acquire(ring.sq_flags) & IORING_SQ_CQ_OVERFLOW) { // a failed send may be in the overflow list
		enter(0, IORING_ENTER_GETEVENTS);
		reap();
	}
	publish_held();
	feed();
	unsigned n = dirty_count;
	dirty_count = 0;
	for (unsigned i = 0; i < n; i++) { // advance may mark again; the list then grows below i
		unsigned slot = dirty[i];
		conns[slot].dirty = false;
		advance(slot);
	}
	enter(dirty_count == 0 && queue_head == queue_tail, IORING_ENTER_GETEVENTS);
}

static void setup_ring(void) {
	struct io_uring_params p = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL |
			 IORING_SETUP_CQSIZE | IORING_SETUP_NO_SQARRAY,
		.cq_entries = CQ_ENTRIES,
	};
	int fd = syscall(__NR_io_uring_setup, SQ_ENTRIES, &p);
	if (fd < 0)
		die("io_uring_setup (needs Linux 6.6 and permission)");
	size_t size = p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe);
	int prot = PROT_READ | PROT_WRITE, shared = MAP_SHARED | MAP_POPULATE;
	char *m = mmap(NULL, size, prot, shared, fd, IORING_OFF_SQ_RING);
	ring.sqes = mmap(NULL, p.sq_entries * sizeof *ring.sqes, prot, shared, fd, IORING_OFF_SQES);
	if (m == MAP_FAILED || ring.sqes == MAP_FAILED)
		die("mmap of the ring");
	ring.sq_head = (unsigned *)(m + p.sq_off.head);
	ring.sq_tail = (unsigned *)(m + p.sq_off.tail);
	ring.sq_flags = (unsigned *)(m + p.sq_off.flags);
	ring.sq_mask = p.sq_entries - 1;
	ring.sq_entries = p.sq_entries;
	ring.cq_head = (unsigned *)(m + p.cq_off.head);
	ring.cq_tail = (unsigned *)(m + p.cq_off.tail);
	ring.cq_mask = p.cq_entries - 1;
	ring.cqes = (struct io_uring_cqe *)(m + p.cq_off.cqes);

	struct io_uring_rsrc_update up = {.offset = -1U, .data = fd};
	if (syscall(__NR_io_uring_register, fd, IORING_REGISTER_RING_FDS, &up, 1) != 1)
		die("register ring fd");
	struct io_uring_rsrc_register files = {.nr = slot_count, .flags = IORING_RSRC_REGISTER_SPARSE};
	if (syscall(__NR_io_uring_register, fd, IORING_REGISTER_FILES2, &files, sizeof files) < 0)
		die("register files");

	size_t bytes = buffer_count * sizeof(struct io_uring_buf);
	buffer_ring = mmap(NULL, bytes, prot, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
	buffers = mmap(NULL, (size_t)buffer_count * BUFFER_SIZE, prot, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
	if (buffer_ring == MAP_FAILED || buffers == MAP_FAILED)
		die("mmap of the buffers");
	struct io_uring_buf_reg reg = {
		.ring_addr = (uint64_t)buffer_ring, .ring_entries = buffer_count, .bgid = GROUP};
	if (syscall(__NR_io_uring_register, fd, IORING_REGISTER_PBUF_RING, &reg, 1) < 0)
		die("register buffer ring");
	ring.fd = up.offset;
}

static void setup_tables(void) {
	conns = must_alloc(slot_count, sizeof *conns);
	dirty = must_alloc(slot_count, sizeof *dirty);
	for (queue_mask = 1; queue_mask < slot_count;)
		queue_mask *= 2;
	queue = must_alloc(queue_mask--, sizeof *queue);
	held = must_alloc(buffer_count, sizeof *held);
	seg_len = must_alloc(buffer_count, sizeof *seg_len);
	seg_next = must_alloc(buffer_count, sizeof *seg_next);
	for (unsigned i = 0; i < buffer_count; i++)
		held[held_count++] = i;
}

static void setup_listener(uint16_t port) {
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int one = 1;
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); // accepted sockets inherit it
	if (bind(listener, (struct sockaddr *)&a, sizeof a) || listen(listener, 4096))
		die("listen");
}

int main(int argc, char **argv) {
	struct rlimit lim;
	getrlimit(RLIMIT_NOFILE, &lim);
	lim.rlim_cur = lim.rlim_max;
	setrlimit(RLIMIT_NOFILE, &lim);
	slot_count = lim.rlim_cur < SLOTS_MAX ? lim.rlim_cur : SLOTS_MAX;
	if (argc > 2)
		buffer_count = atoi(argv[2]);
	if (argc < 2 || argc > 3 || buffer_count < 2 || buffer_count > 32768 || (buffer_count & (buffer_count - 1))) {
		fprintf(stderr, "usage: uring_echo PORT [BUFFERS]   (a power of two, 2 to 32768; default 256)\n");
		return 2;
	}
	setup_listener(atoi(argv[1]));
	setup_ring();
	setup_tables();
	arm_accept();
	fprintf(stderr, "listening tcp://127.0.0.1:%s driver=c-uring buffers=%u\n", argv[1], buffer_count);
	for (;;)
		turn();
}
