//go:build unix

package main

import (
	"io"
	"os"
	"os/exec"
	"testing"

	"ringo/internal/test/patience"
)

// What a test has started and left behind ends with it.
func TestInGroup(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	test := exec.CommandContext(t.Context(), "sh", "-c", "sleep 1000 & exit 3")
	test.Stdout = w // the sleeper has it as well
	end := inGroup(test)
	err = test.Run()
	w.Close()
	if end(); err == nil || test.ProcessState.ExitCode() != 3 {
		t.Error(err)
	}
	patience.Within(t.Name(), func() { io.Copy(io.Discard, r) })
}
