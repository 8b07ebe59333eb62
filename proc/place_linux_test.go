//go:build linux

package proc

import (
	"runtime"
	"testing"

	"ringo"
)

// A command may run where the program may, and not only where a Run with a reserve keeps the program's own threads.
func TestCommandsAreNotKeptToTheRest(t *testing.T) {
	if runtime.NumCPU() < 2 {
		t.Skip("there is one CPU")
	}
	where := func() string {
		out, err := Command("grep", "Cpus_allowed_list", "/proc/self/status").Output()
		if err != nil {
			t.Error(err)
		}
		return string(out)
	}
	before := where()
	cfg := &ringo.Config{Loops: 1, Reserve: 1, Entries: 32, Buffers: 2, BufferSize: 64}
	err := ringo.Run(t.Context(), cfg, func(*ringo.Loop) error {
		if got := where(); got != before {
			t.Errorf("a command has %q, want %q", got, before)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
