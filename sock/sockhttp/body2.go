package sockhttp

import (
	"io"
	"net/http"
)

// body2 is a body that a peer sends by HTTP/2: the bytes that have come and were not read. Any goroutine may read or
// close it. It never holds more than the windows of its stream and of the connection allow.
type body2 struct {
	st *stream2

	// Under the connection's mu.
	pieces    []*[]byte // memory of scratch
	off       int       // how much of the first piece was read
	unread    int
	got       int64  // how many bytes have come
	declared  int64  // Content-Length; -1: there is none
	err       error  // what follows the pieces; errInputEnds: io.EOF
	closed    error  // why nothing can be read any more
	cutOff    bool   // the stream has ended, and its windows with it
	continues func() // sends 100 Continue to a peer that waits for it; nil: it does not
	readers   lot
	announced http.Header  // the trailers that a request has announced, which get the values
	all       *http.Header // or the header for all trailers of an answer; nil: it is no answer
	trailer   http.Header  // the trailers that have come
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

// giveTrailer passes the trailers on, once all of the body was read.
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

// put adds bytes that have come. It returns false if they will not be read.
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

// end sets what follows the bytes that are here.
func (b *body2) end(err error) {
	if b.err == nil {
		b.err = err
	}
	b.readers.wakeAll()
}

// cut is called when the stream ends: the unread bytes no longer count in the connection's window. They can still be
// read if the connection, or the answer, has ended. They can't if the stream was reset: otherwise a peer that resets
// one stream after another would fill a window for each handler that has not returned.
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

// drop drops the unread bytes, and makes reads fail.
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

// Close drops the unread bytes, and makes reads fail.
func (b *body2) Close() error {
	if b.st != nil {
		b.st.h.mu.Lock()
		b.drop()
		b.st.h.unlock()
	}
	return nil
}
