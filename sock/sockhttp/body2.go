package sockhttp

import (
	"io"
	"net/http"
)

// body2 is a body that a peer sends by HTTP/2: what has come and was not read. Any goroutine may read it, or close it.
// It holds no more than the windows of its stream and of the connection are.
type body2 struct {
	st *stream2

	// Under the connection's mu.
	pieces    []*[]byte // of scratch
	off       int       // how much of the first was read
	unread    int
	got       int64  // from the peer
	declared  int64  // Content-Length; -1: there is none
	err       error  // what comes behind the pieces; errInputEnds: io.EOF
	closed    error  // why nothing is read any more
	cutOff    bool   // the stream is none any more, so its windows aren't
	continues func() // tells a peer to go on that waits for 100 Continue; nil: it doesn't
	readers   lot
	announced http.Header  // the trailers that a request has named, which it gets
	all       *http.Header // or where all of an answer go; nil: it is none
	trailer   http.Header  // those that have come
}

// Read reads some of the body, and waits until there is some.
func (b *body2) Read(p []byte) (n int, err error) {
	h := b.st.h
	h.mu.Lock()
	defer func() { h.unlock() }()
	if ask := b.continues; ask != nil {
		b.continues = nil
		ask()
	}
	for b.unread == 0 || b.closed != nil {
		switch {
		case b.closed != nil:
			return 0, b.closed
		case b.err == errInputEnds:
			b.giveTrailer()
			return 0, io.EOF
		case b.err != nil:
			return 0, b.err
		case len(p) == 0:
			return 0, nil
		}
		if err := h.wait(&b.readers, b.st, false); err != nil {
			return 0, err
		}
	}
	for n < len(p) && b.unread > 0 {
		k := copy(p[n:], (*b.pieces[0])[b.off:])
		n, b.off, b.unread = n+k, b.off+k, b.unread-k
		if b.off == len(*b.pieces[0]) {
			give(b.pieces[0])
			b.pieces[0] = nil
			b.pieces, b.off = b.pieces[1:], 0
		}
	}
	if b.unread == 0 {
		b.pieces = nil
	}
	if !b.cutOff {
		h.giveBack(nil, n)
		if !b.st.ends && b.st.gone == nil {
			h.giveBack(b.st, n)
		}
		h.flush()
	}
	return n, nil
}

// giveTrailer gives those who have read all the trailers that have come.
func (b *body2) giveTrailer() {
	if b.all != nil && *b.all == nil && len(b.trailer) > 0 {
		*b.all = make(http.Header)
	}
	for key, v := range b.trailer {
		if b.all != nil {
			(*b.all)[key] = v
		} else if _, ok := b.announced[key]; ok {
			b.announced[key] = v
		}
	}
}

// put adds what has come; false if nobody is going to read it.
func (b *body2) put(p []byte) bool {
	if b.closed != nil || b.err != nil {
		return false
	}
	b.unread += len(p)
	for len(p) > 0 {
		var last *[]byte
		if n := len(b.pieces); n > 0 && len(*b.pieces[n-1]) < scratchSize {
			last = b.pieces[n-1]
		} else {
			last = take()
			b.pieces = append(b.pieces, last)
		}
		n := min(len(p), scratchSize-len(*last))
		*last = append(*last, p[:n]...)
		p = p[n:]
	}
	b.readers.wakeAll()
	return true
}

// end says what comes behind what is here.
func (b *body2) end(err error) {
	if b.err == nil {
		b.err = err
	}
	b.readers.wakeAll()
}

// cut is for when the stream ends: what is here is not of the connection's window any more. It can be read still where
// the connection has ended, or the answer. Where the stream was reset it can't: a peer that resets one after the other
// would fill a window for each whose handler has not returned.
func (b *body2) cut(err error) {
	if b.st == nil {
		return
	}
	b.end(err)
	if b.cutOff {
		return
	}
	b.cutOff = true
	b.st.h.giveBack(nil, b.unread)
	if err == errGone || err == errEnded || b.unread == 0 {
		return
	}
	if b.err == errInputEnds {
		b.err = err
	}
	b.empty()
}

// drop forgets what nobody has read.
func (b *body2) drop() { b.stop(http.ErrBodyReadAfterClose) }

func (b *body2) stop(why error) {
	if b.st == nil || b.closed != nil {
		return
	}
	b.closed = why
	if !b.cutOff {
		b.st.h.giveBack(nil, b.unread)
		b.st.h.flush()
	}
	b.empty()
	b.readers.wakeAll()
}

func (b *body2) empty() {
	for _, p := range b.pieces {
		give(p)
	}
	b.pieces, b.off, b.unread = nil, 0, 0
}

// Close says that no more is to be read.
func (b *body2) Close() error {
	if b.st != nil {
		b.st.h.mu.Lock()
		b.drop()
		b.st.h.unlock()
	}
	return nil
}
