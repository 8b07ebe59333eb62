package file_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"ringo"
	"ringo/file"
)

func TestPolledIsRefused(t *testing.T) {
	eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
		_, err := file.OpenFile(filled(t, t.TempDir(), 1), os.O_RDONLY|file.Polled, 0)
		if !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "poll") {
			t.Errorf("OpenFile with Polled: %v, want why not", err)
		}
	})
}
