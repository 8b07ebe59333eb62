//go:build linux

package soft

import (
	"runtime"
	"syscall"
	"testing"
	"time"

	"ringo/internal/bufs"
	"ringo/internal/driver"
	"ringo/internal/fd"
	"ringo/internal/op"
	"ringo/internal/poller"
	"ringo/internal/sys"
	"ringo/internal/test/patience"
	"ringo/internal/test/uringtest"
)

// rig is a driver with its slab, on the test's thread.
type rig struct {
	t    testing.TB
	d    *engine
	slab *op.Slab
	done driver.Queue
	fds  []*fd.FD
}

var start = time.Now()

func clock() int64 { return int64(time.Since(start)) }

// waitMax bounds what a test waits for: it ends a hang, and no test is right by it.
var waitMax = patience.Max

func newRig(t testing.TB) *rig { return newRigOn(t, poller.OpenEpoll) }

func newRigOn(t testing.TB, mk func([]string) (poller.Poller, error), without ...string) *rig {
	t.Helper()
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	r := &rig{t: t, slab: op.NewSlab(0)}
	d, err := open(driver.Config{Slab: r.slab, Now: clock, Without: without}, "epoll", mk)
	if uringtest.Refused(err) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	r.d = d.(*engine)
	t.Cleanup(r.close)
	return r
}

// close ends the driver, frees what it drained, and checks that all came back.
func (r *rig) close() {
	if err := r.d.Close(&r.done); err != nil {
		r.t.Errorf("close: %v", err)
	}
	for c, ok := r.done.Pop(); ok; c, ok = r.done.Pop() {
		if c.Flags&op.More == 0 {
			r.slab.Put(c.Op)
		}
	}
	if n := r.slab.Used(); n != 0 {
		r.t.Errorf("%d ops did not come back", n)
	}
	if n := r.d.regs.used; n != 0 {
		r.t.Errorf("%d registrations are left after Close", n)
	}
	for _, f := range r.fds {
		if f.Sys() >= 0 {
			sys.Close(f.Take())
		}
	}
}

// own gives a descriptor to the rig, which closes it in the end.
func (r *rig) own(n int) *fd.FD {
	f := new(fd.FD)
	f.Init(int32(n))
	r.fds = append(r.fds, f)
	return f
}

// closeFD closes as a loop does.
func (r *rig) closeFD(f *fd.FD) {
	r.t.Helper()
	r.d.Forget(f)
	if res := sys.Close(f.Take()); res != 0 {
		r.t.Fatalf("close = %d", res)
	}
}

func (r *rig) get(code op.Code, f *fd.FD) *op.Op {
	o := r.slab.Get(code)
	o.FD = f
	return o
}

// submit makes an op, lets the caller fill it, and submits it.
func (r *rig) submit(code op.Code, f *fd.FD, fill func(o *op.Op)) *op.Op {
	o := r.get(code, f)
	if fill != nil {
		fill(o)
	}
	r.d.Submit(o)
	return o
}

// wait calls Wait once, until the driver has something.
func (r *rig) wait() {
	r.t.Helper()
	if err := r.d.Wait(clock()+int64(waitMax), &r.done); err != nil {
		r.t.Fatal(err)
	}
}

// poll calls Wait once without waiting and gives the number of completions.
func (r *rig) poll() int {
	r.t.Helper()
	if err := r.d.Wait(driver.Poll, &r.done); err != nil {
		r.t.Fatal(err)
	}
	return r.done.Len()
}

// next gives the next completion, of this op.
func (r *rig) next(o *op.Op) (res int32, flags uint32) {
	r.t.Helper()
	for end := clock() + int64(waitMax); r.done.Len() == 0; {
		if clock() > end {
			r.t.Fatalf("no completion of %s within %v", o.Def().Name, waitMax)
		}
		r.wait()
	}
	c, _ := r.done.Pop()
	if r.done.Len() == 0 {
		r.done.Pop() // a queue begins anew when it is found empty
	}
	if c.Op != o {
		r.t.Fatalf("completion of %s (%d), want one of %s", c.Op.Def().Name, c.Res, o.Def().Name)
	}
	return c.Res, c.Flags
}

// last takes the terminal completion and frees the op.
func (r *rig) last(o *op.Op) int32 {
	r.t.Helper()
	res, flags := r.next(o)
	if flags&op.More != 0 {
		r.t.Fatalf("%s = %d with More, want its last completion", o.Def().Name, res)
	}
	r.slab.Put(o)
	return res
}

// more takes a completion that another one follows.
func (r *rig) more(o *op.Op) (res int32, flags uint32) {
	r.t.Helper()
	res, flags = r.next(o)
	if flags&op.More == 0 {
		r.t.Fatalf("%s = %d without More", o.Def().Name, res)
	}
	return res, flags
}

// quiet fails if there is a completion without anything having happened.
func (r *rig) quiet() {
	r.t.Helper()
	if n := r.poll(); n != 0 {
		c, _ := r.done.Pop()
		r.t.Fatalf("%d completions, the first of %s (%d), want none", n, c.Op.Def().Name, c.Res)
	}
}

func check(t testing.TB, what string, res int32) int32 {
	t.Helper()
	if res < 0 {
		t.Fatalf("%s: %v", what, syscall.Errno(-res))
	}
	return res
}

// tcp gives both ends of a connection: ours for the driver, the peer's plain.
func (r *rig) tcp() (ours, peer *fd.FD) {
	r.t.Helper()
	ln, sa := listener(r.t)
	defer sys.Close(ln)
	c := check(r.t, "socket", sys.Socket(sys.AFInet, sys.SockStream, 0))
	check(r.t, "connect", sys.Connect(c, sa))
	s := check(r.t, "accept", sys.Accept(ln))
	return r.own(int(s)), r.own(int(c))
}

func listener(t testing.TB) (ln int32, sa *sys.Sockaddr) {
	t.Helper()
	ln = check(t, "socket", sys.Socket(sys.AFInet, sys.SockStream|sys.SockNonblock, 0))
	sa = new(sys.Sockaddr)
	sa.Set(loopback)
	check(t, "bind", sys.Bind(ln, sa))
	check(t, "listen", sys.Listen(ln, 4096))
	check(t, "getsockname", sys.Getsockname(ln, sa))
	return ln, sa
}

// unix gives both ends of a socket pair.
func (r *rig) unix(typ int) (ours, peer *fd.FD) {
	r.t.Helper()
	p, err := syscall.Socketpair(syscall.AF_UNIX, typ|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		r.t.Fatal(err)
	}
	return r.own(p[0]), r.own(p[1])
}

func (r *rig) send(f *fd.FD, data string) {
	r.t.Helper()
	if n := check(r.t, "send", sys.Send(f.Sys(), []byte(data), 0)); int(n) != len(data) {
		r.t.Fatalf("sent %d of %d bytes", n, len(data))
	}
}

func (r *rig) recv(f *fd.FD, size int) *op.Op {
	return r.submit(op.Recv, f, func(o *op.Op) { o.Buf = make([]byte, size) })
}

// countCalls counts the attempts of an op until the test ends.
func (r *rig) countCalls(code op.Code) (count *int) {
	count = new(int)
	real := op.Table[code].Attempt
	op.Table[code].Attempt = func(o *op.Op) int32 { *count++; return real(o) }
	r.t.Cleanup(func() { op.Table[code].Attempt = real })
	return count
}

// cancel cancels the op and checks its last completion.
func (r *rig) cancel(o *op.Op, want int32) {
	r.t.Helper()
	r.d.Cancel(o)
	name := o.Def().Name
	if res := r.last(o); res != want {
		r.t.Fatalf("%s = %d after its cancel, want %d", name, res, want)
	}
}

// stream arms a multishot receive into buffers of a pool.
func (r *rig) stream(f *fd.FD, pool *bufs.Pool) *op.Op {
	r.d.pool = pool
	return r.submit(op.Recv, f, func(o *op.Op) { o.Flags = op.Multishot | op.Select })
}
