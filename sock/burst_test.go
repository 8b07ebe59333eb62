package sock_test

import (
	"io"
	"testing"
	"time"

	"ringo"
	"ringo/sock"
)

// A peer that sends much at once is not thrown out for what its handler was not
// shown, and a handler may look at all that is there.
func TestServeBursts(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		s := serve(t, cfg, perRequest(&sock.Handler{Request: func(c *sock.Conn) error {
			n := c.Buffered()
			p, err := c.Peek(n)
			if err != nil {
				t.Errorf("Peek(Buffered() = %d): %v", n, err)
				return err
			}
			if _, err := c.Write(p); err != nil {
				return err
			}
			_, err = c.Discard(n)
			return err
		}}))
		peer := s.dial()
		msg := make([]byte, 8<<20)
		pattern(msg, 0)
		wantEcho(t, peer, msg)
		peer.CloseWrite()
	})
}

// What comes while Request runs is not what it left.
func TestServeBurstMeanwhile(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		asked := make(chan struct{}, 1)
		s := serve(t, cfg, perRequest(&sock.Handler{Unread: 3, Request: func(c *sock.Conn) error {
			n, _ := c.Discard(c.Buffered())
			if n == 1 {
				asked <- struct{}{}
				c.SetReadDeadline(c.Loop().Now().Add(patience))
				if _, err := c.Peek(1); err != nil { // one byte is looked at, four are here
					return err
				}
				for c.Buffered() < 4 {
					if err := c.Loop().Sleep(time.Millisecond); err != nil {
						return err
					}
				}
				return nil
			}
			_, err := c.Write([]byte("seen"))
			return err
		}}))
		peer := s.dial()
		send(t, peer, "1")
		<-asked
		send(t, peer, "four")
		got := make([]byte, 4)
		if _, err := io.ReadFull(peer, got); err != nil {
			t.Errorf("a peer whose bytes came while its request ran: %v", err)
		}
	})
}
