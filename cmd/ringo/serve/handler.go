package serve

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"

	"ringo"
	"ringo/cmd/ringo/internal/server"
	"ringo/file"
	"ringo/sock"
	"ringo/sock/sockhttp"
)

// files is a run of ringo serve.
type files struct {
	*server.Server
	o       *options
	handler *sockhttp.Files
	log     *accessLog // nil: none

	requests, bytes, lookups atomic.Int64 // for -stats

	mu        sync.Mutex
	listeners []*sock.Listener
}

// headMax is how long a request's head may be.
const headMax = 16 << 10

func newFiles(s *server.Server, o *options, root *file.Root, log *accessLog) *files {
	f := &files{Server: s, o: o, log: log, handler: &sockhttp.Files{Root: root, Keep: o.files, Fresh: o.fresh,
		Idle: o.idle, ETags: true, NoList: !o.list}}
	if o.files == 0 {
		f.handler.Keep = -1
	}
	if o.fresh == 0 {
		f.handler.Fresh = -1
	}
	s.Streams = f.serveStreams
	s.Words = f.statWords
	s.Open = f.open
	return f
}

// open is how many connections there are.
func (f *files) open() (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, ln := range f.listeners {
		n += ln.Stats().Open
	}
	return n
}

func (f *files) statWords() string {
	lookups := f.handler.Lookups()
	return fmt.Sprintf(" requests=%d bytes=%d lookups=%d", f.requests.Swap(0), f.bytes.Swap(0),
		lookups-f.lookups.Swap(lookups))
}

// ServeHTTP answers for the two methods that there are.
func (f *files) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "405 Method Not Allowed", http.StatusMethodNotAllowed)
		return
	}
	f.handler.ServeHTTP(w, r)
}

// serveStreams serves one address on one loop.
func (f *files) serveStreams(l *ringo.Loop, ln *sock.Listener) error {
	f.mu.Lock()
	f.listeners = append(f.listeners, ln)
	f.mu.Unlock()
	s := &sockhttp.Server{Handler: sockhttp.TaskReusing(f), ReadHeaderTimeout: f.o.header, ReadTimeout: f.o.idle,
		IdleTimeout: f.o.idle, MaxHeaderBytes: headMax - 4096, DisableGeneralOptionsHandler: true}
	if f.o.Stats > 0 || f.log != nil {
		var lines *logLines
		if f.log != nil {
			lines = f.log.open(l)
			defer lines.close()
		}
		s.Answered = func(c net.Conn, r *http.Request, status int, size int64) {
			f.requests.Add(1)
			f.bytes.Add(size)
			if lines != nil {
				lines.add(c, r, status, size)
			}
		}
	}
	if err := s.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
