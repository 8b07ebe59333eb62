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
	"ringo/sim"
	"ringo/sock"
)

// A pipe is two connections with all that they have, on each driver and in a simulated world, whoever makes it.
func TestPipe(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			if err := pipes(l); err != nil {
				t.Error(err)
			}
			made := make(chan error, 1)
			go func() {
				a, b, err := sock.Pipe(l)
				if err == nil {
					_, err = a.Write([]byte("from outside"))
					p := make([]byte, 64)
					n, errRead := b.Read(p)
					if err = errors.Join(err, errRead); err == nil && string(p[:n]) != "from outside" {
						err = errors.New(string(p[:n]))
					}
					err = errors.Join(err, a.Close(), b.Close())
				}
				made <- err
			}()
			if err := l.Offload(func(ctx context.Context) error { return <-made }); err != nil {
				t.Errorf("from a goroutine: %v", err)
			}
		})
	})
	t.Run("sim", func(t *testing.T) {
		sim.Run(t, 1, func(w *sim.World) { w.Check(w.Wait(w.Host("here").Run(nil, pipes))) })
	})
	var l *ringo.Loop
	onLoop(t, ringo.Config{}, func(on *ringo.Loop) { l = on })
	if a, b, err := sock.Pipe(l); a != nil || b != nil || !errors.Is(err, net.ErrClosed) {
		t.Errorf("a pipe of a loop that has ended: %v, %v, %v", a, b, err)
	}
}

// pipes tries what is said of a pipe.
func pipes(l *ringo.Loop) error {
	a, b, err := sock.Pipe(l)
	if err != nil {
		return err
	}
	defer a.Close()
	defer b.Close()
	fail := func(what string, args ...any) { err = errors.Join(err, fmt.Errorf(what, args...)) }
	if a.LocalAddr().Network() != "unix" || a.RemoteAddr() == nil {
		fail("its addresses are %v and %v", a.LocalAddr(), a.RemoteAddr())
	}
	sent := bytes.Repeat([]byte("sixteen bytes..."), 1<<16)
	writes := l.Go(func() {
		if n, err := a.Write(sent); n != len(sent) || err != nil {
			fail("Write = %d, %v", n, err)
		}
		if err := a.CloseWrite(); err != nil {
			fail("CloseWrite: %v", err)
		}
	})
	if got, err := io.ReadAll(b); !bytes.Equal(got, sent) || err != nil {
		fail("%d bytes came of %d: %v", len(got), len(sent), err)
	}
	writes.Wait()
	if _, err := a.Write(sent[:1]); !errors.Is(err, syscall.EPIPE) {
		fail("a write behind CloseWrite: %v", err)
	}
	if _, err := b.Write([]byte("back")); err != nil {
		fail("a write the other way: %v", err)
	}
	p := make([]byte, 8)
	if n, err := a.Read(p); string(p[:n]) != "back" || err != nil {
		fail("the other way came %q, %v", p[:n], err)
	}
	a.SetReadDeadline(time.Now().Add(time.Millisecond))
	if _, err := a.Read(p); !errors.Is(err, os.ErrDeadlineExceeded) {
		fail("a read with a deadline: %v", err)
	}
	b.SetWriteDeadline(time.Now().Add(time.Millisecond))
	for {
		n, err := b.Write(sent)
		if errors.Is(err, os.ErrDeadlineExceeded) && n < len(sent) {
			break
		}
		if err != nil || n < len(sent) {
			fail("a write that nobody reads: %d, %v", n, err)
			break
		}
	}
	return err
}
