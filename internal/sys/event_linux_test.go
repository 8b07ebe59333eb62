//go:build linux && !portable

package sys

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ringo/internal/test/patience"
)

// A signal between two instructions of a wake must not lose it. An eventfd's write is over too soon to be met by one,
// so this is a full socket with a time limit, of which a write ends in EINTR whatever its handler asked for.
func TestSignalGoesOnAfterEINTR(t *testing.T) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	peer := os.NewFile(uintptr(pair[1]), "peer")
	defer peer.Close()
	closed := false
	defer func() {
		if !closed {
			unix.Close(pair[0])
		}
	}()
	if err := unix.SetsockoptTimeval(pair[0], unix.SOL_SOCKET, unix.SO_SNDTIMEO, &unix.Timeval{Sec: 60}); err != nil {
		t.Fatal(err)
	}
	full := 0
	for {
		n, err := unix.SendmsgN(pair[0], make([]byte, 4096), nil, nil, unix.MSG_DONTWAIT)
		if err == unix.EAGAIN {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		full += n
	}

	// The write holds its P, so that this test needs another, and a collection would wait for it, and this test for the
	// collection.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	runtime.GC() // ends one that has begun
	tids, ended := make(chan int, 1), make(chan int32, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		tids <- unix.Gettid()
		ended <- Signal(int32(pair[0]))
	}()
	tid := <-tids
	for range 20 {
		patience.UntilBy(t, "the write waits for room", runtime.Gosched, func() bool { return sleeps(t, tid) })
		if err := unix.Tgkill(unix.Getpid(), tid, unix.SIGURG); err != nil {
			t.Fatal(err)
		}
		select {
		case res := <-ended:
			t.Fatalf("Signal gave %d under a signal, before there was room", res)
		default:
		}
	}
	if _, err := io.CopyN(io.Discard, peer, int64(full)); err != nil {
		t.Fatal(err)
	}
	if res := <-ended; res != 8 {
		t.Errorf("Signal gave %d, want 8", res)
	}
	unix.Close(pair[0])
	closed = true
	if rest, err := io.ReadAll(peer); err != nil || len(rest) != 8 {
		t.Errorf("%d bytes came, %v; want 8", len(rest), err)
	}
}

// sleeps reports whether a thread waits in the kernel.
func sleeps(t *testing.T, tid int) bool {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/stat", tid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(rest, "S")
}
