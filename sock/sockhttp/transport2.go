package sockhttp

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"time"

	"ringo"
	"ringo/internal/atrest"
	"ringo/internal/handle"
	"ringo/internal/loop"
	"ringo/internal/rt/code"
	"ringo/sock"
)

// client2 is a connection of a Transport that speaks HTTP/2, which requests of its loop's tasks share.
//
// While it has streams a task reads it. At rest it has none: the loop tells of what comes, and then a task looks.
type client2 struct {
	conn2
	conn *clientConn

	// The loop's.
	worked bool      // there were streams since it was at rest
	used   time.Time // until when
	news   func()    // tells of what comes at rest

	// Under mu.
	next     uint32 // the number of the next stream
	reserved int    // requests that are about to begin one
	most     uint32 // how many there may be
	list     uint32 // how long the head of a request may be, as SETTINGS_MAX_HEADER_LIST_SIZE counts
	closing  bool   // none is begun any more
	went     *goAwayError
	reading  bool // there is a task that reads
	parked   bool // and it waits for more
	resets   int  // streams that were reset while nothing came, and count until the peer shows that it is there
	pinging  bool // it was asked, and no HEADERS or DATA have come since: servers count what is asked for nothing
}

const (
	// firstStreams is how many streams there may be before the peer has said anything, and streamsMax how many if it
	// says nothing of them: those of net/http.
	firstStreams = 100
	streamsMax   = 1000
	// lookMax is for how long a connection at rest is read when something has come.
	lookMax = time.Second
)

var (
	// errUnusable is for a request that has found a connection that takes none any more.
	errUnusable = errors.New("http2: client conn not usable")
	// errGotGoAway ends a stream that the server has said not to have looked at.
	errGotGoAway = errors.New("http2: Transport received Server's graceful shutdown GOAWAY")
	errAtRest    = errors.New("sockhttp: the connection is at rest")
	errHalfFrame = errors.New("http2: a part of a frame, and no more")
)

// goAwayError is the end of a connection whose server has announced it.
type goAwayError struct {
	last uint32
	code errorCode
	text string
}

func (e *goAwayError) Error() string {
	return fmt.Sprintf("http2: server sent GOAWAY and closed the connection; LastStreamID=%v, ErrCode=%v, debug=%q",
		e.last, e.code, e.text)
}

// goAwayText is how much of what a server says with it is kept.
const goAwayText = 256

// limits2 are those of HTTP/2, by default net/http's: windows so large that an answer that nobody reads keeps no other
// from coming. What it holds is bounded by its stream's.
func (t *Transport) limits2() limits2 {
	l := limits2{table: 4096, encoderTable: 4096, frame: frameMax, list: uint32(min(t.headMax(), math.MaxUint32)),
		window: 1 << 30, streamWindow: 4 << 20, pong: 15 * time.Second}
	l.configure(t.HTTP2)
	return l
}

// speak2 has a new connection speak HTTP/2, with a place for the request that has made it.
func (c *clientConn) speak2() {
	h := &client2{conn: c, next: 1, most: firstStreams, list: math.MaxUint32, reserved: 1}
	limits := c.pool.t.limits2()
	own, ok := c.c.(*sock.Conn)
	var st stream = own
	if !ok || limits.frame > frameMax { // than a sock.Conn shows at once
		st = &buffered{Conn: c.c}
	}
	h.init(h, st, c.pool.l, limits)
	h.client, h.greeted, h.used = true, true, h.conn.pool.idle.Now()
	h.mu.Lock()
	h.out = append(h.out, clientPreface...)
	h.begin(settingPush, 0, settingWindow, uint32(limits.streamWindow), settingFrameSize, limits.frame,
		settingHeaderList, limits.list, settingTableSize, limits.table)
	h.unlock()
	c.two = h
}

// usable reports whether another stream may begin. The caller has mu.
func (h *client2) usable() bool {
	return !h.closing && !h.over && !h.dead && h.next+2*uint32(h.reserved) < windowMax
}

// free reports whether there is room for another.
func (h *client2) free() bool {
	return h.usable() && len(h.streams)+h.reserved+h.resets < int(min(h.most, math.MaxInt32))
}

// reserve takes room for a request; false if there is none. Any caller.
func (h *client2) reserve() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.free() {
		return false
	}
	h.reserved++
	return true
}

// release gives it back.
func (h *client2) release() {
	h.mu.Lock()
	h.reserved--
	h.gaveUp()
	h.unlock()
}

// gaveUp is for when a request that had room has begun no stream: others may, or the connection is to rest.
func (h *client2) gaveUp() {
	h.idle()
	h.freed()
	if !h.dead {
		h.wake() // or nobody has it rest
	}
}

// retire has the connection end, if it has no streams; false: it has. Any caller.
func (h *client2) retire() bool {
	h.mu.Lock()
	defer h.unlock()
	if len(h.streams)+h.reserved > 0 {
		return false
	}
	h.closing = true
	return true
}

// kill is for when the connection is closed.
func (h *client2) kill() {
	h.mu.Lock()
	h.closing, h.dead, h.interrupt = true, true, h.parked
	h.ping.stop()
	h.unlock()
}

// settled is for the peer's first SETTINGS, which may set another bound.
func (h *client2) settled() { h.most = streamsMax }

// set takes those that are for clients.
func (h *client2) set(id uint16, v uint32) error {
	switch id {
	case settingPush:
		if v != 0 {
			return &connectionError{codeProtocol, "SETTINGS_ENABLE_PUSH from a server"}
		}
	case settingStreams:
		h.most = v
		h.freed()
	case settingHeaderList:
		h.list = v
	}
	return nil
}

// headOpens and headCloses have nothing to do: there is a time for each answer.
func (h *client2) headOpens()  {}
func (h *client2) headCloses() {}

// lastOfPeer is 0: servers begin no streams.
func (h *client2) lastOfPeer() uint32 { return 0 }

// tooShort is the error of an answer's body.
func (h *client2) tooShort(int64, int64) error { return io.ErrUnexpectedEOF }

// pong is for an answer to a PING.
func (h *client2) pong() {
	if h.resets > 0 {
		h.resets, h.pinging = 0, true
		h.freed()
	}
}

// takeGoAway ends the streams that the peer has not looked at, and the connection with the last of the others.
func (h *client2) takeGoAway(f *frame) {
	last, code, text := parseGoAway(f.payload)
	if h.leave(); h.went == nil || h.went.code == codeNone { // who goes in order may find something wrong still
		h.went = &goAwayError{code: code, text: string(text[:min(len(text), goAwayText)])}
	}
	h.went.last = last
	for _, st := range h.inOrder() {
		switch {
		case st.id <= last:
		case st.id == 1 && h.went.code != codeNone: // another connection would have no other answer
			h.close(st, fmt.Errorf("http2: Transport received GOAWAY from server ErrCode:%v", h.went.code))
		default:
			h.close(st, errGotGoAway)
		}
	}
	h.idle()
}

// idle is for when the last stream has ended: the connection ends, too, or its reader is to have it rest.
func (h *client2) idle() {
	if len(h.streams)+h.reserved > 0 {
		return
	}
	if h.closing || h.conn.single {
		h.over = true
	}
	h.interrupt = h.interrupt || h.parked
}

// dies has a connection end that is at rest, and has no reader.
func (h *client2) dies() {
	if !h.reading {
		h.reading = true
		h.start((*reader2)(h))
	}
}

// freed is for when another stream may begin: a request may wait for it, if connections are limited.
func (h *client2) freed() {
	if h.conn.pool.t.MaxConnsPerHost > 0 {
		h.start((*freed2)(h))
	}
}

// freed2 gives what room there is to requests that wait.
type freed2 client2

func (f *freed2) Run() { f.conn.pool.share(f.conn) }

// leave has no more streams begin. The caller has mu.
func (h *client2) leave() {
	h.closing = true
	h.start((*leaving2)(h))
}

// leaving2 takes a connection out of its pool whose server begins to go.
type leaving2 client2

func (g *leaving2) Run() { g.conn.pool.forget(g.conn) }

// reader2 is the task that reads.
type reader2 client2

func (r *reader2) Run() {
	h := (*client2)(r)
	if err := h.read(); err != errAtRest {
		h.end(err)
	}
}

// Code says what they are for whom tasks are shown.
func (f *freed2) Code() code.Func   { return code.Of((*freed2).Run) }
func (g *leaving2) Code() code.Func { return code.Of((*leaving2).Run) }
func (r *reader2) Code() code.Func  { return code.Of((*reader2).Run) }

// wake has it run. The caller has mu.
func (h *client2) wake() {
	if !h.reading {
		h.reading = true
		(*loop.Loop)(h.loop).Start((*reader2)(h))
	}
}

// read reads frames until the connection rests, or is to end.
func (h *client2) read() error {
	for looks, quiet := false, false; ; {
		need, err := h.receive()
		if err != nil {
			return err
		}
		whole := h.c.Buffered() == 0
		h.mu.Lock()
		atRest := len(h.streams)+h.reserved == 0
		switch {
		case h.over || h.dead:
			h.mu.Unlock()
			return nil
		case atRest && h.flushing:
			if err := h.awaitFlush(); err != nil {
				return err
			}
			continue
		case atRest && whole && !looks && !quiet:
			h.mu.Unlock()
			quiet = !atrest.Pends(h.loop, h.conn.c, func() error { _, err := h.c.Peek(1); return err })
			looks = !quiet
			continue
		case atRest && whole && !looks:
			h.reading = false
			h.mu.Unlock()
			if h.rests() {
				return errAtRest
			}
			h.mu.Lock()
			h.reading = true
			looks = true
		}
		h.parked = true
		h.mu.Unlock()
		if looks {
			h.c.SetReadDeadline(h.now().Add(lookMax))
		}
		_, err = h.c.Peek(need)
		h.mu.Lock()
		h.parked = false
		busy := len(h.streams) > 0
		h.mu.Unlock()
		late := errors.Is(err, os.ErrDeadlineExceeded) && !(*loop.Loop)(h.loop).Canceled()
		if late || looks {
			h.c.SetReadDeadline(time.Time{})
		}
		switch {
		case late && looks && !busy && h.c.Buffered() > 0:
			return errHalfFrame
		case err != nil && !late:
			return err
		}
		looks, quiet = false, false
	}
}

// awaitFlush waits until all is sent, for no longer than lookMax if there are no streams: a peer that does not read
// would keep a task for ever. The caller has mu, which it gives up.
func (h *client2) awaitFlush() error {
	err := (*ringo.Loop)(h.loop).WithTimeout(lookMax, func() error { return h.wait(&h.waiter, nil, false) })
	stuck := err != nil && h.flushing && len(h.streams)+h.reserved == 0
	h.mu.Unlock()
	switch {
	case (*loop.Loop)(h.loop).Canceled():
		return err
	case stuck:
		return errUnread
	}
	return nil
}

// rests has the loop tell of what comes; false if something has.
func (h *client2) rests() bool {
	c := h.conn
	if h.news == nil {
		h.news = func() {
			h.conn.pool.busy(h.conn)
			h.mu.Lock()
			h.wake()
			h.mu.Unlock()
		}
	}
	if own := c.at.Own; own != nil && !handle.Sockets.Rest(own, h.news) {
		return false
	}
	if h.worked {
		h.worked, h.used = false, h.conn.pool.idle.Now()
	}
	if !c.pool.rest(c, h.used) {
		c.close()
	}
	return true
}

// end ends all streams, and the connection.
func (h *client2) end(err error) {
	why := err
	h.mu.Lock()
	h.closing = true
	var read *net.OpError
	switch {
	case h.went != nil && (err == nil || err == io.EOF || errors.As(err, &read)):
		why = h.went
	case h.broken != nil:
		why = h.broken
	case err == nil:
		why = net.ErrClosed
	case err == io.EOF:
		why = io.ErrUnexpectedEOF
	}
	h.mu.Unlock()
	h.part2(err, why, goAwayMax)
	h.conn.close()
}
