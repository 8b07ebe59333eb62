package serve

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"

	"ringo"
	"ringo/cmd/ringo/internal/server"
	"ringo/file"
	"ringo/sock"
	"ringo/sock/sockhttp"
)

// files is the state of one run of ringo serve.
type files struct {
	*server.Server
	o       *options
	handler *sockhttp.Files
	server  *sockhttp.Server
	log     *server.Log // nil: none
	format  format      // of the log's lines

	requests, bytes, lookups atomic.Int64 // for -stats
}

// headMax bounds a request's head, in bytes.
const headMax = 16 << 10

func newFiles(s *server.Server, o *options, root *file.Root, log *server.Log, cert *server.Certificate) *files {
	f := &files{Server: s, o: o, log: log, format: formats[o.logFormat], handler: &sockhttp.Files{Root: root,
		Keep: o.files, Fresh: o.fresh, ETags: true, NoList: !o.list, Precompressed: o.precompressed}}
	if o.files == 0 {
		f.handler.Keep = -1
	}
	if o.fresh == 0 {
		f.handler.Fresh = -1
	}
	f.server = &sockhttp.Server{Handler: sockhttp.TaskReusing(f), ReadHeaderTimeout: o.header, ReadTimeout: o.idle,
		WriteByteTimeout: o.idle, IdleTimeout: o.idle, Linger: server.Linger, MaxHeaderBytes: headMax - 4096,
		DisableGeneralOptionsHandler: true}
	if cert != nil {
		f.server.TLSConfig = cert.Config()
	}
	if o.Stats > 0 || log != nil {
		f.server.Answered = f.answered
	}
	s.Streams = f.serveStreams
	s.Words = f.statWords
	s.Open = s.OpenConns
	return f
}

func (f *files) statWords() string {
	lookups := f.handler.Lookups()
	return fmt.Sprintf(" requests=%d bytes=%d lookups=%d", f.requests.Swap(0), f.bytes.Swap(0),
		lookups-f.lookups.Swap(lookups))
}

// ServeHTTP serves GET and HEAD, and answers other methods with 405.
func (f *files) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "405 Method Not Allowed", http.StatusMethodNotAllowed)
		return
	}
	f.handler.ServeHTTP(w, r)
}

// serveStreams serves the connections of one listener on one loop.
func (f *files) serveStreams(l *ringo.Loop, ln *sock.Listener) error {
	if f.log != nil {
		f.log.Begin(l)
	}
	var err error
	if f.server.TLSConfig != nil {
		err = f.server.ServeTLS(ln, "", "")
	} else {
		err = f.server.Serve(ln)
	}
	if !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// answered counts an answer, and logs it.
func (f *files) answered(c net.Conn, r *http.Request, status int, size int64) {
	f.requests.Add(1)
	f.bytes.Add(size)
	if f.log != nil {
		l, _ := ringo.Current()
		lines := f.log.Of(l)
		lines.End(f.format.append(lines.Next(), lines.Stamp(f.format.stamp), answer{clientOf(c, r), r, status, size}))
	}
}
