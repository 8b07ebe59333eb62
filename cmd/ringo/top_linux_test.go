//go:build linux

package main

import (
	"io"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"ringo/debug"
	"ringo/internal/test/patience"
)

// The terminal is the shell's while ringo top is stopped, and behind a hangup: its screen, its cursor and its modes.
func TestTopGivesTerminalBack(t *testing.T) {
	s := httptest.NewServer(debug.Handler())
	defer s.Close()
	shown, shell := terminal(t)
	cmd := tool(t, "top", "-every", "100ms", s.URL)
	cmd.Stdin, cmd.Stdout = shell, shell
	cmd.Env = append(cmd.Environ(), "TERM=xterm")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer shell.Close()
	var screen output
	go io.Copy(&screen, shown)
	sees := func(what, text string, times int) {
		t.Helper()
		patience.Until(t, what, func() bool { return strings.Count(screen.text(), text) == times })
	}
	takesKeys := func(want bool) {
		t.Helper()
		modes, err := unix.IoctlGetTermios(int(shell.Fd()), unix.TCGETS)
		if err != nil || modes.Lflag&unix.ICANON == 0 != want {
			t.Errorf("keys arrive when they are pressed: %v, want %v; %v", !want, want, err)
		}
	}
	const taken, back = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
	for n := 1; n <= 2; n++ {
		sees("the screen", taken, n)
		takesKeys(true)
		io.WriteString(shown, "\x1a") // Ctrl-Z
		sees("the shell's screen", back, n)
		var status syscall.WaitStatus
		if _, err := syscall.Wait4(cmd.Process.Pid, &status, syscall.WUNTRACED, nil); err != nil || !status.Stopped() {
			t.Fatalf("not stopped: %v, %v", status, err)
		}
		takesKeys(false)
		cmd.Process.Signal(syscall.SIGCONT)
	}
	sees("the screen", taken, 3)
	cmd.Process.Signal(syscall.SIGHUP)
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	sees("the shell's screen", back, 3)
	takesKeys(false)
}
