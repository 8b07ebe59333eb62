package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"ringo"
	"ringo/cmd/ringo/internal/proxyproto"
	"ringo/cmd/ringo/internal/server"
	"ringo/internal/posix"
	"ringo/sock"
	"ringo/sock/sockclient"
	"ringo/sock/socktls"
)

// relay is the state of one run of ringo proxy.
type relay struct {
	*server.Server
	o      *options
	slots  *ringo.Semaphore // one per connection, by -max; nil: no limit
	to     *routes
	tls    *tls.Config // with clients; nil: none
	ends   *teller     // writes a line for connections that did not end in order
	checks sync.Once
	keeps  *keeper

	waiting, dialing, retried, failed atomic.Int64
	idled                             atomic.Int64 // connections that -idle has ended, ever
	idledSaid                         atomic.Int64 // idled, as of the last line of -stats
}

func newRelay(o *options, s *server.Server, log *server.Log) *relay {
	r := &relay{Server: s, o: o, to: newRoutes(o, newTeller(s).say), ends: newTeller(s),
		keeps: newKeeper(log, o.Metrics != "")}
	for _, u := range r.to.all {
		u.backs.Ahead = o.ahead
		u.backs.Dial = func(ctx context.Context, l *ringo.Loop) (net.Conn, error) {
			c, err := r.connect(ctx, l, u)
			if err == nil {
				r.keeps.opens(u)
			}
			return c, err
		}
	}
	if o.max > 0 {
		r.slots = ringo.NewSemaphore(int64(o.max))
	}
	s.Words = r.words
	s.Streams = r.accept
	s.Metrics = r.writeMetrics
	if log != nil {
		s.Side.Go(func() { log.Run(s.Quit) })
	}
	return r
}

// newStreamRelay sets up a proxy of connections, without -http.
func newStreamRelay(o *options, s *server.Server, log *server.Log, cert *server.Certificate) {
	r := newRelay(o, s, log)
	if cert != nil {
		r.tls = cert.Config()
		s.Side.Go(func() { cert.Run(s) })
	}
}

// newWebRelay sets up a proxy of requests, with -http.
func newWebRelay(o *options, s *server.Server, log *server.Log, cert *server.Certificate) {
	w := newWeb(newRelay(o, s, log), cert)
	s.Words = func() string {
		return fmt.Sprintf(" asking=%d requests=%d%s", w.to.taken(), w.requests.Swap(0), w.words())
	}
	s.Open = s.OpenConns
	s.Streams = w.serve
	if cert != nil {
		s.Side.Go(func() { cert.Run(s) })
	}
}

func (r *relay) words() string {
	idled := r.idled.Load()
	return fmt.Sprintf(" waiting=%d dialing=%d out=%d retried=%d failed=%d idled=%d", r.waiting.Load(),
		r.dialing.Load(), r.to.out(), r.retried.Swap(0), r.failed.Swap(0), idled-r.idledSaid.Swap(idled))
}

// connect opens a connection to an upstream. Nothing was sent on it yet.
func (r *relay) connect(ctx context.Context, l *ringo.Loop, u *upstream) (net.Conn, error) {
	return (&sock.Dialer{Timeout: r.o.dial}).Func(l)(ctx, u.Network, u.Name)
}

// greet writes the header of -send-proxy to a new connection, then does the TLS handshake of -to-tls, until the
// deadline until. It returns nil if there is no TLS.
func (r *relay) greet(ctx context.Context, c net.Conn, u *upstream, client proxyproto.Header, until time.Time) (
	*socktls.Conn, error) {
	if err := r.introduce(c, client); err != nil || u.tls == nil {
		return nil, err
	}
	return u.tls.handshake(ctx, c, u, until)
}

// dial is connect and greet for a connection that belongs to no client: -send-proxy then names none.
func (r *relay) dial(ctx context.Context, l *ringo.Loop, u *upstream) (net.Conn, error) {
	until := time.Now().Add(r.o.dial)
	c, err := r.connect(ctx, l, u)
	if err != nil {
		return nil, err
	}
	t, err := r.greet(ctx, c, u, proxyproto.Header{}, until)
	switch {
	case err != nil:
		c.Close()
		return nil, err
	case t != nil:
		return t, nil
	}
	return c, nil
}

// accept starts a task for each connection that a listener accepts. At -max it parks, with one accepted connection in
// hand, so that the others wait in the kernel's queue.
func (r *relay) accept(l *ringo.Loop, ln *sock.Listener) error {
	r.beginChecks(l)
	r.keeps.begin(l)
	for {
		c, err := ln.AcceptConn()
		if err != nil {
			return err
		}
		v := r.keeps.visit()
		if r.slots != nil {
			r.waiting.Add(1)
			err := r.slots.Acquire(context.Background(), 1)
			r.waiting.Add(-1)
			if err != nil {
				v.isOf(c.RemoteAddr())
				v.ends(causeOf(err), err)
				r.keeps.over(l, v)
				c.SetLinger(0)
				c.Close()
				return err
			}
		}
		l.Go(func() { r.pass(l, c, v) })
	}
}

// pass is the task of one connection, from its accept to its end.
func (r *relay) pass(l *ringo.Loop, c *sock.Conn, v *visit) {
	r.Conns.Add(1)
	defer func() {
		r.keeps.over(l, v)
		r.Conns.Add(-1)
		if r.slots != nil {
			r.slots.Release(1)
		}
	}()
	defer c.Close()
	client, err := r.clientOf(c)
	v.isOf(client.Source)
	if err != nil {
		r.refuse(c, c.RemoteAddr(), v, err)
		return
	}
	us, err := r.routeOf(c)
	if err != nil {
		r.refuse(c, client.Source, v, err)
		return
	}
	one := &end{Conn: c, gone: endClient}
	if err := r.secure(one); err != nil {
		r.refuse(c, client.Source, v, err)
		reset(one) // once the peer has got the alert of TLS
		return
	}
	r.dialing.Add(1)
	got, other, u, err := r.open(l, us, client, v, one)
	r.dialing.Add(-1)
	if errors.Is(err, errGone) {
		v.ends(endClient, err)
		return
	}
	if err != nil {
		v.ends(causeOf(err), err)
		r.failed.Add(1)
		r.ends.say("connection of %v is reset: %v", client.Source, err)
		c.SetLinger(0)
		return
	}
	defer u.of.leave(u)
	defer got.Close()
	defer other.Close() // which waits
	v.opens()
	i := r.idler(l, v, client.Source, one, other)
	defer i.stop()
	up := l.Go(func() { r.move(client.Source, v, i, other, one) })
	r.move(client.Source, v, i, one, other)
	up.Wait()
	v.counts(one.got, other.got)
	if v != nil {
		r.keeps.fails(u, v.why)
	}
}

// secure does the TLS handshake with a client, in -header at most, if there is -cert.
func (r *relay) secure(e *end) error {
	if r.tls == nil {
		return nil
	}
	e.SetDeadline(time.Now().Add(r.o.header))
	secret := socktls.Server(e.Conn, r.tls)
	e.over = secret
	if err := secret.Handshake(); err != nil {
		return fmt.Errorf("TLS: %w", err)
	}
	return e.SetDeadline(time.Time{})
}

// refuse resets a connection because of what it began with. It writes no line for a peer that closed without a byte.
func (r *relay) refuse(c *sock.Conn, client net.Addr, v *visit, err error) {
	v.ends(causeOfHeader(err), err)
	if !errors.Is(err, io.EOF) || c.Buffered() > 0 { // else it has only looked whether somebody listens
		r.ends.say("connection of %v is reset: %v", client, err)
	}
	c.SetLinger(0)
}

// triesMax is how many upstreams are tried for one connection or request.
const triesMax = 3

// open opens a connection to an upstream for the client at from, trying up to triesMax. The caller has to leave the
// upstream that it returns.
func (r *relay) open(l *ringo.Loop, us *upstreams, client proxyproto.Header, v *visit, from *end) (*sockclient.Conn,
	*end, *upstream, error) {
	var tried []*upstream
	var errs []error
	for len(tried) < triesMax {
		u, err := r.await(context.Background(), l, us, hostOf(client.Source), tried, from)
		if err != nil {
			errs = append(errs, err)
		}
		if u == nil {
			break
		}
		v.asks(u)
		until := time.Now().Add(r.o.dial)
		c, err := u.backs.Get(context.Background(), l)
		var secret *socktls.Conn
		if err == nil {
			if secret, err = r.greet(context.Background(), c.Conn, u, client, until); err != nil {
				c.Close()
			}
		}
		us.note(u, byConn, err)
		if err == nil {
			r.retried.Add(int64(len(tried)))
			other := &end{Conn: c.Conn.(*sock.Conn), gone: endUpstream}
			if secret != nil {
				other.over = secret
			}
			return c, other, u, nil
		}
		us.leave(u)
		tried, errs = append(tried, u), append(errs, &dialError{err})
		r.keeps.fails(u, causeOf(errs[len(errs)-1]))
		if errors.Is(err, context.Canceled) {
			break
		}
	}
	return nil, nil, nil, &openError{errs}
}

// openError is the error of open: the errors of all tries, in order.
type openError struct{ errs []error }

func (e *openError) Error() string {
	var all []string
	for _, err := range e.errs {
		all = append(all, err.Error())
	}
	return strings.Join(all, "; ")
}

// Unwrap returns the last error, which says why no other upstream was tried.
func (e *openError) Unwrap() error {
	if len(e.errs) == 0 {
		return errNoUpstream
	}
	return e.errs[len(e.errs)-1]
}

// end is one of the two connections that move copies between, with its layer of TLS if it has one.
type end struct {
	*sock.Conn
	over   session // layer to read and write through, such as TLS; nil: none
	gone   cause   // the cause if this side breaks the connection
	got    int64   // bytes received from it
	ended  bool    // all for it was sent, and its output closed in order
	broken bool    // a write to it has failed
}

// A session is a layer above a connection, such as TLS.
type session interface {
	net.Conn
	CloseWrite() error
}

// CloseWrite ends the stream that goes to the peer; the other direction stays open.
func (e *end) CloseWrite() error {
	if e.over != nil {
		return e.over.CloseWrite()
	}
	return e.Conn.CloseWrite()
}

// stream returns the connection to read from and write to: the session if there is one.
func (e *end) stream() net.Conn {
	if e.over != nil {
		return e.over
	}
	return e.Conn
}

// copyTo copies to a writer all that the peer sends. Without a session that is io.Copy, and so splice(2) between
// sockets. The error of a session's read is a *readError, so that isRead tells it from one of a write.
func (e *end) copyTo(to io.Writer) (total int64, err error) {
	if e.over == nil {
		return io.Copy(to, e.Conn)
	}
	p := records.Get().(*[recordMax]byte)
	defer records.Put(p)
	for {
		n, err := e.over.Read(p[:])
		if n > 0 {
			if _, err := to.Write(p[:n]); err != nil {
				return total, err
			}
			total += int64(n)
		}
		switch {
		case err == io.EOF:
			return total, nil
		case err != nil:
			return total, &readError{err}
		}
	}
}

// records has the buffers by which sessions are read, each of the size of a TLS record.
var records = sync.Pool{New: func() any { return new([recordMax]byte) }}

// readError wraps the error of a session's read.
type readError struct{ error }

func (e *readError) Unwrap() error { return e.error }

// isRead reports whether the error of a copy is of the side that it reads from.
func isRead(err error) bool {
	var op *net.OpError
	var read *readError
	return errors.As(err, &read) || errors.As(err, &op) && op.Op == "read"
}

// isReset reports whether the connection is over in both directions: its peer has reset it or no longer answers. A peer
// that ends only its own direction leaves it half open.
func (e *end) isReset() bool {
	info, err := e.TCPInfo()
	return err == nil && info.State == sock.TCPClose
}

// refuses reports whether the error of a write to e says that the peer takes no more.
func (e *end) refuses(err error) bool {
	return errors.Is(err, posix.EPIPE) || errors.Is(err, posix.ECONNRESET) || e.isReset() && !isOurs(err)
}

// isOurs reports whether an error comes from this machine, such as a lack of memory, and says nothing about a peer. A
// connection that has lost bytes by it was reset from this side, so that its isReset does not say that the peer did it.
func isOurs(err error) bool {
	return errors.Is(err, posix.ENOMEM) || errors.Is(err, posix.ENOBUFS) || errors.Is(err, posix.EIO)
}

// move copies what the end from sends to the end to, and passes on how that ends. An end in order closes the output of
// to. If bytes were lost, both peers see a reset. But if to refuses more, only this direction ends and the other goes
// on: what to sent before may still be on its way. client names the connection in lines.
func (r *relay) move(client net.Addr, v *visit, i *idler, to, from *end) {
	n, err := i.copy(to.stream(), from)
	from.got += n
	// After a write has met a reset, reads return an end of stream: hence isReset.
	complete := err == nil && !from.broken && (from.ended || !from.isReset())
	if complete {
		to.ended = true
		err = to.CloseWrite()
	}
	reading := isRead(err)
	switch {
	case complete && err == nil:
	case errors.Is(err, net.ErrClosed):
		// The other direction's move, or the idler, closes both ends.
	case errors.Is(err, context.Canceled):
		v.ends(endDrain, err)
		reset(to, from)
	case err != nil && !reading && !from.ended && to.refuses(err):
		to.broken = true
		v.ends(to.gone, err)
		i.copy(io.Discard, from) // else from may block in its write, and read nothing
	default:
		why := to.gone
		switch {
		case isOurs(err):
			why = endShortage
		case reading || from.broken || from.isReset():
			why = from.gone
		}
		v.ends(why, err)
		if err != nil && (isOurs(err) || !from.isReset() && !to.isReset()) {
			r.ends.say("connection of %v is reset: %v", client, err)
		}
		reset(to, from)
	}
}

// A reset drops bytes that its peer has not received yet. So reset first waits for these: resetWaits times resetWait,
// one second, per end.
const (
	resetWaits = 100
	resetWait  = 10 * time.Millisecond
)

// reset closes ends one after the other, each so that its peer sees a reset after all bytes that were sent to it. If
// another task closes a later end meanwhile, because it saw the first one closed, that end is reset at once.
func reset(ends ...*end) {
	for _, e := range ends {
		e.SetLinger(0)
	}
	for _, e := range ends {
		for range resetWaits {
			if !e.isSending() || e.Loop().Sleep(resetWait) != nil {
				break
			}
		}
		e.Close()
	}
}

// isSending reports whether bytes are left that the peer has not acknowledged.
func (e *end) isSending() bool {
	info, err := e.TCPInfo()
	return err == nil && info.State != sock.TCPClose && info.Unacked+info.NotSent > 0
}
