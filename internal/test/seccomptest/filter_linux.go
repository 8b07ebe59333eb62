//go:build linux

package seccomptest

import "golang.org/x/sys/unix"

// auditArch are the architectures by the numbers that the kernel tells a filter.
var auditArch = map[string]uint32{
	"386":   unix.AUDIT_ARCH_I386,
	"amd64": unix.AUDIT_ARCH_X86_64,
	"arm64": unix.AUDIT_ARCH_AARCH64,
}

// x32Bit marks the calls of amd64's ABI with short pointers, which the kernel
// reports under amd64's own architecture.
const x32Bit = 0x4000_0000

// The filter reads the head of struct seccomp_data: the call's number, then the
// architecture.
const (
	offNumber = 0
	offArch   = 4
)

// assemble returns the program of a filter: it kills what comes by another ABI,
// fails what a rule names and allows the rest. See seccomp(2).
func assemble(arch uint32, rules []Rule) []unix.SockFilter {
	const (
		load      = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		equal     = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		atOrAbove = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K
		give      = unix.BPF_RET | unix.BPF_K
	)
	prog := []unix.SockFilter{
		{Code: load, K: offArch},
		{Code: equal, Jt: 1, Jf: 0, K: arch},
		{Code: give, K: unix.SECCOMP_RET_KILL_PROCESS},
		{Code: load, K: offNumber},
	}
	if arch == unix.AUDIT_ARCH_X86_64 {
		prog = append(prog,
			unix.SockFilter{Code: atOrAbove, Jt: 0, Jf: 1, K: x32Bit},
			unix.SockFilter{Code: give, K: unix.SECCOMP_RET_KILL_PROCESS})
	}
	for _, r := range rules {
		action := unix.SECCOMP_RET_ERRNO | uint32(r.Errno)
		if r.Errno == kill {
			action = unix.SECCOMP_RET_KILL_PROCESS
		}
		prog = append(prog,
			unix.SockFilter{Code: equal, Jt: 0, Jf: 1, K: r.Number},
			unix.SockFilter{Code: give, K: action})
	}
	return append(prog, unix.SockFilter{Code: give, K: unix.SECCOMP_RET_ALLOW})
}
