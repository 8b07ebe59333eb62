package kerneltest

import (
	"net/netip"

	"ringo/internal/cmsg"
	"ringo/internal/op"
	"ringo/internal/posix"
	"ringo/internal/sys"
)

var cases = []testCase{
	{"names of sockets", socketNames},
	{"connections", connections},
	{"options", options},
	{"TCP_INFO", tcpInfo},
	{"options of bytes", optionsOfBytes},
	{"linger", linger},
	{"duplicates and their flags", duplicates},
	{"what can be polled", polled},
	{"close", closes},
	{"no descriptor", noDescriptor},
	{"pipes", pipes},
	{"pairs of sockets", pairs},

	{"open", opens},
	{"open beneath", opensBeneath},
	{"position", positions},
	{"status of a file", stats},
	{"mode", modes},
	{"owner", owners},
	{"times", times},
	{"length of a name's file", truncates},
	{"names come and go", unlinks},
	{"links", links},
	{"files of other sorts", nodes},
	{"entries", entries},
	{"attributes", attributes},
	{"locks", locks},
	{"copies", copies},
	{"clones", clones},
	{"type of the file system", types},
	{"writeback and advice", hints},
	{"what is in memory", resident},
}

func socketNames(b *bench) {
	l := b.given("Socket", b.k.Socket(sys.AFInet, sys.SockStream, 0))
	b.loopFlags("Socket", l)
	sa := new(sys.Sockaddr)
	sa.Set(netip.MustParseAddrPort("127.0.0.1:0"))
	b.want("Bind", b.k.Bind(l, sa), 0)
	b.want("Bind again", b.k.Bind(l, sa), -sys.EINVAL)
	b.want("Listen", b.k.Listen(l, 8), 0)
	b.want("Getsockname", b.k.Getsockname(l, sa), 0)
	at := sa.AddrPort()
	if at.Addr() != netip.MustParseAddr("127.0.0.1") || at.Port() == 0 {
		b.fail("the listener is at %v", at)
	}
	b.want("Getpeername of a listener", b.k.Getpeername(l, sa), -sys.ENOTCONN)

	c := b.given("Socket", b.k.Socket(sys.AFInet, sys.SockDgram, 0))
	sa.Set(at)
	b.want("Connect", b.k.Connect(c, sa), 0)
	*sa = sys.Sockaddr{}
	b.want("Getpeername", b.k.Getpeername(c, sa), 0)
	if sa.AddrPort() != at {
		b.fail("the peer is at %v, want %v", sa.AddrPort(), at)
	}
	raw := make([]byte, 17)
	b.want("SO_PEERNAME of more than there is", b.k.GetsockoptBytes(c, sys.SolSocket, sys.SoPeername, raw), -sys.EINVAL)
	b.want("SO_PEERNAME", b.k.GetsockoptBytes(c, sys.SolSocket, sys.SoPeername, raw[:16]), 16)
	if sa.SetBytes(raw[:16]); sa.AddrPort() != at {
		b.fail("SO_PEERNAME is %v, want %v", sa.AddrPort(), at)
	}
	sa.SetUnspec()
	b.want("Connect to nobody", b.k.Connect(c, sa), 0)
	b.want("SO_PEERNAME then", b.k.GetsockoptBytes(c, sys.SolSocket, sys.SoPeername, raw[:16]), -sys.ENOTCONN)
	b.want("Getpeername then", b.k.Getpeername(c, sa), -sys.ENOTCONN)
	b.want("Socket of no such family", b.k.Socket(9999, sys.SockStream, 0), -int32(sys.EAFNOSUPPORT))
}

// pair is the two ends of a connection.
func (b *bench) pair() (near, far int32) {
	return b.pairBy(b.given("Socket", b.k.Socket(sys.AFInet, sys.SockStream, 0)), func() {})
}

// pairBy is pair by a socket that becomes the listener. Before the accept it calls queued.
func (b *bench) pairBy(l int32, queued func()) (near, far int32) {
	sa := new(sys.Sockaddr)
	sa.Set(netip.MustParseAddrPort("127.0.0.1:0"))
	b.want("Bind", b.k.Bind(l, sa), 0)
	b.want("Listen", b.k.Listen(l, 8), 0)
	b.want("Getsockname", b.k.Getsockname(l, sa), 0)
	near = b.given("Socket", b.k.Socket(sys.AFInet, sys.SockStream, 0))
	done := uint32(0)
	b.want("the connection", b.until("a connect", func() (res int32) {
		return b.op(op.Connect, near, func(o *op.Op) { o.Ext.Addr, o.Done = *sa, done; done = 1 })
	}), 0)
	queued()
	far = b.until("an accept", func() int32 { return b.op(op.Accept, l, nil) })
	return near, b.given("the accept", far)
}

// connections: what has come can be looked at, and one direction ends without the other.
func connections(b *bench) {
	near, far := b.pair()
	p := make([]byte, 8)
	b.want("Peek of nothing", b.k.Peek(far, p), -sys.EAGAIN)
	b.write(near, "peeked")
	for range 2 {
		n := b.until("Peek", func() int32 { return b.k.Peek(far, p) })
		if n != 6 || string(p[:n]) != "peeked" {
			b.fail("Peek = %d, %q", n, p)
		}
	}
	b.want("Shutdown", b.k.Shutdown(near, sys.ShutWr), 0)
	b.want("a read", b.op(op.Read, far, func(o *op.Op) { o.Buf = p }), 6)
	b.want("Peek of the end", b.until("Peek", func() int32 { return b.k.Peek(far, p) }), 0)
	b.write(far, "back")
	b.want("a read the other way", b.until("a read", func() int32 {
		return b.op(op.Read, near, func(o *op.Op) { o.Buf = p })
	}), 4)
}

// tcpInfo: what is told of a connection follows it from its listener's queue to its end.
func tcpInfo(b *bench) {
	tell := func(fd int32) (f sys.TCPFields, res int32) {
		res = b.k.GetsockoptBytes(fd, sys.ProtoTCP, sys.TCPInfo, f.Bytes())
		return f, res
	}
	wait := func(fd int32, state uint8, what string, ok func(f sys.TCPFields) bool) {
		var f sys.TCPFields
		b.until(what, func() int32 {
			if f, _ = tell(fd); f.State == state && ok(f) {
				return 0
			}
			return -sys.EAGAIN
		})
		if b.failed != "" {
			b.fail("%s: %+v", what, f)
		}
	}
	any := func(sys.TCPFields) bool { return true }
	empty := func(f sys.TCPFields) bool { return f.Unacked == 0 && f.NotSent == 0 }

	l := b.given("Socket", b.k.Socket(sys.AFInet, sys.SockStream, 0))
	switch _, res := tell(l); {
	case posix.Bare(res) == -int32(sys.ENOPROTOOPT), res == 4: // an int, by qemu's user mode
		b.skip("nothing is told of a connection here")
		return
	default:
		wait(l, 7, "a fresh socket", empty)
	}
	near, far := b.pairBy(l, func() {
		wait(l, 10, "a listener with a connection in its queue", func(f sys.TCPFields) bool {
			return f.Unacked == 1 && f.Sacked == 8
		})
	})
	wait(l, 10, "a listener whose queue is empty", func(f sys.TCPFields) bool { return f.Unacked == 0 })
	wait(far, 1, "who was accepted", empty)
	b.write(near, "hello")
	wait(near, 1, "all is acknowledged", func(f sys.TCPFields) bool { // on Linux a SYN, too
		return empty(f) && f.BytesSent == 5 && (f.BytesAcked == 5 || f.BytesAcked == 6)
	})
	wait(far, 1, "all has come", func(f sys.TCPFields) bool { return f.BytesReceived == 5 })

	p := make([]byte, 1<<16)
	for n := int32(1); n > 0; {
		n = b.op(op.Write, near, func(o *op.Op) { o.Buf = p })
	}
	wait(near, 1, "more than fits is written", func(f sys.TCPFields) bool { return f.NotSent > 0 })
	b.want("Shutdown", b.k.Shutdown(near, sys.ShutWr), 0)
	wait(near, 4, "an end behind it", func(f sys.TCPFields) bool { return f.NotSent > 0 })
	for n := int32(1); n > 0; {
		n = b.until("a read", func() int32 { return b.op(op.Read, far, func(o *op.Op) { o.Buf = p }) })
	}
	wait(near, 5, "the end has come", empty)
	wait(far, 8, "who has come to it", any)
	b.want("Shutdown", b.k.Shutdown(far, sys.ShutWr), 0)
	wait(far, 7, "who closed last", empty)
	wait(near, 7, "who closed first", empty)
}

func options(b *bench) {
	s := b.given("Socket", b.k.Socket(sys.AFInet, sys.SockStream, 0))
	for _, want := range []int{1, 0} {
		b.want("Setsockopt", b.k.Setsockopt(s, sys.SolSocket, sys.SoKeepalive, want), 0)
		got, res := b.k.Getsockopt(s, sys.SolSocket, sys.SoKeepalive)
		if b.want("Getsockopt", res, 0); got != int32(want) {
			b.fail("SO_KEEPALIVE is %d after it was set to %d", got, want)
		}
	}
	if kind, res := b.k.Getsockopt(s, sys.SolSocket, sys.SoType); res != 0 || kind != sys.SockStream {
		b.fail("SO_TYPE is %d, %d", kind, res)
	}
	res := b.k.Setsockopt(s, sys.SolSocket, 12345, 1)
	b.want("Setsockopt of no such option", posix.Bare(res), -int32(sys.ENOPROTOOPT))
	_, res = b.k.Getsockopt(s, sys.SolSocket, 12345)
	b.want("Getsockopt of no such option", posix.Bare(res), -int32(sys.ENOPROTOOPT))
}

func optionsOfBytes(b *bench) {
	u := b.given("Socket", b.k.Socket(sys.AFInet, sys.SockDgram, 0))
	join := []byte{224, 0, 0, 251, 127, 0, 0, 1}
	b.want("joining a group", b.k.SetsockoptBytes(u, cmsg.LevelIP, sys.IPAddMembership, join), 0)
	b.want("joining again", b.k.SetsockoptBytes(u, cmsg.LevelIP, sys.IPAddMembership, join), -sys.EADDRINUSE)
	p := make([]byte, 64)
	b.want("GetsockoptBytes", b.k.GetsockoptBytes(u, sys.SolSocket, sys.SoType, p), 4)
	if p[0]|p[3] != sys.SockDgram {
		b.fail("SO_TYPE is % x", p[:4])
	}
	b.want("GetsockoptBytes into less", b.k.GetsockoptBytes(u, sys.SolSocket, sys.SoType, p[:2]), 2)
	res := b.k.SetsockoptFilter(u, sys.SolSocket, 9999, []sys.Filter{{Code: 6, K: 1 << 16}})
	b.want("SetsockoptFilter of no option", posix.Bare(res), -int32(sys.ENOPROTOOPT))
}

func linger(b *bench) {
	s := b.given("Socket", b.k.Socket(sys.AFInet, sys.SockStream, 0))
	for _, seconds := range []int{7, -1} {
		b.want("SetLinger", b.k.SetLinger(s, seconds), 0)
		raw := make([]byte, 8)
		b.want("GetsockoptBytes", b.k.GetsockoptBytes(s, sys.SolSocket, sys.SoLinger, raw), 8)
		on, lasts := raw[0]|raw[3] != 0, int(raw[4]|raw[7])
		if on != (seconds >= 0) || on && lasts != seconds {
			b.fail("SO_LINGER is % x after SetLinger(%d)", raw, seconds)
		}
	}
}

// A duplicate is another number of the same open file: what is set is set for both.
func duplicates(b *bench) {
	near, far := b.pair()
	dup := b.given("Dup", b.k.Dup(near))
	if dup == near || b.Inherited(dup) {
		b.fail("Dup of %d = %d, which programs that are started get: %v", near, dup, b.Inherited(dup))
	}
	for _, want := range []int32{0, sys.ONonblock} {
		b.want("Setfl", b.k.Setfl(near, want), 0)
		if got := b.k.Getfl(dup); got < 0 || got&sys.ONonblock != want {
			b.fail("Getfl of the duplicate = %#x after %#x was set", got, want)
		}
	}
	b.write(dup, "by the duplicate")
	if n := b.until("Peek", func() int32 { return b.k.Peek(far, make([]byte, 64)) }); n != 16 {
		b.fail("%d bytes came, want 16", n)
	}
	_, name := b.file("x")
	how := sys.OpenHow{} // without O_CLOEXEC
	plain := b.given("Openat2", b.k.Openat2(sys.AtFdcwd, nulled(name), &how))
	if !b.Inherited(plain) {
		b.fail("programs don't get a descriptor that was opened without O_CLOEXEC")
	}
}

// Streams and pipes have readiness, files have none.
func polled(b *bench) {
	near, _ := b.pair()
	r, w, res := b.k.Pipe(0)
	b.want("Pipe", res, 0)
	b.given("Pipe", r)
	b.given("Pipe", w)
	file, _ := b.file("x")
	for fd, want := range map[int32]int32{near: 1, r: 1, w: 1, file: 0} {
		b.want("Polls", b.k.Polls(fd), want)
	}
}

func closes(b *bench) {
	for what, close := range map[string]func(fd int32) int32{"Close": b.k.Close, "CloseLingering": b.k.CloseLingering} {
		fd, _ := b.file("x")
		b.want(what, close(fd), 0)
		if res := b.k.Getfl(fd); res != -sys.EBADF {
			b.fail("Getfl after %s = %d, want EBADF", what, res)
		}
		b.closed(fd)
		b.want(what+" again", close(fd), -sys.EBADF)
	}
	near, far := b.pair()
	b.want("Close", b.k.Close(near), 0)
	b.want("Peek of the end", b.until("Peek", func() int32 { return b.k.Peek(far, make([]byte, 1)) }), 0)
	b.closed(near)
}

func noDescriptor(b *bench) {
	sa, p := new(sys.Sockaddr), make([]byte, 8)
	sa.Set(netip.MustParseAddrPort("127.0.0.1:0"))
	_, opt := b.k.Getsockopt(-1, 1, 1)
	_, seek := b.k.Lseek(-1, 0, 0)
	for what, res := range map[string]int32{
		"Dup": b.k.Dup(-1), "Getfl": b.k.Getfl(-1), "Polls": b.k.Polls(-1), "Setfl": b.k.Setfl(-1, 0),
		"Close": b.k.Close(-1),
		"Bind":  b.k.Bind(-1, sa), "Connect": b.k.Connect(-1, sa), "Listen": b.k.Listen(-1, 1),
		"Shutdown": b.k.Shutdown(-1, 0), "Peek": b.k.Peek(-1, p), "Getsockname": b.k.Getsockname(-1, sa),
		"Getpeername": b.k.Getpeername(-1, sa), "Getsockopt": opt, "Setsockopt": b.k.Setsockopt(-1, 1, 1, 1),
		"GetsockoptBytes": b.k.GetsockoptBytes(-1, 1, 1, p), "SetsockoptBytes": b.k.SetsockoptBytes(-1, 1, 1, p),
		"SetLinger": b.k.SetLinger(-1, 1), "CloseLingering": b.k.CloseLingering(-1), "Lseek": seek,
		"Fstatfs":   b.k.Fstatfs(-1, new(sys.Statfs)),
		"SyncRange": b.k.SyncRange(-1, 0, 0, 0), "Advise": b.k.Advise(-1, 0, 0, 0), "Fchmod": b.k.Fchmod(-1, 0),
		"Fchdir":    b.k.Fchdir(-1),
		"Fgetxattr": b.k.Fgetxattr(-1, nulled("user.a"), p), "Fsetxattr": b.k.Fsetxattr(-1, nulled("user.a"), p, 0),
		"Flistxattr": b.k.Flistxattr(-1, p), "Fremovexattr": b.k.Fremovexattr(-1, nulled("user.a")),
		"Lock": b.k.Lock(-1, sys.FRdlck, 0, 0), "Getdents": b.k.Getdents(-1, p), "CopyRange": b.k.CopyRange(-1, -1, 1),
		"Clone": b.k.Clone(-1, -1), "Openat2": b.k.Openat2(-1, nulled("x"), &sys.OpenHow{}),
		"Statx":    b.k.Statx(-1, nulled("x"), 0, sys.StatxBasic, new(sys.Statx)),
		"Unlinkat": b.k.Unlinkat(-1, nulled("x"), 0), "Readlinkat": b.k.Readlinkat(-1, nulled("x"), p),
		"Fchmodat": b.k.Fchmodat(-1, nulled("x"), 0, 0), "Fchownat": b.k.Fchownat(-1, nulled("x"), 0, 0, 0),
		"Faccessat": b.k.Faccessat(-1, nulled("x"), 0, 0),
		"Utimensat": b.k.Utimensat(-1, nulled("x"), new(sys.TimePair), 0),
		"Mknodat":   b.k.Mknodat(-1, nulled("x"), sys.SIfifo, 0),
	} {
		b.want(what+" of no descriptor", res, -sys.EBADF)
	}
}

func pairs(b *bench) {
	x, y, res := b.k.Socketpair(sys.SockStream)
	b.want("Socketpair", res, 0)
	b.given("Socketpair", x)
	b.given("Socketpair", y)
	b.loopFlags("Socketpair", x)
	b.loopFlags("Socketpair", y)
	p := make([]byte, 8)
	b.want("a read of nothing", b.op(op.Read, y, func(o *op.Op) { o.Buf = p }), -sys.EAGAIN)
	b.write(x, "there")
	b.want("Shutdown", b.k.Shutdown(x, sys.ShutWr), 0)
	if got := b.read(y); got != "there" {
		b.fail("%q came through a pair", got)
	}
	b.want("a read of the end", b.op(op.Read, y, func(o *op.Op) { o.Buf = p }), 0)
	b.write(y, "back")
	if got := b.read(x); got != "back" {
		b.fail("%q came back through a pair", got)
	}
	family, res := b.k.Getsockopt(x, sys.SolSocket, sys.SoDomain)
	b.want("Getsockopt", res, 0)
	if family != sys.AFUnix {
		b.fail("a pair is of family %d", family)
	}
}

func pipes(b *bench) {
	for _, size := range []int{0, 1 << 17} {
		r, w, res := b.k.Pipe(size)
		b.want("Pipe", res, 0)
		b.given("Pipe", r)
		b.given("Pipe", w)
		b.loopFlags("Pipe", r)
		b.loopFlags("Pipe", w)
		b.write(w, "through")
		if got := b.read(r); got != "through" {
			b.fail("%q came through a pipe", got)
		}
		room := int32(0)
		for chunk := make([]byte, 4096); ; {
			n := b.op(op.Write, w, func(o *op.Op) { o.Buf = chunk })
			if n < 0 {
				break
			}
			room += n
		}
		if room == 0 || size != 0 && room != int32(size) {
			b.fail("a pipe for %d bytes took %d", size, room)
		}
	}
}
