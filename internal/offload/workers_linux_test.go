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
			select {
			case <-signal:
			case <-time.After(jobMax):
				t.Fatalf("nothing within %v", jobMax)
			}
		}
	}
}

// A call that lends nothing is given up at once, and its late result disposed of.
func TestGiveUp(t *testing.T) {
	w, next := newWorkers(t, 2)
	begun, gate, disposed := make(chan bool), make(chan bool), make(chan int32, 1)
	r := &Request{
		Call: func() int32 {
			begun <- true
			<-gate
			return sys.Eventfd()
		},
		Dispose: func(res int32) {
			sys.Close(res)
			disposed <- res
		},
	}
	w.Submit(r)
	<-begun
	if !w.Cancel(r) || w.Flying() != 0 || w.Next() != nil {
		t.Fatal("a running call that can be given up was not")
	}
	other := &Request{Call: func() int32 { return 5 }}
	w.Submit(other)
	if got := next(); got != other || got.Res != 5 {
		t.Errorf("Next gave %+v, want the request after it", got)
	}
	if left := w.Close(jobMax); left != 0 { // it does not wait for what was given up
		t.Errorf("Close left %d", left)
	}
	gate <- true
	if res := <-disposed; sys.StatusFlags(res) != -sys.EBADF {
		t.Errorf("Dispose got %d, which is not a descriptor that it closed", res)
	}
	if left := w.pool.Close(jobMax); left != 0 {
		t.Errorf("%d workers are left", left)
	}
	if w.Next() != nil {
		t.Error("a request that was given up came back")
	}
}

// What has not begun is taken back, and neither runs nor is disposed of.
func TestGiveUpUnbegun(t *testing.T) {
	w, _ := newWorkers(t, 1)
	release := hold(w.pool)
	r := &Request{
		Call:    func() int32 { t.Error("a cancelled call ran"); return 0 },
		Dispose: func(int32) { t.Error("what never ran was disposed of") },
	}
	w.Submit(r)
	if !w.Cancel(r) {
		t.Error("a request in the queue was not taken back")
	}
	release()
	if left := w.Close(jobMax); left != 0 {
		t.Errorf("Close left %d", left)
	}
}

// Exactly one of owner and worker gets each result, whoever is faster.
func TestGiveUpRaces(t *testing.T) {
	w, next := newWorkers(t, 4)
	const n = 3000
	results := make(chan bool, n)
	cameBack, gaveUp := 0, 0
	for range n {
		ran := false
		r := &Request{Call: func() int32 { ran = true; return 1 }, Dispose: func(int32) { results <- ran }}
		w.Submit(r)
		if runtime.Gosched(); w.Cancel(r) {
			gaveUp++
			continue
		}
		if got := next(); got != r || !ran {
			t.Fatal("another request came back")
		}
		cameBack++
	}
	if left := w.pool.Close(jobMax); left != 0 {
		t.Errorf("%d workers are left", left)
	}
	if len(results) > gaveUp || cameBack+gaveUp != n || w.Flying() != 0 {
		t.Errorf("%d came back, %d were given up, %d disposed of, %d fly", cameBack, gaveUp, len(results), w.Flying())
	}
	t.Logf("%d came back, %d were given up, %d of these had run", cameBack, gaveUp, len(results))
}

// A read that a worker has begun ends with its thread: the memory is lent, and the
// bytes that it takes out of the pipe are reported.
func TestLentMemoryIsWaitedFor(t *testing.T) {
	w, next := newWorkers(t, 1)
	in, out := blockingPipe(t)
	r := &Request{Kind: Read, FD: in, Buf: make([]byte, 8), Off: -1}
	w.Submit(r)
	for running, queued := w.pool.Load(); running != 1 || queued != 0; running, queued = w.pool.Load() {
		runtime.Gosched()
	}
	if w.Cancel(r) || w.Flying() != 1 {
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
	for name, misuse := range map[string]func(w *Workers){
		"gives up lent memory": func(w *Workers) { w.Submit(&Request{Kind: Read, Dispose: func(int32) {}}) },
		"cancels a stranger":   func(w *Workers) { w.Cancel(&Request{}) },
	} {
		t.Run(name, func(t *testing.T) {
			w, _ := newWorkers(t, 1)
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			misuse(w)
		})
	}
}
