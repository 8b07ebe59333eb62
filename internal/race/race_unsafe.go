//go:build race

package race

import (
	"runtime"
	"unsafe"
)

// Enabled reports whether this is a build with -race.
const Enabled = true

// ReadRange tells the detector that the calling goroutine lets the kernel read p.
func ReadRange(p []byte) {
	if len(p) > 0 {
		runtime.RaceReadRange(unsafe.Pointer(unsafe.SliceData(p)), len(p))
	}
}

// WriteRange tells the detector that the kernel has written p for the calling
// goroutine.
func WriteRange(p []byte) {
	if len(p) > 0 {
		runtime.RaceWriteRange(unsafe.Pointer(unsafe.SliceData(p)), len(p))
	}
}
