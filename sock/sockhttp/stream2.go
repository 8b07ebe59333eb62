package sockhttp

import (
	"cmp"
	"errors"
	"maps"
	"slices"
)

// newStream initialises a stream, and does not add it to the connection's streams yet.
func (h *conn2) newStream(st *stream2, owner owner2, id uint32) {
	st.h, st.owner, st.id, st.window = h, owner, id, h.startsAt
	st.inflow = inflow{left: h.limits.streamWindow, size: h.limits.streamWindow}
}

// inOrder returns the streams in the order in which they began.
func (h *conn2) inOrder() []*stream2 {
	return slices.SortedFunc(maps.Values(h.streams), func(a, b *stream2) int { return cmp.Compare(a.id, b.id) })
}

// begun reports whether a stream has begun. Even numbers are for servers, which begin none.
func (h *conn2) begun(id uint32) bool { return id <= h.last && id%2 == 1 }

// reset ends a stream, and sends the peer RST_STREAM with the code.
func (h *conn2) reset(id uint32, code errorCode, why error) {
	h.out = appendWord(h.out, frameReset, id, uint32(code))
	if st := h.streams[id]; st != nil {
		h.close(st, why)
	}
	if len(h.ended) == endedMax {
		h.ended = slices.Delete(h.ended, 0, endedMax/2)
	}
	h.ended = append(h.ended, id)
	h.flush()
}

// endedMax is how many reset streams are remembered.
const endedMax = 128

// close ends a stream; its owner gets why.
func (h *conn2) close(st *stream2, why error) {
	delete(h.streams, st.id)
	st.gone = why
	st.owner.left(why)
	h.writers.wake(func(of *stream2) bool { return of == st })
	h.wakeWriters() // it may have been woken for room that it does not take
	h.giveOut()
	if len(h.streams) == 0 && !h.over {
		h.side.idle()
	}
}

// endInput is called when the peer has sent everything on the stream.
func (st *stream2) endInput() error {
	st.ends = true
	b := &st.body
	if b.declared >= 0 && b.declared != b.got {
		b.end(st.h.side.tooShort(b.declared, b.got))
		return &streamError{st.id, codeProtocol, "less than the declared Content-Length"}
	}
	b.end(errInputEnds)
	st.owner.inputEnds()
	return nil
}

var errInputEnds = errors.New("http2: the input has ended")
