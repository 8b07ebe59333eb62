package sockhttp

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"ringo"
	"ringo/internal/httptext"
	"ringo/internal/loop"
	"ringo/sock"
)

// receive reads the head of the answer.
func (x *call) receive() (*http.Response, error) {
	c := x.c
	c.left = x.t.headMax()
	if _, err := c.br.Peek(1); err != nil {
		if err := x.why(err); err != nil {
			return nil, err
		}
		return nil, &failure{err, !c.wrote}
	}
	if x.trace != nil && x.trace.GotFirstResponseByte != nil {
		x.trace.GotFirstResponseByte()
	}
	for {
		answer, err := c.readHead(x.r, &x.plain)
		if err != nil {
			if why := x.why(err); why != nil {
				return nil, why
			}
			if c.left <= 0 {
				err = fmt.Errorf("net/http: server response headers exceeded %d bytes; aborted", x.t.headMax())
			}
			return nil, x.broken(err)
		}
		code := answer.StatusCode
		if code == http.StatusContinue && x.sending != nil && x.sending.may != nil {
			if x.trace != nil && x.trace.Got100Continue != nil {
				x.trace.Got100Continue()
			}
			x.sending.may.TrySend(true)
		}
		if code < 100 || code > 199 || code == http.StatusSwitchingProtocols {
			return x.headed(answer), nil
		}
		if x.trace != nil && x.trace.Got1xxResponse != nil { // the hook limits how many there are
			if err := x.trace.Got1xxResponse(code, textproto.MIMEHeader(answer.Header)); err != nil {
				return nil, err
			}
			c.left = x.t.headMax()
		}
	}
}

// why returns a better reason for an error while the head was awaited, nil if there is none.
func (x *call) why(err error) error {
	s := x.sending
	switch {
	case s != nil && s.own != nil:
		return s.own
	case x.l.Canceled():
		return err
	case x.limited && errors.Is(err, os.ErrDeadlineExceeded):
		return errHeadLate
	case s != nil && s.err != nil:
		return x.broken(s.err)
	}
	return nil
}

// headed is called when the head of the final answer has come.
func (x *call) headed(answer *http.Response) *http.Response {
	c := x.c
	c.left = 1 << 62
	if x.answered = true; x.limited {
		x.limited = false
		c.c.SetReadDeadline(time.Time{})
	}
	if s := x.sending; s != nil && s.may != nil { // without a 100 it is sent anyway, if the connection goes on
		s.may.TrySend(!answer.Close && !x.r.Close)
	}
	answer.TLS = c.tls
	return answer
}

// deliver completes the answer for the caller.
func (x *call) deliver(answer *http.Response) (*http.Response, error) {
	code := answer.StatusCode
	if code == http.StatusSwitchingProtocols && answer.Header.Get("Upgrade") != "" &&
		httptext.HasToken(answer.Header["Connection"], "upgrade") {
		answer.Body = x.c.leaveTo()
		return answer, nil
	}
	keep := !answer.Close && !x.r.Close && code > 199
	if x.r.Method == http.MethodHead || answer.ContentLength == 0 {
		x.finish(keep)
		answer.Body = http.NoBody
		return answer, nil
	}
	b := &x.given
	b.x, b.from, b.length, b.keep = x, answer.Body, answer.ContentLength, keep
	x.giveBody(answer, b)
	return answer, nil
}

// giveBody sets the body of an answer. It decompresses the body if the caller has not asked for compression.
func (x *call) giveBody(answer *http.Response, b *answerBody) {
	answer.Body = b
	if x.gzip && len(answer.Header["Content-Encoding"]) > 0 &&
		httptext.EqualFold(answer.Header["Content-Encoding"][0], "gzip") {
		answer.Body = &unzipped{body: b}
		answer.Header.Del("Content-Encoding")
		answer.Header.Del("Content-Length")
		answer.ContentLength, answer.Uncompressed = -1, true
	}
}

// finish ends the use of the connection, and keeps it if that is possible. For tasks of the loop.
func (x *call) finish(keep bool) {
	if keep = keep && x.allSent(); !keep {
		x.drop()
		return
	}
	err := x.c.pool.put(x.c)
	if err != nil {
		x.c.close()
	}
	if x.trace != nil && x.trace.PutIdleConn != nil && err != errNoKeepAlive {
		x.trace.PutIdleConn(err)
	}
}

// drop ends the connection, or the HTTP/2 stream, and what is still being sent on it. Any caller.
func (x *call) drop() {
	if x.st != nil {
		x.st.drop(errBodyClosed)
	} else {
		x.c.close()
	}
	if s := x.sending; s != nil {
		s.task.Cancel()
	}
}

// sentMax is how long finish waits for the rest of a request whose answer has come.
const sentMax = 50 * time.Millisecond

// allSent reports whether the whole request was sent.
func (x *call) allSent() bool {
	s := x.sending
	if s == nil {
		return true
	}
	err := (*ringo.Loop)(x.l).WithTimeout(sentMax, func() error {
		_, err := s.over.Recv()
		return err
	})
	return errors.Is(err, ringo.ErrClosed) && s.err == nil
}

// answerBody is the body of an answer.
type answerBody struct {
	x      *call
	from   io.ReadCloser
	length int64       // -1: unknown
	keep   bool        // the connection may have other requests
	busy   atomic.Bool // a caller is reading
	closed atomic.Bool
	err    error
}

var (
	errBodyClosed = errors.New("http: read on closed response body")
	errBodyBusy   = errors.New("http: concurrent read on response body")
)

// Read reads some of the body, and waits until there is some. It ends with the request's context, too.
func (b *answerBody) Read(p []byte) (n int, err error) {
	if !b.busy.CompareAndSwap(false, true) {
		return 0, errBodyBusy
	}
	defer b.busy.Store(false)
	if b.closed.Load() {
		return 0, errBodyClosed
	}
	if b.err != nil {
		return 0, b.err
	}
	ctx := b.x.r.Context()
	if l, _ := loop.Current(); l == b.x.l && b.isHere() {
		n, err = b.from.Read(p)
	} else if l != nil {
		err = (*ringo.Loop)(l).WithContext(ctx, func() (err error) {
			n, err = b.from.Read(p)
			return err
		})
	} else {
		stop := context.AfterFunc(ctx, b.x.drop)
		n, err = b.from.Read(p)
		if !stop() { // the connection ends, in a moment if it has not
			b.keep = false
		}
	}
	if err != nil {
		err = b.end(err)
	}
	return n, err
}

// isHere reports whether a read gets bytes without waiting, and may have them. Not with chunks: the next may not have
// begun.
func (b *answerBody) isHere() bool {
	return b.length >= 0 && b.x.st == nil && b.x.c.br.Buffered() > 0 && b.x.ended() == nil && !b.x.l.Canceled()
}

// Buffered returns how many bytes of a body of known length Read returns without waiting, as far as the program knows;
// for others 0. Only the reader may call it.
func (b *answerBody) Buffered() (n int) {
	if b.length < 0 || b.x.st != nil || b.closed.Load() || b.err != nil {
		return 0
	}
	if c, ok := b.x.c.c.(*sock.Conn); ok {
		n = c.Buffered()
	}
	return n + b.x.c.br.Buffered()
}

// end is called when no more can be read.
func (b *answerBody) end(err error) error {
	switch why := b.x.ended(); {
	case err == io.EOF && b.x.st != nil: // the connection is its streams' and not the body's
	case err == io.EOF && !b.keep:
		b.x.drop()
	case err == io.EOF && b.x.l.IsCurrent():
		b.x.finish(true)
	case err == io.EOF:
		if b.x.c.pool.l.Post(func() { b.x.finish(true) }) != nil {
			b.x.drop() // the loop has ended
		}
	case b.closed.Load():
		err = errBodyClosed
	default:
		b.x.drop()
		if why != nil {
			err = why
		}
	}
	b.err = err
	return err
}

// Close ends the body. If some of it is unread, it ends the connection.
func (b *answerBody) Close() error {
	if b.closed.Swap(true) {
		return nil
	}
	if b.busy.CompareAndSwap(false, true) {
		defer b.busy.Store(false)
		if b.err != nil && b.x.st == nil {
			return nil
		}
	}
	b.x.drop() // for a stream also the rest of the request, even if the answer was read
	return nil
}

// unzipped is a body that the server has compressed because the Transport has asked for it.
type unzipped struct {
	body *answerBody
	zr   *gzip.Reader
	busy atomic.Bool
	err  error
}

var unzippers = sync.Pool{New: func() any { return new(gzip.Reader) }}

// Read reads and decompresses some of the body.
func (u *unzipped) Read(p []byte) (int, error) {
	if !u.busy.CompareAndSwap(false, true) {
		return 0, errBodyBusy
	}
	defer u.busy.Store(false)
	if u.body.closed.Load() {
		return 0, errBodyClosed
	}
	if u.err != nil {
		return 0, u.err
	}
	if u.zr == nil {
		u.zr = unzippers.Get().(*gzip.Reader)
		if u.err = u.zr.Reset(u.body); u.err != nil {
			return 0, u.err
		}
	}
	n, err := u.zr.Read(p)
	if err != nil {
		u.err = err
		u.giveBack()
	}
	return n, err
}

// giveBack gives the memory back.
func (u *unzipped) giveBack() {
	if u.zr != nil {
		u.zr.Reset(nothing{})
		unzippers.Put(u.zr)
		u.zr = nil
	}
}

// Close ends the body.
func (u *unzipped) Close() error {
	err := u.body.Close()
	if u.busy.CompareAndSwap(false, true) {
		if u.err == nil {
			u.err = errBodyClosed
		}
		u.giveBack()
		u.busy.Store(false)
	}
	return err
}

// nothing is what idle gzip readers read from.
type nothing struct{}

func (nothing) Read([]byte) (int, error) { return 0, io.EOF }
func (nothing) ReadByte() (byte, error)  { return 0, io.EOF }

// leaveTo gives the connection to the caller, with the bytes that were received before.
func (c *clientConn) leaveTo() io.ReadWriteCloser {
	c.leave()
	c.gone.Store(true)
	to := &leftConn{Conn: c.c}
	if c.br.Buffered() > 0 {
		to.unread = c.br
	} else {
		c.br.Reset(nil)
		readers.Put(c.br)
	}
	c.br = nil
	return to
}

// leftConn is the body of an answer after which the connection belongs to the caller.
type leftConn struct {
	net.Conn
	unread *bufio.Reader // nil: no bytes
}

// Read returns the bytes that came with the answer first.
func (c *leftConn) Read(p []byte) (int, error) {
	if c.unread == nil {
		return c.Conn.Read(p)
	}
	n, err := c.unread.Read(p[:min(len(p), c.unread.Buffered())])
	if c.unread.Buffered() == 0 {
		c.unread = nil
	}
	return n, err
}

// NetConn returns the connection below, and Buffered how many bytes that came with the answer are unread.
func (c *leftConn) NetConn() net.Conn { return c.Conn }
func (c *leftConn) Buffered() int {
	if c.unread == nil {
		return 0
	}
	return c.unread.Buffered()
}

// CloseWrite shuts down the caller's side.
func (c *leftConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return fmt.Errorf("CloseWrite: %w", http.ErrNotSupported)
}
