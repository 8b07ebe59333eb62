//go:build linux && (mips || mipsle || mips64 || mips64le)

package service

import "syscall"

// stackFault is SIGEMT, which MIPS has and no other: SIGSTKFLT is none of its signals.
const stackFault = syscall.SIGEMT
