//go:build linux

package sock_test

import (
	"testing"

	"ringo"
	"ringo/sock"
)

// A task that computes is told at once to yield when bytes have come for another one, where the driver notices them,
// and when what it has written waits for the end of the turn.
func TestNeedYieldOnIO(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		unixPair(t, cfg, "unix", func(l *ringo.Loop, c *sock.Conn, peer unixPeer) {
			asked, got := false, 0
			reads := l.Go(func() {
				for p := make([]byte, 10); ; {
					asked = true
					n, err := c.Read(p)
					if got += n; err != nil {
						return
					}
				}
			})
			for l.Yield(); !asked; {
				l.Yield()
			}
			computes := func() (calls int) {
				for calls = 1; !l.NeedYield(); calls++ {
				}
				return calls
			}
			for range 10 { // bytes that come before the first are armed for the next turn
				l.Yield()
			}
			if _, err := peer.Write([]byte("ask")); err != nil {
				t.Fatal(err)
			}
			if n := computes(); n > 1 && l.Info().Name == "uring" {
				t.Errorf("bytes were noticed after %d calls", n)
			}
			for got == 0 {
				l.Yield()
			}
			c.SetBatching(true)
			if _, err := c.Write([]byte("answer")); err != nil {
				t.Fatal(err)
			}
			if n := computes(); n > 1 {
				t.Errorf("what was accepted was held back for %d calls", n)
			}
			c.Close()
			reads.Wait()
		})
	})
}
