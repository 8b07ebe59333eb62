//go:build linux && (mips || mipsle || mips64 || mips64le)

package service

import "syscall"

// stackFault is SIGEMT: MIPS has it in place of SIGSTKFLT.
const stackFault = syscall.SIGEMT
