//go:build linux && !portable

package memkernel

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"ringo/internal/driver"
	"ringo/internal/kernel"
	"ringo/internal/op"
	"ringo/internal/sim/world"
	"ringo/internal/sys"
)

var scripts = flag.Int("scripts", 60, "how many random `scripts` on files both kernels run; a fifth of it on sockets")

// processUmask is what the system's kernel takes from modes.
func processUmask(t *testing.T) (mask uint32) {
	t.Helper()
	status, err := os.ReadFile("/proc/thread-self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "\nUmask:")
	if n, err := fmt.Sscanf(rest, "%o", &mask); n != 1 {
		t.Fatalf("/proc/thread-self/status has no umask: %v", err)
	}
	return mask
}

func bothKernels(t *testing.T) (system, memory *either) {
	h := NewNetwork(world.New(1)).Host("here")
	h.Umask = processUmask(t)
	h.mkdirat(sys.AtFdcwd, []byte("/tmp/folder\x00"), 0o755) // as TempDir's
	return &either{Kernel: kernel.Host{}, do: driver.Call, dir: t.TempDir()},
		&either{Kernel: h, do: h.Attempt, dir: "/tmp/folder"}
}

// fileStep is one call of a script on files, with what can be told of it.
func fileStep(k *either, r *rand.Rand) string {
	names := []string{"a", "b", "c", "d", "d/x", "d/y", "e", "e/z", "d/../a", "d/", "l", "l/x", ".", "nowhere/x"}
	name := func() string { return names[r.IntN(len(names))] }
	fd, size := k.fd(r.IntN(1<<20)), r.IntN(9000)
	off := int64(r.IntN(20000))
	switch r.IntN(22) {
	case 0, 1, 2:
		flags := []uint64{sys.ORdonly, sys.ORdwr, sys.OWronly, sys.ORdwr | sys.OCreat,
			sys.ORdwr | sys.OCreat | sys.OExcl, sys.OWronly | sys.OTrunc,
			sys.OWronly | sys.OAppend | sys.OCreat, sys.ODirectory, sys.ONofollow}[r.IntN(9)]
		how := sys.OpenHow{Flags: flags | sys.OCloexec}
		if flags&sys.OCreat != 0 {
			how.Mode = 0o676
		}
		n := name()
		what, fd := fmt.Sprintf("open %s %#x: ", n, flags), k.Openat2(sys.AtFdcwd, k.path(n), &how)
		if fd >= 0 && k.Getdents(fd, make([]byte, 512)) >= 0 {
			k.Close(fd) // where a directory's position is, and its end, file systems say as they like
			return what + "a directory"
		}
		return what + k.take(fd)
	case 3, 4, 5:
		return fmt.Sprintf("write %d: %d", size, k.op(op.WriteAt, fd, func(o *op.Op) { o.Buf = pattern(size) }))
	case 6:
		n := k.op(op.WriteAt, fd, func(o *op.Op) { o.Buf, o.Off = pattern(size), off })
		return fmt.Sprintf("write %d at %d: %d", size, off, n)
	case 7, 8:
		p := make([]byte, size)
		n := k.op(op.ReadAt, fd, func(o *op.Op) { o.Buf = p })
		return fmt.Sprintf("read %d: %d %x", size, n, sum(p))
	case 9:
		p := make([]byte, size)
		n := k.op(op.ReadAt, fd, func(o *op.Op) { o.Buf, o.Off = p, off })
		return fmt.Sprintf("read %d at %d: %d %x", size, off, n, sum(p))
	case 10:
		whence := r.IntN(3)
		at, res := k.Lseek(fd, off-5000, whence)
		if res < 0 {
			at = 0
		}
		return fmt.Sprintf("seek %d from %d: %d %d", off-5000, whence, at, res)
	case 11:
		return fmt.Sprintf("ftruncate %d: %d", off, k.op(op.Ftruncate, fd, func(o *op.Op) { o.Off = off }))
	case 12:
		n := name()
		return fmt.Sprintf("mkdir %s: %d", n, k.op(op.Mkdirat, sys.AtFdcwd, func(o *op.Op) {
			o.Ext.Name.Path, o.Ext.Name.How.Mode = k.path(n), 0o2777
		}))
	case 13, 14:
		n, flags := name(), uint32(r.IntN(2)*sys.AtRemovedir)
		if n == "." {
			n = "nothing"
		}
		return fmt.Sprintf("unlink %s %#x: %d", n, flags, k.Unlinkat(sys.AtFdcwd, k.path(n), flags))
	case 15, 16:
		from, to, flags := name(), name(), []uint32{0, 0, sys.RenameNoreplace, sys.RenameExchange}[r.IntN(4)]
		return fmt.Sprintf("rename %s %s %d: %d", from, to, flags, k.op(op.Renameat, sys.AtFdcwd, func(o *op.Op) {
			o.Ext.Name.Path, o.Ext.Name.To, o.CallFlags = k.path(from), k.path(to), flags
		}))
	case 17:
		from, to := name(), name()
		return fmt.Sprintf("link %s %s: %d", from, to, k.op(op.Linkat, sys.AtFdcwd, func(o *op.Op) {
			o.Ext.Name.Path, o.Ext.Name.To = k.path(from), k.path(to)
		}))
	case 18:
		target, n := []string{"a", "d", "nowhere", "l"}[r.IntN(4)], []string{"l", "b"}[r.IntN(2)]
		return fmt.Sprintf("symlink %s %s: %d", target, n, k.op(op.Symlinkat, sys.AtFdcwd, func(o *op.Op) {
			o.Ext.Name.Path, o.Ext.Name.To = k.path(n), append([]byte(target), 0)
		}))
	case 19:
		n, flags := name(), uint32(r.IntN(2)*sys.AtSymlinkNofollow)
		var st sys.Statx
		if res := k.Statx(sys.AtFdcwd, k.path(n), flags, sys.StatxBasic, &st); res < 0 {
			return fmt.Sprintf("stat %s %#x: %d", n, flags, res)
		}
		if st.Mode&sys.SIfmt == sys.SIfdir {
			st.Size = 0 // as file systems like
		}
		return fmt.Sprintf("stat %s %#x: mode %o, %d links, %d bytes", n, flags, st.Mode, st.Nlink, st.Size)
	case 20:
		how := sys.OpenHow{Flags: sys.ODirectory | sys.OCloexec}
		n := []string{".", "d", "e"}[r.IntN(3)]
		d := k.Openat2(sys.AtFdcwd, k.path(n), &how)
		if d < 0 {
			return fmt.Sprintf("list %s: %d", n, d)
		}
		defer k.Close(d)
		return fmt.Sprintf("list %s: %q", n, list(k, d))
	}
	p := make([]byte, 100)
	n := k.Readlinkat(sys.AtFdcwd, k.path("l"), p)
	return fmt.Sprintf("readlink: %d %q", n, p[:max(n, 0)])
}

// list is the names in a directory, sorted.
func list(k *either, d int32) (names []string) {
	p := make([]byte, 300)
	for {
		n := k.Getdents(d, p)
		if n <= 0 {
			slices.Sort(names)
			return names
		}
		for b := p[:n]; len(b) > 0; {
			size := int(b[16]) | int(b[17])<<8
			name, _, _ := strings.Cut(string(b[19:size]), "\x00")
			names = append(names, name)
			b = b[size:]
		}
	}
}

func sum(p []byte) (s uint64) {
	for _, b := range p {
		s = s*31 + uint64(b)
	}
	return s
}

// runBoth runs one script on both kernels and fails where they differ.
func runBoth(t *testing.T, seed uint64, steps int, step func(k *either, r *rand.Rand) string) {
	t.Helper()
	system, memory := bothKernels(t)
	defer system.closeAll()
	defer memory.closeAll()
	a, b := rand.New(rand.NewPCG(seed, 1)), rand.New(rand.NewPCG(seed, 1))
	var log []string
	for range steps {
		x, y := step(system, a), step(memory, b)
		log = append(log, x)
		if x != y {
			t.Fatalf("seed %d: after\n\t%s\nthe system says\n\t%s\nand the kernel in memory\n\t%s", seed,
				strings.Join(log[max(0, len(log)-25):len(log)-1], "\n\t"), x, y)
		}
	}
}

// Random scripts on files have the same results as on the system's kernel.
func TestFilesAsTheSystem(t *testing.T) {
	for seed := range uint64(*scripts) {
		runBoth(t, seed, 150, fileStep)
	}
}

// socketStep is one call of a script on sockets: those that don't depend on how fast a network is.
func socketStep(k *either, r *rand.Rand) string {
	fd, size := k.fd(r.IntN(1<<20)), r.IntN(3000)
	switch r.IntN(19) {
	case 0:
		if len(k.fds) > 24 {
			return "enough"
		}
		return "connection: " + k.connect(sys.AFInet)
	case 1:
		if len(k.fds) > 24 {
			return "enough"
		}
		return "local connection: " + k.connect(sys.AFUnix)
	case 2:
		a, b, res := k.Pipe(0)
		if res == 0 {
			k.fds = append(k.fds, a, b)
		}
		return fmt.Sprint("pipe: ", res)
	case 3, 4, 5:
		return fmt.Sprintf("write %d: %d", size, k.op(op.Write, fd, func(o *op.Op) { o.Buf = pattern(size) }))
	case 6, 7, 8:
		p := make([]byte, size)
		n := k.soon(func() int32 { return k.op(op.Read, fd, func(o *op.Op) { o.Buf = p }) })
		return fmt.Sprintf("read %d: %d %x", size, n, sum(p))
	case 9:
		p := make([]byte, size)
		n := k.soon(func() int32 { return k.Peek(fd, p) })
		return fmt.Sprintf("peek %d: %d %x", size, n, sum(p))
	case 10:
		how := r.IntN(3)
		if how == sys.ShutRd {
			how = sys.ShutWr // what comes after an end of input, systems tell as they like
		}
		return fmt.Sprintf("shutdown %d: %d", how, k.Shutdown(fd, how))
	case 11:
		name := []int{sys.SoKeepalive, sys.SoType, sys.SoDomain, sys.SoAcceptconn, sys.SoReuseaddr}[r.IntN(5)]
		v, res := k.Getsockopt(fd, sys.SolSocket, name)
		return fmt.Sprintf("getsockopt %d: %d %d", name, v, res)
	case 12:
		return fmt.Sprintf("setsockopt: %d", k.Setsockopt(fd, sys.SolSocket, sys.SoKeepalive, r.IntN(2)))
	case 13:
		i := r.IntN(1 << 20)
		if len(k.fds) == 0 || r.IntN(3) > 0 {
			return "nothing"
		}
		if v, _ := k.Getsockopt(k.fd(i), sys.SolSocket, sys.SoDomain); v == sys.AFInet {
			return "nothing" // when a peer learns of it depends on the network
		}
		defer func() { k.fds[i%len(k.fds)] = -1 }()
		return fmt.Sprintf("close: %d", k.Close(k.fd(i)))
	case 14, 15, 16, 17:
		code := []op.Code{op.SpliceIn, op.SpliceOut}[r.IntN(2)]
		other := k.fd(r.IntN(1 << 20))
		n := k.soon(func() int32 {
			return k.op(code, fd, func(o *op.Op) { o.Other, o.Limit = other, uint32(size/100*100) })
		})
		return fmt.Sprintf("%s %d: %d", op.Table[code].Name, size/100*100, n)
	}
	sa := new(sys.Sockaddr)
	res := k.Getpeername(fd, sa)
	return fmt.Sprintf("peer: %d, family %d", res, sa.Family())
}

// soon makes a call until it need not wait, or until whatever was under way on a loopback must have come.
func (k *either) soon(call func() int32) (res int32) {
	for range 3 {
		if res = call(); res != -sys.EAGAIN {
			return res
		}
		time.Sleep(50 * time.Microsecond) // for the system: nothing tells that nothing comes
	}
	return res
}

// connect makes a connection, of which the script gets both ends.
func (k *either) connect(family int) string {
	sa := new(sys.Sockaddr)
	sa.Set(netip.MustParseAddrPort("127.0.0.1:0"))
	if family == sys.AFUnix {
		sa.SetUnix("@memkernel" + fmt.Sprint(time.Now().UnixNano()))
	}
	l := k.Socket(family, sys.SockStream, 0)
	defer k.Close(l)
	if res := k.Bind(l, sa); res != 0 {
		return fmt.Sprint("bind ", res)
	}
	if res := k.Listen(l, 1); res != 0 {
		return fmt.Sprint("listen ", res)
	}
	k.Getsockname(l, sa)
	c, done := k.Socket(family, sys.SockStream, 0), uint32(0)
	res := int32(-sys.EAGAIN)
	for range 1000 {
		res = k.op(op.Connect, c, func(o *op.Op) { o.Ext.Addr, o.Done = *sa, done; done = 1 })
		if res != -sys.EAGAIN {
			break
		}
	}
	s := int32(-sys.EAGAIN)
	for range 1000 {
		if s = k.op(op.Accept, l, nil); s != -sys.EAGAIN {
			break
		}
	}
	if family == sys.AFInet { // or small pieces wait for an answer to those before
		k.Setsockopt(c, sys.ProtoTCP, sys.TCPNodelay, 1)
		k.Setsockopt(s, sys.ProtoTCP, sys.TCPNodelay, 1)
	}
	k.fds = append(k.fds, c, s)
	return fmt.Sprint(res, s >= 0)
}

// Random scripts on connections and pipes have the same results as on the system's kernel.
func TestSocketsAsTheSystem(t *testing.T) {
	for seed := range uint64((*scripts + 4) / 5) { // they wait for the system's network
		runBoth(t, seed, 120, socketStep)
	}
}
