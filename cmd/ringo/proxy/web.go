package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httputil"
	"strings"
	"sync"
	"sync/atomic"

	"ringo"
	"ringo/cmd/ringo/internal/server"
	"ringo/sock"
	"ringo/sock/sockhttp"
)

// web is ringo proxy -http. The handler is on a goroutine, since httputil.ReverseProxy waits in channels and mutexes;
// requests are made in tasks, on the loops of the connections that they have come by.
type web struct {
	*relay
	server    *sockhttp.Server
	transport *sockhttp.Transport
	hosts     map[string]*upstream // by what the transport knows them as
	requests  atomic.Int64         // for -stats
	contexts  sync.Map             // by listener: that of its task, by which goroutines hear of the grace's end
}

// The bounds of a head, and of connections at rest to an upstream, for each loop.
const (
	headMax = 64 << 10
	restMax = 64
)

// loopKey is that of the loop in a request's context.
type loopKey struct{}

func newWeb(r *relay, cert *server.Certificate) *web {
	w := &web{relay: r, hosts: map[string]*upstream{}}
	for _, u := range r.to.all {
		w.hosts[u.key] = u
	}
	w.transport = &sockhttp.Transport{DialContext: w.dialAt, DisableCompression: true, MaxIdleConnsPerHost: restMax,
		IdleConnTimeout: r.o.idle, ResponseHeaderTimeout: r.o.answer, MaxResponseHeaderBytes: headMax,
		Protocols: new(http.Protocols)}
	w.transport.Protocols.SetHTTP1(true)
	proxy := &httputil.ReverseProxy{Rewrite: w.rewrite, Transport: w, ErrorHandler: w.fail,
		ErrorLog: log.New(r.ends, "", 0), BufferPool: new(blocks)}
	w.server = &sockhttp.Server{Handler: w.only(proxy), ReadHeaderTimeout: r.o.header, IdleTimeout: r.o.idle,
		MaxHeaderBytes: headMax, Protocols: new(http.Protocols), DisableGeneralOptionsHandler: true,
		BaseContext: func(ln net.Listener) context.Context {
			of, _ := w.contexts.Load(ln)
			return context.WithValue(of.(context.Context), loopKey{}, ln.(*sock.Listener).Loop())
		}}
	w.server.Protocols.SetHTTP1(true)
	w.server.Protocols.SetHTTP2(true)
	w.server.Protocols.SetUnencryptedHTTP2(true)
	if cert != nil {
		w.server.TLSConfig = cert.Config()
	}
	return w
}

// serve serves one address on one loop.
func (w *web) serve(l *ringo.Loop, ln *sock.Listener) error {
	w.beginChecks(l)
	w.contexts.Store(ln, l.Context())
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

// only passes on what it can: CONNECT asks for a tunnel, and not for what an upstream has.
func (w *web) only(proxy http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.requests.Add(1)
		if r.Method == http.MethodConnect {
			http.Error(rw, "405 Method Not Allowed", http.StatusMethodNotAllowed)
			return
		}
		if r.Body != http.NoBody { // else the answer would wait for the whole of it
			http.NewResponseController(rw).EnableFullDuplex()
		}
		rw.Header()["Content-Type"] = nil // else one is guessed where the upstream says none
		h := new(held)
		defer h.close()
		proxy.ServeHTTP(rw, r.WithContext(context.WithValue(r.Context(), heldKey{}, h)))
	})
}

// held is what a request has of an upstream. httputil.ReverseProxy does not close an answer of 101 that it refuses.
type held struct{ answer io.Closer }

// heldKey is that of held in a request's context.
type heldKey struct{}

func (h *held) close() {
	if h.answer != nil {
		h.answer.Close()
	}
}

// rewrite makes the upstream's request of the client's: it has Host, path and query as they came, and says whose it is.
func (w *web) rewrite(r *httputil.ProxyRequest) {
	r.Out.URL.Scheme, r.Out.URL.RawPath, r.Out.URL.RawQuery = "http", pathOf(r.In.URL.RawPath), r.In.URL.RawQuery
	r.Out.Trailer = nil // which do not go on, and a transport refuses names that are none
	if w.o.trust {
		r.Out.Header["X-Forwarded-For"] = r.In.Header["X-Forwarded-For"]
	} else {
		maps.DeleteFunc(r.Out.Header, func(name string, _ []string) bool { return isClaim(name) })
	}
	r.SetXForwarded()
	if w.o.trust {
		w.keepClaims(r)
	}
	// What is spoken then is for the upstream alone, but this is HTTP again, of which the proxy would see nothing.
	if strings.Contains(strings.ToLower(r.Out.Header.Get("Upgrade")), "h2c") {
		r.Out.Header.Del("Upgrade")
		r.Out.Header.Del("Connection")
	}
}

// keepClaims passes on what the client says of where the request has come from. A peer of a Unix socket has no address
// to add.
func (w *web) keepClaims(r *httputil.ProxyRequest) {
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"} {
		added := name == "X-Forwarded-For" && r.Out.Header[name] != nil
		if values := r.In.Header[name]; len(values) > 0 && !added {
			r.Out.Header[name] = values
		}
	}
}

// isClaim reports whether a field says where a request has come from, also to servers for which _ is as good as -.
func isClaim(name string) bool {
	name = strings.ToLower(strings.ReplaceAll(name, "_", "-"))
	return strings.HasPrefix(name, "x-forwarded-") || name == "forwarded" || name == "x-real-ip"
}

// pathOf is a path in which all is escaped that must be. If something is not, package url writes it anew from what it
// means, and %2F as /.
func pathOf(raw string) string {
	var b []byte
	for _, c := range []byte(raw) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte("\"#<>?\\^`{|}", c) >= 0 {
			b = fmt.Appendf(b, "%%%02X", c)
		} else {
			b = append(b, c)
		}
	}
	return string(b)
}

// fail answers a request that no upstream has. One whose client has gone is not worth a line.
func (w *web) fail(rw http.ResponseWriter, r *http.Request, err error) {
	status := http.StatusBadGateway
	if isTimeout(err) {
		status = http.StatusGatewayTimeout
	}
	if r.Context().Err() == nil {
		w.failed.Add(1)
		w.ends.say("request of %v is answered with %d: %v", r.RemoteAddr, status, err)
	}
	http.Error(rw, http.StatusText(status), status)
}

// blocks are what bodies are copied by.
type blocks struct{ pool sync.Pool }

// blockBytes is how long one is.
const blockBytes = 32 << 10

func (b *blocks) Get() []byte {
	if p, ok := b.pool.Get().(*[blockBytes]byte); ok {
		return p[:]
	}
	return make([]byte, blockBytes)
}

func (b *blocks) Put(p []byte) { b.pool.Put((*[blockBytes]byte)(p)) }

// answer is the body of an upstream's answer, with whose end the upstream has one request less.
type answer struct {
	io.ReadCloser
	ended func()
}

func (a *answer) Close() error {
	err := a.ReadCloser.Close()
	a.ended()
	return err
}

// switched is answer where the upstream speaks another protocol from then on.
type switched struct {
	answer
	io.Writer
}
