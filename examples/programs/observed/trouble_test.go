package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"ringo"
	"ringo/file"
	"ringo/logs"
	"ringo/sock"
)

// The loops of a server in trouble, by what they have to bear.
const (
	heldLoop = iota
	fullLoop
	otherLoop
	loops
)

// troubled is the program in a process of its own, with small bounds. It does its usual work, and on demand all of what
// the dashboard and the alerts are for.
type troubled struct {
	dir     string
	started sync.WaitGroup
	loops   [loops]*ringo.Loop
	failed  chan error
}

// beServer is the role of a server in trouble. Its first line has its addresses; to each question it begins with what
// is asked for, and says what it needs of its peers.
func beServer(driver string, asked *bufio.Scanner) error {
	slog.SetDefault(slog.New(traced{logs.NewJSONHandler(io.Discard, nil, nil)}))
	dir, err := os.MkdirTemp("", "observed")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	set, err := sock.Reserve("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	operators, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go http.Serve(operators, pages())
	s := &troubled{dir: dir, failed: make(chan error, 1)}
	s.started.Add(loops)
	cfg := &ringo.Config{Driver: driver, Loops: loops, Entries: 8, Buffers: 8, Offload: 2,
		Logger: slog.New(slog.DiscardHandler),
		Start:  func(l *ringo.Loop) error { s.loops[l.Index()] = l; s.started.Done(); return nil }}
	go func() { s.failed <- serve(context.Background(), set, cfg) }()
	s.started.Wait()
	s.usual(set.Addr())
	fmt.Println(set.Addr(), operators.Addr())
	for asked.Scan() {
		addresses, err := s.trouble()
		if err != nil {
			return err
		}
		fmt.Println(addresses...)
	}
	select {
	case err := <-s.failed:
		return err
	default:
		return asked.Err()
	}
}

// usual is what servers do beside answering: files, dials, and calls from goroutines.
func (s *troubled) usual(addr net.Addr) {
	l := s.loops[otherLoop]
	for i := range 30 { // so many at once that they find the submission queue full
		l.Go(func() { s.files(l, filepath.Join(s.dir, fmt.Sprint(i))) })
	}
	l.Go(func() {
		for l.Sleep(50*time.Millisecond) == nil {
			c, err := sock.Dial(l, addr.Network(), addr.String())
			if err == nil {
				c.Close()
			}
		}
	})
	go func() {
		for range time.Tick(10 * time.Millisecond) {
			for range 10 {
				l.Post(func() {})
			}
		}
	}()
}

func (s *troubled) files(l *ringo.Loop, name string) {
	f, err := file.Create(name)
	if err != nil {
		s.failed <- err
		return
	}
	defer f.Close()
	for l.Sleep(100*time.Millisecond) == nil {
		_, err := f.WriteAt([]byte("what a server writes"), 0)
		if err := errors.Join(err, f.Sync()); err != nil {
			s.failed <- err
			return
		}
	}
}

// trouble begins with all of it, and returns the addresses that peers are to make trouble at: sink, source, limited and
// refusing.
func (s *troubled) trouble() (addresses []any, err error) {
	held, full, other := s.loops[heldLoop], s.loops[fullLoop], s.loops[otherLoop]
	held.Go(func() {
		for held.Sleep(300*time.Millisecond) == nil {
			time.Sleep(3 * time.Second) // what a task must not do
		}
	})
	full.Go(func() {
		for {
			for begin := time.Now(); time.Since(begin) < 60*time.Millisecond; {
			}
			full.Yield()
		}
	})
	for range 200 {
		full.Go(func() {
			for full.Sleep(time.Millisecond) == nil {
			}
		})
	}
	for range 6 { // of whom two have a slot
		other.Go(func() {
			for other.Offload(func(context.Context) error { time.Sleep(2 * time.Second); return nil }) == nil {
			}
		})
	}
	for _, b := range []bounded{
		{held, sock.ListenConfig{}, sink},
		{other, sock.ListenConfig{}, source},
		{other, sock.ListenConfig{Backlog: 2, Limits: sock.Limits{Conns: 1}}, brief},
		{other, sock.ListenConfig{Limits: sock.Limits{ConnsPerPeer: 1}}, sink},
	} {
		addr, err := b.begin()
		if err != nil {
			return nil, err
		}
		addresses = append(addresses, addr)
	}
	if err := s.broken(); err != nil {
		return nil, err
	}
	go s.descriptors()
	return addresses, nil
}

// bounded is a server with limits of its own.
type bounded struct {
	loop   *ringo.Loop
	config sock.ListenConfig
	serve  func(*sock.Conn)
}

func (b *bounded) begin() (addr net.Addr, err error) {
	b.loop.Go(func() {
		var ln *sock.Listener
		if ln, err = b.config.Listen(b.loop, "tcp", "127.0.0.1:0"); err == nil {
			addr = ln.Addr()
			b.loop.Go(func() { b.accept(ln) })
		}
	}).Wait()
	return addr, err
}

func (b *bounded) accept(ln *sock.Listener) {
	for {
		c, err := ln.AcceptConn()
		if err != nil {
			return
		}
		b.loop.Go(func() { defer c.Close(); b.serve(c) })
	}
}

// sink takes what comes, and keeps some for a while.
func sink(c *sock.Conn) {
	for {
		lease, err := c.Next()
		if err != nil {
			return
		}
		c.Loop().Sleep(20 * time.Millisecond)
		lease.Release()
		if _, err := io.CopyN(io.Discard, c, 1<<20); err != nil {
			return
		}
	}
}

// source writes small pieces, to peers that do not read.
func source(c *sock.Conn) {
	for {
		if _, err := c.Write(make([]byte, 100)); err != nil {
			return
		}
	}
}

// brief keeps its place for a moment.
func brief(c *sock.Conn) { c.Loop().Sleep(500 * time.Millisecond) }

// broken has Accept fail, by a listener that was shut down behind Ringo's back.
func (s *troubled) broken() (err error) {
	l := s.loops[otherLoop]
	l.Go(func() {
		var ln *sock.Listener
		if ln, err = sock.Listen(l, "tcp", "127.0.0.1:0"); err != nil {
			return
		}
		var raw syscall.RawConn
		if raw, err = ln.SyscallConn(); err != nil {
			return
		}
		raw.Control(func(fd uintptr) { err = syscall.Shutdown(int(fd), syscall.SHUT_RDWR) })
		l.Go(func() {
			for l.Sleep(50*time.Millisecond) == nil {
				ln.Accept()
			}
		})
	}).Wait()
	return err
}

// descriptors leaves the process few, and none from time to time.
func (s *troubled) descriptors() {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		s.failed <- err
		return
	}
	for {
		limit.Cur = 200
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
			s.failed <- err
			return
		}
		var all []*os.File
		for f, err := os.Open(os.DevNull); err == nil; f, err = os.Open(os.DevNull) {
			all = append(all, f)
		}
		time.Sleep(500 * time.Millisecond) // connections wait
		for _, f := range all[:8] {
			f.Close()
		}
		time.Sleep(time.Second) // the collector looks, for which it needs one
		for _, f := range all[8:] {
			f.Close()
		}
		time.Sleep(time.Second)
	}
}
