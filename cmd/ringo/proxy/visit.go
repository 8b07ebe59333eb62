package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"ringo"
	"ringo/cmd/ringo/internal/server"
	"ringo/internal/posix"
)

// A cause is how a request, or a connection, has ended.
type cause string

const (
	endDone     cause = "done"     // in order
	endClient   cause = "client"   // the client has gone before
	endUpstream cause = "upstream" // the upstream has
	endDial     cause = "dial"     // no upstream could be reached
	endTimeout  cause = "timeout"  // -dial, -answer or -header was over
	endIdle     cause = "idle"     // nothing has moved for -idle
	endDrain    cause = "drain"    // -grace was over
	endRefused  cause = "refused"  // it was nothing that is passed on
	endShortage cause = "shortage" // the proxy lacked memory, descriptors or ports
)

// A visit is what there is to tell of a request, or of a connection. It is nil if nobody asks.
type visit struct {
	began   time.Time
	client  string
	request *http.Request // nil: a connection, or what came was no request
	tries   int
	u       *upstream     // the last that was tried; nil: none
	wait    time.Duration // until there was a connection to it
	first   time.Duration // until its answer began
	total   time.Duration
	status  int
	in, out int64 // bytes that the client has sent, and got; of requests those of bodies
	why     cause // "": it goes on
	err     error
}

// keeper keeps what visits tell. A nil one wants none.
type keeper struct {
	log     *server.Log // nil: none
	counts  bool        // for /metrics
	nobodys tally       // of what no upstream was asked
	retries atomic.Int64
}

// newKeeper is nil if there is nothing to keep visits for.
func newKeeper(log *server.Log, counts bool) *keeper {
	if log == nil && !counts {
		return nil
	}
	return &keeper{log: log, counts: counts}
}

// begin has a loop's visits kept.
func (k *keeper) begin(l *ringo.Loop) {
	if k != nil && k.log != nil {
		k.log.Begin(l)
	}
}

// visit begins one.
func (k *keeper) visit() *visit {
	if k == nil {
		return nil
	}
	return &visit{began: time.Now()}
}

// over keeps one that has ended: in order, if nothing else was said. A task of the loop calls it.
func (k *keeper) over(l *ringo.Loop, v *visit) {
	if v == nil {
		return
	}
	v.total = time.Since(v.began)
	v.ends(endDone, nil)
	if k.log != nil {
		lines := k.log.Of(l)
		lines.End(v.appendLine(lines.Next(), lines.Stamp(time.RFC3339)))
	}
	switch {
	case !k.counts:
	case v.u == nil:
		k.nobodys.adds(v)
	default:
		k.retries.Add(int64(v.tries - 1))
		v.u.counts.adds(v)
	}
}

// opens counts a connection to an upstream.
func (k *keeper) opens(u *upstream) {
	if k != nil && k.counts {
		u.counts.opens()
	}
}

// fails counts what has failed at one.
func (k *keeper) fails(u *upstream, why cause) {
	if k != nil && k.counts {
		u.counts.fails(why)
	}
}

// isOf notes whose connection it is.
func (v *visit) isOf(client net.Addr) {
	if v != nil {
		v.client = nameOf(client)
	}
}

// asks notes that an upstream is asked.
func (v *visit) asks(u *upstream) {
	if v != nil {
		v.u = u
		v.tries++
	}
}

// opens notes that there is a connection to it.
func (v *visit) opens() {
	if v != nil {
		v.wait = time.Since(v.began)
	}
}

// begins notes that the answer has begun.
func (v *visit) begins() {
	if v != nil {
		v.first = time.Since(v.began)
	}
}

// counts notes how many bytes the client has sent, and got.
func (v *visit) counts(in, out int64) {
	if v != nil {
		v.in, v.out = in, out
	}
}

// ends notes how it ends, unless that is known already.
func (v *visit) ends(why cause, err error) {
	if v != nil && v.why == "" {
		v.why, v.err = why, err
	}
}

// causeOf is what an error of a connection that was not made, or of an answer that has not come, is.
func causeOf(err error) cause {
	var dial *dialError
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, ringo.ErrEnded):
		return endDrain
	case saysNothing(err):
		return endShortage
	case isTimeout(err):
		return endTimeout
	case errors.As(err, &dial), errors.Is(err, errNoUpstream), errors.Is(err, errFull):
		return endDial
	}
	return endUpstream
}

// causeOfHeader is what an error of a header of the PROXY protocol is.
func causeOfHeader(err error) cause {
	switch {
	case errors.Is(err, context.Canceled):
		return endDrain
	case errors.Is(err, io.EOF), errors.Is(err, posix.ECONNRESET):
		return endClient
	case isTimeout(err):
		return endTimeout
	}
	return endRefused
}

// nameOf is an address as lines have it. Peers of Unix sockets have none.
func nameOf(a net.Addr) string {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return tcp.String()
	}
	return "unix:"
}
