//go:build linux

package main

import (
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"ringo/internal/sys"
	"ringo/internal/test/patience"
)

// TestBeyondSelect: who runs a server on select with more peers than it has bits for is
// told what to do, and the peers that have one are served.
func TestBeyondSelect(t *testing.T) {
	t.Parallel()
	const spare, peers = 20, 25
	var lim syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil || lim.Max < sys.FDSetSize+peers {
		t.Skipf("no more than %d descriptors may be open here: %v", lim.Max, err)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	cmd := tool(t, "echo", "-listen", anyPort, "-driver", "select", "-loops", "1")
	cmd.ExtraFiles = slices.Repeat([]*os.File{null}, sys.FDSetSize-spare)
	began := time.Now()
	p := start(t, cmd)
	addr := p.addr()
	served := 0
	for range peers {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(patience.Deadline())
		c.Write([]byte{'x'})
		if _, err := io.ReadFull(c, make([]byte, 1)); err == nil {
			served++
		}
	}
	if served == 0 || served >= spare {
		t.Errorf("%d peers are served with %d descriptors that select can watch", served, spare)
	}
	if line := p.line("ringo: loop 0 can't accept at"); !strings.Contains(line, "use driver poll, epoll or uring") {
		t.Errorf("not told what to do: %s", line)
	}
	stderr := p.finish()
	most := 1 + int(time.Since(began)/(10*time.Second))
	if n := strings.Count(stderr, "use driver poll, epoll or uring"); n > most {
		t.Errorf("told %d times what to do, want once in 10 s; stderr:\n%s", n, stderr)
	}
}
