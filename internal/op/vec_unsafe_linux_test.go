//go:build linux

package op

import (
	"runtime/debug"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A vector of more slices than one call takes is looked at up to there: whoever has a million of them makes a thousand
// calls, and would look at all in each.
func TestVecLooksNoFurther(t *testing.T) {
	page := unix.Getpagesize()
	slice := int(unsafe.Sizeof([]byte(nil)))
	room := (VecMax*slice + page - 1) / page * page
	mem, err := unix.Mmap(-1, 0, room+page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(mem)
	if err := unix.Mprotect(mem[room:], unix.PROT_NONE); err != nil {
		t.Fatal(err)
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	bufs := unsafe.Slice((*[]byte)(unsafe.Pointer(&mem[room-VecMax*slice])), VecMax+1)
	// What is there is not for the collector to see: no memory of Go's.
	for i := range bufs[:VecMax] {
		bufs[i] = mem[:1]
	}
	x := new(Ext)
	x.SetVec(bufs, 0)
	if len(x.Vec) != VecMax {
		t.Errorf("the vector has %d slices, want %d", len(x.Vec), VecMax)
	}
}
