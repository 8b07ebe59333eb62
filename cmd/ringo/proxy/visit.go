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

// A cause says how a request or a connection ended.
type cause string

const (
	endDone     cause = "done"     // in order
	endClient   cause = "client"   // the client went away before the end
	endUpstream cause = "upstream" // the upstream broke it off
	endDial     cause = "dial"     // no upstream could be reached
	endTimeout  cause = "timeout"  // -dial, -answer or -header was over
	endIdle     cause = "idle"     // no byte moved for -idle
	endDrain    cause = "drain"    // the drain's -grace was over
	endRefused  cause = "refused"  // the proxy passes on no such thing
	endShortage cause = "shortage" // the proxy lacked memory, descriptors or ports
)

// A visit is the record of a request or a connection for -log and -metrics; nil if there is neither, which most methods
// accept.
type visit struct {
	began   time.Time
	client  string
	request *http.Request // nil: a connection, or bytes that were no request
	tries   int
	u       *upstream     // the last that was tried; nil: none
	wait    time.Duration // from the begin to a connection to it
	first   time.Duration // from the begin to that of its answer
	total   time.Duration
	status  int
	in, out int64 // bytes from and to the client; of requests, their bodies'
	why     cause // "": it has not ended
	err     error
}

// keeper turns visits that have ended into lines of -log and counters of /metrics. A nil *keeper does nothing.
type keeper struct {
	log     *server.Log // nil: none
	counts  bool        // for /metrics
	nobodys tally       // of visits for which no upstream was asked
	retries atomic.Int64
}

// newKeeper returns nil if there is neither a log nor metrics.
func newKeeper(log *server.Log, counts bool) *keeper {
	if log == nil && !counts {
		return nil
	}
	return &keeper{log: log, counts: counts}
}

// begin prepares the log for a loop.
func (k *keeper) begin(l *ringo.Loop) {
	if k != nil && k.log != nil {
		k.log.Begin(l)
	}
}

// visit begins a visit; nil: none are recorded.
func (k *keeper) visit() *visit {
	if k == nil {
		return nil
	}
	return &visit{began: time.Now()}
}

// over records a visit that has ended: in order, unless ends said otherwise. Only tasks of the loop call it.
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

// fails counts a failure at an upstream.
func (k *keeper) fails(u *upstream, why cause) {
	if k != nil && k.counts {
		u.counts.fails(why)
	}
}

// isOf notes the client's address.
func (v *visit) isOf(client net.Addr) {
	if v != nil {
		v.client = nameOf(client)
	}
}

// asks notes that u is tried.
func (v *visit) asks(u *upstream) {
	if v != nil {
		v.u = u
		v.tries++
	}
}

// opens notes that there is a connection to the upstream.
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

// counts notes how many bytes came from the client and went to it.
func (v *visit) counts(in, out int64) {
	if v != nil {
		v.in, v.out = in, out
	}
}

// ends notes how the visit ends, unless that was noted before.
func (v *visit) ends(why cause, err error) {
	if v != nil && v.why == "" {
		v.why, v.err = why, err
	}
}

// causeOf returns the cause for the error of a connection that was not made, or of an answer that did not come.
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

// causeOfHeader returns the cause for an error in what a connection began with: the PROXY header, the ClientHello, or
// the TLS handshake.
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

// nameOf returns an address as log lines have it. Peers of Unix sockets have none.
func nameOf(a net.Addr) string {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return tcp.String()
	}
	return "unix:"
}
