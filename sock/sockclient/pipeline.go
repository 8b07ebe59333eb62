package sockclient

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"ringo"
	"ringo/internal/atrest"
	"ringo/internal/caller"
	"ringo/internal/handle"
	"ringo/internal/loop"
	"ringo/internal/rt/code"
	"ringo/sock"
)

// A Protocol tells a Pipeline how to read what the server sends. The Pipeline calls its functions in a task of the
// connection's loop, one at a time; they must not hold that loop for long.
type Protocol[T any] struct {
	// Read reads the next reply, and nothing beyond it. It must not keep r or any part of it. An error ends the
	// connection. An error that the server answers with is a reply like any other: T needs room for it.
	Read func(r *bufio.Reader) (T, error)
	// ID returns the number of the request that a reply answers, as passed to CallID. nil means that replies come in
	// the order of the requests.
	ID func(reply T) uint64
	// Push is called first with each reply that Read returns. It takes replies that answer no request, such as messages
	// of a subscription, and reports whether it took this one. nil means that there are no such replies.
	Push func(reply T) bool
}

// A Config has the bounds of a Pipeline. The zero value is ready to use.
type Config struct {
	// Calls is how many requests may wait for their replies; 0 means 1024. Further calls wait in line.
	Calls int
	// Buffer is how many bytes are read at once; 0 means 16 KiB.
	Buffer int
}

const (
	callsMax   = 1024
	bufferSize = 16 << 10
	// keptMax is the largest buffer of requests that is kept for reuse, in bytes.
	keptMax = 64 << 10
	// lookMax is how long the reader waits for a byte of a connection at rest that has had input: TLS may have taken
	// that input for itself, so that nothing follows.
	lookMax = time.Second
)

// A Pipeline sends requests over one connection, and returns to each caller the reply to its request. Many requests are
// under way at once: those made in the same turn of the loop go out by one system call, and no request waits for the
// reply to another. Replies come in the order of the requests, or say which request they answer: see Protocol. Tasks of
// any loop and ordinary goroutines can share a Pipeline. NewPipeline makes it.
//
// If a caller gives up, the Pipeline still reads the reply. So the other callers are not affected, but the place of the
// call stays taken until then. While no request is under way the connection has no task, and Run may end.
type Pipeline[T any] struct {
	c      net.Conn
	own    *sock.Conn // below c, or c itself; nil: there is none
	l      *loop.Loop
	how    Protocol[T]
	places *ringo.Semaphore
	r      *bufio.Reader
	news   func() // look, called when input comes at rest
	start  func() // begin, for callers on other threads

	mu      sync.Mutex // held for moments
	err     error      // why there are no more calls
	out     []byte     // requests that were not sent yet
	spare   []byte     // memory for the next out
	added   uint64     // bytes of all requests so far
	going   uint64     // bytes of those that were sent, or may have been
	sending bool       // a task sends
	reading bool
	waiting int           // calls without a reply
	first   *pipelined[T] // the calls without a reply, in the order of their requests
	last    *pipelined[T]
	byID    map[uint64]*pipelined[T]
	free    *pipelined[T]
	kept    int // calls in free
}

// pipelined is one call of a Pipeline.
type pipelined[T any] struct {
	p    loop.Parker
	of   *Pipeline[T]
	v    T
	err  error
	at   uint64 // where its request begins, counted as Pipeline.added
	id   uint64
	out  bool // it has its reply, or its error
	left bool // its caller has returned

	prev, next *pipelined[T]
}

// DescribeWait describes the wait of the caller's task.
func (x *pipelined[T]) DescribeWait(t *loop.Task, d *loop.Wait) {
	d.Op, d.Peer = "Pipeline.Call", atrest.Peer(x.of.own)
}

// A LostError is the error of a call whose connection ended before the reply was read, or before the call.
type LostError struct {
	// Sent says that the server may have received the request, or a part of it, and may have acted on it. If Sent is
	// false, the call can be repeated, whatever it does.
	Sent bool
	// Err is why the connection has ended: io.EOF if the server has closed it, net.ErrClosed after Close.
	Err error
}

// Error says whether the request was sent.
func (e *LostError) Error() string {
	if e.Sent {
		return fmt.Sprintf("sockclient: the connection ended before the reply: %v", e.Err)
	}
	return fmt.Sprintf("sockclient: the connection ended before the request was sent: %v", e.Err)
}

// Unwrap returns Err.
func (e *LostError) Unwrap() error { return e.Err }

// ErrUnasked is the reason why a Pipeline has ended its connection if a reply came that answers no request.
var ErrUnasked = errors.New("sockclient: a reply came to no request")

// NewPipeline makes a Pipeline on c, which the Pipeline owns from then on. c is a *sock.Conn of the loop l; a
// connection on top of one that has a method NetConn, such as a *socktls.Conn or a Pool's Conn; or any other connection
// that tasks of l can use without stopping the loop. If one of the last kind ends at rest, only the next request finds
// out. cfg may be nil. NewPipeline panics if c is nil or how has no Read. Any goroutine may call it; it does not park.
func NewPipeline[T any](l *ringo.Loop, c net.Conn, how Protocol[T], cfg *Config) *Pipeline[T] {
	if c == nil || how.Read == nil {
		panic("sockclient: NewPipeline without a connection, or a Protocol without Read")
	}
	if cfg == nil {
		cfg = new(Config)
	}
	calls, size := cfg.Calls, cfg.Buffer
	if calls <= 0 {
		calls = callsMax
	}
	if size <= 0 {
		size = bufferSize
	}
	p := &Pipeline[T]{c: c, own: atrest.Own(c), l: (*loop.Loop)(l), how: how,
		places: ringo.NewSemaphore(int64(calls)), r: bufio.NewReaderSize(c, size)}
	if how.ID != nil {
		p.byID = make(map[uint64]*pipelined[T])
	}
	p.news, p.start = p.look, p.begin
	return p
}

// Call sends a request and returns its reply. A task parks, and a goroutine blocks, until the reply has come, after
// those to all earlier requests. request must be one whole request; the caller owns it again when Call returns. Call is
// for a Protocol without ID. Any goroutine may call it.
//
// Call also returns when ctx is done and, in a task, when the task is cancelled or its Loop.WithTimeout or WithContext
// ends, with the same errors as ringo.Mutex.LockContext. By then the server may have received the request. A nil ctx
// never ends. If the connection has ended, the error is a *LostError.
func (p *Pipeline[T]) Call(ctx context.Context, request []byte) (reply T, err error) {
	if p.how.ID != nil {
		return reply, errors.New("sockclient: Call of a Pipeline whose requests have numbers; use CallID")
	}
	return p.call(ctx, 0, request)
}

// CallID is like Call, for a Protocol with ID, which has to return id for the reply. No other request under way may
// have the same id. Any goroutine may call it; a task parks.
func (p *Pipeline[T]) CallID(ctx context.Context, id uint64, request []byte) (reply T, err error) {
	if p.how.ID == nil {
		return reply, errors.New("sockclient: CallID of a Pipeline whose requests have no numbers; use Call")
	}
	return p.call(ctx, id, request)
}

func (p *Pipeline[T]) call(ctx context.Context, id uint64, request []byte) (v T, err error) {
	if err := caller.Ended(ctx); err != nil {
		return v, err
	}
	if err := p.places.Acquire(ctx, 1); err != nil {
		return v, err
	}
	l, t := loop.Current()
	var x *pipelined[T]
	p.mu.Lock()
	if l != nil && l.Canceled() { // while it waited for the place
		err = l.Cause()
	} else {
		x, err = p.add(id, request)
	}
	if err != nil {
		p.mu.Unlock()
		p.places.Release(1)
		return v, err
	}
	x.p.For, x.p.About = "Pipeline.Call", x
	x.p.Begin(l, t)
	idle := !p.sending || !p.reading
	p.mu.Unlock()
	if idle {
		p.run(l)
	}
	_, err = x.p.ParkContext(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		v, err = x.v, x.err
	}
	if x.left = true; x.out {
		p.recycle(x)
	}
	return v, err
}

// add adds a call, and appends its request to those to be sent. The caller holds p.mu.
func (p *Pipeline[T]) add(id uint64, request []byte) (*pipelined[T], error) {
	switch {
	case p.err != nil:
		return nil, &LostError{Err: p.err}
	case p.byID != nil && p.byID[id] != nil:
		return nil, fmt.Errorf("sockclient: a request with the number %d is under way", id)
	}
	x := p.free
	if x == nil {
		x = &pipelined[T]{of: p}
	} else {
		p.free, x.next = x.next, nil
		p.kept--
	}
	x.at, x.id, x.out, x.left = p.added, id, false, false
	p.out = append(p.out, request...)
	p.added += uint64(len(request))
	p.waiting++
	if p.byID != nil {
		p.byID[id] = x
	}
	if x.prev = p.last; x.prev == nil {
		p.first = x
	} else {
		x.prev.next = x
	}
	p.last = x
	return x, nil
}

// recycle keeps x for another call. The caller holds p.mu.
func (p *Pipeline[T]) recycle(x *pipelined[T]) {
	var none T
	if x.v, x.err = none, nil; p.kept == callsMax {
		return
	}
	x.next, p.free = p.free, x
	p.kept++
}

// run starts the tasks that are needed, on the loop's thread. l is the caller's loop; nil: a goroutine.
func (p *Pipeline[T]) run(l *loop.Loop) {
	if l == p.l {
		p.begin()
		return
	}
	if err := (*ringo.Loop)(p.l).Post(p.start); err != nil {
		p.end(err)
	}
}

// begin starts a task that sends, if there are requests to be sent, and one that reads, if calls wait for replies. It
// runs on the loop's thread.
func (p *Pipeline[T]) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.sending && len(p.out) > 0 {
		p.sending = true
		p.l.Start((*pipelineSender[T])(p))
	}
	if !p.reading && p.waiting > 0 {
		p.reading = true
		p.l.Start((*pipelineReader[T])(p))
	}
}

// pipelineSender is a Pipeline as the task that sends its requests.
type pipelineSender[T any] Pipeline[T]

// Code returns the function that the task is named after: the program's Protocol.Read.
func (s *pipelineSender[T]) Code() code.Func { return code.Of(s.how.Read) }

// Run sends requests until there are none, or the connection has ended.
func (s *pipelineSender[T]) Run() {
	p := (*Pipeline[T])(s)
	for {
		p.mu.Lock()
		b := p.out
		if len(b) == 0 || p.err != nil {
			p.sending = false
			p.mu.Unlock()
			return
		}
		p.out, p.spare = p.spare[:0], nil
		p.going = p.added
		p.mu.Unlock()
		_, err := p.c.Write(b)
		p.mu.Lock()
		if cap(b) <= keptMax {
			p.spare = b[:0]
		}
		p.mu.Unlock()
		if err != nil {
			p.end(err)
		}
	}
}

// pipelineReader is a Pipeline as the task that reads its replies.
type pipelineReader[T any] Pipeline[T]

// Code returns the function that the task is named after: the program's Protocol.Read.
func (s *pipelineReader[T]) Code() code.Func { return code.Of(s.how.Read) }

// Run reads until no request waits for a reply and there is no input, or until the connection has ended.
func (s *pipelineReader[T]) Run() {
	p := (*Pipeline[T])(s)
	why := errPanicked
	defer func() {
		if why != nil {
			p.end(why)
		}
	}()
	for quiet := false; ; {
		goesOn, rests := p.goesOn(quiet)
		if !goesOn {
			break
		}
		if rests && !quiet && p.r.Buffered() == 0 && !p.pends() {
			quiet = true // TLS holds no input: goesOn looks below it
			continue
		}
		quiet = false
		v, err := p.next(rests)
		if err == nil {
			err = p.answer(v)
		}
		if err != nil && err != errNothing {
			why = err
			return
		}
	}
	why = nil
}

var errPanicked = errors.New("sockclient: a Protocol's function has panicked, or ended its goroutine")

// errNothing is the error of next if there was nothing to read from a connection at rest.
var errNothing = errors.New("sockclient: nothing")

// goesOn reports whether the reader has to read on, and whether the connection is at rest: no request waits for a
// reply. If the reader need not read on, its task ends, and the loop calls look when input comes to a sock.Conn. quiet
// says that TLS holds no input.
func (p *Pipeline[T]) goesOn(quiet bool) (yes, rests bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	rests = p.waiting == 0
	if p.err == nil && (!quiet || !rests || p.own != nil && !handle.Sockets.Rest(p.own, p.news)) {
		return true, rests
	}
	p.reading = false
	return false, rests
}

// pends reports whether TLS holds input that no request waits for.
func (p *Pipeline[T]) pends() bool {
	return atrest.Pends((*ringo.Loop)(p.l), p.c, func() error { _, err := p.r.Peek(1); return err })
}

// look starts the reader when something has come at rest: a push, or the end of the connection. It runs on the loop's
// thread.
func (p *Pipeline[T]) look() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.reading && p.err == nil {
		p.reading = true
		p.l.Start((*pipelineReader[T])(p))
	}
}

// next reads a reply. At rest it first waits until there is something to read, for lookMax at most.
func (p *Pipeline[T]) next(rests bool) (v T, err error) {
	if rests {
		over, err := caller.Within(context.Background(), lookMax, func(context.Context) error {
			_, err := p.r.Peek(1)
			return err
		})
		if over {
			return v, errNothing
		} else if err != nil {
			return v, err
		}
	}
	return p.how.Read(p.r)
}

// answer passes a reply to Push, or to its caller. An error ends the connection.
func (p *Pipeline[T]) answer(v T) error {
	if p.how.Push != nil && p.how.Push(v) {
		return nil
	}
	var id uint64
	if p.how.ID != nil {
		id = p.how.ID(v)
	}
	p.mu.Lock()
	x := p.find(id)
	if x == nil {
		p.mu.Unlock()
		return ErrUnasked
	}
	x.v = v
	wakes := p.finish(x)
	p.mu.Unlock()
	if wakes {
		x.p.Wake()
	}
	p.places.Release(1)
	return nil
}

// find returns the call that a reply answers, or nil if there is none. The caller holds p.mu.
func (p *Pipeline[T]) find(id uint64) *pipelined[T] {
	if p.byID != nil {
		return p.byID[id]
	}
	return p.first
}

// finish ends a call, and reports whether its caller has to be woken. The caller holds p.mu.
func (p *Pipeline[T]) finish(x *pipelined[T]) (wakes bool) {
	if p.waiting--; p.byID != nil {
		delete(p.byID, x.id)
	}
	if x.prev == nil {
		p.first = x.next
	} else {
		x.prev.next = x.next
	}
	if x.next == nil {
		p.last = x.prev
	} else {
		x.next.prev = x.prev
	}
	x.prev, x.next = nil, nil
	if x.out = true; x.left {
		p.recycle(x)
		return false
	}
	return x.p.Claim(0)
}

// end ends the connection with err, and all calls with a LostError. Only the first end counts.
func (p *Pipeline[T]) end(err error) {
	var all []*pipelined[T]
	p.mu.Lock()
	first := p.err == nil
	if first {
		p.err = err
		n := int64(0)
		for x := p.first; x != nil; x = p.first {
			x.err = &LostError{Sent: x.at < p.going, Err: err}
			if n++; p.finish(x) {
				all = append(all, x)
			}
		}
		p.out, p.spare = nil, nil
		defer p.places.Release(n)
	}
	p.mu.Unlock()
	for _, x := range all {
		x.p.Wake()
	}
	if first {
		atrest.Close(p.l, p.c)
	}
}

// Close ends the connection. Calls that wait for their replies, and later calls, fail with a *LostError around
// net.ErrClosed. Close does not wait. If the connection has ended already, Close returns net.ErrClosed. Any goroutine
// may call it; it does not park.
func (p *Pipeline[T]) Close() error {
	if p.Err() != nil {
		return net.ErrClosed
	}
	p.end(net.ErrClosed)
	return nil
}

// Err returns why the connection has ended: io.EOF if the server has closed it, net.ErrClosed after Close, nil while it
// is open. Any goroutine may call it; it does not park.
func (p *Pipeline[T]) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// Waiting returns how many requests are under way, including those whose callers have given up. Any goroutine may call
// it; it does not park.
func (p *Pipeline[T]) Waiting() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.waiting
}
