//go:build linux

package main

import (
	"errors"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"ringo/internal/test/patience"
)

// TestSupervised: a manager of services hears that the server serves, that it lives, and that it ends.
func TestSupervised(t *testing.T) {
	t.Parallel()
	at := filepath.Join(t.TempDir(), "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: at, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	cmd := tool(t, "echo", "-listen", anyPort, "-grace", "3s", "-loops", "2")
	cmd.Env = append(cmd.Environ(), "NOTIFY_SOCKET="+at, "WATCHDOG_USEC=50000")
	p := start(t, cmd)
	holdConn(t, p.addr())
	raw, err := manager.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	hears := func() (text string) {
		t.Helper()
		buf := make([]byte, 1000)
		look := func() bool {
			ended := p.hasEnded()
			raw.Control(func(fd uintptr) {
				n, _, err := unix.Recvfrom(int(fd), buf, unix.MSG_DONTWAIT)
				text = string(buf[:max(n, 0)])
				if err != nil && err != unix.EAGAIN {
					t.Fatal(err)
				}
			})
			return text != "" || ended
		}
		if err := patience.Poll(nil, look); text == "" {
			t.Fatalf("the manager hears nothing more: %v, ended: %v, stderr:\n%s", err, p.hasEnded(), p.log.text())
		}
		return text
	}
	text := hears()
	for text == "WATCHDOG=1" {
		text = hears()
	}
	if text != "READY=1" {
		t.Errorf("the manager hears %q", text)
	}
	if text = hears(); text != "WATCHDOG=1" {
		t.Errorf("the manager hears %q", text)
	}
	p.signal(syscall.SIGTERM)
	for text == "WATCHDOG=1" {
		text = hears()
	}
	if !strings.HasPrefix(text, "STOPPING=1\nEXTEND_TIMEOUT_USEC=") {
		t.Errorf("the manager hears %q", text)
	}
	if code, stderr := p.wait(); code != 0 {
		t.Errorf("exit code %d, want 0; stderr:\n%s", code, stderr)
	}
}

// TestProcess1: as process 1, which the kernel keeps from signals that it has no handler for, a server ends in order
// all the same.
func TestProcess1(t *testing.T) {
	t.Parallel()
	apart := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWUSER}
	probe := tool(t, "help")
	probe.SysProcAttr = apart
	if err := probe.Run(); errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSPC) {
		t.Skip("no namespaces of processes here: ", err)
	}
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		cmd := tool(t, "echo", "-listen", anyPort)
		cmd.SysProcAttr = apart
		p := start(t, cmd)
		c := holdConn(t, p.addr())
		p.signal(s)
		wantEnd(t, c)
		if code, stderr := p.wait(); code != 0 {
			t.Errorf("%v: exit code %d, want 0; stderr:\n%s", s, code, stderr)
		}
	}
}
