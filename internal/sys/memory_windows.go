//go:build windows

package sys

import (
	"slices"
	"sync"
	"sync/atomic"
)

// Pipes, pairs of Unix sockets and eventfds have both ends in this process, and no other program knows their numbers.
// So they are memory here, with Linux's meaning: Windows has none of them in a form that can be waited for together
// with sockets. They can't be passed to programs that this one starts.

// end is one end of such a thing: what its descriptor reads from, and writes to.
type end struct {
	in, out *queue // nil: the end does not read, or write
	counter *counter
	pipe    bool
}

// queue is one direction: the bytes or messages that were written and not read.
type queue struct {
	mu       sync.Mutex
	messages bool     // messages keep their bounds
	bytes    []byte   // of a stream
	list     [][]byte // of messages
	size     int      // of both
	limit    int
	ended    bool // the writer is closed: nothing more will come
	unread   bool // the reader is closed: nothing more will be read
	watchers []*sleeper
}

const (
	pipeLimit = 64 << 10
	pairLimit = 208 << 10
	pipeBuf   = 4096 // a write of up to this size is done fully, or not at all
	sizeMin   = 4096 // of a pipe
	sizeMax   = 1 << 20
)

// sleeper is a thread that waits for a change of queues.
type sleeper struct {
	waker  Waker
	called atomic.Bool
}

func (s *sleeper) wake() {
	if !s.called.Swap(true) {
		s.waker.Signal()
	}
}

// changed wakes the waiting threads. L.
func (q *queue) changed() {
	for _, s := range q.watchers {
		s.wake()
	}
}

// watch registers s to be woken by changes, or removes it.
func (q *queue) watch(s *sleeper, on bool) {
	if q == nil {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if on {
		q.watchers = append(q.watchers, s)
	} else if i := slices.Index(q.watchers, s); i >= 0 {
		q.watchers = slices.Delete(q.watchers, i, i+1)
	}
}

// queues returns the queues on which the readiness of an end depends.
func (e *end) queues() [2]*queue {
	if e.counter != nil {
		return [2]*queue{&e.counter.queue, nil}
	}
	return [2]*queue{e.in, e.out}
}

// end closes a direction from one of its sides.
func (q *queue) end(reader bool) {
	if q == nil {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ended = true
	if reader {
		q.unread = true
	}
	q.changed()
}

// close runs when the last descriptor of an end is closed.
func (e *end) close() {
	e.in.end(true)
	e.out.end(false)
}

// read takes what there is. With peek, it stays. cut reports that a message was longer.
func (q *queue) read(vec [][]byte, peek bool) (n int32, cut bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	from := q.bytes
	switch {
	case q.messages && len(q.list) > 0:
		from = q.list[0]
	case q.messages && q.ended, !q.messages && q.size == 0 && q.ended:
		return 0, false
	case q.messages || q.size == 0:
		return -EAGAIN, false
	}
	took := 0
	for _, p := range vec {
		took += copy(p, from[took:])
	}
	if peek {
		return int32(took), q.messages && took < len(from)
	}
	if q.messages {
		cut = took < len(from)
		q.size -= len(from)
		q.list[0] = nil
		q.list = q.list[1:]
	} else {
		q.size -= took
		q.bytes = q.bytes[:copy(q.bytes, q.bytes[took:])]
	}
	q.changed()
	return int32(took), cut
}

// write adds what there is room for: a message fully or not at all, and so a short write to a pipe.
func (q *queue) write(vec [][]byte, pipe bool) int32 {
	n := 0
	for _, p := range vec {
		n += len(p)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	room := q.limit - q.size
	switch {
	case q.unread || q.ended:
		return -EPIPE
	case q.messages && n > q.limit:
		return -EMSGSIZE
	case n == 0 && !q.messages:
		return 0
	case room <= 0, q.messages && n > room, pipe && n <= pipeBuf && n > room:
		return -EAGAIN
	}
	if q.messages {
		q.list = append(q.list, slices.Concat(vec...))
	} else {
		n = min(n, room)
		left := n
		for _, p := range vec {
			p = p[:min(len(p), left)]
			q.bytes = append(q.bytes, p...)
			left -= len(p)
		}
	}
	q.size += n
	q.changed()
	return int32(n)
}

// ready returns the poll mask of an end.
func (e *end) ready() (mask uint32) {
	if e.counter != nil {
		return e.counter.ready()
	}
	ended, unread := false, false
	if e.in != nil {
		e.in.mu.Lock()
		if e.in.size > 0 || len(e.in.list) > 0 {
			mask |= PollIn
		}
		ended = e.in.ended
		e.in.mu.Unlock()
	}
	if e.out != nil {
		e.out.mu.Lock()
		least := 1
		if e.pipe {
			least = pipeBuf
		}
		if unread = e.out.unread || e.out.ended; unread || e.out.limit-e.out.size >= least {
			mask |= PollOut
		}
		e.out.mu.Unlock()
	}
	switch {
	case e.pipe && ended:
		mask |= PollHup
	case e.pipe && unread:
		mask |= PollErr
	case ended && unread:
		mask |= PollHup | PollIn | PollRdhup
	case ended:
		mask |= PollIn | PollRdhup
	}
	return mask
}

// shut is shutdown(2) on a socket of a pair.
func (e *end) shut(how int) int32 {
	if how < 0 || how > 2 {
		return -EINVAL
	}
	if how != 1 {
		e.in.end(true)
	}
	if how != 0 {
		e.out.end(false)
	}
	return 0
}

// counter is the counter of an eventfd.
type counter struct {
	queue // used for its lock and its watchers
	n     uint64
}

func (c *counter) ready() uint32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n > 0 {
		return PollIn | PollOut
	}
	return PollOut
}

// take returns the count and resets it.
func (c *counter) take() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.n
	c.n = 0
	c.changed()
	return n
}

// add adds to the count.
func (c *counter) add(n uint64) int32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case n == ^uint64(0):
		return -EINVAL
	case c.n+n < c.n, c.n+n == ^uint64(0):
		return -EAGAIN
	}
	c.n += n
	c.changed()
	return 0
}

// Socketpair makes two connected Unix sockets.
func Socketpair(typ int) (a, b, res int32) {
	kind := typ &^ (SockNonblock | SockCloexec)
	if kind != SockStream && kind != SockDgram && kind != SockSeqpacket {
		return -1, -1, -ESOCKTNOSUPPORT
	}
	flags := uint32(ORdwr)
	if typ&SockNonblock != 0 {
		flags |= ONonblock
	}
	there := &queue{limit: pairLimit, messages: kind != SockStream}
	back := &queue{limit: pairLimit, messages: kind != SockStream}
	made := [2]*open{{mem: &end{in: back, out: there}}, {mem: &end{in: there, out: back}}}
	for _, o := range made {
		o.socket = &socket{domain: AFUnix, kind: int32(kind)}
		o.socket.bound.Store(true)
		o.flags.Store(flags)
	}
	return addTwo(made)
}

// addTwo gives descriptors to two ends.
func addTwo(made [2]*open) (a, b, res int32) {
	if a = add(made[0]); a < 0 {
		made[1].mem.close()
		return -1, -1, a
	}
	if b = add(made[1]); b < 0 {
		Close(a)
		return -1, -1, b
	}
	return a, b, 0
}

// Pipe makes a pipe whose ends are non-blocking.
func Pipe() (r, w, res int32) {
	q := &queue{limit: pipeLimit}
	made := [2]*open{{kind: isPipe, mem: &end{in: q, pipe: true}}, {kind: isPipe, mem: &end{out: q, pipe: true}}}
	made[0].flags.Store(ONonblock)
	made[1].flags.Store(ONonblock | OWronly)
	return addTwo(made)
}

// SetPipeSize sets the capacity of a pipe to n bytes, and returns the new capacity.
func SetPipeSize(fd int32, n int) int32 {
	o := use(fd)
	if o == nil {
		return -EBADF
	}
	defer o.done()
	if o.mem == nil || !o.mem.pipe {
		return -EBADF
	}
	q := o.mem.in
	if q == nil {
		q = o.mem.out
	}
	size := sizeMin
	for size < n && size < sizeMax {
		size *= 2
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case n > sizeMax:
		return -EPERM
	case size < q.size:
		return -EBUSY
	}
	q.limit = size
	q.changed()
	return int32(size)
}

// Eventfd is eventfd2(2), non-blocking.
func Eventfd() int32 {
	o := &open{kind: isPipe, mem: &end{counter: new(counter)}}
	o.flags.Store(ORdwr | ONonblock)
	return add(o)
}

// option returns an option of a socket of a pair: the options that have no effect can be set, too.
func (e *end) option(level, name int) (value, res int32) {
	if level != SolSocket {
		return 0, -EOPNOTSUPP
	}
	switch name {
	case SoError, soKeepalive, soBroadcast:
		return 0, 0
	case soSndbuf:
		e.out.mu.Lock()
		defer e.out.mu.Unlock()
		return int32(e.out.limit), 0
	case soRcvbuf:
		return pairLimit, 0
	}
	return 0, noOption
}

// setOption sets an option: the send buffer becomes twice what is asked for, as on Linux.
func (e *end) setOption(level, name int, value int32) int32 {
	if _, res := e.option(level, name); res < 0 || name != soSndbuf {
		return res
	}
	e.out.mu.Lock()
	defer e.out.mu.Unlock()
	const least = 4608
	e.out.limit = max(2*int(min(max(value, 0), pairLimit)), least)
	e.out.changed()
	return 0
}
