//go:build linux

package event_test

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/event"
)

// largeOnes are what is written behind a few bytes in the same callback, and is too much to be accepted.
var largeOnes = []struct {
	name  string
	calls uint64
	size  int
	do    func(c *event.Conn, p []byte, f *os.File) error
}{
	{"Write", 1, 8000, func(c *event.Conn, p []byte, _ *os.File) error { return c.Write(p) }},
	{"WriteThen", 1, 8000, func(c *event.Conn, p []byte, _ *os.File) error { return c.WriteThen(p, func(error) {}) }},
	{"WriteV", 1, 8000, func(c *event.Conn, p []byte, _ *os.File) error { return c.WriteV(p[:10], p[10:]) }},
	{"WriteV of much", 1, 70_000, func(c *event.Conn, p []byte, _ *os.File) error { return c.WriteV(p[:10], p[10:]) }},
	{"WriteLease", 1, 8000, func(c *event.Conn, p []byte, _ *os.File) error {
		lease, err := c.Keep() // of the question, which is the answer
		if err == nil {
			err = c.WriteLease(lease)
		}
		return err
	}},
	{"SendFile", 2, 8000, func(c *event.Conn, p []byte, f *os.File) error {
		return c.SendFile(f, 0, int64(len(p)), nil)
	}},
}

// What was accepted travels with what is too large for that: in one call, and with a file's bytes in one segment.
func TestLargeTakesSmallAlong(t *testing.T) {
	const rounds = 20
	head, all := pattern(100), pattern(70_000)
	name := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(name, all, 0o600); err != nil {
		t.Fatal(err)
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, large := range largeOnes {
			t.Run(large.name, func(t *testing.T) {
				f, err := os.Open(name)
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				p := all[:large.size]
				var called uint64
				h := &funcs{data: func(c *event.Conn, question []byte) int {
					if len(question) == 1 { // a first one, so that the loop has memory to accept
						c.Write(question)
						return 1
					}
					if len(question) < 8000 {
						return 0
					}
					if called != 0 {
						if n := calls(c.Loop()) - called; n != large.calls {
							t.Errorf("%d calls, want %d", n, large.calls)
						}
					}
					called = calls(c.Loop())
					if err := c.Write(head); err != nil {
						t.Error(err)
					}
					if err := large.do(c, p, f); err != nil {
						t.Error(err)
					}
					return len(question)
				}}
				pair(t, cfg, h, func(peer *net.TCPConn) error {
					if _, err := peer.Write([]byte{1}); err != nil {
						return err
					}
					if err := wantBytes(peer, []byte{1}); err != nil {
						return err
					}
					want := bytes.Join([][]byte{head, p}, nil)
					var before uint32
					fewest := ^uint32(0) // a process that is not run for 200 ms makes more
					for round := range rounds {
						if _, err := peer.Write(all[:8000]); err != nil {
							return err
						}
						if err := wantBytes(peer, want); err != nil {
							return err
						}
						segments := segmentsIn(t, peer)
						if round > 0 {
							fewest = min(fewest, segments-before)
						}
						before = segments
					}
					if large.calls == 2 && fewest != 1 {
						t.Errorf("%d segments at least, want 1", fewest)
					}
					return nil
				})
			})
		}
	})
}

// calls counts the calls by which a loop has sent.
func calls(e *event.Loop) uint64 {
	s := e.Ringo().Stats()
	n := s.Driver.Sends
	for _, o := range s.Ops {
		switch o.Op {
		case "send", "sendmsg", "sendfile":
			n += o.Tried + o.Submitted
		}
	}
	return n
}

// segmentsIn is how many segments with bytes have come.
func segmentsIn(t *testing.T, c *net.TCPConn) (n uint32) {
	rc, err := c.SyscallConn()
	if err == nil {
		rc.Control(func(fd uintptr) {
			var info *unix.TCPInfo
			if info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
				n = info.Data_segs_in
			}
		})
	}
	if err != nil {
		t.Error(err)
	}
	return n
}
