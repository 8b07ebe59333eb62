package sockhttp

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"ringo"
	"ringo/internal/lane"
	"ringo/internal/loop"
	"ringo/sock"
	"ringo/sock/socktls"
)

// A Server serves HTTP. Its fields are those of http.Server, with the same meaning and defaults. They must not be
// changed once it serves.
type Server struct {
	// Handler answers requests; nil is http.DefaultServeMux. See "Where a handler runs".
	Handler http.Handler
	// TLSConfig is for ServeTLS and ListenAndServeTLS. The Protocols are added to its NextProtos.
	TLSConfig *tls.Config
	// ReadHeaderTimeout is how long a head may take from its first byte; 0 means ReadTimeout.
	ReadHeaderTimeout time.Duration
	// ReadTimeout is how long a request may take, from the end of its head to the end of its body. 0 means no limit.
	ReadTimeout time.Duration
	// WriteTimeout is how long an answer may take, from the end of the request's head. 0 means no limit.
	WriteTimeout time.Duration
	// WriteByteTimeout is how long a peer may take no byte that is sent to it before its connection is closed or, if it
	// opens no window for an answer of HTTP/2, before the stream is reset. It counts from the beginning of each write,
	// and anew whenever the peer has taken some of it; a peer of TLS has to take 64 KiB in that time. It does not count
	// for an answer with a WriteTimeout, or one whose handler has called SetWriteDeadline. HTTP2.WriteByteTimeout
	// replaces it for connections of HTTP/2, but not for windows. 0 means no limit.
	WriteByteTimeout time.Duration
	// IdleTimeout is how long a connection may wait for its next request; 0 means ReadTimeout.
	IdleTimeout time.Duration
	// MaxHeaderBytes is how long a head may be, plus 4096 bytes; 0 means http.DefaultMaxHeaderBytes.
	MaxHeaderBytes int
	// ErrorLog gets what goes wrong; nil means slog.Default.
	ErrorLog *slog.Logger
	// BaseContext returns the context of all requests of a listener; nil means context.Background. It is called on a
	// goroutine.
	BaseContext func(net.Listener) context.Context
	// ConnContext returns the context of a connection's requests, derived from the listener's. It is called on a
	// goroutine.
	ConnContext func(ctx context.Context, c net.Conn) context.Context
	// ConnState is called when a connection changes its state, on a goroutine.
	ConnState func(net.Conn, http.ConnState)
	// Answered, if not nil, is called when an answer has been sent, or can't be, also since its handler has panicked
	// after WriteHeader or Write, for an access log: in the task or on the goroutine that serves the connection or, by
	// HTTP/2, the stream, so it must not wait. size is how many bytes of a body were written. r is nil if the input was
	// not a request; it must not be kept if TaskReusing marks a handler.
	Answered func(c net.Conn, r *http.Request, status int, size int64)
	// Refused, if not nil, is called instead of Answered, in the same way, for what the server has answered by itself,
	// without a handler: input that was not a request, and requests with an expectation or fields that it does not
	// accept.
	Refused func(c net.Conn, r *http.Request, status int, size int64)
	// Linger is how long a connection of HTTP/1 may wait for one more request, or its first, when the program drains,
	// half of Grace at most. That request is answered with Connection: close. So no request crosses with the
	// server's close, after which its client could not repeat a POST, except on connections without a request in all
	// that time. 0 closes connections that wait at once, except those that were accepted in the last five seconds and
	// have had no request yet: as in sock.Serve, they have five seconds from the start of the drain, half of Grace at
	// most. Connections of goroutines are treated as with 0.
	Linger time.Duration
	// Drain, if not nil, is called for connections in the clear before they wait, with nothing unread, to pass them on
	// to another process, whose More gives them to its server (see package upgrade). It runs in a task. If it returns
	// an error, or has not taken the connection out, Linger applies.
	Drain func(c *sock.Conn) error
	// More, if not nil, returns connections in the clear that do not come from a listener; see sock.Handler.More. It is
	// called if Serve has a loop's own listener.
	More func(l *ringo.Loop) (*sock.Conn, error)
	// Protocols are those that the server speaks; nil means HTTP/1, and HTTP/2 by TLS. See "HTTP/2".
	Protocols *http.Protocols
	// HTTP2 has settings for HTTP/2.
	HTTP2 *http.HTTP2Config
	// DisableGeneralOptionsHandler passes "OPTIONS *" to Handler, which is answered with 200 otherwise.
	DisableGeneralOptionsHandler bool

	std    atomic.Pointer[http.Server]
	ending atomic.Bool // Shutdown or Close was called
	closed atomic.Bool // Close was called
	single atomic.Bool // SetKeepAlivesEnabled(false)

	mu         sync.Mutex
	tls        *tls.Config     // the configuration to serve with, without files; nil: not made yet
	stopped    context.Context // with More: the context that ends, by stops, with the server
	stops      context.CancelFunc
	listeners  map[net.Listener]*ringo.Loop // the loop on which sock.Serve serves it; nil: it does not
	conns      map[*conn]bool               // connections that a goroutine or a task serves for life
	onShutdown []func()
}

// ListenAndServe serves HTTP on a TCP address, on all loops of a Run, until ctx ends and the program has drained: no
// more connections are accepted, idle ones are closed, and the others end with their answer. It returns nil after an
// orderly end, as ringo.Run does. cfg may be nil. Any goroutine may call it; a task gets an error.
func ListenAndServe(ctx context.Context, cfg *ringo.Config, addr string, handler http.Handler) error {
	return (&Server{Handler: handler}).ListenAndServe(ctx, cfg, addr)
}

// ListenAndServe is like the function ListenAndServe.
func (s *Server) ListenAndServe(ctx context.Context, cfg *ringo.Config, addr string) error {
	return s.listenAndServe(ctx, cfg, cmp.Or(addr, ":http"), s.Serve)
}

// ListenAndServeTLS is like ListenAndServe, with TLS 1.2 and 1.3. The files are a certificate and its key; they may be
// empty if TLSConfig has a certificate.
func (s *Server) ListenAndServeTLS(ctx context.Context, cfg *ringo.Config, addr, certFile, keyFile string) error {
	config, err := s.configTLS(certFile, keyFile)
	if err != nil {
		return err
	}
	return s.listenAndServe(ctx, cfg, cmp.Or(addr, ":https"), s.byTLS(config))
}

// ServeSets is like ListenAndServe, but for one or more sockets of any network that listen already: those of
// sock.Reserve, of package upgrade or of a service manager. It closes them when it returns. If a socket can't accept
// any more, the program ends with its error.
func (s *Server) ServeSets(ctx context.Context, cfg *ringo.Config, sets []*sock.ListenerSet) error {
	return s.serveSets(ctx, cfg, sets, s.Serve)
}

// ServeSetsTLS is like ServeSets, with TLS; see ListenAndServeTLS.
func (s *Server) ServeSetsTLS(ctx context.Context, cfg *ringo.Config, sets []*sock.ListenerSet,
	certFile, keyFile string) error {
	config, err := s.configTLS(certFile, keyFile)
	if err != nil {
		closeSets(sets)
		return err
	}
	return s.serveSets(ctx, cfg, sets, s.byTLS(config))
}

// byTLS returns the function that serves a listener by TLS.
func (s *Server) byTLS(config *tls.Config) func(net.Listener) error {
	return func(ln net.Listener) error { return s.serveTLS(ln, config) }
}

func (s *Server) listenAndServe(ctx context.Context, cfg *ringo.Config, addr string,
	serve func(net.Listener) error) error {
	set, err := sock.Reserve("tcp", addr)
	if err != nil {
		return err
	}
	return s.serveSets(ctx, cfg, []*sock.ListenerSet{set}, serve)
}

func closeSets(sets []*sock.ListenerSet) {
	for _, set := range sets {
		if set != nil {
			set.Close()
		}
	}
}

// serveSets serves sockets on all loops. Run refuses to be called in a task.
func (s *Server) serveSets(ctx context.Context, cfg *ringo.Config, sets []*sock.ListenerSet,
	serve func(net.Listener) error) error {
	defer closeSets(sets)
	if len(sets) == 0 || slices.Contains(sets, nil) {
		return errors.New("sockhttp: ServeSets without a ListenerSet, or with a nil one")
	}
	var ended atomic.Bool
	err := ringo.Run(ctx, cfg, func(l *ringo.Loop) error {
		var all []*sock.Listener
		for _, set := range sets {
			ln, err := set.Listen(l)
			if err != nil {
				return err
			}
			all = append(all, ln)
		}
		g := ringo.NewGroup(l)
		for _, ln := range all {
			g.Go(func() error {
				if err := serve(ln); !errors.Is(err, http.ErrServerClosed) {
					return err
				}
				return nil // an error would end the requests of the others
			})
		}
		err := g.Wait()
		switch {
		case err != nil || (*loop.Loop)(l).Draining():
			return err
		case s.closed.Load():
			return http.ErrServerClosed
		}
		ended.Store(true)
		return nil
	})
	if err == nil && ended.Load() {
		err = http.ErrServerClosed
	}
	return err
}

// Serve accepts connections and serves them until the listener is closed, the program drains or Shutdown or Close is
// called, and then returns http.ErrServerClosed. On a *sock.Listener, called by a task of its loop, it serves them on
// the loop, and returns when the last has ended. Otherwise each has a goroutine of its own, as with net/http: that is
// for listeners of other packages, and handlers run there, marked or not.
func (s *Server) Serve(ln net.Listener) error {
	if sl, ok := ln.(*sock.Listener); ok && sl.Loop() != nil && (*loop.Loop)(sl.Loop()).IsCurrent() {
		return s.serveOnLoop(sl)
	}
	return s.serveEach(ln, func(nc net.Conn) net.Conn { return nc })
}

// ServeTLS is Serve with TLS; see ListenAndServeTLS.
func (s *Server) ServeTLS(ln net.Listener, certFile, keyFile string) error {
	config, err := s.configTLS(certFile, keyFile)
	if err != nil {
		return err
	}
	return s.serveTLS(ln, config)
}

func (s *Server) serveTLS(ln net.Listener, config *tls.Config) error {
	if sl, ok := ln.(*sock.Listener); ok && sl.Loop() != nil && (*loop.Loop)(sl.Loop()).IsCurrent() {
		return s.serveTasks(sl, func(c *sock.Conn) net.Conn { return socktls.Server(c, config) })
	}
	return s.serveEach(ln, func(nc net.Conn) net.Conn { return tls.Server(nc, config) })
}

// configTLS returns the TLS configuration to serve with.
func (s *Server) configTLS(certFile, keyFile string) (*tls.Config, error) {
	config := new(tls.Config)
	if c := s.TLSConfig; c != nil {
		if certFile == "" && keyFile == "" &&
			(len(c.Certificates) > 0 || c.GetCertificate != nil || c.GetConfigForClient != nil) {
			return s.sharedTLS(), nil
		}
		config = c.Clone()
	}
	config.NextProtos = s.offered(config.NextProtos)
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("sockhttp: the certificate: %w", err)
	}
	config.Certificates = []tls.Certificate{pair}
	return config, nil
}

// sharedTLS returns the configuration that is made of TLSConfig, the same for all loops: otherwise each would have its
// own keys for session tickets, and a client's ticket would be valid on one loop only.
func (s *Server) sharedTLS() *tls.Config {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tls == nil {
		s.tls = s.TLSConfig.Clone()
		s.tls.NextProtos = s.offered(s.tls.NextProtos)
	}
	return s.tls
}

// base returns the parent of the contexts of a listener's requests.
func (s *Server) base(ln net.Listener) context.Context {
	ctx := context.Background()
	if s.BaseContext != nil {
		elsewhere(lane.Handlers, func() { ctx = s.BaseContext(ln) })
		if ctx == nil {
			panic("sockhttp: BaseContext returned nil")
		}
	}
	return context.WithValue(ctx, http.ServerContextKey, s.standard())
}

// standard returns the server as net/http's code knows it.
func (s *Server) standard() *http.Server {
	if s.std.Load() == nil {
		s.std.CompareAndSwap(nil, &http.Server{Handler: s.Handler, TLSConfig: s.TLSConfig,
			ReadTimeout: s.ReadTimeout, ReadHeaderTimeout: s.ReadHeaderTimeout, WriteTimeout: s.WriteTimeout,
			IdleTimeout: s.IdleTimeout, MaxHeaderBytes: s.MaxHeaderBytes, Protocols: s.Protocols, HTTP2: s.HTTP2,
			ErrorLog: slog.NewLogLogger(s.log().Handler(), slog.LevelError)})
	}
	return s.std.Load()
}

// headMax returns the longest head.
func (s *Server) headMax() int {
	most := s.MaxHeaderBytes
	if most <= 0 {
		most = http.DefaultMaxHeaderBytes
	}
	return most + 4096
}

func (s *Server) headerTimeout() time.Duration { return either(s.ReadHeaderTimeout, s.ReadTimeout) }
func (s *Server) idleTimeout() time.Duration   { return either(s.IdleTimeout, s.ReadTimeout) }

func either(d, other time.Duration) time.Duration {
	if d != 0 {
		return d
	}
	return other
}

// handshakeTimeout returns the shortest of the timeouts that are set.
func (s *Server) handshakeTimeout() (least time.Duration) {
	for _, d := range []time.Duration{s.ReadHeaderTimeout, s.ReadTimeout, s.WriteTimeout} {
		if d > 0 && (least == 0 || d < least) {
			least = d
		}
	}
	return least
}

// handlerOf returns the handler of a request.
func (s *Server) handlerOf(r *http.Request) http.Handler {
	switch {
	case r.RequestURI == "*" && r.Method == http.MethodOptions && !s.DisableGeneralOptionsHandler:
		return http.HandlerFunc(options)
	case s.Handler == nil:
		return http.DefaultServeMux
	}
	return s.Handler
}

// options answers "OPTIONS *".
func options(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Length", "0")
	if r.ContentLength != 0 {
		io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, 4<<10))
	}
}

func (s *Server) logf(format string, args ...any) { s.log().Error(fmt.Sprintf(format, args...)) }

func (s *Server) log() *slog.Logger {
	if s.ErrorLog == nil {
		return slog.Default()
	}
	return s.ErrorLog
}
