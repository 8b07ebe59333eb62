package sock_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"ringo"
	"ringo/internal/race"
	"ringo/internal/test/patience"
	"ringo/internal/test/testmain"
	"ringo/sock"
)

// crowdConns is how many connections the tests below have: more than one look at the kernel brings.
const crowdConns = 300

// census counts how often each connection of a crowd was served, whose peers send the next message as soon as they
// have the answer to the last.
type census struct {
	t       *testing.T
	message []byte
	peers   map[string]tcpPeer // by the address of this end
	counts  map[string]int
	least   int // of what each must have had when one has had four times as many
	begun   bool
	over    bool
	ended   chan struct{}
	poor    string // what was found
}

// served is called by the loop for each message of a connection, which is another one's end.
func (s *census) served(c *sock.Conn) error {
	if s.over {
		return nil
	}
	name := c.RemoteAddr().String()
	if s.counts[name]++; s.counts[name] == 1 && len(s.counts) == len(s.peers) && !s.begun {
		s.begun = true
		clear(s.counts) // now that all are at it
	}
	if s.counts[name] == 4*s.least {
		s.finish()
		return nil
	}
	_, err := s.peers[name].Write(s.message)
	return err
}

func (s *census) finish() {
	s.over = true
	fewest, poor := 4*s.least, 0
	for name := range s.peers {
		n := s.counts[name]
		fewest = min(fewest, n)
		if n < s.least {
			poor++
		}
	}
	if poor > 0 {
		s.poor = fmt.Sprintf("one of %d connections was served %d times, and %d less than %d times, one %d times",
			len(s.peers), 4*s.least, poor, s.least, fewest)
	}
	close(s.ended)
}

// Whether or not a connection has found the loop's buffers in use, and however fast its peer is, it is served about as
// often as the others are.
func TestCrowdIsServedEvenly(t *testing.T) {
	serving := map[string]struct {
		least int
		burst bool // a task has its 128 calls first, so the count begins when all have had some
		serve func(s *census, all func() bool) func(*ringo.Loop, *sock.Listener) error
	}{
		"requests": {8, false, func(s *census, begun func() bool) func(*ringo.Loop, *sock.Listener) error {
			return perRequest(&sock.Handler{Request: func(c *sock.Conn) error {
				for c.Buffered() >= len(s.message) {
					c.Discard(len(s.message))
					if begun() {
						if err := s.served(c); err != nil {
							return err
						}
					}
				}
				return nil
			}})
		}},
		"tasks": {128, true, func(s *census, begun func() bool) func(*ringo.Loop, *sock.Listener) error {
			return perConn(func(c *sock.Conn) {
				for {
					if _, err := c.Discard(len(s.message)); err != nil {
						return
					}
					if begun() && s.served(c) != nil {
						return
					}
				}
			})
		}},
	}
	for name, way := range serving {
		for _, buffers := range []int{16, 256} {
			if race.Enabled && (buffers > 16 || way.burst) {
				continue // 150,000 messages take it half a minute, and it finds no races that the other does not
			}
			t.Run(fmt.Sprintf("%s/buffers=%d", name, buffers), func(t *testing.T) {
				eachDriver(t, func(t *testing.T, cfg ringo.Config) {
					if buffers > 16 {
						testmain.NeedLong(t, "a second or two; fewer buffers than connections are what makes them wait")
					}
					needNumbers(t, 3*crowdConns)
					cfg.Loops, cfg.Buffers, cfg.BufferSize = 1, buffers, 1024
					s := &census{
						t: t, message: make([]byte, cfg.BufferSize), least: way.least, begun: !way.burst,
						ended: make(chan struct{}), peers: map[string]tcpPeer{}, counts: map[string]int{},
					}
					// All have sent a message and been served before the count begins.
					var here atomic.Int32
					begun := func() bool {
						n := here.Add(1)
						if n == crowdConns {
							for _, peer := range s.peers {
								peer.Write(s.message)
							}
						}
						return n > crowdConns
					}
					server := serve(t, cfg, way.serve(s, begun))
					for range crowdConns {
						peer := server.dial()
						s.peers[peer.LocalAddr().String()] = peer
					}
					for _, peer := range s.peers {
						if _, err := peer.Write(s.message); err != nil {
							t.Fatal(err)
						}
					}
					patience.Within(t.Name(), func() { <-s.ended })
					if s.poor != "" {
						t.Error(s.poor)
					}
				})
			})
		}
	}
}
