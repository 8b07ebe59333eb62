//go:build linux

package proc

import (
	"os"
	"runtime"
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
		sum, err := SchedstatCPU(child.Pid)
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
	if got := after - before; got < size || got > size+16<<20 {
		t.Errorf("RSS grew by %d for %d touched bytes", got, size)
	}
}

func TestNoSuchProcess(t *testing.T) {
	const pid = 1<<22 + 1 // above the largest pid_max
	if _, err := CPU(pid); err == nil {
		t.Error("CPU of a process that does not exist: no error")
	}
	if _, err := SchedstatCPU(pid); err == nil {
		t.Error("SchedstatCPU of a process that does not exist: no error")
	}
	if _, err := RSS(pid); err == nil {
		t.Error("RSS of a process that does not exist: no error")
	}
}
