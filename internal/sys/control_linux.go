//go:build linux && !portable

package sys

// NativeControl are control messages as the system has them, for calls that are not of this package.
func NativeControl(control []byte) (native []byte, res int32) { return control, 0 }

// LinuxControl are control messages as Linux has them.
func LinuxControl(native []byte) []byte { return native }
