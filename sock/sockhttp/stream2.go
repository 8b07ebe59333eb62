package sockhttp

import (
	"cmp"
	"errors"
	"maps"
	"slices"
)

// newStream makes a stream of the connection, which is not among its streams yet.
func (h *conn2) newStream(st *stream2, owner owner2, id uint32) {
	st.h, st.owner, st.id, st.window = h, owner, id, h.startsAt
	st.inflow = inflow{left: h.limits.streamWindow, size: h.limits.streamWindow}
}

// inOrder are the streams in the order in which they began.
func (h *conn2) inOrder() []*stream2 {
	return slices.SortedFunc(maps.Values(h.streams), func(a, b *stream2) int { return cmp.Compare(a.id, b.id) })
}

// begun reports whether a stream has begun. Those of even numbers are a server's, and no server begins any.
func (h *conn2) begun(id uint32) bool { return id <= h.last && id%2 == 1 }

// reset ends a stream with an error that the peer is told.
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

// endedMax is how many streams are remembered that were reset.
const endedMax = 128

// close ends a stream. why is what its owner gets.
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

// endInput is for the end of what the peer sends.
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
