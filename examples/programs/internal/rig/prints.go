package rig

import (
	"bytes"
	"io"
	"testing"
)

// Prints runs a program on each driver, and compares what it prints.
func Prints(t *testing.T, run func(out io.Writer) error, want string) {
	t.Helper()
	EachDriver(t, AllDrivers, func(t *testing.T, driver string) {
		t.Setenv("RINGO_DRIVER", driver)
		var out bytes.Buffer
		Within(t, func() {
			if err := run(&out); err != nil {
				t.Error(err)
			}
		})
		if got := out.String(); got != want {
			t.Errorf("printed\n%s\nwant\n%s", got, want)
		}
	})
}
