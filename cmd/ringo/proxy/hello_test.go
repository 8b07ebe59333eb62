package proxy

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

// taped is a connection from which some bytes come, then the end, and which keeps what is written.
type taped struct {
	net.Conn
	io.Reader
	wrote bytes.Buffer
}

func (c *taped) Read(p []byte) (int, error)  { return c.Reader.Read(p) }
func (c *taped) Write(p []byte) (int, error) { return c.wrote.Write(p) }
func (c *taped) Close() error                { return nil }
func (c *taped) SetDeadline(time.Time) error { return nil }

// helloOf is the ClientHello of package tls for a name.
func helloOf(name string) []byte {
	c := &taped{Reader: strings.NewReader("")}
	tls.Client(c, &tls.Config{ServerName: name, InsecureSkipVerify: true}).Handshake()
	return c.wrote.Bytes()
}

// inRecords has a message in records of so many bytes.
func inRecords(hello []byte, size int) (p []byte) {
	for part := range slices.Chunk(hello[recordHead:], size) {
		p = append(append(p, recordHandshake, 3, 1, byte(len(part)>>8), byte(len(part))), part...)
	}
	return p
}

// readHello has it come in pieces of so many bytes.
func readHello(p []byte, piece int) (name string, size int, err error) {
	var h hello
	for n := min(piece, len(p)); n > 0; n = min(n+piece, len(p)) {
		name, size, err = h.read(p[:n])
		if err != nil || size == 0 || n == len(p) {
			break
		}
	}
	return name, size, err
}

// oracle is the name that package tls reads; false: it reads no ClientHello.
func oracle(p []byte) (name string, ok bool) {
	tls.Server(&taped{Reader: bytes.NewReader(p)}, &tls.Config{
		GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
			name, ok = h.ServerName, true
			return nil, errors.New("that is all")
		}}).Handshake()
	return name, ok
}

// TestHello: the name is found whatever pieces and records it comes in, and what is no TLS has none.
func TestHello(t *testing.T) {
	for _, name := range []string{"shop.example", "", strings.Repeat("a.", 100) + "b"} {
		whole := helloOf(name)
		for _, size := range []int{len(whole), 1000, 50} {
			p := inRecords(whole, size)
			for _, piece := range []int{1, 3, len(p)} {
				if got, more, err := readHello(p, piece); got != name || more != 0 || err != nil {
					t.Errorf("%q in records of %d and pieces of %d is %q, %d more, %v", name, size, piece, got, more,
						err)
				}
			}
		}
	}
	for _, text := range []string{"GET / HTTP/1.1", "\x80\x2e\x01", "\x16\x02"} {
		if name, more, err := readHello([]byte(text), 1); name != "" || more != 0 || err != nil {
			t.Errorf("%q has the name %q, %d more, %v", text, name, more, err)
		}
	}
}

// helloWith makes a ClientHello of extensions.
func helloWith(extensions string) []byte {
	body := "\x03\x03" + strings.Repeat("r", 32) + "\x00" + "\x00\x02\x13\x01" + "\x01\x00" +
		string([]byte{byte(len(extensions) >> 8), byte(len(extensions))}) + extensions
	message := string([]byte{messageHello, 0, byte(len(body) >> 8), byte(len(body))}) + body
	return append([]byte{recordHandshake, 3, 1, byte(len(message) >> 8), byte(len(message))}, message...)
}

// TestHelloRefused: what servers may read in different ways is refused, and so is what is longer than may be.
func TestHelloRefused(t *testing.T) {
	const a, name = "\x00\x00\x01a", "\x00\x00\x00\x06\x00\x04" + "\x00\x00\x01a"
	if got, _, err := readHello(helloWith(name), 1); got != "a" || err != nil {
		t.Fatalf("the name is %q, %v", got, err)
	}
	many := helloOf("a.b")
	const filler = "\x00\x15\x3f\xf0" // an extension of 16,368 bytes
	for what, p := range map[string][]byte{
		"two extensions":     helloWith(name + name),
		"two names":          helloWith("\x00\x00\x00\x0a\x00\x08" + a + a),
		"no name":            helloWith("\x00\x00\x00\x02\x00\x00"),
		"an empty name":      helloWith("\x00\x00\x00\x05\x00\x03\x00\x00\x00"),
		"a dot":              helloWith("\x00\x00\x00\x07\x00\x05\x00\x00\x02a."),
		"more than the list": helloWith("\x00\x00\x00\x07\x00\x04" + a + "x"),
		"less than the list": helloWith("\x00\x00\x00\x06\x00\x05" + a),
		"a torn extension":   helloWith(name + "\x00\x0a\x00\x05x"),
		"an alert between":   append(inRecords(many, 60)[:65], 21, 3, 1, 0, 2, 1, 0),
		"an empty record":    {recordHandshake, 3, 1, 0, 0},
		"a long record":      {recordHandshake, 3, 1, 0x40, 1},
		"another message":    {recordHandshake, 3, 1, 0, 4, 2, 0, 0, 0},
		"a long message":     inRecords(helloWith(name+filler+strings.Repeat("\x00", 0x3ff0)), 1000),
		"too many records":   inRecords(many, 1),
	} {
		for _, piece := range []int{1, len(p)} {
			if got, more, err := readHello(p, piece); err == nil {
				t.Errorf("%s in pieces of %d is %q, %d more", what, piece, got, more)
			}
		}
	}
}

// TestHelloKept: what has come is not looked at again, since its memory is another's by then.
func TestHelloKept(t *testing.T) {
	p := inRecords(helloOf("shop.example"), 60)
	var h hello
	for n := 1; ; n++ {
		mine := bytes.Clone(p[:n])
		name, size, err := h.read(mine)
		clear(mine)
		if err != nil || size == 0 {
			if name != "shop.example" {
				t.Errorf("the name is %q, %v", name, err)
			}
			return
		}
	}
}

// FuzzHello: the name is the one that package tls reads, in whatever pieces it comes.
func FuzzHello(f *testing.F) {
	for _, name := range []string{"shop.example", "", "a"} {
		f.Add(helloOf(name), 7)
		f.Add(inRecords(helloOf(name), 100), 1)
	}
	f.Add(helloWith("\x00\x00\x00\x06\x00\x04\x00\x00\x01a"), 3)
	f.Add(helloWith("\x00\x00\x00\x0a\x00\x08\x00\x01\x01b\x00\x00\x01a"), 3)
	f.Add([]byte("GET / HTTP/1.1\r\n"), 5)
	f.Fuzz(func(t *testing.T, p []byte, piece int) {
		if len(p) == 0 {
			return
		}
		name, size, err := readHello(p, len(p))
		if piece = max(piece, 1); piece < len(p) {
			again, more, other := readHello(p, piece)
			if again != name || more != size || (err == nil) != (other == nil) {
				t.Fatalf("%q, %d, %v at once, and %q, %d, %v in pieces of %d", name, size, err, again, more, other,
					piece)
			}
		}
		if size > 0 && size <= len(p) || name != "" && (err != nil || size > 0) {
			t.Fatalf("%q, %d, %v of %d bytes", name, size, err, len(p))
		}
		want, ok := oracle(p)
		switch {
		case !ok || !isBounded(p): // package tls looks at more than the name, and has other bounds
		case err != nil || size != 0 || name != want:
			t.Errorf("%q, %d, %v; package tls reads %q", name, size, err, want)
		}
	})
}

// isBounded reports whether something begins as TLS does, and consists of records with handshakes alone, not too many.
func isBounded(p []byte) bool {
	if len(p) > helloMax || len(p) < 2 || p[0] != recordHandshake || p[1] != versionMajor {
		return false
	}
	records := 0
	for ; len(p) >= recordHead && p[0] == recordHandshake; records++ {
		n := recordHead + int(p[3])<<8 + int(p[4])
		p = p[min(n, len(p)):]
	}
	return records <= recordsMax && len(p) == 0
}
