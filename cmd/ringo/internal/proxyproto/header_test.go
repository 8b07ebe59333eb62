package proxyproto

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
)

const (
	signature = "\r\n\r\n\x00\r\nQUIT\n"
	allF      = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
	path      = "/run/a.sock"
)

// named is a name of a Unix socket, as it is sent.
func named(name string) string { return name + strings.Repeat("\x00", unixLen-len(name)) }

var (
	tcp6    = strings.Repeat("\x00", 15) + "\x01" + strings.Repeat("\xff", 16) + "\x04\x00\x00\x50"
	longest = named(strings.Repeat("a", unixLen)) + named("\x00b")
	tlv     = "\x04\x00\x03abc"
)

// TestParse has the examples of the protocol's paper, and one of each kind of version 2.
func TestParse(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{ // want: the addresses, or of an error what it says
		{"v1 the longest of TCP4", "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
			"255.255.255.255:65535 255.255.255.255:65535"},
		{"v1 the longest of TCP6", "PROXY TCP6 " + allF + " " + allF + " 65535 65535\r\n",
			"[" + allF + "]:65535 [" + allF + "]:65535"},
		{"v1 the shortest", "PROXY UNKNOWN\r\n", "<nil> <nil>"},
		{"v1 the longest", "PROXY UNKNOWN " + allF + " " + allF + " 65535 65535\r\n", "<nil> <nil>"},
		{"v1 of a request", "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n",
			"192.168.0.1:56324 192.168.0.11:443"},
		{"v1 TCP6", "PROXY TCP6 2001:db8::1 ::1 1024 80\r\n", "[2001:db8::1]:1024 [::1]:80"},
		{"v1 too long", "PROXY UNKNOWN " + strings.Repeat("x", v1Max), ErrTooLong.Error()},
		{"v1 by one too long", "PROXY UNKNOWN " + strings.Repeat("x", v1Max-15) + "\r\n", ErrTooLong.Error()},
		{"v1 LF alone", "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n", "CR LF"},
		{"v1 without ports", "PROXY TCP4 192.0.2.1 192.0.2.2\r\n", "TCP4 192.0.2.1 192.0.2.2"},
		{"v1 two blanks", "PROXY TCP4  192.0.2.1 192.0.2.2 1\r\n", "TCP4"},
		{"v1 another word", "PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n", "UDP4"},
		{"v1 of the other family", "PROXY TCP4 ::1 ::1 1 2\r\n", "no address of TCP4"},
		{"v1 of the other family", "PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n", "no address of TCP6"},
		{"v1 the other of it", "PROXY TCP4 192.0.2.1 ::1 1 2\r\n", "no address of TCP4"},
		{"v1 zone", "PROXY TCP6 fe80::1%eth0 fe80::2 1 2\r\n", "no address"},
		{"v1 leading zero", "PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n", `port "01"`},
		{"v1 port", "PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n", `port "65536"`},
		{"v1 no blank", "PROXYTCP4", "not a header"},
		{"neither", "GET / HTTP/1.1\r\n", "not a header"},

		{"v2 LOCAL", signature + "\x20\x00\x00\x00", "<nil> <nil>"},
		{"v2 LOCAL with addresses", signature + "\x20\x11\x00\x0c\xc0\x00\x02\x01\xc0\x00\x02\x02\x04\x00\x00\x50",
			"<nil> <nil>"},
		{"v2 unspecified", signature + "\x21\x00\x00\x06" + tlv, "<nil> <nil>"},
		{"v2 TCP4", signature + "\x21\x11\x00\x0c\xc0\x00\x02\x01\xc0\x00\x02\x02\x04\x00\x00\x50",
			"192.0.2.1:1024 192.0.2.2:80"},
		{"v2 TCP4 and a TLV", signature + "\x21\x11\x00\x12\xc0\x00\x02\x01\xc0\x00\x02\x02\x04\x00\x00\x50" + tlv,
			"192.0.2.1:1024 192.0.2.2:80"},
		{"v2 TCP6", signature + "\x21\x21\x00\x24" + tcp6, "[::1]:1024 [" + allF + "]:80"},
		{"v2 unix", signature + "\x21\x31\x00\xd8" + named(path) + named(""), path + " "},
		{"v2 unix, the longest and abstract", signature + "\x21\x31\x00\xd8" + longest,
			strings.Repeat("a", unixLen) + " @b"},
		{"v2 unix, a file that looks abstract", signature + "\x21\x31\x00\xd8" + named("@") + named(""), "./@ "},
		{"v2 as long as can be", signature + "\x21\x00\x04\x00" + strings.Repeat("x", 1024), "<nil> <nil>"},
		{"v2 too long", signature + "\x21\x00\x04\x01", ErrTooLong.Error()},
		{"v2 TCP4 too short", signature + "\x21\x11\x00\x0b" + strings.Repeat("x", 11), "11 bytes of addresses"},
		{"v2 TCP6 too short", signature + "\x21\x21\x00\x23" + strings.Repeat("x", 35), "35 bytes of addresses"},
		{"v2 unix too short", signature + "\x21\x31\x00\xd7" + strings.Repeat("x", 215), "215 bytes of addresses"},
		{"v2 datagrams", signature + "\x21\x12\x00\x0c" + strings.Repeat("x", 12), "family and kind 0x12"},
		{"v2 another version", signature + "\x11\x11\x00\x00", "version and command 0x11"},
		{"v2 another command", signature + "\x22\x11\x00\x00", "version and command 0x22"},
		{"v2 wrong signature", "\r\n\r\n\x00\r\nQUIT\r", "not a header"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, size, err := Parse([]byte(c.text + "and more"))
			if err != nil {
				ours := errors.Is(err, ErrInvalid) || errors.Is(err, ErrTooLong)
				if !ours || !strings.Contains(err.Error(), c.want) {
					t.Errorf("%v, want %s", err, c.want)
				}
				return
			}
			if got := fmt.Sprint(h.Source, " ", h.Dest); got != c.want || size != len(c.text) {
				t.Errorf("%s, of %d bytes; want %s, of %d", got, size, c.want, len(c.text))
			}
			checkPrefixes(t, []byte(c.text))
		})
	}
}

// checkPrefixes wants that the begin of a header is not taken for one, and asks for no more than there is.
func checkPrefixes(t *testing.T, whole []byte) {
	t.Helper()
	for n := range whole {
		if _, size, err := Parse(whole[:n:n]); err != nil || size <= n || size > len(whole) {
			t.Errorf("the first %d bytes of %d: want %d, %v", n, len(whole), size, err)
		}
	}
}

// TestAppend: what is said is what the other side reads.
func TestAppend(t *testing.T) {
	ip := func(text string) net.Addr {
		a, err := net.ResolveTCPAddr("tcp", text)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	unix := func(name string) net.Addr { return &net.UnixAddr{Name: name, Net: "unix"} }
	const nothing = "PROXY UNKNOWN\r\n"
	for _, c := range []struct {
		h      Header
		v1, v2 string
	}{
		{Header{ip("192.0.2.1:1024"), ip("192.0.2.2:80")}, "PROXY TCP4 192.0.2.1 192.0.2.2 1024 80\r\n",
			signature + "\x21\x11\x00\x0c\xc0\x00\x02\x01\xc0\x00\x02\x02\x04\x00\x00\x50"},
		{Header{ip("[::1]:1024"), ip("[" + allF + "]:80")}, "PROXY TCP6 ::1 " + allF + " 1024 80\r\n",
			signature + "\x21\x21\x00\x24" + tcp6},
		{Header{ip("192.0.2.1:1"), ip("[::1]:2")}, "PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n", ""},
		{Header{&net.TCPAddr{IP: net.ParseIP("fe80::1"), Zone: "lo", Port: 1}, ip("[::1]:2")},
			"PROXY TCP6 fe80::1 ::1 1 2\r\n", ""},
		{Header{unix("@"), unix(path)}, nothing, signature + "\x21\x31\x00\xd8" + named("") + named(path)},
		{Header{unix("@b"), unix(strings.Repeat("a", unixLen))}, nothing,
			signature + "\x21\x31\x00\xd8" + named("\x00b") + named(strings.Repeat("a", unixLen))},
		{Header{unix(strings.Repeat("a", unixLen+1)), unix(path)}, nothing, signature + "\x21\x00\x00\x00"},
		{Header{ip("192.0.2.1:1"), unix(path)}, nothing, signature + "\x21\x00\x00\x00"},
		{Header{}, nothing, signature + "\x20\x00\x00\x00"},
	} {
		if got := string(c.h.AppendV1([]byte("x"))); got != "x"+c.v1 {
			t.Errorf("%v: %q, want %q", c.h, got, c.v1)
		}
		if got := string(c.h.AppendV2([]byte("x"))); c.v2 != "" && got != "x"+c.v2 {
			t.Errorf("%v: %q, want %q", c.h, got, c.v2)
		}
	}
}

// FuzzParse: whatever comes, a header has its bounds, its beginning is none, and says the same when it is sent on.
func FuzzParse(f *testing.F) {
	f.Add([]byte("PROXY TCP4 192.0.2.1 192.0.2.2 1024 80\r\nGET"))
	f.Add([]byte("PROXY TCP6 2001:db8::1 ::ffff:192.0.2.1 1024 80\r\n"))
	f.Add([]byte("PROXY UNKNOWN anything\r\n"))
	f.Add([]byte(signature + "\x20\x00\x00\x00"))
	f.Add([]byte(signature + "\x21\x11\x00\x0c\xc0\x00\x02\x01\xc0\x00\x02\x02\x04\x00\x00\x50"))
	f.Add([]byte(signature + "\x21\x21\x00\x24" + tcp6))
	f.Add([]byte(signature + "\x21\x31\x00\xd8" + longest))
	f.Fuzz(func(t *testing.T, p []byte) {
		h, size, err := Parse(p)
		switch {
		case err != nil:
			if size != 0 || !errors.Is(err, ErrInvalid) && !errors.Is(err, ErrTooLong) {
				t.Fatalf("size %d, %v", size, err)
			}
			return
		case size > len(p):
			if size > V2Max || len(p) >= v1Max && bytes.HasPrefix(p, v1Signature) {
				t.Fatalf("%d bytes of %d are not enough", len(p), size)
			}
			return
		case size < len("PROXY UNKNOWN\r\n") || (h.Source == nil) != (h.Dest == nil):
			t.Fatalf("%d bytes say %v", size, h)
		}
		checkPrefixes(t, p[:size])
		if len(fmt.Sprint(h.Source)) > unixLen || len(fmt.Sprint(h.Dest)) > unixLen {
			return // by ./ before the name
		}
		again, _, err := Parse(h.AppendV2(nil))
		if err != nil || fmt.Sprint(again) != fmt.Sprint(h) {
			t.Fatalf("%v is passed on by version 2 as %v, %v", h, again, err)
		}
		if _, ok := h.Source.(*net.TCPAddr); !ok {
			h = Header{}
		}
		again, _, err = Parse(h.AppendV1(nil))
		if err != nil || fmt.Sprint(again) != fmt.Sprint(h) {
			t.Fatalf("%v is passed on by version 1 as %v, %v", h, again, err)
		}
	})
}
