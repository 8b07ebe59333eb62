package driver

import (
	"errors"
	"testing"
)

// A step that is called as its driver is, is named once.
func TestSetupErrorNames(t *testing.T) {
	why := errors.New("no")
	for want, e := range map[string]*SetupError{
		"kqueue: no (old)":  {Driver: "kqueue", Step: "kqueue", Hint: "old", Err: why},
		"kqueue: pipe2: no": {Driver: "kqueue", Step: "pipe2", Err: why},
		"kqueue: no":        {Driver: "kqueue", Err: why},
	} {
		if got := e.Error(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
