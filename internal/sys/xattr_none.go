//go:build dragonfly || openbsd

package sys

import "ringo/internal/posix"

// Fgetxattr is not supported on this system, and neither are the others.
func Fgetxattr(fd int32, name, p []byte) int32 { return posix.Lack(EOPNOTSUPP) }

func Fsetxattr(fd int32, name, p []byte, flags int) int32 { return posix.Lack(EOPNOTSUPP) }
func Flistxattr(fd int32, p []byte) int32                 { return posix.Lack(EOPNOTSUPP) }
func Fremovexattr(fd int32, name []byte) int32            { return posix.Lack(EOPNOTSUPP) }
