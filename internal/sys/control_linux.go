//go:build linux && !portable

package sys

// NativeControl returns control messages in the system's form, for calls that other packages make.
func NativeControl(control []byte) (native []byte, res int32) { return control, 0 }

// LinuxControl returns control messages in Linux's form.
func LinuxControl(native []byte) []byte { return native }
