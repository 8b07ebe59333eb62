package op

import (
	"strconv"
	"testing"
	"unsafe"
)

// A chunk of slots fills one of the allocator's sizes.
func TestOpSize(t *testing.T) {
	if size := unsafe.Sizeof(Op{}); strconv.IntSize == 64 && size != 112 {
		t.Errorf("an op takes %d bytes, want 112", size)
	}
}
