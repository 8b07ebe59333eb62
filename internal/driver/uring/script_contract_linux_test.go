//go:build linux

package uring

import (
	"strings"
	"sync"
	"testing"

	"ringo/internal/driver"
	"ringo/internal/mask"
	"ringo/internal/seam"
	"ringo/internal/test/drivertest"
	"ringo/internal/test/testmain"
	"ringo/internal/test/uringtest"
	"ringo/uring"
)

// TestContractOnGoKernel runs the contract on a kernel that is written in Go and
// calm: what it takes for io_uring is then what the suite takes for it, too, and
// its watch over the driver is on in every case.
func TestContractOnGoKernel(t *testing.T) {
	testmain.NeedLong(t, "the whole contract on a scripted kernel; TestScripts runs on it")
	t.Run("calm", func(t *testing.T) { drivertest.Run(t, goKernel(0)) })
	t.Run("small", func(t *testing.T) {
		drivertest.RunEntries(t, goKernel(1<<32-7, "defer_taskrun", "ext_arg", "no_sqarray"), 2)
	})
}

// goKernel opens the driver on a kernel in Go. Both rings' indices start where
// start says.
func goKernel(start uint32, without ...string) drivertest.Open {
	return func(t *testing.T, cfg driver.Config) driver.Driver {
		t.Helper()
		w := &watcher{slab: cfg.Slab}
		w.k = uringtest.New(uringtest.Config{Check: w.check, Shared: w.shared, Start: start, Fail: func(fault string) {
			t.Helper()
			t.Error(fault)
		}})
		w.open(t, cfg, without...)
		return ticking{w.d, w.k}
	}
}

// open opens the driver on the watcher's kernel.
func (w *watcher) open(t testing.TB, cfg driver.Config, without ...string) {
	t.Helper()
	m, err := mask.Parse(strings.Join(without, ","))
	if err != nil {
		t.Fatal(err)
	}
	d, err := openOn(cfg, &uring.Config{}, seam.Seam{Mask: m, Kernel: w.k}, goReport(t, m))
	if err != nil {
		t.Fatal(err)
	}
	w.d = d.(*ring)
}

var goReports struct {
	sync.Mutex
	byMask map[string]*uring.Report
}

// goReport is what a kernel in Go offers behind a mask. It is asked once for each.
func goReport(t testing.TB, m *mask.Mask) *uring.Report {
	t.Helper()
	goReports.Lock()
	defer goReports.Unlock()
	key := strings.Join(m.Names(), ",")
	if r := goReports.byMask[key]; r != nil {
		return r
	}
	k := uringtest.New(uringtest.Config{Fail: func(fault string) { t.Error(fault) }})
	r, err := uring.ProbeFor(seam.Put(&uring.Config{}, seam.Seam{Mask: m, Kernel: k}), asked...)
	if err == nil {
		err = usable(r)
	}
	if err != nil {
		t.Fatal(err)
	}
	if goReports.byMask == nil {
		goReports.byMask = make(map[string]*uring.Report)
	}
	goReports.byMask[key] = r
	return r
}

// ticking lets the kernel notice what has happened before the driver looks at its
// rings: it has no interrupts.
type ticking struct {
	driver.Driver
	k *uringtest.Kernel
}

func (t ticking) Wait(deadline int64, done *driver.Queue) error {
	t.k.Tick()
	return t.Driver.Wait(deadline, done)
}
