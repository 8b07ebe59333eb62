//go:build linux && !mips && !mipsle && !mips64 && !mips64le

package service

import "syscall"

// stackFault is a fault that processors have had.
const stackFault = syscall.SIGSTKFLT
