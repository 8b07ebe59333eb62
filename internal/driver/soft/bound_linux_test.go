//go:build linux

package soft

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"ringo/internal/driver"
	"ringo/internal/fd"
	"ringo/internal/op"
	"ringo/internal/poller"
	"ringo/internal/sys"
)

// occupy takes all numbers below FD_SETSIZE, and gives back one when told.
func occupy(t *testing.T) (free func()) {
	t.Helper()
	raiseFiles(t, sys.FDSetSize+100)
	var taken []int
	t.Cleanup(func() {
		for _, n := range taken {
			syscall.Close(n)
		}
	})
	null, err := syscall.Open("/dev/null", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	for n := null; n < sys.FDSetSize; {
		taken = append(taken, n)
		if n, err = syscall.Dup(null); err != nil {
			t.Fatal(err)
		}
		if n >= sys.FDSetSize {
			syscall.Close(n)
		}
	}
	return func() {
		syscall.Close(taken[len(taken)-1])
		taken = taken[:len(taken)-1]
	}
}

// A connection whose number select can't watch is closed, and told as the shortage
// that it is. Who has a number goes on, and so does the listener once there is one.
func TestAcceptBeyondSelect(t *testing.T) {
	t.Run("single", func(t *testing.T) { acceptBeyond(t, 0) })
	t.Run("multishot", func(t *testing.T) { acceptBeyond(t, op.Multishot) })
}

func acceptBeyond(t *testing.T, flags op.Flags) {
	r := newRigOn(t, poller.OpenSelect)
	ln, sa := listener(t)
	f := r.own(int(ln))
	ours, peer := r.tcp()
	accept := func() *op.Op {
		return r.submit(op.Accept, f, func(o *op.Op) { o.Flags = flags })
	}
	free := occupy(t)
	o := accept()
	r.quiet()
	refused := dialHigh(t, sa)
	if res := r.last(o); res != -sys.EMFILE {
		t.Fatalf("accept = %d with no number to be had, want -EMFILE", res)
	}
	if n, err := syscall.Read(int(refused), make([]byte, 1)); n != 0 || err != nil {
		t.Errorf("the peer reads %d, %v; want the end", n, err)
	}
	if res, ok := r.d.Try(&op.Op{Code: op.Accept, FD: f}); ok {
		t.Errorf("trying an accept = %d with nobody there", res)
	}
	dialHigh(t, sa)
	if res, ok := r.d.Try(&op.Op{Code: op.Accept, FD: f}); !ok || res != -sys.EMFILE {
		t.Errorf("trying an accept = %d, %v; want -EMFILE", res, ok)
	}

	served := r.recv(ours, 4)
	r.quiet()
	r.send(peer, "x")
	if res := r.last(served); res != 1 {
		t.Errorf("a connection from before receives %d, want 1", res)
	}

	dialHigh(t, sa)
	free()
	o = accept()
	res, _ := r.next(o)
	if check(t, "accept when there is a number", res) >= sys.FDSetSize {
		t.Errorf("accept = %d", res)
	}
	sys.Close(res)
	if flags != 0 {
		r.cancel(o, -sys.ECANCELED)
	} else {
		r.slab.Put(o)
	}
}

// dialHigh connects, by a number that select has nothing to do with.
func dialHigh(t *testing.T, sa *sys.Sockaddr) (n int32) {
	t.Helper()
	n = check(t, "socket", sys.Socket(sys.AFInet, sys.SockStream, 0))
	t.Cleanup(func() { sys.Close(n) })
	check(t, "connect", sys.Connect(n, sa))
	if n < sys.FDSetSize {
		t.Fatalf("socket %d is below %d: not all numbers are taken", n, sys.FDSetSize)
	}
	return n
}

// A descriptor that came from elsewhere fails what would wait on it, and nothing
// else.
func TestAdoptedBeyondSelect(t *testing.T) {
	r := newRigOn(t, poller.OpenSelect)
	raiseFiles(t, sys.FDSetSize+100)
	low, peer := r.unix(syscall.SOCK_STREAM)
	const number = sys.FDSetSize + 7
	if err := syscall.Dup3(int(low.Sys()), number, syscall.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	high := new(fd.FD)
	high.Init(number)
	r.fds = append(r.fds, high)
	for _, o := range []*op.Op{r.recv(high, 4), r.watch(high)} {
		if res := r.last(o); res != -sys.EMFILE {
			t.Errorf("%s = %d, want -EMFILE", o.Def().Name, res)
		}
	}
	r.send(peer, "x")
	if res := r.last(r.recv(high, 4)); res != 1 {
		t.Errorf("a receive that need not wait = %d, want 1", res)
	}
	o := r.recv(low, 4)
	r.quiet()
	r.send(peer, "y")
	if res := r.last(o); res != 1 {
		t.Errorf("a receive by a low number = %d, want 1", res)
	}
}

func TestOpenBeyondSelect(t *testing.T) {
	occupy(t)
	_, err := OpenSelect(driver.Config{Slab: op.NewSlab(0), Now: clock})
	var setup *driver.SetupError
	if !errors.As(err, &setup) || !errors.Is(err, syscall.EMFILE) || !strings.Contains(setup.Hint, "1024") {
		t.Errorf("error %q, want a SetupError with EMFILE, and the bound in its hint", err)
	}
}
