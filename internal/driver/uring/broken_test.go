//go:build linux

package uring

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ringo/internal/bufs"
	"ringo/internal/driver"
	"ringo/internal/mask"
	"ringo/internal/op"
	"ringo/internal/sys"
	"ringo/uring"
)

// Each row of the table takes its way away in its range, and only there.
func TestBroken(t *testing.T) {
	for _, d := range broken {
		if !strings.Contains(d.what, "commit ") && !strings.Contains(d.what, "https://") {
			t.Errorf("%s: no source", d.check)
		}
		for kernel, want := range map[release]bool{
			{5, 99}: false, {d.from.major, d.from.minor - 1}: false, d.from: true,
			{d.below.major, d.below.minor - 1}: true, d.below: false, newest: false,
		} {
			if got := brokenOn(d.check, kernel) != nil; got != want {
				t.Errorf("%s on %v: broken %t, want %t", d.check, kernel, got, want)
			}
			code := op.Accept
			flags := op.Multishot
			if d.check == uring.CheckRecvMultishot {
				code, flags = op.Recv, op.Multishot|op.Select
			}
			k := &offer{ops: allOps(), check: func(name string) bool { return brokenOn(name, kernel) == nil }}
			way, lack := pick(code.Ways(), flags, k)
			if (lack == d.check) != want || way == nil || want && way.Name == "multishot entry" {
				t.Errorf("%s on %v: lacks %q, takes %v", d.check, kernel, lack, way)
			}
		}
	}
}

// The driver goes by the table: on a kernel of a row's range it goes another way.
func TestBrokenIsNotUsed(t *testing.T) {
	for _, d := range broken {
		kernel := fmt.Sprintf("kernel=%d.%d", d.from.major, d.from.minor)
		t.Run(kernel, func(t *testing.T) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			pool := bufs.NewRingPool(2, 2, 64, nil)
			drv := opener(kernel)(t, driver.Config{Entries: 8, Slab: op.NewSlab(0), Now: func() int64 {
				return 0
			}, Ring: pool})
			defer drv.Close(new(driver.Queue))
			if features := drv.Info().Features; slices.Contains(features, d.check) {
				t.Errorf("uses %v", features)
			}
		})
	}
}

// What can't go its best way is counted.
func TestFallbacksAreCounted(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for without, want := range map[string]uint64{"": 0, "op:openat2": 1} {
		slab := op.NewSlab(0)
		pool := bufs.NewRingPool(2, 2, 64, nil)
		d := opener(without)(t, driver.Config{Entries: 8, Slab: slab, Now: func() int64 { return 0 }, Ring: pool})
		o, done := slab.Get(op.Openat2), new(driver.Queue)
		slab.Ext(o).Name = &op.Name{Path: []byte(".\x00"), How: sys.OpenHow{Flags: unix.O_CLOEXEC}}
		d.Submit(o)
		for done.Len() == 0 {
			if err := d.Wait(driver.Forever, done); err != nil {
				t.Fatal(err)
			}
		}
		c, _ := done.Pop()
		if c.Res < 0 || unix.Close(int(c.Res)) != nil {
			t.Errorf("without %q: open = %d", without, c.Res)
		}
		if got := d.Info().Stats.Fallbacks; got != want {
			t.Errorf("without %q: %d fallbacks, want %d", without, got, want)
		}
		slab.Put(o)
		d.Close(done)
	}
}

// What an op lacks is what the best way would need, and where there is none, what
// the last and least one would.
func TestLackThatDecides(t *testing.T) {
	for _, c := range []struct {
		without   []string
		way, lack string
	}{
		{nil, "multishot entry", ""},
		{[]string{uring.CheckBufRing}, "readiness, then a call", uring.CheckBufRing},
		{[]string{uring.CheckRecvMultishot}, "readiness, then a call", uring.CheckRecvMultishot},
		{[]string{uring.CheckRecvMultishot, "poll_add"}, "", "op:poll_add"},
		{[]string{"poll_add"}, "multishot entry", ""},
	} {
		ops := allOps()
		if slices.Contains(c.without, "poll_add") {
			ops = uring.OpSet{}.With(uring.OpRecv)
		}
		k := &offer{ops: ops, check: func(name string) bool { return !slices.Contains(c.without, name) }}
		way, lack := pick(op.Recv.Ways(), op.Multishot|op.Select, k)
		name := ""
		if way != nil {
			name = way.Name
		}
		if name != c.way || lack != c.lack {
			t.Errorf("without %v: %q, lacks %q; want %q, %q", c.without, name, lack, c.way, c.lack)
		}
	}
}

// Buffers are lent with multishot receives or not at all: who lacks the one is not
// told of the other.
func TestLackBehindLending(t *testing.T) {
	if m, _ := mask.Env(); m != nil {
		t.Skipf("%s stands for the kernel, and a mask of this test's for it", m)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	pool := bufs.NewRingPool(2, 2, 64, nil)
	d := opener("multishot_recv")(t, driver.Config{Entries: 8, Slab: op.NewSlab(0), Now: func() int64 {
		return 0
	}, Ring: pool})
	defer d.Close(new(driver.Queue))
	want := "multishot_recv"
	if releaseOf(goReport(t, nil).System, nil).before(release{5, 19}) {
		want = "buf_ring" // which this kernel lacks by itself
	}
	for _, w := range d.Info().Ways {
		if w.Op == "recv, buffer selected" && w.Lacks != want {
			t.Errorf("%s lacks %q, want %q", w.Op, w.Lacks, want)
		}
	}
}

// What is broken is told with the release that mends it.
func TestDistrusted(t *testing.T) {
	if m, _ := mask.Env(); m != nil {
		t.Skipf("%s stands for the kernel", m)
	}
	for system, want := range map[string]string{
		"linux 6.0.1 amd64": uring.CheckRecvMultishot + " 6.1", "linux 6.6.30-x amd64": uring.CheckAcceptMultishot +
			" 6.8",
		"linux 6.8 amd64": "", "linux 5.10 amd64": "",
	} {
		got := ""
		for _, d := range Distrusted(system) {
			got += d.Check + " " + d.Below
			if d.Why == "" {
				t.Errorf("%s: %s without a why", system, d.Check)
			}
		}
		if got != want {
			t.Errorf("%s: %q, want %q", system, got, want)
		}
	}
}

func allOps() (all uring.OpSet) {
	for o := range 256 {
		all = all.With(uring.Op(o))
	}
	return all
}

func TestReleaseOf(t *testing.T) {
	if m, _ := mask.Env(); m != nil {
		t.Skipf("%s stands for the kernel", m)
	}
	for system, want := range map[string]release{
		"linux 6.18.44-fc-v595 amd64": {6, 18}, "linux 5.4 arm64": {5, 4}, "linux 6.1.0-rc3+ 386": {6, 1},
		"darwin arm64": newest, "": newest, "linux generic amd64": newest,
	} {
		if got := releaseOf(system, nil); got != want {
			t.Errorf("%q is %v, want %v", system, got, want)
		}
	}
	m, err := mask.Parse("ext_arg,kernel=6.6")
	if err != nil {
		t.Fatal(err)
	}
	if got := releaseOf("linux 6.18.44 amd64", m); got != (release{6, 6}) {
		t.Errorf("under a mask it is %v", got)
	}
}
