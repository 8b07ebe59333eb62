package sockhttp

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"ringo/internal/lane"
	"ringo/internal/rt/code"
)

// server2 is a served HTTP/2 connection. Each stream has a task, or a goroutine if the connection has no loop.
type server2 struct {
	conn2
	conn *conn

	// Under mu.
	running int // handlers that run
	queue   []*served2
	told    []http.ConnState
	telling bool
	alarm   alarm // for the preface, a head, and the wait for the next request
}

func (s *Server) limits2() (l limits2) {
	l = limits2{streams: 250, table: 4096, encoderTable: 4096, frame: frameMax, window: 1 << 20, streamWindow: 1 << 20,
		pong: 15 * time.Second}
	most := s.MaxHeaderBytes
	if most <= 0 {
		most = http.DefaultMaxHeaderBytes
	}
	l.list = uint32(min(most, windowMax-320) + 320) // as in net/http: the overhead of ten fields
	l.write = s.WriteByteTimeout
	l.configure(s.HTTP2)
	return l
}

// settingsMax is how long a peer may take to send its first frame.
const settingsMax = 10 * time.Second

// serve2 serves an HTTP/2 connection until it ends.
func (c *conn) serve2() {
	c.learnRemote()
	h := &server2{conn: c}
	h.init(h, c.c, c.loop, c.s.limits2())
	h.alarm.init(&h.conn2, h.late)
	h.greet()
	c.s.keep2(c, h)
	defer c.s.keep2(c, nil)
	err := h.read()
	there := h.part2(err, errGone, c.s.WriteTimeout)
	wrong, ok := err.(*connectionError)
	if ok {
		c.logf("http2: server connection error from %v: %v", c.remote, wrong)
	}
	switch {
	case there && ok:
		c.part(nil, true)
	case there && c.closesWrite():
		c.discard(partSilence, partLongest)
	}
	h.mu.Lock()
	if errors.Is(h.broken, os.ErrDeadlineExceeded) {
		defer c.cut() // as for HTTP/1
	}
	h.queue = nil
	h.alarm.stop()
	for h.telling { // Closed must be the last call
		h.wait(&h.waiter, nil, true)
	}
	h.mu.Unlock()
}

// A peer that has done nothing wrong may still have much to read. It sends WINDOW_UPDATEs meanwhile, and closes the
// connection when it has everything; a reset before that would destroy what is on its way. So the server waits for the
// peer, unless that is silent for partSilence, and for partLongest in all.
const (
	partSilence = 5 * time.Second
	partLongest = time.Minute
)

// greet sends the server's first frames.
func (h *server2) greet() {
	h.mu.Lock()
	defer h.unlock()
	h.alarm.set(h.now().Add(settingsMax))
	h.setState(http.StateActive)
	h.setState(http.StateIdle)
	h.begin(settingFrameSize, h.limits.frame, settingStreams, h.limits.streams, settingHeaderList, h.limits.list,
		settingTableSize, h.limits.table, settingWindow, uint32(h.limits.streamWindow))
}

// read reads frames until the connection has to end. The error is the reason, nil if the server has ended it.
func (h *server2) read() error {
	for {
		need, err := h.receive()
		if err != nil {
			return err
		}
		if h.isOver() {
			return nil
		}
		if _, err := h.c.Peek(need); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) && h.isOver() {
				return nil
			}
			return err
		}
	}
}

// goAway tells the peer to begin no more streams. The connection ends with the streams that it has.
func (h *server2) goAway(code errorCode) {
	if !h.going {
		h.going = true
		h.out = appendGoAway(h.out, h.last, code)
	}
	h.rests()
	h.flush()
}

// rests is called when the last stream may have ended.
func (h *server2) rests() {
	if len(h.streams) > 0 || h.over {
		return
	}
	if h.going {
		h.over, h.interrupt = true, true
		return
	}
	d := h.conn.s.idleTimeout()
	if h.last == 0 && !h.conn.keepsAlive() { // a peer that has connected too late still has one request
		d = newMax
	}
	if d > 0 && h.sawSettings() && !h.block.open { // else its own time limit goes on
		h.alarm.set(time.Now().Add(d))
	}
}

// shutdown ends the connection in order. A new one still gets its first request answered, as with HTTP/1: the request
// may be on its way, and net/http's client fails it if the connection ends meanwhile. Any goroutine may call it.
func (h *server2) shutdown() {
	h.mu.Lock()
	if h.last == 0 && !h.block.open && !h.conn.isOld() {
		h.alarm.set(time.Now().Add(newMax))
	} else {
		h.goAway(codeNone)
	}
	h.unlock()
}

// late is called by the alarm.
func (h *server2) late() {
	if !h.sawSettings() || h.block.open {
		h.dead, h.interrupt = true, true
	} else if len(h.streams) == 0 {
		h.goAway(codeNone)
	}
}

// settled, headOpens and headCloses end or start a time limit of the peer.
func (h *server2) settled() {
	h.alarm.set(time.Time{})
	h.rests()
}

func (h *server2) headOpens() {
	if d := h.conn.s.headerTimeout(); d > 0 {
		h.alarm.set(h.now().Add(d))
	}
}

func (h *server2) headCloses() {
	if h.conn.s.headerTimeout() > 0 {
		h.alarm.set(time.Time{})
	}
	h.rests()
}

// set ignores settings that concern only clients.
func (h *server2) set(uint16, uint32) error { return nil }

// pong does nothing: every frame shows that the peer is there.
func (h *server2) pong() {}

// takeGoAway ends the connection once its streams have ended.
func (h *server2) takeGoAway(*frame) { h.goAway(codeNone) }

// lastOfPeer returns the last stream: clients begin all of them.
func (h *server2) lastOfPeer() uint32 { return h.last }

// tooShort returns the error for a request's body.
func (h *server2) tooShort(declared, n int64) error {
	return fmt.Errorf("request declared a Content-Length of %d but only wrote %d bytes", declared, n)
}

// idle is called when the last stream has ended.
func (h *server2) idle() {
	h.setState(http.StateIdle)
	if !h.conn.keepsAlive() {
		h.goAway(codeNone)
	}
	h.rests()
}

// dies does nothing: a server has a reader until the end.
func (h *server2) dies() {}

// setState makes teller call ConnState.
func (h *server2) setState(state http.ConnState) {
	h.conn.active = state == http.StateActive
	h.conn.state.Store(int32(state))
	if h.conn.s.ConnState == nil {
		return
	}
	if h.told = append(h.told, state); !h.telling {
		h.telling = true
		h.start((*teller)(h))
	}
}

// teller is a connection as the task that calls ConnState, one call after the other.
type teller server2

func (t *teller) Run() {
	h := (*server2)(t)
	h.mu.Lock()
	for len(h.told) > 0 {
		states := h.told
		h.told = nil
		h.mu.Unlock()
		elsewhere(lane.Handlers, func() {
			for _, state := range states {
				h.conn.s.ConnState(h.conn.net(), state)
			}
		})
		h.mu.Lock()
	}
	h.telling = false
	h.waiter.wakeAll()
	h.mu.Unlock()
}

// Code shows the task under the name of teller.
func (t *teller) Code() code.Func { return code.Of((*teller).Run) }
