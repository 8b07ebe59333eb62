//go:build !darwin && !dragonfly && !freebsd && !linux && !netbsd && !openbsd

package sys

// NativeControl fails: this package knows no control messages of this system.
func NativeControl(control []byte) (native []byte, res int32) { return nil, -EOPNOTSUPP }

// LinuxControl returns none.
func LinuxControl(native []byte) []byte { return nil }
