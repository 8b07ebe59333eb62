package sockhttp

import (
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"ringo/internal/rt/code"
)

// inflow is a window for what the peer sends: left is how much it may still send, owed how much was read without
// telling it.
type inflow struct{ left, owed, size int64 }

// take takes n bytes from the window. It returns false if the peer has sent more than it may.
func (f *inflow) take(n int) bool {
	if int64(n) > f.left {
		return false
	}
	f.left -= int64(n)
	return true
}

// add notes that n bytes have room again. It returns by how much to open the window now, mostly 0, since the window is
// opened for many at once.
func (f *inflow) add(n int) (open int64) {
	if f.owed += int64(n); f.owed < f.size/8 && f.owed < f.left {
		return 0
	}
	open, f.owed = f.owed, 0
	f.left += open
	return open
}

// giveBack opens the window of the connection, or that of a stream.
func (h *conn2) giveBack(st *stream2, n int) {
	if n == 0 || h.dead {
		return
	}
	f, id := &h.inflow, uint32(0)
	if st != nil {
		f, id = &st.inflow, st.id
	}
	if open := f.add(n); open > 0 {
		h.out = appendWord(h.out, frameWindow, id, uint32(open))
	}
}

// discard takes a DATA frame that will not be read, and gives its room back.
func (h *conn2) discard(f *frame) error {
	if !h.inflow.take(f.size) {
		return &connectionError{codeFlowControl, "more DATA than the connection's window"}
	}
	h.giveBack(nil, f.size)
	switch {
	case len(f.payload) == 0:
		return h.waste(wasteFrame)
	case h.client: // a client that resets streams at will gets what was on its way
		return nil
	}
	return h.waste(wasteLate)
}

// takeData takes a part of a body.
func (h *conn2) takeData(f *frame) error {
	st := h.streams[f.id]
	if !h.begun(f.id) {
		return &connectionError{codeProtocol, "DATA on a stream that has not begun"}
	}
	if st == nil || st.ends {
		err := h.discard(f)
		if err != nil || st == nil && h.client || slices.Contains(h.ended, f.id) { // the frame was on its way
			return err
		}
		return &streamError{f.id, codeStreamClosed, "DATA behind the end of a stream"}
	}
	if !st.headIn {
		if err := h.discard(f); err != nil {
			return err
		}
		return &streamError{f.id, codeProtocol, "DATA before HEADERS"}
	}
	b := &st.body
	if b.got += int64(len(f.payload)); b.declared >= 0 && b.got > b.declared {
		if err := h.discard(f); err != nil {
			return err
		}
		return &streamError{f.id, codeProtocol, "more than the declared Content-Length"}
	}
	if !h.inflow.take(f.size) {
		return &connectionError{codeFlowControl, "more DATA than the connection's window"}
	}
	if !st.inflow.take(f.size) {
		h.giveBack(nil, f.size)
		return &streamError{f.id, codeFlowControl, "more DATA than the stream's window"}
	}
	if len(f.payload) == 0 && !f.has(flagEndStream) {
		if err := h.waste(wasteFrame); err != nil {
			return err
		}
	}
	if h.client {
		h.wasted.earns(min(10, len(f.payload)/128))
	}
	pad := f.size - len(f.payload)
	if b.put(f.payload) {
		h.giveBack(st, pad)
	} else {
		pad = f.size // no more of it is read
	}
	h.giveBack(nil, pad)
	if f.has(flagEndStream) {
		return st.endInput()
	}
	return nil
}

// takeWindow takes WINDOW_UPDATE.
func (h *conn2) takeWindow(f *frame) error {
	n := int64(binary.BigEndian.Uint32(f.payload) & windowMax)
	st := h.streams[f.id]
	if f.id != 0 && !h.begun(f.id) {
		return &connectionError{codeProtocol, "WINDOW_UPDATE on a stream that has not begun"}
	}
	if err := h.waste(wasteWindow); err != nil {
		return err
	}
	switch {
	case f.id == 0 && n == 0:
		return &connectionError{codeProtocol, "WINDOW_UPDATE of 0"}
	case n == 0:
		return &streamError{f.id, codeProtocol, "WINDOW_UPDATE of 0"}
	case f.id == 0:
		h.opened = h.now()
		if h.window += n; h.window > windowMax {
			return &connectionError{codeFlowControl, "a window that is too large"}
		}
	case st != nil:
		if st.window += n; st.window > windowMax {
			return &streamError{f.id, codeFlowControl, "a window that is too large"}
		}
	}
	h.wakeWriters()
	return nil
}

// takeSettings takes SETTINGS.
func (h *conn2) takeSettings(f *frame) error {
	if f.has(flagAck) {
		if h.unacked--; h.unacked < 0 {
			return &connectionError{codeProtocol, "SETTINGS confirmed that were not sent"}
		}
		return nil
	}
	if f.size > settingsFrameMax {
		return &connectionError{codeCalm, "too many settings"}
	}
	if err := h.waste(wasteFrame); err != nil {
		return err
	}
	for p := f.payload; len(p) > 0; p = p[6:] {
		id, v := binary.BigEndian.Uint16(p), binary.BigEndian.Uint32(p[2:])
		if err := checkSetting(id, v); err != nil {
			return err
		}
		switch id {
		case settingTableSize:
			h.encoder.SetMaxDynamicTableSize(v)
		case settingFrameSize:
			h.frameSize = int(v)
		case settingWindow:
			more := int64(v) - h.startsAt
			h.startsAt = int64(v)
			for _, st := range h.streams {
				if st.window += more; st.window > windowMax {
					return &connectionError{codeFlowControl, "a window that is too large"}
				}
			}
		default:
			if err := h.side.set(id, v); err != nil {
				return err
			}
		}
	}
	h.out = appendFrame(h.out, frameSettings, flagAck, 0, 0)
	h.wakeWriters()
	return nil
}

// settingsFrameMax is the longest SETTINGS frame: a hundred settings.
const settingsFrameMax = 100 * 6

// takePing takes PING.
func (h *conn2) takePing(f *frame) error {
	if f.has(flagAck) {
		h.side.pong()
		return h.waste(wasteFrame)
	}
	h.out = append(appendFrame(h.out, framePing, flagAck, 0, 8), f.payload...)
	return h.waste(wasteFrame)
}

// takeReset takes RST_STREAM.
func (h *conn2) takeReset(f *frame) error {
	if !h.begun(f.id) {
		return &connectionError{codeProtocol, "RST_STREAM on a stream that has not begun"}
	}
	if st := h.streams[f.id]; st != nil {
		why := errClosed
		if h.client {
			why = &resetError{f.id, errorCode(binary.BigEndian.Uint32(f.payload))}
		}
		h.close(st, why)
	}
	return h.waste(wasteFrame)
}

const (
	// outMax is how many bytes are collected before senders wait until some are sent. A head is never split by it.
	outMax = 64 << 10
	// repliesMax is how many bytes of other frames may wait in addition: a peer that does not read them gets no more
	// answers.
	repliesMax = 64 << 10
	// outKept is how much memory is kept for out while the connection has streams.
	outKept = 2 * outMax
)

// room returns how many of n bytes may be sent now.
func (h *conn2) room(st *stream2, n int) int {
	most := min(st.window, h.window, int64(h.frameSize), int64(outMax-len(h.out)))
	return int(max(0, min(int64(n), most)))
}

// wakeWriters wakes as many waiting senders as there is room for.
func (h *conn2) wakeWriters() {
	room := int64(outMax - len(h.out))
	left := min(h.window, room)
	h.writers.wake(func(st *stream2) bool {
		if st.heads {
			return room > 0
		}
		if left <= 0 || st.window <= 0 {
			return false
		}
		left -= min(int64(h.frameSize), st.window)
		return true
	})
}

// awaitRoom waits until a head may be made; windows don't matter for it. The caller holds mu, and sends the head at
// once.
func (h *conn2) awaitRoom(st *stream2) error {
	for {
		if err := st.lost(); err != nil || len(h.out) < outMax {
			return err
		}
		h.flush()
		st.heads = true
		err := h.wait(&h.writers, st, false)
		if st.heads = false; err != nil {
			return err
		}
	}
}

// flush starts to send what is in out, after the tasks that are ready now have run.
func (h *conn2) flush() {
	if len(h.out)-h.heads > outMax+repliesMax {
		h.die(errUnread)
	}
	if !h.flushing && !h.dead && len(h.out) > 0 {
		h.flushing = true
		h.start((*flusher)(h))
	}
}

var errUnread = errors.New("http2: the peer does not read what it has asked for")

// flusher is a connection as the task that sends what is in out.
type flusher conn2

func (f *flusher) Run() {
	h := (*conn2)(f)
	h.mu.Lock()
	for len(h.out) > 0 && !h.dead {
		out := h.out
		h.out, h.spare, h.heads = h.spare[:0], nil, 0
		h.mu.Unlock()
		err := h.write(out)
		h.mu.Lock()
		if cap(out) <= outKept {
			h.spare = out[:0]
		}
		if err != nil {
			h.die(err)
		}
		h.wakeWriters()
	}
	h.flushing = false
	h.giveOut()
	if h.dead {
		h.writers.wakeAll()
	}
	h.waiter.wakeAll()
	h.unlock()
}

// takeOut gets memory for out; a connection without streams keeps none.
func (h *conn2) takeOut() {
	if h.out == nil && h.spare == nil && h.scratch == nil {
		h.scratch = take()
		h.out = *h.scratch
	}
}

// giveOut gives the memory back when there are no more streams and all is sent.
func (h *conn2) giveOut() {
	if h.flushing || !h.dead && (len(h.streams) > 0 || len(h.out) > 0) {
		return
	}
	h.out, h.spare = nil, nil
	if h.scratch != nil {
		give(h.scratch)
		h.scratch = nil
	}
}

// write sends p. The write timeout starts anew whenever the peer takes some of it.
func (h *conn2) write(p []byte) error {
	return writeIn(h.c, p, h.limits.write, func(d time.Duration) { h.c.SetWriteDeadline(deadlineOn(h.loop, d)) })
}

// Code shows the task under the name of flusher.
func (f *flusher) Code() code.Func { return code.Of((*flusher).Run) }

// sendData sends a part of a body, and waits while the peer has no room for it. The caller holds mu.
func (h *conn2) sendData(st *stream2, p []byte, end bool) error {
	for sent := false; ; {
		if err := st.lost(); err != nil {
			return err
		}
		n := h.room(st, len(p))
		if n == 0 && len(p) > 0 || sent && len(h.writers.all) > 0 { // others get a turn
			h.flush()
			closed := min(st.window, h.window) <= 0
			if closed {
				st.owner.stalls(true)
			}
			err := h.wait(&h.writers, st, false)
			if closed {
				st.owner.stalls(false)
			}
			if err != nil {
				return err
			}
			sent = false
			continue
		}
		flags := uint8(0)
		if end && n == len(p) {
			flags = flagEndStream
		}
		h.out = append(appendFrame(h.out, frameData, flags, st.id, n), p[:n]...)
		st.window -= int64(n)
		h.window -= int64(n)
		h.wasted.earns(min(10, n/128))
		sent = true
		if p = p[n:]; len(p) == 0 {
			break
		}
	}
	h.flush()
	return nil
}

// lost returns why nothing can be sent, nil if it can.
func (st *stream2) lost() error {
	switch {
	case st.gone != nil:
		return st.gone
	case st.h.dead:
		return errGone
	}
	return nil
}

// sendHead sends the encoder's output as HEADERS and CONTINUATION frames.
func (h *conn2) sendHead(st *stream2, end bool) {
	kind, flags := uint8(frameHeaders), uint8(0)
	if end {
		flags = flagEndStream
	}
	before := len(h.out)
	for p := h.head; ; {
		n := min(len(p), h.frameSize)
		if n == len(p) {
			flags |= flagEndHeaders
		}
		h.out = append(appendFrame(h.out, kind, flags, st.id, n), p[:n]...)
		if p = p[n:]; len(p) == 0 {
			break
		}
		kind, flags = frameContinuation, 0
	}
	h.heads += len(h.out) - before
	if cap(h.head) > headKept {
		h.head = nil
	}
	h.head = h.head[:0]
}

// headKept is how much memory is kept for the encoder's output.
const headKept = 4096

// headWriter is a connection as the writer of its encoder.
type headWriter conn2

func (w *headWriter) Write(p []byte) (int, error) {
	w.head = append(w.head, p...)
	return len(p), nil
}
