package memkernel

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"ringo/internal/fd"
	"ringo/internal/op"
	"ringo/internal/sim/world"
	"ringo/internal/sys"
)

// two is two hosts, and what lies between them.
type two struct {
	t    *testing.T
	w    *world.World
	net  *Network
	a, b *Host
	link Link
}

var addrA, addrB = netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")

func newTwo(t *testing.T, seed uint64, link Link) *two {
	w := world.New(seed)
	x := &two{t: t, w: w, net: NewNetwork(w), link: link}
	x.a, x.b = x.net.Host("a", addrA), x.net.Host("b", addrB)
	x.net.Between = func(from, to *Host) Link { return x.link }
	return x
}

func (x *two) do(h *Host, code op.Code, number int32, fill func(o *op.Op)) int32 {
	o := &op.Op{Code: code, Off: -1, Ext: &op.Ext{}, FD: new(fd.FD)}
	o.FD.Init(number)
	if fill != nil {
		fill(o)
	}
	return h.Attempt(o)
}

func (x *two) listen(h *Host, at string, backlog int) int32 {
	x.t.Helper()
	l := h.Socket(sys.AFInet, sys.SockStream, 0)
	sa := new(sys.Sockaddr)
	sa.Set(netip.MustParseAddrPort(at))
	if res := h.Bind(l, sa); res != 0 {
		x.t.Fatalf("Bind to %s = %d", at, res)
	}
	if res := h.Listen(l, backlog); res != 0 {
		x.t.Fatalf("Listen = %d", res)
	}
	return l
}

// dial is a connect under way.
type dial struct {
	x    *two
	h    *Host
	fd   int32
	done uint32
	to   string
}

func (x *two) dial(h *Host, to string) *dial {
	return &dial{x: x, h: h, fd: h.Socket(sys.AFInet, sys.SockStream, 0), to: to}
}

func (d *dial) try() int32 {
	return d.x.do(d.h, op.Connect, d.fd, func(o *op.Op) {
		o.Ext.Addr.Set(netip.MustParseAddrPort(d.to))
		o.Done, d.done = d.done, 1
	})
}

// until has the world go on until a call need not wait.
func (x *two) until(what string, call func() int32) int32 {
	x.t.Helper()
	for {
		if res := call(); res != -sys.EAGAIN {
			return res
		}
		if !x.w.Step(1 << 62) {
			x.t.Fatalf("%s waits, and nothing will ever happen", what)
		}
	}
}

func (x *two) pair() (a, b int32) {
	x.t.Helper()
	l := x.listen(x.b, "10.0.0.2:7000", 8)
	d := x.dial(x.a, "10.0.0.2:7000")
	if res := x.until("a connect", d.try); res != 0 {
		x.t.Fatalf("connect = %d", res)
	}
	b = x.until("an accept", func() int32 { return x.do(x.b, op.Accept, l, nil) })
	if b < 0 {
		x.t.Fatalf("accept = %d", b)
	}
	x.b.Close(l)
	return d.fd, b
}

// settle has all happen that is to come within d.
func (x *two) settle(d time.Duration) {
	end := x.w.Now() + int64(d)
	for x.w.Step(end) {
	}
	x.w.MoveTo(end)
}

// transfer sends bytes from a to b and returns what came, and when.
func (x *two) transfer(a, b int32, data []byte) (got []byte, took time.Duration) {
	x.t.Helper()
	begun := x.w.Now()
	sent, p := 0, make([]byte, 10_000)
	for len(got) < len(data) {
		n, m := int32(0), int32(0)
		if sent < len(data) {
			if n = x.a.Send(a, data[sent:]); n > 0 {
				sent += int(n)
			}
		}
		if m = x.b.Receive(b, p); m > 0 {
			got = append(got, p[:m]...)
		}
		switch {
		case n > 0 || m > 0:
		case n < 0 && n != -sys.EAGAIN || m <= 0 && m != -sys.EAGAIN:
			x.t.Fatalf("after %d sent and %d received: send = %d, receive = %d", sent, len(got), n, m)
		case !x.w.Step(1 << 62):
			x.t.Fatalf("%d sent, %d received, and nothing will ever happen", sent, len(got))
		}
	}
	return got, time.Duration(x.w.Now() - begun)
}

func random(n int) []byte {
	r := rand.New(rand.NewPCG(3, 4))
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(r.Uint32())
	}
	return p
}

// A stream brings all bytes, in order, over any network on which something passes, and takes as long as that takes.
func TestStreamOverNetworks(t *testing.T) {
	data := random(1 << 20)
	for name, c := range map[string]struct {
		link  Link
		least time.Duration
	}{
		"near":  {Link{Latency: 50 * time.Microsecond}, 50 * time.Microsecond},
		"far":   {Link{Latency: 80 * time.Millisecond, Jitter: 40 * time.Millisecond}, 80 * time.Millisecond},
		"slow":  {Link{Latency: time.Millisecond, Bandwidth: 1 << 20}, time.Second},
		"lossy": {Link{Latency: time.Millisecond, Loss: 0.2}, retransmitFirst},
		"all of it": {Link{Latency: time.Millisecond, Jitter: time.Millisecond, Loss: 0.1, Bandwidth: 10 << 20},
			100 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(20) {
				x := newTwo(t, seed, c.link)
				a, b := x.pair()
				got, took := x.transfer(a, b, data)
				if !bytes.Equal(got, data) {
					t.Fatalf("seed %d: the bytes differ", seed)
				}
				if took < c.least {
					t.Errorf("seed %d: it took %v, and can't take less than %v", seed, took, c.least)
				}
			}
		})
	}
}

// A cut holds a stream up and loses nothing of it, unless it lasts too long; then both ends are told, each when it has
// something to say.
func TestCut(t *testing.T) {
	data := random(1 << 18)
	x := newTwo(t, 1, Link{Latency: time.Millisecond})
	a, b := x.pair()
	x.link.Cut = true
	x.w.After(5*time.Minute, func() { x.link.Cut = false })
	got, took := x.transfer(a, b, data)
	if !bytes.Equal(got, data) || took < 5*time.Minute || took > 8*time.Minute {
		t.Errorf("over a cut of 5 minutes: equal %v, in %v", bytes.Equal(got, data), took)
	}

	x.link.Cut = true
	if n := x.a.Send(a, data[:10]); n != 10 {
		t.Fatalf("a send into the dark = %d", n)
	}
	begun := x.w.Now()
	res := x.until("a receive", func() int32 { return x.a.Receive(a, make([]byte, 10)) })
	took = time.Duration(x.w.Now() - begun)
	if res != -sys.ETIMEDOUT || took < giveUp || took > giveUp+2*retransmitLast {
		t.Errorf("a peer in the dark: %d after %v", res, took)
	}
	if res := x.a.Send(a, data[:10]); res != -sys.EPIPE {
		t.Errorf("a send after that = %d", res)
	}
	if res := x.b.Receive(b, make([]byte, 10)); res != -sys.EAGAIN {
		t.Errorf("the end that has nothing to say = %d, and knows of nothing", res)
	}
}

// How connects end: at once, after a while, and not for a full backlog.
func TestConnects(t *testing.T) {
	x := newTwo(t, 1, Link{Latency: 10 * time.Millisecond})
	begun := x.w.Now()
	if res := x.until("a connect", x.dial(x.a, "10.0.0.2:7001").try); res != -sys.ECONNREFUSED {
		t.Errorf("to nobody: %d", res)
	}
	if took := time.Duration(x.w.Now() - begun); took != 20*time.Millisecond {
		t.Errorf("to nobody: after %v", took)
	}
	if res := x.dial(x.a, "10.9.9.9:7001").try(); res != -int32(sys.ENETUNREACH) {
		t.Errorf("to nowhere: %d", res)
	}
	x.link.Cut = true
	begun = x.w.Now()
	if res := x.until("a connect", x.dial(x.a, "10.0.0.2:7001").try); res != -sys.ETIMEDOUT {
		t.Errorf("into the dark: %d", res)
	}
	if took := time.Duration(x.w.Now() - begun); took != 127*time.Second {
		t.Errorf("into the dark: after %v", took)
	}
	x.link.Cut = false

	l := x.listen(x.b, "10.0.0.2:7002", 2)
	var dials []*dial
	for range 5 {
		d := x.dial(x.a, "10.0.0.2:7002")
		d.try()
		dials = append(dials, d)
	}
	x.settle(100 * time.Millisecond)
	waiting := 0
	for _, d := range dials {
		if d.try() == -sys.EAGAIN {
			waiting++
		}
	}
	if waiting != 2 { // as many as the backlog and one more are in
		t.Errorf("%d of 5 wait for a backlog of 2", waiting)
	}
	for range 3 {
		if fd := x.do(x.b, op.Accept, l, nil); fd < 0 {
			t.Errorf("accept = %d", fd)
		}
	}
	for _, d := range dials {
		if res := x.until("a connect", d.try); res != 0 {
			t.Errorf("connect = %d", res)
		}
	}
}

// How connections end, as the other end sees it.
func TestEnds(t *testing.T) {
	link := Link{Latency: time.Millisecond}
	p := make([]byte, 100)
	t.Run("close", func(t *testing.T) {
		x := newTwo(t, 1, link)
		a, b := x.pair()
		x.a.Send(a, []byte("last words"))
		x.a.Close(a)
		if n := x.until("a receive", func() int32 { return x.b.Receive(b, p) }); n != 10 {
			t.Errorf("the last words = %d", n)
		}
		if n := x.until("a receive", func() int32 { return x.b.Receive(b, p) }); n != 0 {
			t.Errorf("the end = %d", n)
		}
		if n := x.b.Send(b, p); n != 100 {
			t.Errorf("a send to who is gone = %d", n)
		}
		x.settle(time.Second)
		if n := x.b.Send(b, p); n != -sys.EPIPE {
			t.Errorf("a send after the reset = %d", n)
		}
	})
	t.Run("unread", func(t *testing.T) {
		x := newTwo(t, 1, link)
		a, b := x.pair()
		x.b.Send(b, p)
		x.settle(time.Second)
		x.a.Close(a)
		if n := x.until("a receive", func() int32 { return x.b.Receive(b, p) }); n != -sys.ECONNRESET {
			t.Errorf("from who has left bytes unread = %d", n)
		}
	})
	t.Run("linger", func(t *testing.T) {
		x := newTwo(t, 1, link)
		a, b := x.pair()
		x.a.SetLinger(a, 0)
		x.a.Close(a)
		x.settle(time.Second)
		if ready := x.b.Ready(b); ready&(sys.PollErr|sys.PollHup) != sys.PollErr|sys.PollHup {
			t.Errorf("ready %#x", ready)
		}
		if n := x.b.Receive(b, p); n != -sys.ECONNRESET {
			t.Errorf("an abort = %d", n)
		}
	})
	t.Run("half", func(t *testing.T) {
		x := newTwo(t, 1, link)
		a, b := x.pair()
		x.a.Shutdown(a, sys.ShutWr)
		if n := x.until("a receive", func() int32 { return x.b.Receive(b, p) }); n != 0 {
			t.Errorf("the end of a half = %d", n)
		}
		x.b.Send(b, []byte("still"))
		if n := x.until("a receive", func() int32 { return x.a.Receive(a, p) }); n != 5 {
			t.Errorf("the other half = %d", n)
		}
		if n := x.a.Send(a, p); n != -sys.EPIPE {
			t.Errorf("a send on the half that has ended = %d", n)
		}
	})
}

// Who closes behind more than the peer has room for has all of it sent first.
func TestLastBytes(t *testing.T) {
	x := newTwo(t, 1, Link{Latency: time.Millisecond})
	a, b := x.pair()
	x.b.Setsockopt(b, sys.SolSocket, sys.SoRcvbuf, 4096)
	data := random(sendSpace)
	if n := x.a.Send(a, data); n != int32(len(data)) {
		t.Fatalf("send = %d", n)
	}
	x.a.Close(a)
	got, p := 0, make([]byte, 1000)
	for {
		n := x.until("a receive", func() int32 { return x.b.Receive(b, p) })
		if n <= 0 {
			if n != 0 || got != len(data) {
				t.Errorf("after %d bytes of %d: %d", got, len(data), n)
			}
			return
		}
		got += int(n)
	}
}

// What a duplicate stands for is closed with the last of its numbers.
func TestDuplicates(t *testing.T) {
	x := newTwo(t, 1, Link{})
	a, b := x.pair()
	dup := x.a.Dup(a)
	x.a.Close(a)
	x.settle(time.Second)
	if n := x.b.Receive(b, make([]byte, 10)); n != -sys.EAGAIN {
		t.Errorf("with a duplicate that is open: %d", n)
	}
	x.a.Close(dup)
	x.settle(time.Second)
	if n := x.b.Receive(b, make([]byte, 10)); n != 0 {
		t.Errorf("with none: %d", n)
	}
}

// Datagrams get lost, come twice and overtake each other, in the measure that the network says.
func TestDatagramsOverNetworks(t *testing.T) {
	x := newTwo(t, 5, Link{Latency: time.Millisecond, Loss: 0.2, Duplicate: 0.1, Reorder: 0.1})
	to := new(sys.Sockaddr)
	to.Set(netip.MustParseAddrPort("10.0.0.2:5353"))
	u, v := x.a.Socket(sys.AFInet, sys.SockDgram, 0), x.b.Socket(sys.AFInet, sys.SockDgram, 0)
	if res := x.b.Bind(v, to); res != 0 {
		t.Fatal(res)
	}
	if res := x.a.Connect(u, to); res != 0 {
		t.Fatal(res)
	}
	const sent = 5000
	seen, late, last := map[string]int{}, 0, ""
	p := make([]byte, 64)
	for i := range sent {
		if n := x.a.Send(u, fmt.Appendf(nil, "%06d", i)); n != 6 {
			t.Fatalf("send = %d", n)
		}
		x.settle(100 * time.Microsecond)
		for n := x.b.Receive(v, p); n > 0; n = x.b.Receive(v, p) {
			if s := string(p[:n]); seen[s] == 0 && s < last {
				late++
			} else {
				last = max(last, s)
			}
			seen[string(p[:n])]++
		}
	}
	twice := 0
	for _, n := range seen {
		twice += n - 1
	}
	lost := sent - len(seen)
	for what, c := range map[string][3]int{
		"lost":  {lost, sent / 10, sent * 3 / 10},
		"twice": {twice, sent / 20, sent / 5},
		"late":  {late, sent / 50, sent / 5},
	} {
		if c[0] < c[1] || c[0] > c[2] {
			t.Errorf("%d %s, want %d to %d", c[0], what, c[1], c[2])
		}
	}
	x.b.Close(v)
	x.a.Send(u, p)
	x.settle(time.Second)
	x.link = Link{}
	for range 2 { // the first may be told of an earlier one
		x.a.Send(u, p)
		x.settle(0)
	}
	if n := x.a.Send(u, p); n != -sys.ECONNREFUSED {
		t.Errorf("the next send to nobody = %d", n)
	}
}

// A seed gives one history.
func TestOneSeedOneHistory(t *testing.T) {
	history := func(seed uint64) uint64 {
		h := fnv.New64a()
		x := newTwo(t, seed, Link{Latency: time.Millisecond, Jitter: 5 * time.Millisecond, Loss: 0.1,
			Bandwidth: 1 << 22})
		a, b := x.pair()
		sent, received, p := 0, 0, make([]byte, 1000)
		for received < 200_000 {
			if n := x.a.Send(a, make([]byte, 1+x.w.Rand().IntN(3000))); n > 0 {
				sent += int(n)
			}
			if n := x.b.Receive(b, p); n > 0 {
				received += int(n)
			}
			fmt.Fprintln(h, x.w.Now(), sent, received)
			x.w.Step(1 << 62)
		}
		return h.Sum64()
	}
	all := map[uint64]bool{}
	for seed := range uint64(10) {
		one := history(seed)
		if history(seed) != one {
			t.Fatalf("seed %d has two histories", seed)
		}
		all[one] = true
	}
	if len(all) != 10 {
		t.Errorf("10 seeds have %d histories", len(all))
	}
}

// A receive or send that is no op fails where one that is does.
func TestPlainCallsFail(t *testing.T) {
	h := NewNetwork(world.New(1)).Host("here")
	a, b, _ := h.Socketpair(sys.SockStream)
	var asked []op.Code
	h.Fail = func(o *op.Op) int32 {
		asked = append(asked, o.Code)
		if len(asked) > 2 {
			return -sys.EIO
		}
		return 0
	}
	p := make([]byte, 1)
	for _, want := range []int32{1, -sys.EIO} {
		if n := h.Send(a, p); n != want {
			t.Errorf("a send: %d, want %d", n, want)
		}
		if n := h.Receive(b, p); n != want {
			t.Errorf("a receive: %d, want %d", n, want)
		}
	}
	if want := []op.Code{op.Send, op.Recv, op.Send, op.Recv}; !slices.Equal(asked, want) {
		t.Errorf("asked of %v, want %v", asked, want)
	}
}
