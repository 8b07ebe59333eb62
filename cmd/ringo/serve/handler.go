package serve

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"ringo"
	"ringo/cmd/ringo/internal/server"
	"ringo/file"
	"ringo/internal/posix"
	"ringo/sock"
)

// files is a run of ringo serve.
type files struct {
	*server.Server
	o    *options
	root *file.Root
	log  *accessLog    // nil: none
	look time.Duration // lookFor, but in tests
	warm time.Duration // warmFor, but in tests

	requests, bytes, lookups atomic.Int64 // for -stats

	mu       sync.Mutex
	handlers []*handler // those that have a cache
}

// handler is what a loop has of files, for one address.
type handler struct {
	*files
	l     *ringo.Loop
	begin time.Time
	cache *cache
	lines *logLines // nil: no log

	last         [1]byte
	small, large [][]byte
	answers      []*answer
	second       int64  // of date
	date         []byte // a Date header
}

// client is a connection.
type client struct {
	touched int64 // the loop's second, or what part of one touch makes of it, in which its deadlines were set
	begun   bool  // a part of a head is here
	leaving bool  // it has had its last answer, what it sends is dropped
	ended   bool  // and knows it
	dropped int64
	from    string // its address, if there is a log
}

// The bounds of a peer that does nothing, or too much.
const (
	lingerFor = 2 * time.Second // for a peer to end its side after the last answer
	lingerMax = 1 << 20         // bytes that it may send in that time
	bodyMax   = 64 << 10        // of a request, which are read and dropped
)

func newFiles(s *server.Server, o *options, root *file.Root, log *accessLog) *files {
	f := &files{Server: s, o: o, root: root, log: log, look: lookFor, warm: warmFor}
	s.Streams = f.serveStreams
	s.Words = f.statWords
	return f
}

func (f *files) statWords() string {
	return fmt.Sprintf(" requests=%d bytes=%d lookups=%d", f.requests.Swap(0), f.bytes.Swap(0), f.lookups.Swap(0))
}

// serveStreams serves one address on one loop.
func (f *files) serveStreams(l *ringo.Loop, ln *sock.Listener) error {
	h := &handler{files: f, l: l, begin: l.Now(), cache: newCache(f.o.files, f.o.fresh, &f.Side)}
	f.mu.Lock()
	f.handlers = append(f.handlers, h)
	f.mu.Unlock()
	defer h.cache.clear()
	if f.log != nil {
		h.lines = f.log.open(l)
		defer h.lines.close()
	}
	return sock.Serve(l, ln, &sock.Handler{Open: h.open, Request: h.serveConn, Closed: h.closed})
}

func (h *handler) open(c *sock.Conn) error {
	h.Conns.Add(1)
	g := new(client)
	if h.lines != nil {
		g.from = addressOf(c)
	}
	c.SetValue(g)
	return c.SetReadDeadline(h.l.Now().Add(h.o.header))
}

func (h *handler) closed(c *sock.Conn, _ error) {
	if c.Value() != nil {
		h.Conns.Add(-1)
	}
}

// now is the time since the loop began to serve, by its clock. It is never 0.
func (h *handler) now() int64 { return int64(h.l.Now().Sub(h.begin)) + 1 }

// canceled reports whether the task that asks is to end, so that its error tells nothing.
func (h *handler) canceled() bool { return h.l.Context().Err() != nil }

// touch puts the connection's deadlines off, once a second at most, or more often if that is
// not little against the time for which it may be idle.
func (h *handler) touch(c *sock.Conn) {
	g := c.Value().(*client)
	step := max(1, min(int64(time.Second), int64(h.o.idle/8)))
	if now := h.now()/step + 1; g.touched != now {
		g.touched = now
		c.SetReadDeadline(h.l.Now().Add(h.o.idle))
		c.SetWriteDeadline(h.l.Now().Add(h.o.idle))
	}
}

// serveConn answers what requests are here.
func (h *handler) serveConn(c *sock.Conn) error {
	g := c.Value().(*client)
	for !g.leaving {
		p, err := c.Peek(c.Buffered())
		if err != nil || len(p) == 0 {
			return err
		}
		a := h.newAnswer(c)
		n, bad := a.r.parse(p)
		if n == 0 && bad == nil {
			h.endAnswer(a)
			return h.begun(c, g)
		}
		if g.begun {
			g.begun, g.touched = false, 0
		}
		g.leaving, err = a.run(n, bad)
		h.endAnswer(a)
		if err != nil {
			return err
		}
	}
	return h.leave(c, g)
}

// begun is told that a part of a head is here. The rest of it has so long, however it
// trickles in.
func (h *handler) begun(c *sock.Conn, g *client) error {
	if g.begun {
		return nil
	}
	g.begun = true
	return c.SetReadDeadline(h.l.Now().Add(h.o.header))
}

// newAnswer gives an answer to be filled; it is pooled, because tasks that are at one may park.
func (h *handler) newAnswer(c *sock.Conn) *answer {
	if k := len(h.answers); k > 0 {
		a := h.answers[k-1]
		h.answers = h.answers[:k-1]
		a.c = c
		return a
	}
	return &answer{h: h, c: c}
}

func (h *handler) endAnswer(a *answer) {
	*a = answer{h: h}
	if len(h.answers) < keptMax {
		h.answers = append(h.answers, a)
	}
}

// run answers a request whose head is the next n bytes, or what is no request. last is true if
// nothing may follow on its connection.
func (a *answer) run(n int, bad *fault) (last bool, err error) {
	h, r := a.h, &a.r
	h.touch(a.c)
	a.last = bad != nil || r.closes || r.chunked || r.length > bodyMax || r.expects && r.length > 0 ||
		h.Context.Err() != nil
	if bad != nil {
		r.minor = 1
		err = a.text(bad.status, bad.text)
	} else {
		err = a.serve()
	}
	h.touch(a.c)
	if h.o.Stats > 0 {
		h.requests.Add(1)
		h.bytes.Add(a.sent)
	}
	if h.lines != nil && a.status != 0 {
		h.lines.add(a.c.Value().(*client).from, a)
	}
	if err != nil || a.last {
		return true, err
	}
	if _, err = a.c.Discard(n); err == nil && r.length > 0 {
		_, err = a.c.Discard(int(r.length))
	}
	return false, err
}

// leave ends a connection whose last answer is out: to close it while its peer still sends would
// reset it, and destroy that answer.
func (h *handler) leave(c *sock.Conn, g *client) error {
	if !g.ended {
		g.ended = true
		if err := c.CloseWrite(); err != nil {
			return err
		}
		if err := c.SetReadDeadline(h.l.Now().Add(lingerFor)); err != nil {
			return err
		}
	}
	n, err := c.Discard(c.Buffered())
	if g.dropped += int64(n); err == nil && g.dropped > lingerMax {
		return errLingers
	}
	return err
}

// lookup finds what a request asks for. A file that it gives is in use.
func (h *handler) lookup(r *request) (lookupResult, error) {
	if isPlain(r.target) {
		if o := h.cache.byPath[string(r.target)]; o != nil {
			return h.known(o)
		}
	}
	t, ok := parseTarget(r.target)
	if !ok {
		return lookupResult{status: http.StatusBadRequest}, nil
	}
	if strings.HasSuffix(t.raw, "/"+indexName) {
		return lookupResult{status: http.StatusMovedPermanently, to: t.redirect("./")}, nil
	}
	if o := h.cache.byPath[t.path]; o != nil && (t.slash() || t.path != "/") {
		return h.known(o)
	}
	return h.search(&t)
}

// known is lookup of a file that is open. If it is time, one task looks whether the name still
// leads to it; until it knows, the others go on with what there is.
func (h *handler) known(o *servedFile) (lookupResult, error) {
	h.cache.use(o)
	now := h.now()
	if now-o.checked < int64(h.cache.fresh) || o.checks {
		return lookupResult{file: o, status: http.StatusOK}, nil
	}
	same := false
	o.checks = true
	err := h.l.Offload(func(context.Context) error {
		same = o.same(h.root)
		return nil
	})
	o.checks = false
	if err == nil && same {
		o.checked = now
		return lookupResult{file: o, status: http.StatusOK}, nil
	}
	h.cache.drop(o)
	h.cache.done(o)
	if err != nil {
		return lookupResult{}, err
	}
	return h.search(&target{raw: o.path, path: o.path})
}

// search looks a target up on disk, and keeps the file that it finds.
func (h *handler) search(t *target) (what lookupResult, err error) {
	h.lookups.Add(1)
	for try := 0; ; try++ {
		err = h.l.Offload(func(context.Context) (err error) {
			what, err = resolve(h.root, t)
			return err
		})
		if try == relieveMax || !errors.Is(err, posix.EMFILE) && !errors.Is(err, posix.ENFILE) || !h.relieve() {
			break
		}
	}
	if err != nil {
		if what.file != nil {
			h.cache.done(h.borrow(what.file))
		}
		return lookupResult{}, err
	}
	if what.file != nil {
		h.cache.add(h.borrow(what.file), h.now())
	}
	return what, nil
}

// relieveMax is how often a file is opened again for which there was no descriptor.
const relieveMax = 3

// relieve has all loops close half of the files that they keep open and nobody uses, and waits for that. It reports
// whether there were any.
func (f *files) relieve() (found bool) {
	f.mu.Lock()
	handlers := slices.Clone(f.handlers)
	f.mu.Unlock()
	for _, h := range handlers {
		h.l.Call(func() error { // on a loop that has ended nothing is open
			back := h.cache.giveBack()
			found = found || len(back) > 0
			closeAll := func() {
				for _, o := range back {
					o.file.Close()
				}
			}
			err := h.l.Offload(func(context.Context) error { closeAll(); return nil })
			if err != nil { // it was cancelled, and has closed none
				f.Side.Go(closeAll)
			}
			return err
		})
	}
	return found
}

// borrow begins the use of a file that is new.
func (h *handler) borrow(o *servedFile) *servedFile {
	o.users++
	return o
}
