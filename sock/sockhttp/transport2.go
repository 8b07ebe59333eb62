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

// client2 is a Transport's HTTP/2 connection, which requests of its loop's tasks share.
//
// While it has streams a task reads it. At rest it has no task: the loop reports input, and then a task looks at it.
type client2 struct {
	conn2
	conn *clientConn

	// For tasks of the loop.
	worked bool      // there were streams since the last rest
	used   time.Time // when the last one ended
	news   func()    // called at input while it rests

	// Under mu.
	next     uint32 // the number of the next stream
	reserved int    // requests that are about to begin one
	most     uint32 // how many streams there may be
	list     uint32 // how long a request's head may be, counted as for SETTINGS_MAX_HEADER_LIST_SIZE
	closing  bool   // no more streams are begun
	went     *goAwayError
	reading  bool // a task reads, or was started to
	parked   bool // it waits for input
	resets   int  // streams that were reset before anything had come; they count until the peer shows that it is there
	pinging  bool // it has answered a PING, and no HEADERS or DATA came since: servers count idle PINGs
}

const (
	// firstStreams is how many streams there may be before the peer's SETTINGS, and streamsMax how many if these have
	// no limit, as in net/http.
	firstStreams = 100
	streamsMax   = 1000
	// lookMax is how long a connection at rest is read when something has come.
	lookMax = time.Second
)

var (
	// errUnusable is the error of a request whose connection takes no more streams.
	errUnusable = errors.New("http2: client conn not usable")
	// errGotGoAway ends a stream that the server has not processed, as its GOAWAY says.
	errGotGoAway = errors.New("http2: Transport received Server's graceful shutdown GOAWAY")
	errAtRest    = errors.New("sockhttp: the connection is at rest")
	errHalfFrame = errors.New("http2: a part of a frame, and no more")
)

// goAwayError is the error of a connection that its server has ended by GOAWAY.
type goAwayError struct {
	last uint32
	code errorCode
	text string
}

func (e *goAwayError) Error() string {
	return fmt.Sprintf("http2: server sent GOAWAY and closed the connection; LastStreamID=%v, ErrCode=%v, debug=%q",
		e.last, e.code, e.text)
}

// goAwayText is how much of a GOAWAY's debug text is kept.
const goAwayText = 256

// limits2 returns the limits of HTTP/2, by default those of net/http. The connection's window is so large that an
// unread answer does not block others; what an answer holds is bounded by its stream's window.
func (t *Transport) limits2() limits2 {
	l := limits2{table: 4096, encoderTable: 4096, frame: frameMax, list: uint32(min(t.headMax(), math.MaxUint32)),
		window: 1 << 30, streamWindow: 4 << 20, pong: 15 * time.Second}
	l.configure(t.HTTP2)
	return l
}

// speak2 makes a new connection speak HTTP/2, with a place for the request that has made it.
func (c *clientConn) speak2() {
	h := &client2{conn: c, next: 1, most: firstStreams, list: math.MaxUint32, reserved: 1}
	limits := c.pool.t.limits2()
	own, ok := c.c.(*sock.Conn)
	var st stream = own
	if !ok || limits.frame > frameMax { // a sock.Conn can't show that much at once
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

// usable reports whether further streams may begin. The caller holds mu.
func (h *client2) usable() bool {
	return !h.closing && !h.over && !h.dead && h.next+2*uint32(h.reserved) < windowMax
}

// free reports whether there is room for another stream.
func (h *client2) free() bool {
	return h.usable() && len(h.streams)+h.reserved+h.resets < int(min(h.most, math.MaxInt32))
}

// reserve takes a place for a request. It returns false if there is none. Any caller.
func (h *client2) reserve() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.free() {
		return false
	}
	h.reserved++
	return true
}

// release gives a place back.
func (h *client2) release() {
	h.mu.Lock()
	h.reserved--
	h.gaveUp()
	h.unlock()
}

// gaveUp is called when a request with a place has begun no stream: others may take it, or the connection has to rest.
func (h *client2) gaveUp() {
	h.idle()
	h.freed()
	if !h.dead {
		h.wake() // the reader makes it rest
	}
}

// retire ends the connection if it has no streams. It returns false if it has some. Any caller.
func (h *client2) retire() bool {
	h.mu.Lock()
	defer h.unlock()
	if len(h.streams)+h.reserved > 0 {
		return false
	}
	h.closing = true
	return true
}

// kill is called when the connection is closed.
func (h *client2) kill() {
	h.mu.Lock()
	h.closing, h.dead, h.interrupt = true, true, h.parked
	h.ping.stop()
	h.unlock()
}

// settled is called at the peer's first SETTINGS, which may set another limit.
func (h *client2) settled() { h.most = streamsMax }

// set takes settings that concern clients.
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

// headOpens and headCloses do nothing: each answer has its own time limit.
func (h *client2) headOpens()  {}
func (h *client2) headCloses() {}

// lastOfPeer returns 0: servers begin no streams.
func (h *client2) lastOfPeer() uint32 { return 0 }

// tooShort returns the error for an answer's body.
func (h *client2) tooShort(int64, int64) error { return io.ErrUnexpectedEOF }

// pong is called when the peer has answered a PING.
func (h *client2) pong() {
	if h.resets > 0 {
		h.resets, h.pinging = 0, true
		h.freed()
	}
}

// takeGoAway ends the streams that the peer has not processed. The connection ends with the last of the others.
func (h *client2) takeGoAway(f *frame) {
	last, code, text := parseGoAway(f.payload)
	if h.leave(); h.went == nil || h.went.code == codeNone { // who goes in order may find something wrong still
		h.went = &goAwayError{code: code, text: string(text[:min(len(text), goAwayText)])}
	}
	h.went.last = last
	for _, st := range h.inOrder() {
		switch {
		case st.id <= last:
		case st.id == 1 && h.went.code != codeNone: // another connection would get the same answer
			h.close(st, fmt.Errorf("http2: Transport received GOAWAY from server ErrCode:%v", h.went.code))
		default:
			h.close(st, errGotGoAway)
		}
	}
	h.idle()
}

// idle is called when the last stream has ended: the connection ends, too, or its reader makes it rest.
func (h *client2) idle() {
	if len(h.streams)+h.reserved > 0 {
		return
	}
	if h.closing || h.conn.single {
		h.over = true
	}
	h.interrupt = h.interrupt || h.parked
}

// dies starts a reader for a connection at rest, which has none, so that it ends.
func (h *client2) dies() {
	if !h.reading {
		h.reading = true
		h.start((*reader2)(h))
	}
}

// freed is called when another stream may begin. If connections are limited, a request may be waiting for that.
func (h *client2) freed() {
	if h.conn.pool.t.MaxConnsPerHost > 0 {
		h.start((*freed2)(h))
	}
}

// freed2 is a connection as the task that gives its room to waiting requests.
type freed2 client2

func (f *freed2) Run() { f.conn.pool.share(f.conn) }

// leave lets no more streams begin. The caller holds mu.
func (h *client2) leave() {
	h.closing = true
	h.start((*leaving2)(h))
}

// leaving2 is a connection as the task that removes it from its pool.
type leaving2 client2

func (g *leaving2) Run() { g.conn.pool.forget(g.conn) }

// reader2 is a connection as the task that reads it.
type reader2 client2

func (r *reader2) Run() {
	h := (*client2)(r)
	if err := h.read(); err != errAtRest {
		h.end(err)
	}
}

// Code shows these tasks under their own names.
func (f *freed2) Code() code.Func   { return code.Of((*freed2).Run) }
func (g *leaving2) Code() code.Func { return code.Of((*leaving2).Run) }
func (r *reader2) Code() code.Func  { return code.Of((*reader2).Run) }

// wake starts the reader. The caller holds mu.
func (h *client2) wake() {
	if !h.reading {
		h.reading = true
		(*loop.Loop)(h.loop).Start((*reader2)(h))
	}
}

// read reads frames until the connection rests, or has to end.
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

// awaitFlush waits until all is sent. Without streams it waits for lookMax at most: a peer that does not read would
// keep a task forever. The caller holds mu, which awaitFlush unlocks.
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

// rests makes the loop report input. It returns false if something has come already.
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
