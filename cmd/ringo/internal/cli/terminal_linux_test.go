//go:build linux

package cli

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestTerminal(t *testing.T) {
	open := func(name string) *os.File {
		f, err := os.OpenFile(name, os.O_RDWR|unix.O_NOCTTY, 0)
		if err != nil {
			t.Skip(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	if _, _, ok := Terminal(open(os.DevNull)); ok {
		t.Error("/dev/null is a terminal")
	}
	if _, _, ok := Terminal(new(strings.Builder)); ok {
		t.Error("a Builder is a terminal")
	}
	pty := open("/dev/ptmx")
	if width, height, ok := Terminal(pty); width != 80 || height != 24 || !ok {
		t.Errorf("a terminal that does not know its size has %d x %d, %v; want 80 x 24", width, height, ok)
	}
	if err := unix.IoctlSetWinsize(int(pty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: 100, Row: 30}); err != nil {
		t.Fatal(err)
	}
	if width, height, ok := Terminal(pty); width != 100 || height != 30 || !ok {
		t.Errorf("a terminal of 100 x 30 has %d x %d, %v", width, height, ok)
	}
}
