//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"ringo/internal/measure"
)

const (
	bufferSize   = 64 << 10
	windowMax    = 1 << 20 // most bytes given to one send
	callsMax     = 8       // system calls of one kind on a connection, before the others get their turn
	errorsShown  = 5
	edgeTriggers = unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET

	// A server that takes a datagram frees room in its sender's buffer, and EPOLLOUT would report that each time, at
	// the server's cost.
	datagramEdges = unix.EPOLLIN | unix.EPOLLET
)

// errClosed means that the server ended a connection that should have stayed open.
var errClosed = fmt.Errorf("closed by the server: %w", io.ErrUnexpectedEOF)

// errExtra means that the server sent more bytes than there were requests for.
var errExtra = errors.New("the server sent bytes that answer nothing")

// conn is one connection and its place in its stream. Positions count bytes since the connection was made.
type conn struct {
	fd       int // -1: closed
	id       int // chooses the stream
	sent     uint64
	received uint64
	limit    uint64          // it may send up to here
	replyEnd uint64          // end of the next reply that is awaited
	stamps   []time.Duration // ring: when the messages in flight were due
	replies  uint64          // complete replies
	counted  uint64          // those in the measured window
	peer     bool            // a peer of mode slow: not counted
	mute     bool            // does not read for now
	queued   bool            // it gave way to the others, and is in engine.queue
}

// engine drives all connections from one thread. Nothing on its hot path allocates.
type engine struct {
	epoll     int
	dialer    *dialer
	exchange  exchange
	start     time.Time
	size      uint64 // of a message
	reply     uint64 // of its reply
	patience  time.Duration
	events    [256]unix.EpollEvent // Fd is the index in conns
	buffer    []byte
	conns     []conn
	queue     []int // connections that gave way, by index; spare is the list before
	spare     []int
	ids       int
	datagrams *datagrams // in place of buffer, for datagram sockets
	bytes     uint64     // received by all connections
	done      uint64     // complete replies of all connections
	latency   measure.Histogram
	pace      *pace       // of mode paced, in place of stamps
	strain    *strain     // of mode httpslow, in addition to conns
	again     bool        // each complete reply allows another message
	draining  bool        // at the end of the run: owing is counted
	owing     int         // connections with an incomplete reply
	onReply   func(i int) // mode churn only

	live, errors, mismatches int
}

func newEngine(c *config) (*engine, error) {
	conns := c.allConns()
	if err := raiseNoFile(conns); err != nil {
		return nil, err
	}
	if c.mode == "httpslow" { // its peers are not among conns
		conns = c.conns
	}
	kind := unix.SOCK_STREAM
	if c.mode == "udp" || c.bulk() {
		kind = unix.SOCK_DGRAM
	}
	d, err := newDialer(c.addr, kind, c.sourceAddrs())
	if err != nil {
		return nil, err
	}
	d.receive = c.receive
	x, err := newExchange(c)
	if err != nil {
		return nil, err
	}
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	e := &engine{
		epoll:    ep,
		dialer:   d,
		exchange: x,
		start:    time.Now(),
		patience: seconds(c.patience),
		buffer:   make([]byte, bufferSize),
		conns:    make([]conn, conns),
	}
	e.size, e.reply = x.sizes()
	if c.mode == "udp" {
		e.datagrams = newDatagrams(min(c.depth, datagramsMax), c.size)
	}
	e.queue, e.spare = make([]int, 0, conns), make([]int, 0, conns)
	for i := range e.conns {
		e.conns[i] = conn{fd: -1, stamps: make([]time.Duration, c.depth)}
	}
	return e, nil
}

func (e *engine) now() time.Duration { return time.Since(e.start) }

// open connects conns[i] and allows it to send limit bytes.
func (e *engine) open(i int, limit uint64) error {
	now := e.now()
	fd, err := e.dialer.dial()
	if err != nil {
		return err
	}
	c := &e.conns[i]
	*c = conn{fd: fd, id: e.ids, limit: limit, replyEnd: e.reply, stamps: c.stamps, counted: c.counted, peer: c.peer,
		mute: c.mute, queued: c.queued}
	e.ids++
	e.live++
	for k := range c.stamps {
		c.stamps[k] = now
	}
	ev := unix.EpollEvent{Events: edgeTriggers, Fd: int32(i)}
	if e.datagrams != nil {
		ev.Events = datagramEdges
	}
	if err := unix.EpollCtl(e.epoll, unix.EPOLL_CTL_ADD, fd, &ev); err != nil {
		return os.NewSyscallError("epoll_ctl", err)
	}
	if e.datagrams != nil {
		e.step(i, 0)
	}
	return nil
}

func (e *engine) close(c *conn) {
	unix.Close(c.fd)
	c.fd = -1
	e.live--
}

func (e *engine) shutdown() {
	for i := range e.conns {
		if c := &e.conns[i]; c.fd >= 0 {
			e.close(c)
		}
	}
	unix.Close(e.epoll)
}

// fail counts an error of a connection and closes it.
func (e *engine) fail(c *conn, err error) {
	if e.errors+e.mismatches < errorsShown {
		fmt.Fprintf(os.Stderr, "load: connection %d, %d bytes sent, %d received: %v\n", c.id, c.sent, c.received, err)
	}
	if errno := syscall.Errno(0); errors.As(err, &errno) || errors.Is(err, errClosed) {
		e.errors++
	} else {
		e.mismatches++
	}
	if e.draining && c.received < e.exchange.due(c.limit) {
		e.owing--
	}
	e.close(c)
}

// step receives what has come, then sends what is allowed.
func (e *engine) step(i int, events uint32) {
	c := &e.conns[i]
	if c.fd < 0 {
		return
	}
	if !c.mute && events&^unix.EPOLLOUT != 0 {
		if err := e.receive(i, c, events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0); err != nil {
			e.fail(c, err)
			return
		}
	}
	if c.sent < c.limit && c.fd >= 0 {
		if err := e.send(i, c); err != nil {
			e.fail(c, err)
		}
	}
}

// giveWay makes a connection continue after the others: its edge-triggered event will not come again.
func (e *engine) giveWay(i int, c *conn) {
	if !c.queued {
		c.queued = true
		e.queue = append(e.queue, i)
	}
}

// resume continues with the connections that gave way.
func (e *engine) resume() {
	e.queue, e.spare = e.spare[:0], e.queue
	for _, i := range e.spare {
		e.conns[i].queued = false
		e.step(i, unix.EPOLLIN|unix.EPOLLRDHUP)
	}
}

// receive reads until a read is short, or until EAGAIN if the peer's end was announced: the end causes no further
// event.
func (e *engine) receive(i int, c *conn, ending bool) error {
	if e.datagrams != nil {
		return e.receiveDatagrams(i, c)
	}
	for range callsMax {
		n, errno := recv(c.fd, e.buffer)
		if errno == unix.EAGAIN {
			return nil
		}
		if errno != 0 {
			return os.NewSyscallError("recvfrom", errno)
		}
		if n == 0 {
			return errClosed
		}
		if err := e.take(i, c, e.buffer[:n]); err != nil {
			return err
		}
		if n < len(e.buffer) && !ending || c.fd < 0 {
			return nil
		}
	}
	e.giveWay(i, c)
	return nil
}

// take checks and counts received bytes.
func (e *engine) take(i int, c *conn, got []byte) error {
	n := uint64(len(got))
	if c.received+n > e.exchange.due(c.sent) {
		return errExtra
	}
	if err := e.exchange.check(c.id, c.received, got); err != nil {
		return err
	}
	c.received += n
	e.bytes += n
	if c.received >= c.replyEnd && !c.peer {
		e.complete(i, c)
	}
	if e.draining && c.received == e.exchange.due(c.limit) {
		e.owing--
	}
	return nil
}

// complete counts the complete replies, and allows as many further messages.
func (e *engine) complete(i int, c *conn) {
	now := e.now()
	for c.received >= c.replyEnd {
		stamp := &c.stamps[c.replies%uint64(len(c.stamps))]
		due := *stamp
		if e.pace != nil {
			due = e.pace.dueOn(i, c.replies)
		}
		e.latency.Record(now - due)
		*stamp = now
		c.replies++
		c.counted++
		e.done++
		c.replyEnd += e.reply
		if e.again {
			c.limit += e.size
		}
	}
	if e.onReply != nil {
		e.onReply(i)
	}
}

func (e *engine) send(i int, c *conn) error {
	if e.datagrams != nil {
		return e.sendDatagrams(c)
	}
	for range callsMax {
		if c.sent == c.limit {
			return nil
		}
		w := e.exchange.window(c.id, c.sent, int(min(c.limit-c.sent, windowMax)))
		n, errno := send(c.fd, w)
		if errno == unix.EAGAIN {
			return nil
		}
		if errno != 0 {
			return os.NewSyscallError("sendto", errno)
		}
		c.sent += uint64(n)
	}
	e.giveWay(i, c)
	return nil
}
