//go:build linux

package main

import (
	"encoding/binary"
	"net"
	"net/netip"
	"strings"
	"testing"
)

// serveUDP answers each datagram with what answer makes of the n-th, nil being nothing.
func serveUDP(t *testing.T, answer func(n int, b []byte) []byte) (addr string) {
	t.Helper()
	c := listenUDP(t)
	go func() {
		b := make([]byte, 4096)
		for n := 0; ; n++ {
			size, from, err := c.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			if a := answer(n, b[:size]); a != nil {
				c.WriteToUDPAddrPort(a, from)
			}
		}
	}()
	return c.LocalAddr().String()
}

func listenUDP(t *testing.T) *net.UDPConn {
	t.Helper()
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestDatagrams(t *testing.T) {
	for _, args := range []string{"-conns 1", "-conns 5 -size 1200 -depth 4", "-conns 1 -size 1 -depth 100"} {
		s, err := sampled(t, serveUDP(t, func(_ int, b []byte) []byte {
			return b
		}), strings.Fields("-mode udp "+args)...)
		if err != nil {
			t.Fatal(err)
		}
		if s.Errors != 0 || s.Mismatches != 0 || s.Starved != 0 || s.Requests == 0 {
			t.Errorf("%s: %d requests, %d errors, %d mismatches, %d starved", args, s.Requests, s.Errors,
				s.Mismatches, s.Starved)
		}
	}
}

func TestBadDatagramsAreNoticed(t *testing.T) {
	at := func(n int, f func(b []byte) []byte) func(int, []byte) []byte {
		return func(i int, b []byte) []byte {
			if i == n {
				return f(b)
			}
			return b
		}
	}
	cases := map[string]func(b []byte) []byte{
		"one bit": func(b []byte) []byte { b[5] ^= 1; return b },
		"lost":    func([]byte) []byte { return nil },
		"shorter": func(b []byte) []byte { return b[:len(b)-1] },
		"longer":  func(b []byte) []byte { return append(b, 0) },
		"empty":   func(b []byte) []byte { return b[:0] },
	}
	for name, f := range cases {
		t.Run(name, func(t *testing.T) {
			e, c := engineFor(t, serveUDP(t, at(50, f)), "-mode udp -conns 1 -depth 4")
			runMode(e, c)
			if e.mismatches == 0 {
				t.Error("no mismatch was counted")
			}
		})
	}
	t.Run("the last one lost", func(t *testing.T) {
		e, c := engineFor(t, serveUDP(t, func(n int, b []byte) []byte {
			if n >= 50 {
				return nil
			}
			return b
		}), "-mode udp -conns 3")
		runMode(e, c)
		if e.errors != 3 {
			t.Errorf("%d errors, want 3", e.errors)
		}
	})
}

// count is the receiver of bulk, without GRO. miscount changes what it tells.
func count(t *testing.T, miscount uint64) (addr string) {
	c := listenUDP(t)
	c.SetReadBuffer(bulkBuffer)
	go func() {
		var datagrams, bytes uint64
		b := make([]byte, 4096)
		for {
			n, from, err := c.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			if n > 1 {
				datagrams++
				bytes += uint64(n)
				continue
			}
			answer := binary.NativeEndian.AppendUint64(nil, datagrams+miscount)
			answer = binary.NativeEndian.AppendUint64(answer, bytes)
			c.WriteToUDPAddrPort(append(answer, b[0]), from)
		}
	}()
	return c.LocalAddr().String()
}

func TestFlood(t *testing.T) {
	s, err := sampled(t, count(t, 0), "-mode", "flood", "-conns", "1", "-size", "1200")
	if err != nil {
		t.Fatal(err)
	}
	if s.Requests == 0 || s.Mismatches != 0 || s.Errors != 0 {
		t.Errorf("%d datagrams, %d mismatches, %d errors", s.Requests, s.Mismatches, s.Errors)
	}
	if s, err := sampled(t, count(t, 1), "-mode", "flood", "-conns", "1", "-size", "1200"); err != nil ||
		s.Mismatches == 0 {
		t.Errorf("a wrong count: %v, %v", s, err)
	}
}

// stream is the sender of bulk, without GSO. It tells the number of each datagram that next gives.
func stream(t *testing.T, next func(sent uint64) uint64) (addr string) {
	c := listenUDP(t)
	go func() {
		b := make([]byte, 1200)
		_, to, err := c.ReadFromUDPAddrPort(b)
		for sent := uint64(0); err == nil; {
			sent = next(sent)
			binary.NativeEndian.PutUint64(b, sent)
			_, err = c.WriteToUDPAddrPort(b, to)
		}
	}()
	return c.LocalAddr().String()
}

func TestSink(t *testing.T) {
	s, err := sampled(t, stream(t, func(sent uint64) uint64 {
		return sent + 2
	}), "-mode", "sink", "-conns", "1", "-size", "1200")
	if err != nil {
		t.Fatal(err)
	}
	if s.Requests == 0 || s.Mismatches != 0 || s.Errors != 0 {
		t.Errorf("%d datagrams, %d mismatches, %d errors", s.Requests, s.Mismatches, s.Errors)
	}
	back := stream(t, func(sent uint64) uint64 {
		if sent == 50 {
			return 49
		}
		return sent + 1
	})
	if _, err := sampled(t, back, "-mode", "sink", "-conns", "1", "-size", "1200"); err == nil {
		t.Error("no error for numbers that go back")
	}
}
