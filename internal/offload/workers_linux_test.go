//go:build linux

package offload

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"ringo/internal/sys"
	"ringo/internal/test/patience"
)

// newWorkers gives an engine and what waits for its signal.
func newWorkers(t *testing.T, max int) (w *Workers, next func() *Request) {
	t.Helper()
	signal := make(chan bool, 1)
	w = NewWorkers(max, nil, func() {
		select {
		case signal <- true:
		default:
		}
	})
	return w, func() *Request {
		t.Helper()
		for {
			if r := w.Next(); r != nil {
				return r
			}
			patience.Recv(t, "a signal", signal)
		}
	}
}

// What has not begun is taken back, and does not run.
func TestTakenBack(t *testing.T) {
	w, _ := newWorkers(t, 1)
	release := hold(w.pool)
	r := &Request{Call: func() int32 { t.Error("a cancelled call ran"); return 0 }}
	w.Submit(r)
	if !w.Cancel(r) || w.Pending() != 0 {
		t.Error("a request in the queue was not taken back")
	}
	release()
	if left := w.Close(jobMax); left != 0 {
		t.Errorf("Close left %d", left)
	}
}

// A request is taken back or runs and comes back, whoever is faster.
func TestTakenBackOrRun(t *testing.T) {
	w, next := newWorkers(t, 4)
	const n = 3000
	takenBack := 0
	for range n {
		ran := false
		r := &Request{Call: func() int32 { ran = true; return 1 }}
		w.Submit(r)
		if runtime.Gosched(); w.Cancel(r) {
			if takenBack++; ran {
				t.Fatal("a request that was taken back ran")
			}
			continue
		}
		if got := next(); got != r || !ran {
			t.Fatal("another request came back")
		}
	}
	if left := w.Close(jobMax); left != 0 || w.Pending() != 0 || w.Next() != nil {
		t.Errorf("%d workers are left, %d pending", left, w.Pending())
	}
	t.Logf("%d of %d were taken back", takenBack, n)
}

// A read that a worker has begun ends with its thread: the memory is lent, and the
// bytes that it takes out of the pipe are reported.
func TestLentMemoryIsWaitedFor(t *testing.T) {
	w, next := newWorkers(t, 1)
	in, out := blockingPipe(t)
	r := &Request{Kind: Read, FD: in, Buf: make([]byte, 8), Off: -1}
	w.Submit(r)
	for load := w.pool.Load(); load.Running != 1 || load.Waiting != 0; load = w.pool.Load() {
		runtime.Gosched()
	}
	if w.Cancel(r) || w.Pending() != 1 {
		t.Fatal("a read that has begun was taken back")
	}
	if left := w.Close(time.Millisecond); left != 1 {
		t.Errorf("Close left %d, want the 1 that waits", left)
	}
	sys.Write(out, []byte("late"))
	if got := next(); got != r || got.Res != 4 || string(r.Buf[:4]) != "late" {
		t.Errorf("Next gave %d %q, want what was read", got.Res, r.Buf)
	}
	if left := w.Close(jobMax); left != 0 {
		t.Errorf("Close left %d", left)
	}
}

// A call that ends its goroutine ends, and takes no worker with it.
func TestGoexitInCall(t *testing.T) {
	w, next := newWorkers(t, 1)
	w.Submit(&Request{Call: func() int32 { runtime.Goexit(); return 0 }})
	if r := next(); r.Res != -sys.ECANCELED {
		t.Errorf("result is %d, want -ECANCELED", r.Res)
	}
	w.Submit(&Request{Call: func() int32 { return 3 }})
	if r := next(); r.Res != 3 {
		t.Errorf("result is %d, want 3", r.Res)
	}
	if left := w.Close(jobMax); left != 0 {
		t.Errorf("Close left %d", left)
	}
}

const panicEnv = "RINGO_TEST_PANIC"

// A panic in a call is the program's end, and says where.
func TestPanicInCall(t *testing.T) {
	if os.Getenv(panicEnv) != "" {
		w, next := newWorkers(t, 1)
		w.Submit(&Request{Call: func() int32 { panic("in a call") }})
		next()
		next()
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestPanicInCall$")
	cmd.Env = append(os.Environ(), panicEnv+"=1")
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).ExitStatus() != 2 ||
		!strings.Contains(string(out), "panic: in a call") {
		t.Errorf("the program ended with %v and said %s, want status 2 and the panic", err, out)
	}
}

func TestWorkersMisuse(t *testing.T) {
	w, _ := newWorkers(t, 1)
	defer func() {
		if recover() == nil {
			t.Error("no panic for the cancel of a stranger")
		}
	}()
	w.Cancel(&Request{})
}
