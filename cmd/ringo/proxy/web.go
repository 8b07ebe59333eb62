package proxy

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"ringo"
	"ringo/cmd/ringo/internal/server"
	"ringo/sock"
	"ringo/sock/sockhttp"
)

// web is the state of ringo proxy -http. A request and its answer are passed on in the task in which the request
// arrived.
type web struct {
	*relay
	server    *sockhttp.Server
	transport *sockhttp.Transport
	hosts     map[string]*upstream // by key
	requests  atomic.Int64         // since the last line of -stats
}

// The bounds of a head, in bytes, and of idle connections to one upstream, per loop.
const (
	headMax = 64 << 10
	restMax = 64
)

// continueTime is how long a body with Expect: 100-continue waits for the upstream's 100 Continue; then it is sent
// anyway.
const continueTime = time.Second

// restTime returns how long a connection is kept while idle.
func (o *options) restTime() time.Duration { return cmp.Or(o.idle, time.Minute) }

func newWeb(r *relay, cert *server.Certificate) *web {
	w := &web{relay: r, hosts: map[string]*upstream{}}
	for _, u := range r.to.all {
		w.hosts[u.key] = u
	}
	w.transport = &sockhttp.Transport{DialContext: w.dialAt, DisableCompression: true, MaxIdleConnsPerHost: restMax,
		IdleConnTimeout: r.o.restTime(), ResponseHeaderTimeout: r.o.answer, ExpectContinueTimeout: continueTime,
		MaxResponseHeaderBytes: headMax, Protocols: new(http.Protocols)}
	w.transport.Protocols.SetHTTP1(true)
	w.server = &sockhttp.Server{Handler: sockhttp.TaskReusing(http.HandlerFunc(w.pass)),
		DisableGeneralOptionsHandler: true, ReadHeaderTimeout: r.o.header, IdleTimeout: r.o.restTime(),
		WriteByteTimeout: r.o.idle, Linger: server.Linger, MaxHeaderBytes: headMax, Protocols: new(http.Protocols)}
	w.server.Protocols.SetHTTP1(true)
	w.server.Protocols.SetHTTP2(true)
	w.server.Protocols.SetUnencryptedHTTP2(true)
	if cert != nil {
		w.server.TLSConfig = cert.Config()
	}
	if r.o.idle > 0 {
		w.server.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, clientKey{}, c)
		}
	}
	if w.keeps != nil {
		w.server.Refused = w.refused
	}
	return w
}

// serve serves the connections of one listener on one loop.
func (w *web) serve(l *ringo.Loop, ln *sock.Listener) error {
	w.beginChecks(l)
	w.keeps.begin(l)
	var err error
	if w.server.TLSConfig != nil {
		err = w.server.ServeTLS(ln, "", "")
	} else {
		err = w.server.Serve(ln)
	}
	if !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
