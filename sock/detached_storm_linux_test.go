//go:build linux

package sock_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"ringo"
	"ringo/sock"
)

// Everybody comes to connections of goroutines at once, and they are closed meanwhile: what is under way is
// never on another's descriptor, and all ends.
func TestDetachedInAStorm(t *testing.T) {
	t.Parallel()
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		other := make(chan *ringo.Loop, 1)
		over := make(chan struct{})
		s := serve(t, cfg, func(l *ringo.Loop, ln *sock.Listener) error {
			if l.Index() == 1 {
				ln.Close() // all peers come to the other loop
				other <- l
				offloaded(t, l, func() error { <-over; return nil })
				return nil
			}
			defer close(over)
			offloaded(t, l, func() error {
				away := <-other
				var lanes sync.WaitGroup
				for lane := range 4 {
					lanes.Go(func() {
						r := rand.New(rand.NewPCG(uint64(lane), 17))
						for end := time.Now().Add(time.Second); time.Now().Before(end); {
							besiege(t, r, l, away, ln)
						}
					})
				}
				within(patience, t.Name(), lanes.Wait)
				return nil
			})
			return nil
		})
		<-over
		s.stop()
	})
}

// besiege has some of those who can come to a connection come at the same time, one of which closes it.
func besiege(t *testing.T, r *rand.Rand, l, away *ringo.Loop, ln *sock.Listener) {
	conn, err := net.Dial("tcp", ln.Addr().String())
	if errors.Is(err, syscall.ECONNRESET) {
		return // another lane has taken it, and closed it with a linger of 0
	}
	if err != nil {
		t.Error(err)
		return
	}
	peer := conn.(*net.TCPConn)
	defer peer.Close()
	c, err := ln.AcceptConn() // not always of that peer: there are other lanes
	if err != nil {
		t.Error(err)
		return
	}
	port := uint16(c.RemoteAddr().(*net.TCPAddr).Port)
	var id [8]byte
	binary.LittleEndian.PutUint64(id[:], uint64(port))
	binary.LittleEndian.PutUint16(id[:], uint16(peer.LocalAddr().(*net.TCPAddr).Port))
	go func() {
		for range 3 {
			peer.Write(id[:])
		}
		io.Copy(io.Discard, peer)
	}()
	own := func(fd uintptr) {
		sa, err := syscall.Getpeername(int(fd))
		if in, ok := sa.(*syscall.SockaddrInet4); ok && uint16(in.Port) != port {
			t.Errorf("the descriptor is of a peer at %d, want %d", in.Port, port)
		} else if err != nil && err != syscall.ENOTCONN {
			t.Errorf("getpeername: %v", err)
		}
	}
	raw, _ := c.SyscallConn()
	linger := r.IntN(2) - 1
	acts := []func(){
		func() { raw.Control(own) },
		func() {
			raw.Write(func(fd uintptr) bool { own(fd); return true })
		},
		func() {
			raw.Read(func(fd uintptr) bool { own(fd); return true })
		},
		func() {
			var id [8]byte
			if _, err := io.ReadFull(c, id[:]); err == nil && binary.LittleEndian.Uint16(id[:]) != port {
				t.Errorf("read what %d sent, want %d", binary.LittleEndian.Uint16(id[:]), port)
			}
		},
		func() { c.Write(id[:]) },
		func() { c.SetDeadline(time.Now().Add(time.Millisecond)) },
		func() { c.SetReadDeadline(time.Now().Add(time.Hour)); c.SetReadDeadline(time.Time{}) },
		func() { c.SetNoDelay(false) },
		func() { c.SetLinger(linger) },
		func() {
			if f, err := c.File(); err == nil {
				own(f.Fd())
				f.Close()
			}
		},
		func() { c.WriteTo(io.Discard) },
		func() { c.Buffered() },
	}
	ends := []func(){
		func() { c.Close() },
		func() {
			if fd, _, err := c.Detach(); err == nil {
				own(uintptr(fd))
				syscall.Close(fd)
			}
		},
		func() {
			if moved, err := c.MoveTo(away); err == nil {
				moved.Close()
			}
		},
	}
	var all sync.WaitGroup
	run := func(how int, f func()) {
		switch how {
		case 0:
			all.Go(func() { l.Go(f).Wait() })
		case 1:
			all.Go(func() { away.Go(f).Wait() })
		case 2: // one that is cancelled
			all.Go(func() {
				task := away.Go(f)
				task.Cancel()
				if err := task.Wait(); err != nil && !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
			})
		default:
			all.Go(f)
		}
	}
	for range 1 + r.IntN(4) {
		run(r.IntN(6), acts[r.IntN(len(acts))])
	}
	for range 1 + r.IntN(2) {
		run(r.IntN(6), ends[r.IntN(len(ends))])
	}
	c.Close() // one that was cancelled has done nothing
	all.Wait()
}
