//go:build linux

package sock_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"ringo"
	"ringo/internal/patience"
	"ringo/sock"
)

// A halt is a copy that ends while its sink has no room: what did not go out must still be there to be read.
type halt struct {
	*testing.T
	here, there *ringo.Loop
	src         *sock.Conn
	to          io.Writer
	stop        func() // has writes to the sink fail
	end         func() // closes the sink
	came        func() []byte
	filler      int
	some        bool // the sink has room for a while: long enough for splices to begin
}

// sinks are where a copy goes.
var sinks = []struct {
	name string
	make func(x *halt)
}{
	{"conn of the loop", func(x *halt) { x.sinkConn(x.here) }},
	{"conn of another loop", func(x *halt) { x.sinkConn(x.there) }},
	{"conn of net", func(x *halt) {
		ours, peer := tcpPair(x.T)
		ours.SetWriteBuffer(x.buffers())
		x.sinkOf(ours, peer, ours.SyscallConn)
		x.to, x.stop = ours, func() { ours.SetWriteDeadline(time.Unix(1, 0)) }
		x.end = func() { ours.Close() }
	}},
	{"writer that fails", func(x *halt) {
		var got bytes.Buffer
		x.to = writerFunc(func(p []byte) (int, error) {
			if got.Len() > 0 {
				return 0, errSink
			}
			n := (len(p) + 1) / 2
			got.Write(p[:n])
			return n, errSink
		})
		x.stop, x.end, x.came = func() {}, func() {}, got.Bytes
	}},
	{"writer that writes less", func(x *halt) {
		var got bytes.Buffer
		x.to = writerFunc(func(p []byte) (int, error) { got.Write(p[:len(p)/2]); return len(p) / 2, nil })
		x.stop, x.end, x.came = func() {}, func() {}, got.Bytes
	}},
}

var errSink = errors.New("the sink has failed")

// sinkConn makes the sink a connection of l.
func (x *halt) sinkConn(l *ringo.Loop) {
	var c *sock.Conn
	var peer tcpPeer
	l.Go(func() { c, peer = connect(x.T, l) }).Wait()
	c.SetWriteBuffer(x.buffers())
	c.SetBatching(false) // so that no room is no room
	x.sinkOf(c, peer, c.SyscallConn)
	x.to, x.stop, x.end = c, func() { c.SetWriteDeadline(time.Unix(1, 0)) }, func() { c.Close() }
}

// buffers is how large those of the sink's are.
func (x *halt) buffers() int {
	if x.some {
		return 1 << 20
	}
	return 1 << 16
}

// sinkOf fills the socket of a sink, whose peer reads nothing until the sink is closed.
func (x *halt) sinkOf(c net.Conn, peer tcpPeer, raw func() (syscall.RawConn, error)) {
	peer.SetReadBuffer(x.buffers())
	rc, err := raw()
	if err != nil {
		x.Fatal(err)
	}
	for same := 0; same < 3 && !x.some; pause(x.here) {
		before := x.filler
		rc.Control(func(fd uintptr) {
			for size := 4096; size > 0; {
				n, err := syscall.Write(int(fd), make([]byte, size))
				if x.filler += max(0, n); err == syscall.EAGAIN {
					size /= 64
				} else if err != nil {
					x.Error(err)
					return
				}
			}
		})
		if same++; before != x.filler {
			same = 0
		}
	}
	x.Cleanup(func() { peer.Close() })
	x.came = func() []byte {
		p, err := io.ReadAll(peer)
		if err != nil || len(p) < x.filler {
			x.Errorf("the sink's peer got %d bytes, and %v", len(p), err)
			return nil
		}
		return p[x.filler:]
	}
}

// copyCallers call WriteTo; a cancel ends it in a task.
var copyCallers = []struct {
	name string
	run  func(x *halt, f func()) (cancel func(), done <-chan struct{})
}{
	{"task", func(x *halt, f func()) (func(), <-chan struct{}) { return asTask(x.here, f) }},
	{"iterator", func(x *halt, f func()) (func(), <-chan struct{}) {
		return asTask(x.here, func() { inIterator(f) })
	}},
	{"task of another loop", func(x *halt, f func()) (func(), <-chan struct{}) { return asTask(x.there, f) }},
	{"goroutine", func(x *halt, f func()) (func(), <-chan struct{}) {
		done := make(chan struct{})
		go func() { defer close(done); f() }()
		return nil, done
	}},
}

func asTask(l *ringo.Loop, f func()) (func(), <-chan struct{}) {
	done := make(chan struct{})
	task := l.Go(func() { defer close(done); f() })
	return task.Cancel, done
}

// What a copy has read and could not write is there for the next who reads, whoever copies, whereto, and whatever
// ended it.
func TestCopyGivesBack(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Buffers, cfg.BufferSize = 64, 1024
		for _, sink := range sinks {
			for _, who := range copyCallers {
				twoLoops(t, cfg, func(here, there *ringo.Loop) {
					for _, size := range []int{12, 3 << 20, 16 << 20} {
						for _, how := range []string{"cancel", "canceled before", "deadline"} {
							if testing.Short() && size > 4<<20 && how != "cancel" {
								continue
							}
							t.Run(fmt.Sprint(sink.name, "/", who.name, "/", size, "/", how), func(t *testing.T) {
								x := &halt{T: t, here: here, there: there, some: size > 4<<20}
								here.Go(func() {
									var peer tcpPeer
									x.src, peer = connect(t, here)
									defer peer.Close()
									sink.make(x)
									go func() {
										p := make([]byte, size)
										pattern(p, 0)
										peer.Write(p)
										peer.CloseWrite()
									}()
									x.copy(who.run, how, size)
								}).Wait()
							})
						}
					}
				})
			}
		}
	})
}

// copy makes a copy that can't go on, ends it, and counts.
func (x *halt) copy(run func(*halt, func()) (func(), <-chan struct{}), how string, size int) {
	began, ready := make(chan struct{}), make(chan struct{})
	var n int64
	var err error
	cancel, done := run(x, func() {
		close(began)
		if how == "canceled before" {
			<-ready
		}
		n, err = x.src.WriteTo(x.to)
	})
	if cancel == nil || how == "deadline" {
		cancel = x.stop
	}
	offloaded(x.T, x.here, func() error {
		if how == "canceled before" {
			<-began // it holds its loop
			cancel()
			close(ready)
		}
		return nil
	})
	for range 3 { // whenever it is: what is read and not written is the point
		pause(x.here)
	}
	cancel()
	offloaded(x.T, x.here, func() error { <-done; return nil })
	if err == nil && n != int64(size) {
		x.Errorf("WriteTo = %d, nil", n)
	} else if err != nil && !errors.Is(err, context.Canceled) &&
		!errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, errSink) && err != io.ErrShortWrite {
		x.Errorf("WriteTo: %v", err)
	}
	offloaded(x.T, x.here, func() error {
		go x.end() // it may wait until its peer reads
		got := x.came()
		if int64(len(got)) != n || mismatch(got, 0) >= 0 {
			x.Errorf("WriteTo = %d, and %d bytes came, the first wrong one %d", n, len(got), mismatch(got, 0))
		}
		x.src.SetDeadline(patience.Deadline())
		rest, err := io.ReadAll(x.src)
		if bad := mismatch(rest, int(n)); err != nil || bad >= 0 || len(rest) != size-int(n) {
			x.Errorf("%d of %d bytes went out, and then %d are to be read, the first wrong one %d: %v",
				n, size, len(rest), bad, err)
		}
		return x.src.Close()
	})
}

// tcpPair is a connection of package net, from both sides.
func tcpPair(t *testing.T) (ours, peer tcpPeer) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	a, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return a.(*net.TCPConn), b.(*net.TCPConn)
}

// A file that is copied to a peer without room is at the position up to which it was sent.
func TestCopyOfFileGivesBack(t *testing.T) {
	file := patternFile(t, 1<<20)
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, who := range copyCallers {
			twoLoops(t, cfg, func(here, there *ringo.Loop) {
				for _, limit := range []int64{100, 1 << 20} {
					t.Run(fmt.Sprint(who.name, "/", limit), func(t *testing.T) {
						x := &halt{T: t, here: here, there: there}
						here.Go(func() {
							x.sinkConn(here)
							f, err := os.Open(file)
							if err != nil {
								t.Error(err)
								return
							}
							defer f.Close()
							var n int64
							cancel, done := who.run(x, func() { n, err = io.Copy(x.to, io.LimitReader(f, limit)) })
							for range 3 {
								pause(here)
							}
							if cancel == nil {
								cancel = x.stop
							}
							cancel()
							offloaded(t, here, func() error { <-done; return nil })
							if at, _ := f.Seek(0, io.SeekCurrent); at != n || err == nil && n != limit {
								t.Errorf("the copy is %d, %v; the file is at %d", n, err, at)
							}
							offloaded(t, here, func() error {
								go x.end()
								if got := x.came(); int64(len(got)) != n || mismatch(got, 0) >= 0 {
									t.Errorf("the copy is %d, and %d bytes came", n, len(got))
								}
								return nil
							})
						}).Wait()
					})
				}
			})
		}
	})
}
