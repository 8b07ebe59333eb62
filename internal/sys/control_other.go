//go:build !darwin && !dragonfly && !freebsd && !linux && !netbsd && !openbsd

package sys

// NativeControl is not offered on this system, which has no control messages that this package knows.
func NativeControl(control []byte) (native []byte, res int32) { return nil, -EOPNOTSUPP }

// LinuxControl are none.
func LinuxControl(native []byte) []byte { return nil }
