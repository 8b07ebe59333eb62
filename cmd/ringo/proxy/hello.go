package proxy

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"

	"ringo/sock"
)

// The bounds of a ClientHello: of the message, which browsers make 2 KiB long, and of the records that it is in.
const (
	helloMax   = 16 << 10
	recordsMax = 64
)

// Of TLS: RFC 8446, sections 5.1, 4 and 4.2, and RFC 6066, section 3.
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

// routeOf is the group of a connection: with a sni it looks at the name that its TLS begins with, and takes no byte.
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

// A hello reads a ClientHello as it comes. It takes no step twice, however small the pieces are.
type hello struct {
	at      int    // the next record, in what has come
	records int    // before it
	message []byte // what was in them; nil: nothing
}

// read gives the name in a ClientHello, of which p has come, and what came before; "": it has none, or this is no TLS.
// If there must be more for it, size says how much in all.
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

// messageOf is what of a message is behind its head, and how long it is with that; nil: there must be more.
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

// nameIn is the name in the body of a ClientHello.
func nameIn(body []byte) (name string, err error) {
	c := &cursor{p: body}
	c.take(randomAndVersion)
	c.vector(1) // session
	c.vector(2) // cipher suites
	c.vector(1) // compression
	if !c.torn && len(c.p) == 0 {
		return "", nil // as before TLS 1.2
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

// serverName reads the extension; "": it has names of other sorts alone.
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

// A cursor reads what TLS is made of. From the first thing that is not there it gives nothing.
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

// number cuts off one of so many bytes.
func (c *cursor) number(bytes int) (n int) {
	for _, b := range c.take(bytes) {
		n = n<<8 | int(b)
	}
	return n
}

// vector cuts off what has its length, of so many bytes, in front.
func (c *cursor) vector(bytes int) *cursor {
	n := c.number(bytes)
	p := c.take(n)
	return &cursor{p, c.torn}
}

// end wants nothing more.
func (c *cursor) end() { c.torn = c.torn || len(c.p) > 0 }
