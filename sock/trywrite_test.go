package sock_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"ringo"
	"ringo/internal/test/socktest"
	"ringo/internal/test/testmain"
	"ringo/sock"
)

// TryWrite takes what there is room for and never parks: small and large, to a peer that reads and to one that does
// not, with a writer before it; and all that it has taken arrives, in order.
func TestTryWrite(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
			var sent []byte
			try := func(p []byte) int {
				t.Helper()
				parks := l.Stats().Parks
				n, err := c.TryWrite(p)
				if err != nil || l.Stats().Parks != parks {
					t.Errorf("TryWrite: %d, %v, after %d parks", n, err, l.Stats().Parks-parks)
				}
				sent = append(sent, p[:n]...)
				return n
			}
			piece := func(size int) []byte { return bytes.Repeat([]byte{byte(len(sent))}, size) }
			if n := try(piece(10)); n != 10 {
				t.Errorf("TryWrite of 10 bytes: %d", n)
			}
			if n := try(nil); n != 0 {
				t.Errorf("TryWrite of nothing: %d", n)
			}
			if n := try(piece(20_000)); n == 0 {
				t.Error("TryWrite of 20000 bytes, with room: 0")
			}
			filling := new(socktest.Filling)
			for full := false; !full; l.Sleep(time.Millisecond) { // of a peer that does not read
				before := len(sent)
				for try(piece(64<<10)) > 0 || try(piece(3)) > 0 {
				}
				full = filling.Full(descriptor(c), len(sent)-before)
			}
			writer := l.Go(func() { // stands in a Write: no two sockets hold as much, whenever room comes
				p := piece(16 << 20)
				n, err := c.Write(p)
				if n != len(p) || err != nil {
					t.Errorf("Write: %d, %v", n, err)
				}
				sent = append(sent, p...)
			})
			others(l)
			if n := try(piece(1)); n != 0 {
				t.Errorf("TryWrite beside a writer: %d", n)
			}
			got := make(chan []byte, 1)
			go func() { all, _ := io.ReadAll(peer); got <- all }()
			writer.Wait()
			for n := 0; n == 0; others(l) { // when there is room again
				n = try(piece(5))
			}
			if err := c.CloseWrite(); err != nil {
				t.Errorf("CloseWrite: %v", err)
			}
			var all []byte
			l.Offload(func(context.Context) error { all = <-got; return nil })
			if !bytes.Equal(all, sent) {
				t.Errorf("%d bytes arrived, and %d were taken", len(all), len(sent))
			}
		})
	})
}

// TryWrite fails as Write does, for a task of the loop alone, and in a cancelled one it does not.
func TestTryWriteErrors(t *testing.T) {
	testmain.NeedLong(t, "10 s of a socket that lingers")
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		s := serve(t, cfg, func(l *ringo.Loop, ln *sock.Listener) error {
			return l.Offload(func(ctx context.Context) error { <-ctx.Done(); return nil })
		})
		defer s.stop()
		l := s.loops[0]
		if err := l.Call(func() error {
			c, peer := connect(t, l)
			defer peer.Close()
			stranger := func(where string) {
				var op *net.OpError
				n, err := c.TryWrite([]byte("x"))
				if n != 0 || !errors.Is(err, ringo.ErrNotTask) || !errors.As(err, &op) {
					t.Errorf("TryWrite from %s: %d, %v", where, n, err)
				}
			}
			l.Offload(func(context.Context) error { stranger("a goroutine"); return nil })
			otherLoop(s, l).Call(func() error { stranger("another loop"); return nil })

			task := l.Go(func() {
				l.Sleep(time.Hour)
				if n, err := c.TryWrite([]byte("still")); n != 5 || err != nil {
					t.Errorf("TryWrite in a cancelled task: %d, %v", n, err)
				}
			})
			others(l)
			task.Cancel()
			task.Wait()
			wantPeer(t, l, peer, "still")

			// A goroutine has had the output, and gives it back.
			l.Offload(func(context.Context) error { _, err := c.Write([]byte("theirs")); return err })
			if n, err := c.TryWrite([]byte("ours")); n != 4 || err != nil {
				t.Errorf("TryWrite behind a goroutine's Write: %d, %v", n, err)
			}
			wantPeer(t, l, peer, "theirsours")

			c.SetWriteDeadline(time.Now().Add(-time.Second))
			for _, size := range []int{1, 10_000} {
				if n, err := c.TryWrite(make([]byte, size)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("TryWrite behind the deadline: %d, %v", n, err)
				}
			}
			c.SetWriteDeadline(time.Time{})
			c.Close()
			if n, err := c.TryWrite([]byte("x")); n != 0 || !errors.Is(err, net.ErrClosed) {
				t.Errorf("TryWrite when it is closed: %d, %v", n, err)
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
		if _, err := new(sock.Conn).TryWrite([]byte("x")); err == nil {
			t.Error("TryWrite of the zero Conn: no error")
		}
	})
}

// CloseSoon parks nobody, ends the calls in flight, sends what was accepted, and a Close after it waits for the end.
func TestCloseSoon(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for name, wait := range readings {
			pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
				var err error
				task := l.Go(func() { err = wait(c) })
				others(l)
				c.Write([]byte("last"))
				parks := l.Stats().Parks
				c.CloseSoon()
				c.CloseSoon()
				if n := l.Stats().Parks - parks; n != 0 {
					t.Errorf("CloseSoon parked %d times", n)
				}
				if _, err := c.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
					t.Errorf("Write after CloseSoon: %v", err)
				}
				if err := c.Close(); err != nil {
					t.Errorf("Close after CloseSoon: %v", err)
				}
				task.Wait()
				wantClosed(t, name, err)
				wantPeer(t, l, peer, "last")
				wantPeerEOF(t, l, peer)
			})
			pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
				var err error
				task := l.Go(func() { err = wait(c) })
				others(l)
				l.Offload(func(context.Context) error { c.CloseSoon(); return nil }) // as a goroutine
				wantPeerEOF(t, l, peer)
				task.Wait()
				wantClosed(t, name, err)
			})
		}
		new(sock.Conn).CloseSoon()
	})
}
