package seam_test

import (
	"testing"

	"ringo/internal/seam"
	_ "ringo/uring" // has the hook
)

func TestPutIntoSomethingElse(t *testing.T) {
	defer func() {
		if v := recover(); v != "seam: *int is no configuration of a ring" {
			t.Errorf("panic %v", v)
		}
	}()
	seam.Put(new(int), seam.Seam{})
}
