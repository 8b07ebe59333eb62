package sockhttp

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/http2/hpack"

	"ringo"
	"ringo/internal/lane"
	"ringo/internal/loop"
	"ringo/internal/rt/code"
)

// conn2 is a connection that speaks HTTP/2, as a server and a client have it: one reads its frames, others send on its
// streams, and what they send is collected and written by another. They are tasks of its loop, or goroutines where it
// has none; those who send may be anywhere.
//
//	reader ──HEADERS──▶ side ──▶ handler, request       reader, those ──frames──▶ out ──▶ flusher ──▶ peer
//	reader ──DATA──▶ body2 ──▶ handler, caller
//
// All of it but what the reader alone has is under mu, below which nobody waits and nothing is closed.
type conn2 struct {
	side   side2
	c      stream
	loop   *ringo.Loop // nil: goroutines have it
	limits limits2
	client bool // it is a client's

	decoder *hpack.Decoder // the reader's, as these are
	block   block2
	frames  uint64 // of streams, that have come

	mu      sync.Mutex
	streams map[uint32]*stream2
	last    uint32   // the highest stream that was begun
	ended   []uint32 // the streams that were reset last, by this side: more of them may be on its way
	unacked int      // SETTINGS
	greeted bool     // the peer's preface is here, if it has one
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

	writers lot // those who wait for a window, or for room in out
	waiter  lot // the reader, for the end of the others

	going     bool  // GOAWAY was sent
	over      bool  // nothing is left to do but to close
	dead      bool  // nothing can be sent any more
	broken    error // why, if there is more to say
	interrupt bool  // the reader is to be
	ping      alarm
	pinged    bool
	heard     time.Time // when the last frame came, where that matters
}

// side2 is what the two ends do each in its way. The caller has mu.
type side2 interface {
	settled()                         // the peer's first SETTINGS are here
	set(id uint16, v uint32) error    // a setting of the peer's
	headOpens()                       // a head has begun, of which more is to come
	headCloses()                      // it is here
	takeBlock(b *block2) error        // it, or trailers
	pong()                            // a PING was answered
	takeGoAway(f *frame)              // the peer begins, or takes, no more streams
	tooShort(declared, n int64) error // why a body is that has ended before its Content-Length
	lastOfPeer() uint32               // the highest stream that the peer has begun
	idle()                            // the last stream has ended
	dies()                            // nothing can be sent any more; who reads, if anybody does, is told
}

// owner2 is who has a stream.
type owner2 interface {
	inputEnds()     // the peer has sent all. The caller has mu.
	left(why error) // the stream is none of the connection's any more. The caller has mu.
}

// stream2 is a request of HTTP/2 and its answer, as both sides have it.
type stream2 struct {
	h     *conn2
	owner owner2
	id    uint32
	body  body2 // that the peer sends

	// Under the connection's mu.
	headIn bool  // the head of what the peer sends is here
	ends   bool  // the peer has sent all of it
	gone   error // why it is none of the connection's any more
	window int64 // how many bytes of a body the peer has room for
	inflow inflow
	heads  bool // who sends waits to send a head
}

// limits2 are what an http.HTTP2Config says, or net/http's defaults.
type limits2 struct {
	streams, table, encoderTable, frame, list uint32
	window, streamWindow                      int64
	ping, pong, write                         time.Duration
	count                                     func(string)
}

// configure has a config in the place of the defaults.
func (l *limits2) configure(cfg *http.HTTP2Config) {
	if cfg == nil {
		return
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
}

// goAwayMax is how long a peer that has done wrong may take to read so: as long as net/http gives it.
const goAwayMax = time.Second

var (
	errGone   = errors.New("http2: client disconnected")
	errClosed = errors.New("http2: stream closed")
	errLost   = errors.New("http2: client connection lost")
	errEnded  = errors.New("http2: request body closed due to handler exiting")
)

// init makes it ready, of a connection on that loop, if any.
func (h *conn2) init(side side2, c stream, l *ringo.Loop, limits limits2) {
	h.side, h.c, h.loop, h.limits = side, c, l, limits
	h.streams, h.window, h.startsAt, h.frameSize = make(map[uint32]*stream2), firstWindow, firstWindow, frameMax
	h.decoder = hpack.NewDecoder(limits.table, h.field)
	h.decoder.SetMaxStringLength(int(limits.list))
	h.encoder = hpack.NewEncoder((*headWriter)(h))
	h.encoder.SetMaxDynamicTableSizeLimit(limits.encoderTable)
	h.ping.fn, h.ping.l = h.pingLate, (*loop.Loop)(l)
}

// begin sends what a side says first. settings are id and value by turns. The caller has mu.
func (h *conn2) begin(settings ...uint32) {
	h.out = appendFrame(h.out, frameSettings, 0, 0, len(settings)/2*6)
	for i := 0; i < len(settings); i += 2 {
		h.out = appendSetting(h.out, uint16(settings[i]), settings[i+1])
	}
	h.unacked = 1
	h.wasted.since = h.now()
	h.inflow = inflow{left: firstWindow, size: h.limits.window}
	h.giveBack(nil, int(h.limits.window-firstWindow))
	if h.limits.ping > 0 {
		h.heard = h.now()
		h.ping.set(h.heard.Add(h.limits.ping))
	}
	h.flush()
}

// pingText is what a PING has, whose answer is not looked at.
const pingText = "sockhttp"

// now is the time for deadlines.
func (h *conn2) now() time.Time { return nowOn(h.loop) }

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
	h.reset(one.id, one.code, one)
	return nil
}

// take does what a frame says.
func (h *conn2) take(f *frame) error {
	if f.id != 0 {
		h.frames++
	}
	if (f.kind == frameContinuation) != h.block.open || h.block.open && f.id != h.block.id {
		return &connectionError{codeProtocol, "a frame within a head, or a head's rest without one"}
	}
	if h.unacked > 0 && !h.sawSettings() {
		if f.kind != frameSettings || f.has(flagAck) {
			return &connectionError{codeProtocol, "the first frame is not SETTINGS"}
		}
		h.wasted.begun = true
		h.side.settled()
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
		h.side.takeGoAway(f)
		return h.waste(wasteFrame)
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

// pingLate asks a peer that has been silent whether it is there, and ends one that has not answered.
func (h *conn2) pingLate() {
	h.mu.Lock()
	defer h.unlock()
	now := h.now()
	switch silent := now.Sub(h.heard); {
	case h.over || h.dead:
	case h.pinged:
		h.die(errLost)
	case silent < h.limits.ping:
		h.ping.set(h.heard.Add(h.limits.ping))
	default:
		h.pinged = true
		h.out = append(appendFrame(h.out, framePing, 0, 0, 8), pingText...)
		h.flush()
		h.ping.set(now.Add(h.limits.pong))
	}
}

// die has the connection end: nothing can be sent any more. The caller has mu.
func (h *conn2) die(why error) {
	if !h.dead {
		h.side.dies()
	}
	h.dead, h.interrupt, h.broken = true, true, why
}

// part2 ends all streams, for that reason, and says what err was to the peer, who may take so long to read it. It
// reports whether the peer is still there.
func (h *conn2) part2(err, why error, patience time.Duration) bool {
	h.mu.Lock()
	defer h.unlock()
	var wrong *connectionError
	if errors.As(err, &wrong) {
		h.count("conn", wrong.code, wrong.why)
		h.out = appendGoAway(h.out, h.side.lastOfPeer(), wrong.code)
		h.going = true
		h.flush()
	}
	there := (err == nil || wrong != nil) && !h.dead
	h.over = true
	for _, st := range h.inOrder() {
		h.close(st, why)
	}
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
	h.ping.stop()
	there = there && !h.dead
	h.dead = true
	h.writers.wakeAll()
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

// start has a job run on the connection's loop, or on a goroutine where it has none.
func (h *conn2) start(j loop.Job) {
	l := (*loop.Loop)(h.loop)
	switch {
	case l == nil:
		go j.Run()
	case l.IsCurrent():
		l.StartHeir(j)
	default:
		l.StartOpen(j)
	}
}

// counted is an error on its way to who counts them.
type counted struct {
	h    *conn2
	name string
}

func (c *counted) Run() { elsewhere(lane.Handlers, func() { c.h.limits.count(c.name) }) }

// Code says what it is for whom tasks are shown.
func (c *counted) Code() code.Func { return code.Of((*counted).Run) }
