package proxy

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"

	"ringo/sock"
)

// The bounds of a ClientHello: of the message with its head, in bytes, and of the records that it is split into.
// Browsers send 2 KiB.
const (
	helloMax   = 16 << 10
	recordsMax = 64
)

// The lengths and types of TLS that the parser needs: RFC 8446, sections 5.1, 4 and 4.2, and RFC 6066, section 3.
const (
	recordHead       = 5
	recordMax        = 1 << 14
	recordHandshake  = 22
	messageHead      = 4
	messageHello     = 1
	extensionName    = 0
	nameHost         = 0
	versionMajor     = 3
	randomAndVersion = 34
)

// routeOf returns the group of upstreams for a connection. If an upstream has a sni, it peeks at the server name in the
// ClientHello, and consumes nothing: the upstream gets the whole of it. -header bounds the wait.
func (r *relay) routeOf(c *sock.Conn) (*upstreams, error) {
	if us := r.to.only(); us != nil {
		return us, nil
	}
	c.SetReadDeadline(time.Now().Add(r.o.header))
	defer c.SetReadDeadline(time.Time{})
	var h hello
	for size := 1; ; {
		p, err := c.Peek(max(size, c.Buffered()))
		if err != nil {
			return nil, err
		}
		name, n, err := h.read(p)
		switch size = n; {
		case err != nil:
			return nil, err
		case size > 0:
			continue
		}
		us := r.to.ofName(name)
		switch {
		case us != nil:
			return us, nil
		case name == "":
			return nil, errors.New("no upstream is for a connection without a name of TLS")
		}
		return nil, fmt.Errorf("no upstream is for the name %q", name)
	}
}

var errHello = errors.New("it begins with TLS, but not with a ClientHello that names its server in one way")

// A hello parses a ClientHello as its bytes arrive. It looks at each record once, however small the pieces are.
type hello struct {
	at      int    // offset of the next record
	records int    // how many came before it
	message []byte // their contents, joined; nil: there is none yet
}

// read returns the server name in the ClientHello that p begins with, "" if it has none or if p is not TLS. p is
// everything that has arrived, so it begins with the bytes of the call before, and it is not empty. If p is too short,
// read returns as size how many bytes it needs in all to go on, else 0.
func (h *hello) read(p []byte) (name string, size int, err error) {
	for {
		head := p[h.at:]
		switch {
		case h.at == 0 && (head[0] != recordHandshake || len(head) > 1 && head[1] != versionMajor):
			return "", 0, nil
		case len(head) < recordHead:
			return "", h.at + recordHead, nil
		}
		length := &cursor{p: head[3:recordHead]}
		n := length.number(2)
		switch {
		case head[0] != recordHandshake, n == 0, n > recordMax, h.records == recordsMax:
			return "", 0, errHello
		case len(head) < recordHead+n:
			return "", h.at + recordHead + n, nil
		}
		part := head[recordHead : recordHead+n]
		h.at += recordHead + n
		h.records++
		if h.message != nil {
			part = append(h.message, part...)
		}
		body, size := messageOf(part)
		switch {
		case part[0] != messageHello, size > helloMax:
			return "", 0, errHello
		case body != nil:
			name, err = nameIn(body)
			return name, 0, err
		case h.message == nil:
			part = bytes.Clone(part) // for p is what was peeked
		}
		h.message = part
	}
}

// messageOf returns the body of the handshake message that p begins with, nil if p has less than all of it. size is the
// message's length with its head; of the head alone if p is shorter than that.
func messageOf(p []byte) (body []byte, size int) {
	if len(p) < messageHead {
		return nil, messageHead
	}
	head := &cursor{p: p[1:messageHead]}
	size = messageHead + head.number(3)
	if len(p) < size {
		return nil, size
	}
	return p[messageHead:size], size
}

// nameIn returns the server name in the body of a ClientHello, "" if it has none.
func nameIn(body []byte) (name string, err error) {
	c := &cursor{p: body}
	c.take(randomAndVersion)
	c.vector(1) // session
	c.vector(2) // cipher suites
	c.vector(1) // compression
	if !c.torn && len(c.p) == 0 {
		return "", nil // no extensions: allowed before TLS 1.3
	}
	extensions := c.vector(2)
	c.end()
	seen := false
	for len(extensions.p) > 0 {
		sort, data := extensions.number(2), extensions.vector(2)
		if sort != extensionName || extensions.torn {
			continue
		}
		if seen {
			return "", errHello
		}
		seen = true
		if name, err = data.serverName(); err != nil {
			return "", err
		}
	}
	if c.torn || extensions.torn {
		return "", errHello
	}
	return name, nil
}

// serverName parses the extension server_name. It returns "" if the list has only names of other types.
func (c *cursor) serverName() (name string, err error) {
	list := c.vector(2)
	c.end()
	c.torn = c.torn || len(list.p) == 0
	for len(list.p) > 0 {
		sort, of := list.number(1), list.vector(2)
		switch {
		case len(of.p) == 0, sort == nameHost && name != "":
			return "", errHello
		case sort == nameHost:
			name = string(of.p)
		}
	}
	if c.torn || list.torn || strings.HasSuffix(name, ".") {
		return "", errHello
	}
	return name, nil
}

// A cursor cuts pieces off the front of a TLS structure. Once one is missing, torn is set and all later pieces are
// empty.
type cursor struct {
	p    []byte
	torn bool
}

// take cuts off n bytes.
func (c *cursor) take(n int) []byte {
	if n > len(c.p) {
		c.p, c.torn = nil, true
	}
	if c.torn {
		return nil
	}
	p := c.p[:n]
	c.p = c.p[n:]
	return p
}

// number cuts off a big-endian number of so many bytes.
func (c *cursor) number(bytes int) (n int) {
	for _, b := range c.take(bytes) {
		n = n<<8 | int(b)
	}
	return n
}

// vector cuts off a vector: its length, in so many bytes, then its contents, which it returns.
func (c *cursor) vector(bytes int) *cursor {
	n := c.number(bytes)
	p := c.take(n)
	return &cursor{p, c.torn}
}

// end sets torn if anything is left.
func (c *cursor) end() { c.torn = c.torn || len(c.p) > 0 }
