//go:build linux

package seccomptest

import "golang.org/x/sys/unix"

// auditArch maps architectures to the numbers by which the kernel names them to a filter.
var auditArch = map[string]uint32{
	"386":   unix.AUDIT_ARCH_I386,
	"amd64": unix.AUDIT_ARCH_X86_64,
	"arm64": unix.AUDIT_ARCH_AARCH64,
}

// x32Bit marks the calls of amd64's ABI with short pointers, which the kernel
// reports under amd64's own architecture.
const x32Bit = 0x4000_0000

// The filter reads the beginning of struct seccomp_data: the number of the call, and the architecture.
const (
	offNumber = 0
	offArch   = 4
)

// assemble returns a filter's program: it kills the process for calls of another ABI, makes the calls in rules fail,
// and allows all others. See seccomp(2).
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
