//go:build linux

package uring

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo/internal/test/patience"
)

func init() { work = exitWithWork }

// works are what a process can leave undone.
var works = map[string]func(r *Ring, rd, wr int){
	"read":   func(r *Ring, rd, _ int) { r.SQE().PrepRead(rd, make([]byte, 8), -1) },
	"worker": func(r *Ring, rd, _ int) { e := r.SQE(); e.PrepRead(rd, make([]byte, 8), -1); e.SetFlags(SQEAsync) },
	"poll":   func(r *Ring, rd, _ int) { r.SQE().PrepPollAdd(rd, unix.POLLIN) },
	"itself": func(r *Ring, _, _ int) { r.SQE().PrepPollAdd(r.FD(), unix.POLLIN) },
	"timer":  func(r *Ring, _, _ int) { r.SQE().PrepTimeout(after(time.Hour), 0, 0) },
	"linked": func(r *Ring, rd, _ int) {
		e := r.SQE()
		e.PrepPollAdd(rd, unix.POLLIN)
		e.SetFlags(SQELink)
		r.SQE().PrepNop()
	},
	"drained": func(r *Ring, rd, _ int) {
		r.SQE().PrepPollAdd(rd, unix.POLLIN)
		e := r.SQE()
		e.PrepNop()
		e.SetFlags(SQEDrain)
	},
	"futex":  func(r *Ring, _, _ int) { r.SQE().PrepFutexWait(new(uint32), 0, FutexAnyone, FutexU32|FutexPrivate) },
	"waitid": func(r *Ring, _, _ int) { r.SQE().PrepWaitid(unix.P_ALL, 0, nil, unix.WEXITED) },
	"table": func(r *Ring, rd, wr int) {
		r.RegisterFiles([]int{rd, wr, -1})
		e := r.SQE()
		e.PrepPollAdd(0, 1)
		e.SetFlags(1)
	},
	"buffers":  func(r *Ring, _, _ int) { r.RegisterBuffers([][]byte{make([]byte, 4096)}); r.SQE().PrepNop() },
	"nothing":  func(*Ring, int, int) {},
	"unpolled": func(r *Ring, _, _ int) { r.SQE().PrepNop() },
}

// exitWithWork is what a child of TestExitWithWork does: it says that it has begun, and never returns.
func exitWithWork(mode string) {
	runtime.LockOSThread()
	var name, how string
	var sqpoll bool
	fmt.Sscanf(mode, "%s %s %t", &name, &how, &sqpoll)
	cfg := &Config{SQPoll: sqpoll}
	if sqpoll {
		cfg.SQPollIdle = time.Millisecond
	}
	r, err := Open(8, cfg)
	if err != nil {
		fmt.Println(err)
		os.Exit(3)
	}
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		fmt.Println(err)
		os.Exit(3)
	}
	works[name](r, fds[0], fds[1])
	if _, err := r.Submit(); err != nil {
		fmt.Println(err)
		os.Exit(3)
	}
	switch how {
	case "exit":
		os.Exit(0)
	case "close":
		r.Close()
		os.Exit(0)
	case "kill":
		unix.Kill(os.Getpid(), unix.SIGKILL)
	case "exec":
		os.Setenv(workVar, "")
		err = unix.Exec("/proc/self/exe", []string{"child"}, []string{exitVar + "=0"})
	}
	fmt.Println("still here:", err)
	select {}
}

// TestExitWithWork: a process that ends, is killed or becomes another program ends although its ring has work, whatever
// that is.
func TestExitWithWork(t *testing.T) {
	need(t)
	needSafeEnds(t)
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	end := func(t *testing.T, mode string) {
		pid, err := syscall.ForkExec("/proc/self/exe", []string{"child"}, &syscall.ProcAttr{
			Env: []string{workVar + "=" + mode, "GORACE=atexit_sleep_ms=0"}, Files: []uintptr{null.Fd(), null.Fd(), 2},
		})
		if err != nil {
			t.Skip("no child:", err)
		}
		ended := make(chan unix.WaitStatus, 1)
		go func() {
			var status unix.WaitStatus
			unix.Wait4(pid, &status, 0, nil)
			ended <- status
		}()
		status, err := patience.Receive(ended)
		switch {
		case err != nil:
			unix.Kill(pid, unix.SIGKILL)
			t.Errorf("the child has not ended: %v", err)
		case status.Exited() && status.ExitStatus() == 3:
			t.Error("the child could not begin")
		}
	}
	for name := range works {
		t.Run(name, func(t *testing.T) {
			switch name {
			case "futex":
				needOp(t, OpFutexWait, "6.7")
			case "waitid":
				needOp(t, OpWaitid, "6.7")
			}
			for _, sqpoll := range []bool{false, true} {
				for _, how := range []string{"exit", "close", "kill", "exec"} {
					end(t, fmt.Sprint(name, " ", how, " ", sqpoll))
				}
			}
		})
	}
}

// TestThreadEnds: what a thread has left with a ring that any may use is done or cancelled, each once.
func TestThreadEnds(t *testing.T) {
	r := open(t, 16, &Config{AnyThread: true})
	f, fd := openNew(t)
	rd, wr := pipe(t)
	text := []byte("done")
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked, so that the thread ends
		for i := range 4 {
			e := r.SQE()
			e.PrepWrite(fd, text, int64(4*i))
			e.SetFlags(SQEAsync)
			e.SetUserData(uint64(i + 1))
		}
		e := r.SQE()
		e.PrepPollAdd(rd, unix.POLLIN)
		e.SetUserData(5)
		if n, err := r.Submit(); n != 5 || err != nil {
			t.Errorf("submitted %d, %v", n, err)
		}
	}()
	<-done
	write(t, wr, "x")
	for _, c := range takeAll(t, r, 5) {
		switch {
		case c.UserData == 5 && c.Res == unix.POLLIN: // it fired before the kernel had ended the thread
		case c.Res == 4:
			p := make([]byte, 4)
			if _, err := f.ReadAt(p, 4*int64(c.UserData-1)); err != nil || string(p) != "done" {
				t.Errorf("write %d is done, and the file holds %q, %v", c.UserData, p, err)
			}
		default: // a worker goes with the thread, too, and what it has not begun
			want(t, c, syscall.ECANCELED)
		}
	}
}

// TestTeardowns: rings are opened and closed, with work and without, and leave nothing.
func TestTeardowns(t *testing.T) {
	need(t)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	rd, wr := pipe(t)
	for i := range 60 {
		g := geometries[i%len(geometries)]
		r, err := openPatiently(g.entries, &g.cfg)
		if err != nil {
			t.Fatal(g.name, err)
		}
		for name, work := range works {
			if name == "futex" || name == "waitid" || r.SQSpace() < 2 {
				continue
			}
			work(r, rd, wr)
		}
		if i%2 == 0 {
			if _, err := r.Submit(); err != nil {
				t.Fatal(g.name, err)
			}
		}
		if err := r.Close(); err != nil {
			t.Fatal(g.name, err)
		}
	}
}

// TestRingsOfEachOther: two rings, each with the other in its table and a poll of it, can be closed.
func TestRingsOfEachOther(t *testing.T) {
	needSafeEnds(t)
	a, b := open(t, 8, nil), ringOf(t, 8)
	start(t, a, func(e *SQE) { e.PrepPollAdd(b.FD(), unix.POLLIN) })
	start(t, b, func(e *SQE) { e.PrepPollAdd(a.FD(), unix.POLLIN) })
	if err := a.RegisterFiles([]int{b.FD()}); err == nil && newerThan("6.1") {
		t.Log("a ring's table takes rings")
	}
	u, v := socketpair(t, unix.SOCK_STREAM)
	if err := a.RegisterFiles([]int{u, v}); err != nil {
		t.Skip(err)
	}
	// Newer kernels refuse to send a ring through a socket; older ones must find the circle.
	if err := unix.Sendmsg(u, []byte("x"), unix.UnixRights(a.FD()), nil, 0); err != nil {
		t.Log("a ring is not sent:", err)
	}
}

// needSafeEnds skips the test on kernels that may not survive it.
func needSafeEnds(t *testing.T) {
	t.Helper()
	if !newerThan("6.1") {
		t.Skip("rings that are left with all sorts of work hang a worker of Linux 5.10.223 for good")
	}
}
