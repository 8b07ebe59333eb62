//go:build linux && !portable

package memkernel

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo/internal/cmsg"
	"ringo/internal/driver"
	"ringo/internal/kernel"
	"ringo/internal/op"
	"ringo/internal/sim/world"
	"ringo/internal/sys"
)

// datagrams are two sockets of datagrams, the first of which is connected to the second.
type datagrams struct {
	from, to *either
	c, s     int32
	settle   func() // until what was sent has come
}

// open makes the sockets.
func (d *datagrams) open(family int, at netip.Addr) error {
	sa := new(sys.Sockaddr)
	sa.Set(netip.AddrPortFrom(at, 0))
	d.s, d.c = d.to.Socket(family, sys.SockDgram, 0), d.from.Socket(family, sys.SockDgram, 0)
	d.to.fds, d.from.fds = []int32{d.s}, []int32{d.c}
	if res := d.to.Bind(d.s, sa); res < 0 {
		return fmt.Errorf("bind to %v: %w", at, unix.Errno(-res))
	}
	d.to.Getsockname(d.s, sa)
	if res := d.from.op(op.Connect, d.c, func(o *op.Op) { o.Ext.Addr = *sa }); res < 0 {
		return fmt.Errorf("connect to %v: %w", at, unix.Errno(-res))
	}
	for _, fd := range []int32{d.s, d.c} {
		d.from.Setsockopt(fd, sys.SolSocket, sys.SoRcvbuf, 1<<20)
	}
	return nil
}

// step is a send, or an option, and what becomes of it.
func (d *datagrams) step(r *rand.Rand, family int) string {
	level, discover, mtu := cmsg.LevelIP, sys.IPMTUDiscover, sys.IPMTU
	if family == sys.AFInet6 {
		level, discover, mtu = sys.ProtoIPv6, sys.IPv6MTUDiscover, sys.IPv6MTU
	}
	sizes := []int{0, 1, 100, 1431, 1432, 1433, 1451, 1452, 1453, 1471, 1472, 1473, 1500, 3000, 20000, 65487, 65507,
		65508, 65527, 65528, 65535}
	segments := []int{0, 1, 100, 1000, 1432, 1452, 1453, 1472, 1473, 30000, 65535}
	size, segment, way := sizes[r.IntN(len(sizes))], segments[r.IntN(len(segments))], r.IntN(7)-1
	count := 0
	if segment > 0 {
		count = (size + segment - 1) / segment
	}
	if count > 64 && count <= 128 {
		segment = 0 // a newer kernel than those of the world sends as many
	}
	switch r.IntN(8) {
	case 0:
		return fmt.Sprintf("discover %d: %d", way, d.from.Setsockopt(d.c, level, discover, way))
	case 1:
		v, res := d.from.Getsockopt(d.c, level, mtu)
		return fmt.Sprintf("the MTU: %d %d", v, res)
	case 2:
		v := []int{-1, 0, 0, 0, 1000, 65535, 65536}[r.IntN(7)]
		if v == 1000 {
			v = 0 // it would apply to what is between 64 and 128 segments long as well
		}
		return fmt.Sprintf("segments of %d: %d", v, d.from.Setsockopt(d.c, cmsg.LevelUDP, cmsg.Segment, v))
	}
	n := d.from.op(op.Sendmsg, d.c, func(o *op.Op) {
		o.Ext.SetVector([][]byte{pattern(size)})
		if segment > 0 {
			o.Ext.Control = cmsg.AppendSegment(nil, uint16(segment))
		}
	})
	return fmt.Sprintf("send %d in segments of %d: %d, came %v", size, segment, n, d.came())
}

// came are the sizes of what has come.
func (d *datagrams) came() (sizes []int32) {
	d.settle()
	p := make([]byte, 1<<16)
	for {
		n := d.to.op(op.Recv, d.s, func(o *op.Op) { o.Buf = p })
		if n < 0 {
			return sizes
		}
		sizes = append(sizes, n)
	}
}

// Datagrams over a way with an MTU of 1500 are refused, cut and sent in fragments as on the system's kernel, whose
// loopback is given that MTU in a network namespace.
func TestDatagramsAsTheSystem(t *testing.T) {
	families := []int{sys.AFInet, sys.AFInet6}
	s, without := unix.Socket(sys.AFInet6, sys.SockDgram|sys.SockCloexec, 0)
	if without != nil {
		families = families[:1]
	} else {
		unix.Close(s)
	}
	if err := inNamespace(func() error {
		for _, family := range families {
			if err := compareDatagrams(t, family); err != nil {
				return err
			}
		}
		return nil
	}); errors.Is(err, unix.EPERM) {
		t.Skip("no network namespace can be made here:", err)
	} else if err != nil {
		t.Error(err)
	} else if without != nil {
		t.Skip("no IPv6 here, and all is well with IPv4:", without)
	}
}

func compareDatagrams(t *testing.T, family int) error {
	for seed := range uint64(*scripts) {
		w := world.New(seed)
		n := NewNetwork(w)
		n.Between = func(from, to *Host) Link { return Link{} }
		at, loopback := netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("127.0.0.1")
		if family == sys.AFInet6 {
			at, loopback = netip.MustParseAddr("fd00::2"), netip.IPv6Loopback()
		}
		one, two := n.Host("one", netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("fd00::1")), n.Host("two", at)
		memory := &datagrams{from: &either{Kernel: one, do: one.Attempt}, to: &either{Kernel: two, do: two.Attempt},
			settle: func() {
				for w.Step(w.Now() + int64(time.Second)) {
				}
			}}
		here := &either{Kernel: kernel.Host{}, do: driver.Call}
		system := &datagrams{from: here, to: &either{Kernel: kernel.Host{}, do: driver.Call}, settle: func() {}}
		if err := errors.Join(memory.open(family, at), system.open(family, loopback)); err != nil {
			return err
		}
		a, b := rand.New(rand.NewPCG(seed, 2)), rand.New(rand.NewPCG(seed, 2))
		var log []string
		for range 60 {
			x, y := system.step(a, family), memory.step(b, family)
			if log = append(log, x); x != y {
				t.Errorf("family %d, seed %d: after %q\nthe system says\n\t%s\nand the kernel in memory\n\t%s", family,
					seed, log[max(0, len(log)-10):len(log)-1], x, y)
				break
			}
		}
		for _, k := range []*either{system.from, system.to, memory.from, memory.to} {
			k.closeAll()
		}
	}
	return nil
}

// inNamespace calls fn on a thread with a network of its own: a loopback of MTU 1500.
func inNamespace(fn func() error) error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			err = setLoopback(1500)
		}
		if err == nil {
			err = fn()
		}
		result <- err
	}()
	return <-result
}

// setLoopback has it up, with an MTU.
func setLoopback(mtu uint32) error {
	fd, err := unix.Socket(sys.AFInet, sys.SockDgram|sys.SockCloexec, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	r, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	r.SetUint32(mtu)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFMTU, r); err != nil {
		return err
	}
	r.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, r)
}

// Descriptors that are sent on what is no Unix socket go nowhere, one by one or in a batch.
func TestRightsElsewhereAsTheSystem(t *testing.T) {
	system, memory := bothKernels(t)
	var said []string
	for _, k := range []*either{system, memory} {
		defer k.closeAll()
		text := ""
		for _, kind := range []int{sys.SockStream, sys.SockDgram} {
			c, s := k.pair(kind)
			k.fds = append(k.fds, c, s)
			for _, fd := range []int32{c, 1 << 20} {
				control := cmsg.AppendRights(nil, []int32{fd})
				text += fmt.Sprintf("%d ", k.op(op.Sendmsg, c, func(o *op.Op) {
					o.Ext.SetVector([][]byte{[]byte("x")})
					o.Ext.Control = control
				}))
			}
		}
		said = append(said, text)
	}
	if said[0] != said[1] {
		t.Errorf("the system says %s, the kernel in memory %s", said[0], said[1])
	}
}

// pair is two connected sockets of the loopback.
func (k *either) pair(kind int) (c, s int32) {
	if kind == sys.SockStream {
		n := len(k.fds)
		k.connect(sys.AFInet)
		c, s, k.fds = k.fds[n], k.fds[n+1], k.fds[:n]
		return c, s
	}
	sa := new(sys.Sockaddr)
	sa.Set(netip.MustParseAddrPort("127.0.0.1:0"))
	s, c = k.Socket(sys.AFInet, kind, 0), k.Socket(sys.AFInet, kind, 0)
	k.Bind(s, sa)
	k.Getsockname(s, sa)
	k.op(op.Connect, c, func(o *op.Op) { o.Ext.Addr = *sa })
	return c, s
}
