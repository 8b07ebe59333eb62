//go:build linux && !mips && !mipsle && !mips64 && !mips64le

package service

import "syscall"

// stackFault is SIGSTKFLT, a fault of coprocessors that Linux no longer reports (signal(7)).
const stackFault = syscall.SIGSTKFLT
