package serve

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"sync/atomic"
	"time"

	"ringo"
	"ringo/cmd/ringo/internal/server"
)

// accessLog is where the lines of all loops go, in the common log format. A goroutine writes
// them: loops don't wait for it, and leave lines out while it is behind. A file is opened again
// at SIGHUP, so that one that was renamed is left.
type accessLog struct {
	w      io.Writer
	name   string
	file   *os.File // nil: stderr
	stderr io.Writer
	again  chan os.Signal
	full   chan []byte // lines to be written
	empty  chan []byte
	unsaid atomic.Int64
}

// The bounds of what waits to be written: so many pieces, each of some more bytes than these
// at most, and none longer than that.
const (
	logPieces = 64
	logBytes  = 32 << 10
	logWait   = time.Second
)

// The places of -log that are no files.
const (
	logOff    = "off"
	logStderr = "stderr"
)

// openLog opens the log; nil: there is none.
func openLog(name string, stderr io.Writer) (*accessLog, error) {
	a := &accessLog{w: stderr, name: name, stderr: stderr, again: make(chan os.Signal, 1),
		full: make(chan []byte, logPieces), empty: make(chan []byte, logPieces)}
	switch name {
	case logOff:
		return nil, nil
	case logStderr:
		return a, nil
	}
	if err := a.openFile(); err != nil {
		return nil, fmt.Errorf("-log: %w", err)
	}
	signal.Notify(a.again, server.HangUp)
	return a, nil
}

// openFile opens the file, and closes the one that was open. After an error that one is kept.
func (a *accessLog) openFile() error {
	f, err := os.OpenFile(a.name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	old := a.file
	a.w, a.file = f, f
	if old == nil {
		return nil
	}
	return old.Close()
}

// run writes lines until quit is closed and none is left. A goroutine's.
func (a *accessLog) run(quit <-chan struct{}) {
	for told := false; ; {
		p, again := a.next(quit)
		switch {
		case again:
			if err := a.openFile(); err != nil {
				fmt.Fprintf(a.stderr, "access log: opening it again: %v\n", err)
			}
			told = false
			continue
		case p == nil:
			return
		}
		if _, err := a.w.Write(p); err != nil && !told {
			fmt.Fprintf(a.stderr, "access log: %v\n", err)
			told = true // once
		}
		select {
		case a.empty <- p[:0]:
		default:
		}
	}
}

// next waits for a piece, or for the word to open the file again, and gives nil at the end. Before it
// waits it tells what was left out.
func (a *accessLog) next(quit <-chan struct{}) (p []byte, again bool) {
	select {
	case <-a.again:
		return nil, true
	default:
	}
	select {
	case p = <-a.full:
		return p, false
	default:
	}
	if n := a.unsaid.Swap(0); n > 0 {
		fmt.Fprintf(a.stderr, "access log: %d lines were left out: it is written more slowly than they come\n", n)
	}
	select {
	case p = <-a.full:
		return p, false
	case <-a.again:
		return nil, true
	case <-quit:
	}
	select {
	case p = <-a.full: // what is left is still written
	default:
	}
	return p, false
}

// close closes the file.
func (a *accessLog) close() error {
	if a == nil || a.file == nil {
		return nil
	}
	signal.Stop(a.again)
	return a.file.Close()
}

// logLines is a loop's part of the log: lines that are not yet with the goroutine.
type logLines struct {
	log    *accessLog
	l      *ringo.Loop
	piece  []byte
	count  int64
	timer  *ringo.Timer
	second int64
	stamp  []byte
}

func (a *accessLog) open(l *ringo.Loop) *logLines { return &logLines{log: a, l: l} }

// add adds a line. r is nil for what was no request.
func (g *logLines) add(c net.Conn, r *http.Request, status int, size int64) {
	if g.piece == nil {
		select {
		case g.piece = <-g.log.empty:
		default:
			g.piece = make([]byte, 0, logBytes)
		}
	}
	b := append(append(append(g.piece, addressOf(c, r)...), " - - "...), g.time()...)
	if r == nil {
		b = append(b, '-')
	} else {
		b = append(appendQuoted(b, r.Method), ' ')
		b = append(appendQuoted(b, r.RequestURI), ' ')
		b = append(b, r.Proto...)
	}
	b = strconv.AppendInt(append(b, `" `...), int64(status), 10)
	b = strconv.AppendInt(append(b, ' '), size, 10)
	g.piece = append(b, '\n')
	g.count++
	switch {
	case len(g.piece) >= logBytes:
		g.flush()
	case g.timer == nil:
		g.timer = g.l.AfterFunc(logWait, func() { g.timer = nil; g.flush() })
	}
}

// time gives the time and the quote before a request.
func (g *logLines) time() []byte {
	now := g.l.Now()
	if second := now.Unix(); second != g.second {
		g.second, g.stamp = second, now.AppendFormat(g.stamp[:0], `[02/Jan/2006:15:04:05 -0700] "`)
	}
	return g.stamp
}

// flush hands the lines on.
func (g *logLines) flush() {
	if g.count == 0 {
		return
	}
	select {
	case g.log.full <- g.piece:
		g.piece = nil
	default:
		g.log.unsaid.Add(g.count)
		g.piece = g.piece[:0]
	}
	g.count = 0
}

func (g *logLines) close() {
	if g.timer != nil {
		g.timer.Stop()
	}
	g.flush()
}

// appendQuoted appends what a client has sent, so that it can't end the quotes or the line.
func appendQuoted(b []byte, text string) []byte {
	const digits = "0123456789abcdef"
	for i := range len(text) {
		c := text[i]
		if c < ' ' || c > '~' || c == '"' || c == '\\' {
			b = append(b, '\\', 'x', digits[c>>4], digits[c&15])
		} else {
			b = append(b, c)
		}
	}
	return b
}

// addressOf is the peer's address without its port.
func addressOf(c net.Conn, r *http.Request) string {
	var at string
	if r != nil {
		at = r.RemoteAddr
	} else if a := c.RemoteAddr(); a != nil {
		at = a.String()
	}
	if host, _, err := net.SplitHostPort(at); err == nil {
		return host
	}
	return "unix:"
}
