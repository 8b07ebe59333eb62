package server

import (
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"time"

	"ringo"
)

// A Log is where a line for each request goes, of all loops. A goroutine writes them: loops don't wait for it, and
// leave lines out while it is behind. A file is opened again at SIGHUP, so that one that was renamed is left.
type Log struct {
	w      io.Writer
	name   string
	file   *os.File // nil: stderr
	stderr io.Writer
	again  chan os.Signal
	full   chan []byte // lines to be written
	empty  chan []byte
	unsaid atomic.Int64
	left   atomic.Int64 // lines that were left out, ever

	mu    sync.Mutex
	loops []*Lines // by the loops' indices
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

// LogFlag adds -log, for lines of which what says more.
func LogFlag(fs *flag.FlagSet, log *string, what string) {
	fs.StringVar(log, "log", logOff, "write a line "+what+", to `off, stderr or FILE`; lines that come faster than "+
		"they can be written are dropped")
}

// OpenLog opens the log; nil: there is none.
func OpenLog(name string, stderr io.Writer) (*Log, error) {
	g := &Log{w: stderr, name: name, stderr: stderr, again: make(chan os.Signal, 1),
		full: make(chan []byte, logPieces), empty: make(chan []byte, logPieces)}
	switch name {
	case logOff:
		return nil, nil
	case logStderr:
		return g, nil
	}
	if err := g.openFile(); err != nil {
		return nil, fmt.Errorf("-log: %w", err)
	}
	signal.Notify(g.again, HangUp)
	return g, nil
}

// openFile opens the file, and closes the one that was open. After an error that one is kept.
func (g *Log) openFile() error {
	f, err := os.OpenFile(g.name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	old := g.file
	g.w, g.file = f, f
	if old == nil {
		return nil
	}
	return old.Close()
}

// Run writes lines until quit is closed and none is left. A goroutine's.
func (g *Log) Run(quit <-chan struct{}) {
	for told := false; ; {
		p, again := g.next(quit)
		switch {
		case again:
			if err := g.openFile(); err != nil {
				fmt.Fprintf(g.stderr, "access log: opening it again: %v\n", err)
			}
			told = false
			continue
		case p == nil:
			return
		}
		if _, err := g.w.Write(p); err != nil && !told {
			fmt.Fprintf(g.stderr, "access log: %v\n", err)
			told = true // once
		}
		select {
		case g.empty <- p[:0]:
		default:
		}
	}
}

// next waits for a piece, or for the word to open the file again, and gives nil at the end. Before it
// waits it tells what was left out.
func (g *Log) next(quit <-chan struct{}) (p []byte, again bool) {
	select {
	case <-g.again:
		return nil, true
	default:
	}
	select {
	case p = <-g.full:
		return p, false
	default:
	}
	if n := g.unsaid.Swap(0); n > 0 {
		fmt.Fprintf(g.stderr, "access log: %d lines were left out: it is written more slowly than they come\n", n)
	}
	select {
	case p = <-g.full:
		return p, false
	case <-g.again:
		return nil, true
	case <-quit:
	}
	select {
	case p = <-g.full: // what is left is still written
	default:
	}
	return p, false
}

// LeftOut is how many lines were left out, ever.
func (g *Log) LeftOut() int64 { return g.left.Load() }

// Close writes what loops have still had when they ended, as Run has, and closes the file.
func (g *Log) Close() error {
	if g == nil {
		return nil
	}
	for _, s := range g.loops {
		if s != nil && s.count > 0 {
			if _, err := g.w.Write(s.piece); err != nil {
				fmt.Fprintf(g.stderr, "access log: %v\n", err)
			}
		}
	}
	if g.file == nil {
		return nil
	}
	signal.Stop(g.again)
	return g.file.Close()
}

// Lines are a loop's part of the log: lines that are not yet with the goroutine.
type Lines struct {
	log    *Log
	l      *ringo.Loop
	piece  []byte
	count  int64
	timer  *ringo.Timer
	second int64
	stamp  []byte
}

// Begin has a loop have lines. A task of its calls it, again as often as it likes.
func (g *Log) Begin(l *ringo.Loop) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.loops == nil {
		g.loops = make([]*Lines, len(l.Loops()))
	}
	if at := &g.loops[l.Index()]; *at == nil {
		*at = &Lines{log: g, l: l}
	}
}

// Of gives the loop's lines, once it has begun. They are for tasks of the loop.
func (g *Log) Of(l *ringo.Loop) *Lines { return g.loops[l.Index()] }

// Next gives what a line is to be appended to, for End.
func (s *Lines) Next() []byte {
	if s.piece == nil {
		select {
		case s.piece = <-s.log.empty:
		default:
			s.piece = make([]byte, 0, logBytes)
		}
	}
	return s.piece
}

// End takes what Next has given, with a line behind it. Nothing may park between the two.
func (s *Lines) End(piece []byte) {
	s.piece = append(piece, '\n')
	s.count++
	switch {
	case len(s.piece) >= logBytes:
		s.flush()
	case s.timer == nil:
		s.timer = s.l.AfterFunc(logWait, func() { s.timer = nil; s.flush() })
	}
}

// Stamp gives the time of now, a turn's, in a layout of package time: the same one in each call.
func (s *Lines) Stamp(layout string) []byte {
	now := s.l.Now()
	if second := now.Unix(); second != s.second {
		s.second, s.stamp = second, now.AppendFormat(s.stamp[:0], layout)
	}
	return s.stamp
}

// flush hands the lines on.
func (s *Lines) flush() {
	if s.count == 0 {
		return
	}
	select {
	case s.log.full <- s.piece:
		s.piece = nil
	default:
		s.log.unsaid.Add(s.count)
		s.log.left.Add(s.count)
		s.piece = s.piece[:0]
	}
	s.count = 0
}
