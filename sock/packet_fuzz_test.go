package sock_test

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"ringo/sock"
)

// What may be sent is read back as it was.
func TestControlRoundTrip(t *testing.T) {
	for _, dst := range []string{"192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1"} {
		a := netip.MustParseAddr(dst)
		want := sock.Control{Local: a.Unmap(), Interface: 3, TOS: 0, HasTOS: true, TTL: 255}
		// IPv4 has other places for what is sent
		if got := sock.ParseControl(want.Append(nil, a)); got != want && a.Unmap().Is6() {
			t.Errorf("%v: %+v, want %+v", dst, got, want)
		} else if got.TTL != 255 || !got.HasTOS {
			t.Errorf("%v: %+v, want %+v", dst, got, want)
		}
	}
	if got := new(sock.Control).Append(nil, netip.Addr{}); got != nil {
		t.Errorf("nothing became %x", got)
	}
	if got := sock.ParseControl(nil); got != (sock.Control{}) {
		t.Errorf("nothing was read as %+v", got)
	}
}

// FuzzParseControl reads hostile control messages: no panic, nothing out of bounds,
// and what was read and can be sent is read again as it was.
func FuzzParseControl(f *testing.F) {
	f.Add([]byte{})
	for _, dst := range []string{"192.0.2.1", "2001:db8::1"} {
		a := netip.MustParseAddr(dst)
		c := sock.Control{Local: a, Interface: 1, TOS: 2, HasTOS: true, TTL: 64, Segment: 1200}
		f.Add(c.Append(nil, a))
	}
	f.Add(bytes.Repeat([]byte{0xff}, 64))
	f.Fuzz(func(t *testing.T, oob []byte) {
		c := sock.ParseControl(oob)
		if c.Segment < 0 {
			t.Fatalf("segments of %d bytes", c.Segment)
		}
		c.Segment, c.Time = 0, time.Time{}
		if !c.Local.Is6() { // IPv4 has other places for what is sent than for what came
			c.Local, c.Interface = netip.Addr{}, 0
		}
		again := sock.ParseControl(c.Append(nil, netip.IPv6Unspecified()))
		if c.Local == netip.IPv6Unspecified() || again.Local == netip.IPv6Unspecified() {
			c.Local, again.Local = netip.Addr{}, netip.Addr{}
		}
		if again != c {
			t.Fatalf("%+v became %+v", c, again)
		}
	})
}
