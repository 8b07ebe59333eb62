package sockhttp

import (
	"errors"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/http2/hpack"

	"ringo/internal/lane"
	"ringo/internal/loop"
	"ringo/internal/rt/code"
)

// conn2 is a connection that speaks HTTP/2: one that serves it reads its frames; each stream has a task, or a goroutine
// where the connection has, and what they send is collected and written by another.
//
//	reader ──HEADERS──▶ stream2.Run ──▶ handler        reader, handlers ──frames──▶ out ──▶ flusher ──▶ peer
//	reader ──DATA──▶ body2 ──▶ handler
//
// All of it but what the reader alone has is under mu, below which nobody waits and nothing is closed.
type conn2 struct {
	*conn
	limits limits2

	decoder *hpack.Decoder // the reader's, as these are
	block   block2

	mu      sync.Mutex
	streams map[uint32]*stream2
	last    uint32   // the highest stream that the peer has begun
	ended   []uint32 // the streams that were reset last, by this side: more of them may be on its way
	running int      // handlers
	queue   []*stream2
	unacked int // SETTINGS
	greeted bool
	wasted  waste

	encoder   *hpack.Encoder
	head      []byte  // what the encoder has made
	out       []byte  // what is to be sent
	spare     []byte  // memory for that
	scratch   *[]byte // the first of it
	heads     int     // bytes of out that are heads
	flushing  bool
	window    int64 // how many bytes of bodies the peer has room for
	startsAt  int64 // that of a stream
	frameSize int   // of frames to the peer
	inflow    inflow

	writers lot // handlers that wait for a window, or for room in out
	waiter  lot // the reader, for the end of the others

	going     bool // GOAWAY was sent
	over      bool // nothing is left to do but to close
	dead      bool // nothing can be sent any more
	interrupt bool // the reader is to be
	told      []http.ConnState
	telling   bool
	alarm     alarm // of the preface, a head, and the wait for the next request
	ping      alarm
	pinged    bool
	heard     time.Time // when the last frame came, where that matters
}

// limits2 are what Server.HTTP2 says, or net/http's defaults.
type limits2 struct {
	streams, table, encoderTable, frame, list uint32
	window, streamWindow                      int64
	ping, pong, write                         time.Duration
	count                                     func(string)
}

func (s *Server) limits2() (l limits2) {
	l = limits2{streams: 250, table: 4096, encoderTable: 4096, frame: frameMax, window: 1 << 20, streamWindow: 1 << 20,
		pong: 15 * time.Second}
	most := s.MaxHeaderBytes
	if most <= 0 {
		most = http.DefaultMaxHeaderBytes
	}
	l.list = uint32(min(most, windowMax-320) + 320) // as net/http: ten fields' overhead
	cfg := s.HTTP2
	if cfg == nil {
		return l
	}
	set := func(to *uint32, v, least, most int) {
		if v >= least && v <= most {
			*to = uint32(v)
		}
	}
	set(&l.streams, cfg.MaxConcurrentStreams, 1, windowMax)
	set(&l.table, cfg.MaxDecoderHeaderTableSize, 1, windowMax)
	set(&l.encoderTable, cfg.MaxEncoderHeaderTableSize, 1, windowMax)
	set(&l.frame, cfg.MaxReadFrameSize, frameMax, 1<<24-1)
	if n := cfg.MaxReceiveBufferPerConnection; n >= firstWindow && n <= windowMax {
		l.window = int64(n)
	}
	if n := cfg.MaxReceiveBufferPerStream; n > 0 && n <= windowMax {
		l.streamWindow = int64(n)
	}
	if l.ping, l.write, l.count = cfg.SendPingTimeout, cfg.WriteByteTimeout, cfg.CountError; cfg.PingTimeout > 0 {
		l.pong = cfg.PingTimeout
	}
	return l
}

// goAwayMax is how long a peer that has done wrong may take to read so: as long as net/http gives it.
const goAwayMax = time.Second

// settingsMax is how long a peer may take to say its first word.
const settingsMax = 10 * time.Second

var (
	errGone   = errors.New("http2: client disconnected")
	errClosed = errors.New("http2: stream closed")
	errEnded  = errors.New("http2: request body closed due to handler exiting")
)

// serve2 serves a connection that speaks HTTP/2 until its end.
func (c *conn) serve2() {
	c.learnRemote()
	h := &conn2{conn: c, limits: c.s.limits2(), streams: make(map[uint32]*stream2), window: firstWindow,
		startsAt: firstWindow, frameSize: frameMax}
	h.decoder = hpack.NewDecoder(h.limits.table, h.field)
	h.decoder.SetMaxStringLength(int(h.limits.list))
	h.encoder = hpack.NewEncoder((*headWriter)(h))
	h.encoder.SetMaxDynamicTableSizeLimit(h.limits.encoderTable)
	h.alarm.fn, h.ping.fn = h.late, h.pingLate
	if c.loop != nil {
		h.alarm.l, h.ping.l = (*loop.Loop)(c.loop), (*loop.Loop)(c.loop)
	}
	h.begin()
	c.s.keep2(c, h)
	defer c.s.keep2(c, nil)
	err := h.read()
	if h.part2(err) {
		h.part(nil, true)
	}
	h.mu.Lock()
	for h.telling { // Closed is told last
		h.wait(&h.waiter, nil, true)
	}
	h.mu.Unlock()
}

// begin sends what a server says first.
func (h *conn2) begin() {
	h.mu.Lock()
	defer h.unlock()
	out := appendFrame(h.out, frameSettings, 0, 0, 5*6)
	out = appendSetting(out, settingFrameSize, h.limits.frame)
	out = appendSetting(out, settingStreams, h.limits.streams)
	out = appendSetting(out, settingHeaderList, h.limits.list)
	out = appendSetting(out, settingTableSize, h.limits.table)
	h.out = appendSetting(out, settingWindow, uint32(h.limits.streamWindow))
	h.unacked = 1
	h.wasted.since = h.now()
	h.inflow = inflow{left: firstWindow, size: h.limits.window}
	h.giveBack(nil, int(h.limits.window-firstWindow))
	h.alarm.set(h.now().Add(settingsMax))
	h.setState(http.StateActive)
	h.setState(http.StateIdle)
	if h.limits.ping > 0 {
		h.heard = h.now()
		h.ping.set(h.heard.Add(h.limits.ping))
	}
	h.flush()
}

// read reads frames until the connection is to end. The error is why, if it is not for the server's wish.
func (h *conn2) read() error {
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

func (h *conn2) isOver() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.over || h.dead
}

// clientPreface is what a client sends first.
const clientPreface = preface + "SM\r\n\r\n"

// receive handles the frames that are here whole, and says how many bytes have to be here for the next.
func (h *conn2) receive() (need int, err error) {
	n := h.c.Buffered()
	p, err := h.c.Peek(n)
	if err != nil {
		return 0, err
	}
	h.mu.Lock()
	defer h.unlock()
	if !h.greeted {
		most := min(n, len(clientPreface))
		switch {
		case string(p[:most]) != clientPreface[:most]:
			return 0, &connectionError{codeProtocol, "no preface of HTTP/2"}
		case most < len(clientPreface):
			return len(clientPreface), nil
		}
		p, h.greeted = p[most:], true
	}
	for need = frameHeaderSize; len(p) >= frameHeaderSize && !h.over; need = frameHeaderSize {
		f := parseFrameHeader(p)
		if f.size > int(h.limits.frame) {
			return 0, &connectionError{codeFrameSize, "a frame that is too long"}
		}
		if need = frameHeaderSize + f.size; len(p) < need {
			break
		}
		f.payload = p[frameHeaderSize:need]
		if err := h.handleFrame(&f); err != nil {
			return 0, err
		}
		p = p[need:]
	}
	if h.limits.ping > 0 {
		if h.heard = h.now(); h.pinged {
			h.pinged = false
			h.ping.set(h.heard.Add(h.limits.ping))
		}
	}
	h.flush()
	h.c.Discard(n - len(p))
	return need, nil
}

// handleFrame handles a frame. The error ends the connection; that of a stream is dealt with.
func (h *conn2) handleFrame(f *frame) error {
	err := f.check()
	if err == nil {
		err = h.take(f)
	}
	one, ok := err.(*streamError)
	if !ok {
		return err
	}
	h.count("stream", one.code, one.why)
	if one.code != codeNone {
		h.waste(wasteFrame)
	}
	if h.wasted.tooMuch(h) {
		return errCalm
	}
	h.reset(one.id, one.code, errors.New("http2: "+one.why))
	return nil
}

// take does what a frame says.
func (h *conn2) take(f *frame) error {
	if (f.kind == frameContinuation) != h.block.open || h.block.open && f.id != h.block.id {
		return &connectionError{codeProtocol, "a frame within a head, or a head's rest without one"}
	}
	if h.unacked > 0 && !h.sawSettings() {
		if f.kind != frameSettings || f.has(flagAck) {
			return &connectionError{codeProtocol, "the first frame is not SETTINGS"}
		}
		h.wasted.begun = true
		h.alarm.set(time.Time{})
		h.rests()
	}
	if h.going && f.id > h.last && f.kind != frameHeaders && f.kind != frameContinuation {
		if f.kind == frameData { // of a stream that was not begun: GOAWAY is on its way to the peer
			return h.discard(f)
		}
		return nil
	}
	switch f.kind {
	case frameHeaders, frameContinuation:
		return h.takeHead(f)
	case frameData:
		return h.takeData(f)
	case frameSettings:
		return h.takeSettings(f)
	case frameWindow:
		return h.takeWindow(f)
	case framePing:
		return h.takePing(f)
	case frameReset:
		return h.takeReset(f)
	case frameGoAway:
		h.goAway(codeNone)
		return nil
	}
	return h.waste(wasteFrame) // PRIORITY, and what is not known
}

func (h *conn2) sawSettings() bool { return h.wasted.begun }

// count tells who counts errors.
func (h *conn2) count(of string, code errorCode, why string) {
	if h.limits.count != nil {
		name := of + "_" + code.String() + "_" + strings.ReplaceAll(why, " ", "_")
		h.start(&counted{h, name})
	}
}

// goAway tells the peer to begin no more streams. The connection ends when those that there are have.
func (h *conn2) goAway(code errorCode) {
	if !h.going {
		h.going = true
		h.out = appendGoAway(h.out, h.last, code)
	}
	h.rests()
	h.flush()
}

// rests is for when a stream may have been the last.
func (h *conn2) rests() {
	if len(h.streams) > 0 || h.over {
		return
	}
	if h.going {
		h.over, h.interrupt = true, true
		return
	}
	d := h.s.idleTimeout()
	if h.last == 0 && !h.keepsAlive() { // who has come when it was too late has one request
		d = newMax
	}
	if d > 0 && h.sawSettings() && !h.block.open { // whose time goes on
		h.alarm.set(time.Now().Add(d))
	}
}

// shutdown ends the connection in order. Any goroutine may call it.
func (h *conn2) shutdown() {
	h.mu.Lock()
	h.goAway(codeNone)
	h.unlock()
}

// late is for when the alarm goes off.
func (h *conn2) late() {
	h.mu.Lock()
	if !h.sawSettings() || h.block.open {
		h.dead, h.interrupt = true, true
	} else if len(h.streams) == 0 {
		h.goAway(codeNone)
	}
	h.unlock()
}

// pingLate asks a peer that has been silent whether it is there, and ends one that has not answered.
func (h *conn2) pingLate() {
	h.mu.Lock()
	defer h.unlock()
	now := h.now()
	switch silent := now.Sub(h.heard); {
	case h.over || h.dead:
	case h.pinged:
		h.dead, h.interrupt = true, true
	case silent < h.limits.ping:
		h.ping.set(h.heard.Add(h.limits.ping))
	default:
		h.pinged = true
		h.out = append(appendFrame(h.out, framePing, 0, 0, 8), "sockhttp"...)
		h.flush()
		h.ping.set(now.Add(h.limits.pong))
	}
}

// part2 ends all streams, and says why to the peer. It reports whether that is still there to read it.
func (h *conn2) part2(err error) bool {
	h.mu.Lock()
	defer h.unlock()
	var wrong *connectionError
	if errors.As(err, &wrong) {
		h.count("conn", wrong.code, wrong.why)
		h.out = appendGoAway(h.out, h.last, wrong.code)
		h.going = true
		h.flush()
	}
	there := (err == nil || wrong != nil) && !h.dead
	h.over = true
	for _, st := range h.streams {
		h.close(st, errGone)
	}
	h.queue = nil
	patience := h.s.WriteTimeout
	if wrong != nil { // it may read nothing
		patience = goAwayMax
	}
	if patience > 0 && h.flushing {
		h.mu.Unlock()
		h.c.SetWriteDeadline(h.now().Add(patience))
		h.mu.Lock()
	}
	for there && !h.dead && h.flushing && h.wait(&h.waiter, nil, false) == nil { // of a cancelled task so is the writer
	}
	h.alarm.stop()
	h.ping.stop()
	there = there && !h.dead
	h.dead = true
	h.writers.wakeAll()
	if wrong != nil {
		h.mu.Unlock()
		h.logf("http2: server connection error from %v: %v", h.remote, wrong)
		h.mu.Lock()
	}
	return there
}

// unlock unlocks mu, and has the reader look if there is something to look at.
func (h *conn2) unlock() {
	interrupt := h.interrupt
	h.interrupt = false
	h.mu.Unlock()
	if interrupt {
		h.c.SetReadDeadline(time.Unix(1, 0))
	}
}

// setState has ConnState called.
func (h *conn2) setState(state http.ConnState) {
	h.active = state == http.StateActive
	h.state.Store(int32(state))
	if h.s.ConnState == nil {
		return
	}
	if h.told = append(h.told, state); !h.telling {
		h.telling = true
		h.start((*teller)(h))
	}
}

// start has a job run on the connection's loop, or on a goroutine where it has none.
func (h *conn2) start(j loop.Job) {
	l := (*loop.Loop)(h.loop)
	switch {
	case l == nil:
		go j.Run()
	case l.IsCurrent():
		l.StartHeir(j)
	default:
		l.StartFrom(j)
	}
}

// teller calls ConnState, one call after the other.
type teller conn2

func (t *teller) Run() {
	h := (*conn2)(t)
	h.mu.Lock()
	for len(h.told) > 0 {
		states := h.told
		h.told = nil
		h.mu.Unlock()
		elsewhere(lane.Handlers, func() {
			for _, state := range states {
				h.s.ConnState(h.net(), state)
			}
		})
		h.mu.Lock()
	}
	h.telling = false
	h.waiter.wakeAll()
	h.mu.Unlock()
}

// counted is an error on its way to who counts them.
type counted struct {
	h    *conn2
	name string
}

func (c *counted) Run() { elsewhere(lane.Handlers, func() { c.h.limits.count(c.name) }) }

// Code says what those are for whom tasks are shown.
func (t *teller) Code() code.Func  { return code.Of((*teller).Run) }
func (c *counted) Code() code.Func { return code.Of((*counted).Run) }
