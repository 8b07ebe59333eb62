//go:build linux

package measure

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// burn uses d of CPU time on a thread of its own and ends with that thread.
func burn(d time.Duration) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		for end := threadTime() + d; threadTime() < end; { // the thread may have worked before
		}
	}()
	<-done
}

func threadTime() time.Duration {
	var ts unix.Timespec
	unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts)
	return time.Duration(ts.Nano())
}

func TestCPUCountsEndedThreads(t *testing.T) {
	const work = 60 * time.Millisecond
	before, err := CPU(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	burn(work)
	after, err := CPU(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	// A busy host may charge more than the work, and read the two clocks at different moments; a clock of the wrong
	// kind would show nothing of an ended thread, and a wrong unit a thousandfold.
	if got := after - before; got < work*9/10 || got > 100*work {
		t.Errorf("CPU grew by %v for %v of work", got, work)
	}
}

func TestBusySeesWork(t *testing.T) {
	const work = 200 * time.Millisecond
	before, err := Busy()
	if err != nil {
		t.Fatal(err)
	}
	burn(work)
	after, err := Busy()
	if err != nil {
		t.Fatal(err)
	}
	if got := after - before; got < work-50*time.Millisecond {
		t.Errorf("the machine was busy for %v while this process worked for %v", got, work)
	}
}

func TestCPUAgreesWithSchedstat(t *testing.T) {
	child, err := os.StartProcess("/bin/sh",
		[]string{"sh", "-c", "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; read x"},
		&os.ProcAttr{Files: []*os.File{pipeEnd(t), nil, nil}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { child.Kill(); child.Wait() })
	for { // until the child waits in read: only then does its clock stand still between two looks
		first, err := CPU(child.Pid)
		if err != nil {
			t.Fatal(err)
		}
		sum, err := schedstatCPU(child.Pid)
		if err != nil {
			t.Fatal(err)
		}
		again, err := CPU(child.Pid)
		if err != nil {
			t.Fatal(err)
		}
		if first == again && first > 20*time.Millisecond {
			if sum != first {
				t.Errorf("clock says %v, schedstat %v", first, sum)
			}
			return
		}
	}
}

// pipeEnd is the reading end of a pipe that stays empty and open while the test runs.
func pipeEnd(t *testing.T) *os.File {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return r
}

func TestRSSSeesTouchedMemory(t *testing.T) {
	const size = 64 << 20
	before, err := RSS(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	m, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(m)
	for i := 0; i < size; i += 4096 {
		m[i] = 1
	}
	after, err := RSS(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	// Go's runtime gives back meanwhile what other tests have used, or takes some.
	if got := after - before; got < size-16<<20 || got > size+16<<20 {
		t.Errorf("RSS grew by %d for %d touched bytes", got, size)
	}
}

func TestNoSuchProcess(t *testing.T) {
	const pid = 1<<22 + 1 // above the largest pid_max
	if _, err := CPU(pid); err == nil {
		t.Error("CPU of a process that does not exist: no error")
	}
	if _, err := schedstatCPU(pid); err == nil {
		t.Error("schedstatCPU of a process that does not exist: no error")
	}
	if _, err := RSS(pid); err == nil {
		t.Error("RSS of a process that does not exist: no error")
	}
}

// schedstatCPU is the run time of the process's present threads as /proc/PID/task/*/schedstat shows it: a running
// thread's share is up to one tick old, and ended threads are missing. It is the cross-check of CPU.
func schedstatCPU(pid int) (time.Duration, error) {
	dir := fmt.Sprintf("/proc/%d/task", pid)
	threads, err := os.ReadDir(dir)
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	for _, t := range threads {
		b, err := os.ReadFile(dir + "/" + t.Name() + "/schedstat")
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
			continue // ended since the directory was read
		}
		if err != nil {
			return 0, err
		}
		field, _, _ := bytes.Cut(b, []byte(" "))
		ns, err := strconv.ParseInt(string(field), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%s/%s/schedstat: %w", dir, t.Name(), err)
		}
		sum += time.Duration(ns)
	}
	return sum, nil
}
