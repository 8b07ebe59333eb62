package server

import (
	"bytes"
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

// A Log writes the lines of all loops to a file or to stderr, one per request or connection. A goroutine writes them,
// so that loops never wait for it; while it is behind, or the file can't be written, lines are left out and counted. At
// SIGHUP it opens the file again, so that a file that was renamed is not written any longer.
type Log struct {
	w      io.Writer
	name   string
	file   *os.File // nil: stderr
	stderr io.Writer
	again  chan os.Signal
	full   chan []byte // lines to be written
	empty  chan []byte
	unsaid atomic.Int64
	left   atomic.Int64 // lines left out in all

	rest    []byte // of a line that was cut
	failing bool   // the last write has failed

	mu    sync.Mutex
	loops []*Lines // by the loops' indices
}

// The bounds of what waits to be written: logPieces pieces for all loops, each of logBytes and one line at most. A loop
// hands its lines on logWait after the first, at the latest.
const (
	logPieces = 64
	logBytes  = 32 << 10
	logWait   = time.Second
)

// The values of -log that are not names of files.
const (
	logOff    = "off"
	logStderr = "stderr"
)

// LogFlag adds the flag -log. what says in its help what a line is for.
func LogFlag(fs *flag.FlagSet, log *string, what string) {
	fs.StringVar(log, "log", logOff, "write a line "+what+", to `off, stderr or FILE`; lines that come faster than "+
		"they can be written are dropped")
}

// OpenLog opens the log that -log names; nil: there is none.
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

// openFile opens the file, then closes the one that was open. After an error it keeps that.
func (g *Log) openFile() error {
	f, err := os.OpenFile(g.name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	old := g.file
	g.w, g.file = f, f
	if g.failing = false; old == nil {
		return nil
	}
	if len(g.rest) > 0 && !sameFile(old, f) { // a new file begins with a whole line
		g.rest = nil
		g.left.Add(1)
	}
	return old.Close()
}

// sameFile reports whether two open files are one.
func sameFile(a, b *os.File) bool {
	one, err := a.Stat()
	other, err2 := b.Stat()
	return err == nil && err2 == nil && os.SameFile(one, other)
}

// Run writes lines until quit is closed and none is left. It runs on a goroutine.
func (g *Log) Run(quit <-chan struct{}) {
	for {
		p, again := g.next(quit)
		switch {
		case again:
			if err := g.openFile(); err != nil {
				fmt.Fprintf(g.stderr, "access log: opening it again: %v\n", err)
			}
			continue
		case p == nil:
			return
		}
		g.write(p)
		select {
		case g.empty <- p[:0]:
		default:
		}
	}
}

// write writes lines, and counts those that the output refuses. If one is cut, it keeps the rest, to write that before
// any later line.
func (g *Log) write(lines []byte) {
	n, err := 0, error(nil)
	if len(g.rest) > 0 {
		n, err = g.w.Write(g.rest)
		g.rest = g.rest[n:]
	}
	if err == nil {
		if n, err = g.w.Write(lines); err == nil {
			g.failing = false
			return
		}
		cut := n > 0 && lines[n-1] != '\n'
		if lines = lines[n:]; cut {
			end := bytes.IndexByte(lines, '\n') + 1
			g.rest, lines = bytes.Clone(lines[:end]), lines[end:]
		}
	}
	g.left.Add(int64(bytes.Count(lines, []byte("\n"))))
	if !g.failing { // tells it once, until it succeeds
		fmt.Fprintf(g.stderr, "access log: lines are lost: %v\n", err)
		g.failing = true
	}
}

// next waits for a piece, or for SIGHUP, in which case again is true. It returns nil once quit is closed and no piece
// is left. Before it waits, it reports how many lines were left out.
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
	case p = <-g.full: // pieces that are left are still written
	default:
	}
	return p, false
}

// LeftOut returns how many lines were left out in all. Any goroutine may call it.
func (g *Log) LeftOut() int64 { return g.left.Load() }

// Close writes the lines that the loops still had when they ended and the rest of one that was cut, and closes the
// file. The loops, and Run, must have ended.
func (g *Log) Close() error {
	if g == nil {
		return nil
	}
	for _, s := range g.loops {
		if s != nil && s.count > 0 {
			g.write(s.piece)
		}
	}
	if len(g.rest) > 0 {
		g.write(nil)
	}
	if len(g.rest) > 0 {
		g.left.Add(1)
	}
	if g.file == nil {
		return nil
	}
	signal.Stop(g.again)
	return g.file.Close()
}

// Lines are the lines of one loop that are not handed to the goroutine yet. Only tasks of the loop use them.
type Lines struct {
	log    *Log
	l      *ringo.Loop
	piece  []byte
	count  int64
	timer  *ringo.Timer
	second int64
	stamp  []byte
}

// Begin makes the Lines of a loop. A task of the loop calls it; further calls do nothing.
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

// Of returns the Lines of a loop, after its Begin. Tasks of the loop call it.
func (g *Log) Of(l *ringo.Loop) *Lines { return g.loops[l.Index()] }

// Next returns the buffer to append a line to; the caller passes the result to End.
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

// End takes the buffer of Next with the line appended. The task must not park between the two.
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

// Stamp returns the turn's time in a layout of package time, which has to be the same in each call. The bytes are valid
// until the next call.
func (s *Lines) Stamp(layout string) []byte {
	now := s.l.Now()
	if second := now.Unix(); second != s.second {
		s.second, s.stamp = second, now.AppendFormat(s.stamp[:0], layout)
	}
	return s.stamp
}

// flush hands the lines to the goroutine, or leaves them out if that is behind.
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
