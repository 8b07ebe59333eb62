//go:build linux

package service_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"

	"ringo/internal/cmsg"
	"ringo/internal/test/patience"
	"ringo/internal/test/testmain"
	"ringo/service"
)

// childEnv has a process of the test binary be one of children.
const childEnv = "RINGO_TEST_SERVICE"

var children = map[string]func() error{}

func TestMain(m *testing.M) {
	if name := os.Getenv(childEnv); name != "" {
		if err := children[name](); err != nil {
			fmt.Println("error:", err)
			os.Exit(3)
		}
		return
	}
	testmain.Main(m)
}

// supervisor is a manager of services as far as a program sees it.
type supervisor struct {
	t testing.TB
	*net.UnixConn
}

// supervise makes one, which the variables of the environment tell of.
func supervise(t testing.TB, abstract bool) *supervisor {
	t.Helper()
	name := filepath.Join(t.TempDir(), "notify")
	if abstract {
		name = "@" + name
	}
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetReadDeadline(patience.Deadline())
	t.Setenv("NOTIFY_SOCKET", name)
	return &supervisor{t, c}
}

// receive gives the next message, and the descriptors that came with it.
func (s *supervisor) receive() (text string, files []*os.File) {
	s.t.Helper()
	p, oob := make([]byte, 4096), make([]byte, cmsg.Space(4*cmsg.RightsMax))
	n, oobn, _, _, err := s.ReadMsgUnix(p, oob)
	if err != nil {
		s.t.Fatal("the manager gets no more: ", err)
	}
	all, err := syscall.ParseSocketControlMessage(oob[:oobn])
	if err != nil {
		s.t.Fatal(err)
	}
	for _, m := range all {
		fds, err := syscall.ParseUnixRights(&m)
		if err != nil {
			s.t.Fatal(err)
		}
		for _, fd := range fds {
			files = append(files, os.NewFile(uintptr(fd), "received"))
		}
	}
	return string(p[:n]), files
}

// wants takes the next messages.
func (s *supervisor) wants(want ...string) {
	s.t.Helper()
	for _, want := range want {
		text, _ := s.receive()
		if got := moment.ReplaceAllString(text, "MONOTONIC_USEC=now"); got != want {
			s.t.Errorf("the manager got %q, want %q", got, want)
		}
	}
}

var moment = regexp.MustCompile(`MONOTONIC_USEC=[1-9]\d*`)

// open makes what is tested.
func open(t testing.TB) *service.Manager {
	t.Helper()
	m, err := service.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}
