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

// conn2 is an HTTP/2 connection, of a server or a client. One task reads its frames; others send on its streams, and
// another collects and writes what they send. They are tasks of the connection's loop, or goroutines if it has none;
// senders may be anywhere.
//
//	reader ──HEADERS──▶ side ──▶ handler, request       reader, those ──frames──▶ out ──▶ flusher ──▶ peer
//	reader ──DATA──▶ body2 ──▶ handler, caller
//
// Everything but the reader's own fields is guarded by mu. While mu is held nothing waits, and nothing is closed.
type conn2 struct {
	side   side2
	c      stream
	loop   *ringo.Loop // nil: goroutines serve it
	limits limits2
	client bool // it is a client's connection

	decoder *hpack.Decoder // this and the next two are the reader's
	block   block2
	frames  uint64 // how many frames on streams have come

	mu      sync.Mutex
	streams map[uint32]*stream2
	last    uint32   // the highest stream that has begun
	ended   []uint32 // streams that this side has reset lately: frames for them may be on their way
	unacked int      // SETTINGS that the peer has not acknowledged
	greeted bool     // the peer's preface has come, or it has none
	wasted  waste

	encoder   *hpack.Encoder
	head      []byte  // output of the encoder
	out       []byte  // to be sent
	spare     []byte  // memory for out
	scratch   *[]byte // the first memory of out
	heads     int     // how many bytes of out are heads
	flushing  bool
	window    int64     // how many bytes of bodies the peer has room for, on the connection
	opened    time.Time // when the peer has last opened that window
	startsAt  int64     // the window that a new stream has
	frameSize int       // the limit of frames to the peer
	inflow    inflow

	writers lot // senders that wait for a window, or for room in out
	waiter  lot // the reader, when it waits for the others to end

	going     bool  // GOAWAY was sent
	over      bool  // only the close is left to do
	dead      bool  // nothing can be sent any more
	broken    error // why, if more is known
	interrupt bool  // the reader is to be interrupted
	ping      alarm
	pinged    bool
	heard     time.Time // when the last frame came, if there is a ping timeout
}

// side2 is what client and server do differently. The caller holds mu.
type side2 interface {
	settled()                         // the peer's first SETTINGS have come
	set(id uint16, v uint32) error    // takes a setting of the peer
	headOpens()                       // a head has begun, whose rest is still to come
	headCloses()                      // the head is complete
	takeBlock(b *block2) error        // takes a head or trailers
	pong()                            // a PING was answered
	takeGoAway(f *frame)              // the peer accepts no more streams, or begins none
	tooShort(declared, n int64) error // why a body is that has ended before its Content-Length
	lastOfPeer() uint32               // the highest stream that the peer has begun
	idle()                            // the last stream has ended
	dies()                            // nothing can be sent any more; the reader, if there is one, has to stop
}

// owner2 is what a stream belongs to: a server's request or a client's.
type owner2 interface {
	inputEnds()     // the peer has sent everything. The caller holds mu.
	stalls(on bool) // the sender begins to wait for a window, or ends that. The caller holds mu.
	left(why error) // the stream no longer belongs to the connection. The caller holds mu.
}

// stream2 is an HTTP/2 request and its answer, for both sides.
type stream2 struct {
	h     *conn2
	owner owner2
	id    uint32
	body  body2 // the body that the peer sends

	// Under the connection's mu.
	headIn bool  // the peer's head has come
	ends   bool  // the peer has sent everything
	gone   error // why it no longer belongs to the connection
	window int64 // how many bytes of a body the peer has room for
	inflow inflow
	heads  bool // the sender waits to send a head
}

// limits2 are what an http.HTTP2Config says, or net/http's defaults.
type limits2 struct {
	streams, table, encoderTable, frame, list uint32
	window, streamWindow                      int64
	ping, pong, write                         time.Duration
	count                                     func(string)
}

// configure replaces defaults by the fields of a config that are set.
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
	if l.ping, l.count = cfg.SendPingTimeout, cfg.CountError; cfg.PingTimeout > 0 {
		l.pong = cfg.PingTimeout
	}
	if cfg.WriteByteTimeout > 0 {
		l.write = cfg.WriteByteTimeout
	}
}

// goAwayMax is how long a misbehaving peer may take to read why the connection ends, as in net/http.
const goAwayMax = time.Second

var (
	errGone   = errors.New("http2: client disconnected")
	errClosed = errors.New("http2: stream closed")
	errLost   = errors.New("http2: client connection lost")
	errEnded  = errors.New("http2: request body closed due to handler exiting")
)

// init initialises h for a connection on that loop, or on goroutines if l is nil.
func (h *conn2) init(side side2, c stream, l *ringo.Loop, limits limits2) {
	h.side, h.c, h.loop, h.limits = side, c, l, limits
	h.streams, h.window, h.startsAt, h.frameSize = make(map[uint32]*stream2), firstWindow, firstWindow, frameMax
	h.decoder = hpack.NewDecoder(limits.table, h.field)
	h.decoder.SetMaxStringLength(int(limits.list))
	h.encoder = hpack.NewEncoder((*headWriter)(h))
	h.encoder.SetMaxDynamicTableSizeLimit(limits.encoderTable)
	h.ping.init(h, h.pingLate)
}

// begin sends the first frames of a side. settings alternates ids and values. The caller holds mu.
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

// pingText is the payload of our PINGs; the answer's is not checked.
const pingText = "sockhttp"

// now returns the time for deadlines.
func (h *conn2) now() time.Time { return nowOn(h.loop) }

func (h *conn2) isOver() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.over || h.dead
}

// clientPreface is the first thing that a client sends.
const clientPreface = preface + "SM\r\n\r\n"

// receive handles the frames that have arrived whole, and returns how many bytes the next one needs.
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

// handleFrame handles a frame. The error ends the connection; an error of a stream has been handled.
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

// take does what a frame asks for.
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
	return h.waste(wasteFrame) // PRIORITY, and unknown frames
}

func (h *conn2) sawSettings() bool { return h.wasted.begun }

// count reports an error to the program's CountError.
func (h *conn2) count(of string, code errorCode, why string) {
	if h.limits.count != nil {
		name := of + "_" + code.String() + "_" + strings.ReplaceAll(why, " ", "_")
		h.start(&counted{h, name})
	}
}

// pingLate sends a PING to a peer that has been silent, and ends the connection if it has not answered one.
func (h *conn2) pingLate() {
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

// die notes that nothing can be sent any more, so that the connection ends. The caller holds mu.
func (h *conn2) die(why error) {
	if !h.dead {
		h.side.dies()
	}
	h.dead, h.interrupt, h.broken = true, true, why
}

// part2 ends all streams for the reason why, and sends err to the peer, which has that much time to read it. It reports
// whether the peer is still there.
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
	if wrong != nil { // it may not read at all
		patience = goAwayMax
	}
	if patience > 0 && h.flushing {
		h.mu.Unlock()
		h.c.SetWriteDeadline(h.now().Add(patience))
		h.mu.Lock()
	}
	for there && !h.dead && h.flushing && h.wait(&h.waiter, nil, false) == nil { // if cancelled, so is the writer
	}
	h.ping.stop()
	there = there && !h.dead
	h.dead = true
	h.writers.wakeAll()
	return there
}

// unlock unlocks mu, and interrupts the reader if that was asked for.
func (h *conn2) unlock() {
	interrupt := h.interrupt
	h.interrupt = false
	h.mu.Unlock()
	if interrupt {
		h.c.SetReadDeadline(time.Unix(1, 0))
	}
}

// start runs a job on the connection's loop, or on a goroutine if it has none.
func (h *conn2) start(j loop.Job) {
	l := (*loop.Loop)(h.loop)
	switch {
	case l == nil:
		go j.Run()
	case l.IsCurrent():
		l.Start(l.Inherited().To(j))
	default:
		l.StartOpen(j)
	}
}

// counted is a job that reports an error to CountError.
type counted struct {
	h    *conn2
	name string
}

func (c *counted) Run() { elsewhere(lane.Handlers, func() { c.h.limits.count(c.name) }) }

// Code shows the task under the name of this job.
func (c *counted) Code() code.Func { return code.Of((*counted).Run) }
