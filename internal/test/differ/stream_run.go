package differ

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"sync"

	"ringo/internal/test/socktest"
)

// place is the distance between the places where the patterns of two streams begin.
const place = 3_000_017

// content returns the bytes of segments.
func content(segs []segment) []byte {
	p := make([]byte, total(segs))
	rest := p
	for _, s := range segs {
		socktest.Pattern(rest[:s.N], s.Stream*place+s.At)
		rest = rest[s.N:]
	}
	return p
}

// wrong describes how p differs from the bytes of segments, or returns "".
func wrong(p []byte, segs []segment) string {
	if n := total(segs); len(p) != n {
		return fmt.Sprintf("%d bytes, not %d", len(p), n)
	}
	for _, s := range segs {
		if bad := socktest.Mismatch(p[:s.N], s.Stream*place+s.At); bad >= 0 {
			return fmt.Sprintf("stream %d: wrong byte at %d", s.Stream, bad-s.Stream*place)
		}
		p = p[s.N:]
	}
	return ""
}

// sawBytes describes the result of a read.
func sawBytes(p []byte, err error, segs []segment) string {
	if bad := wrong(p, segs); bad != "" {
		return class(err) + ", " + bad
	}
	return fmt.Sprintf("%s, %d bytes", class(err), len(p))
}

func valued(v int, err error) string { return fmt.Sprintf("%d, %s", v, class(err)) }

var listen = &verb{"s%[1]d = Listen(loop %[3]d, %[5]q)", func(x *actor, s *Step) string {
	ln, err := x.Listen(s.N, s.Name, x.address(s.O, s.Name))
	return put(x, s.O, ln, err)
}}

func (x *exec) address(id int, network string) string {
	if network == "tcp" || network == "udp" {
		return "127.0.0.1:0"
	}
	return filepath.Join(x.Dir, fmt.Sprint("s", id))
}

var dial = &verb{"c%[1]d = Dial(loop %[3]d, s%[2]d, %[5]q)", func(x *actor, s *Step) string {
	ln, ok := x.objs[s.P].(Listener) // whatever holds it: every actor may ask for its address
	if !ok {
		panic(noObject(s.P))
	}
	c, err := x.Dial(context.Background(), s.N, s.Name, ln.Addr().String())
	return put(x, s.O, c, err)
}}

var accept = &verb{"c%[1]d = s%[2]d.Accept() // way %[6]d", func(x *actor, s *Step) string {
	c, err := get[Listener](x, s.P).Accept(s.How == 0)
	return put(x, s.O, c, err)
}}

// The first bigWays of them suit any size.
var writeWays = []string{
	"Write", "WriteV", "ReadFrom", "Write, Flush, Write", "TryWrite, Write", "SendFile", "in pieces",
}

const bigWays = 4

var write = &verb{"c%[1]d.Write(%[7]d) // %[5]s", func(x *actor, s *Step) string {
	n, err := x.write(get[Conn](x, s.O), content(s.Segs), s.How)
	return valued(n, err)
}}

func (x *actor) write(c Conn, p []byte, how int) (int, error) {
	switch how {
	case 1:
		k, m := len(p)/3, len(p)/2
		return c.WriteV([][]byte{p[:k], nil, p[k:m], p[m:]})
	case 2:
		n, err := c.CopyFrom(plainReader{bytes.NewReader(p)})
		return int(n), err
	case 3:
		n, err := c.Write(p[:len(p)/2])
		if err = errors.Join(err, c.Flush()); err != nil {
			return n, err
		}
		m, err := c.Write(p[n:])
		return n + m, err
	case 4:
		n, err := c.TryWrite(p)
		if err == nil && n < len(p) {
			var m int
			m, err = c.Write(p[n:])
			n += m
		}
		return n, err
	case 5:
		return x.sendFile(c, p)
	case 6:
		sum := 0
		for len(p) > 0 {
			k := min(len(p), 1+len(p)/3)
			n, err := c.Write(p[:k])
			if sum += n; err != nil {
				return sum, err
			}
			p = p[k:]
		}
		return sum, nil
	}
	return c.Write(p)
}

// plainReader hides all other methods of a reader.
type plainReader struct{ io.Reader }

// file makes a file to be sent.
func (x *actor) file(p []byte) (f File, err error) {
	x.Aside(func() {
		if f, err = x.Files().OpenFile(filepath.Join(x.Dir, fmt.Sprint("send", x.i)), sendFlags, 0o600); err == nil {
			_, err = f.WriteAt(p, 0)
		}
	})
	return f, err
}

// sendFile sends the first half of p as the head, and the rest from a file.
func (x *actor) sendFile(c Conn, p []byte) (n int, err error) {
	f, err := x.file(p)
	if err != nil {
		return 0, err
	}
	defer x.Aside(func() { f.Close() })
	head := p[:len(p)/2]
	n, err = sendAll(c, head, f, len(head), len(p)-len(head))
	return len(head) + n, errors.Join(err, flushHeld(c))
}

// sendAll sends a head and n bytes of a file.
func sendAll(c Conn, head []byte, f File, off, n int) (sum int, err error) {
	for first := true; err == nil && (first || sum < n); first = false {
		var k int
		k, err = c.SendFile(head, f, int64(off+sum), int64(n-sum))
		sum, head = sum+k, nil
	}
	return sum, err
}

// Ways to read.
const (
	wholeWay = iota
	pieceWay
	discardWay
	peekedWay
	vectorWay
	peekWay
	nextWay
	recordWay
	readWays = recordWay
)

var readNames = [...]string{"ReadFull", "in pieces", "Discard", "Peek, Discard", "ReadV", "Peek", "Next", "a record"}

var peek = &verb{"c%[1]d.Peek(%[7]d)", func(x *actor, s *Step) string {
	p, err := get[Conn](x, s.O).Peek(total(s.Segs))
	return sawBytes(p, err, s.Segs)
}}

var read = &verb{"c%[1]d.Read(%[7]d) // %[5]s, %[3]d", func(x *actor, s *Step) string { return x.read(s) }}

// readInTime reads what comes before a deadline, on a loop that stands still until both are over.
var readInTime = &verb{"c%[1]d.Read(%[7]d) // %[5]s; c%[2]d has written before the deadline, and the loop is late",
	func(x *actor, s *Step) (seen string) {
		c, peer := get[Conn](x, s.O), get[Conn](x, s.P)
		err := x.Late(c, peer, content(s.Segs), func() { seen = x.read(s) })
		return class(err) + "; " + seen
	}}

func (x *actor) read(s *Step) string {
	c, n := get[Conn](x, s.O), total(s.Segs)
	switch s.How {
	case discardWay:
		return valued(c.Discard(n))
	case peekedWay:
		p, err := c.Peek(n)
		seen := sawBytes(p, err, s.Segs)
		k, err := c.Discard(n)
		return seen + "; " + valued(k, err)
	}
	p, err := readN(c, n, s.How, s.N)
	return sawBytes(p, err, s.Segs)
}

// readN reads n bytes.
func readN(c Conn, n, how, piece int) (p []byte, err error) {
	switch how {
	case pieceWay:
		q, read := make([]byte, piece), c.Read
		if e, held := c.(*eventConn); held {
			read = e.ReadFull
		}
		for len(p) < n && err == nil {
			var k int
			k, err = read(q[:min(piece, n-len(p))])
			p = append(p, q[:k]...)
		}
		return p, err
	case vectorWay:
		p = make([]byte, n)
		at := 0
		for at < n && err == nil {
			var k int
			half := (n - at) / 2
			k, err = c.ReadV([][]byte{p[at : at+half], nil, p[at+half:]})
			at += k
		}
		return p[:at], err
	case nextWay:
		for len(p) < n && err == nil {
			var b Lease
			if b, err = c.Next(); err == nil {
				p = append(p, b.Bytes()...)
				b.Release()
			}
		}
		return p, err
	case recordWay:
		room := records.Get().(*[64 << 10]byte)
		n, err = c.Read(room[:])
		p = bytes.Clone(room[:n])
		clear(room[:n])
		records.Put(room)
		return p, err
	}
	p = make([]byte, n)
	n, err = io.ReadFull(c, p)
	return p[:n], err
}

// records are buffers for a record, with nothing in them. Most records are small, and a new buffer for each costs as
// much as the rest of a program.
var records = sync.Pool{New: func() any { return new([64 << 10]byte) }}

var optionNames = []string{"SetBatching", "SetIdle", "SetNoDelay", "Flush", "SetReadBuffer", "LocalAddr"}

var option = &verb{"c%[1]d.%[5]s(%[3]d)", func(x *actor, s *Step) string {
	c, on := get[Conn](x, s.O), s.N == 1
	switch s.How {
	case 0:
		return class(c.SetBatching(on))
	case 1:
		return class(c.SetIdle(on))
	case 2:
		if c.LocalAddr().Network() != "tcp" {
			return "not TCP"
		}
		return class(c.SetNoDelay(on))
	case 3:
		return class(c.Flush())
	case 4:
		return class(c.SetReadBuffer(64<<10 + s.N*100_000))
	}
	_, tcp := c.RemoteAddr().(*net.TCPAddr)
	return fmt.Sprint(c.LocalAddr().Network(), tcp)
}}

var refusedNames = []string{"tcp, nobody listens", "unix, no such name", "udp name", "done context"}

var refused = &verb{"Dial(loop %[3]d) // %[5]s", func(x *actor, s *Step) string {
	ctx, network, address := context.Background(), "tcp", x.Nobody
	switch s.How {
	case 1:
		network, address = "unix", filepath.Join(x.Dir, "nobody")
	case 2:
		address = "127.0.0.1:99999"
		_, err := x.Dial(ctx, s.N, network, address)
		return fmt.Sprint(err != nil)
	case 3:
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		cancel()
	}
	_, err := x.Dial(ctx, s.N, network, address)
	return class(err)
}}
