//go:build linux

package seccomptest

import (
	"fmt"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// A Rule makes one system call fail without being run. Number is the call's number on this architecture, a unix.SYS_
// constant.
type Rule struct {
	Number uint32
	Errno  syscall.Errno
}

// A Policy is a set of rules; calls without a rule are allowed. Calls by the ABI of another architecture kill the
// process: the filter can't tell what they are, and must not let them pass.
type Policy struct{ rules []Rule }

// Deny returns the policy of these rules. It panics if there are none, if there are more than a short filter can hold,
// or if an errno is invalid.
func Deny(rules ...Rule) Policy {
	if len(rules) == 0 || len(rules) > rulesMax {
		panic(fmt.Sprintf("seccomptest: a policy of %d rules, want 1 to %d", len(rules), rulesMax))
	}
	for _, r := range rules {
		if r.Errno <= 0 || r.Errno > errnoMax {
			panic(fmt.Sprintf("seccomptest: errno %d for system call %d, want 1 to %d", r.Errno, r.Number, errnoMax))
		}
	}
	return Policy{rules: rules}
}

const (
	rulesMax = 1000
	errnoMax = 4095 // the kernel clips larger ones
)

// DenyUring refuses all calls of io_uring, as the default profiles of container runtimes do.
func DenyUring() Policy { return denyUring(syscall.EPERM) }

// DenyUringENOSYS refuses all calls of io_uring, as a kernel that was built without it does.
func DenyUringENOSYS() Policy { return denyUring(syscall.ENOSYS) }

// DenyEnter allows a ring to be made but refuses its use, like a profile that knows only the first of the three calls.
// A program that relies on a successful setup notices too late.
func DenyEnter() Policy { return Deny(Rule{unix.SYS_IO_URING_ENTER, syscall.EPERM}) }

// DenyRegister allows a ring to be made and used, without registered buffers, files and ring descriptors, and without
// the probe of its ops.
func DenyRegister() Policy { return Deny(Rule{unix.SYS_IO_URING_REGISTER, syscall.EPERM}) }

// KillUring kills the process at its first call of io_uring, as a strict profile does. The program can't catch that.
func KillUring() Policy {
	return Policy{rules: []Rule{{unix.SYS_IO_URING_SETUP, kill}, {unix.SYS_IO_URING_ENTER, kill},
		{unix.SYS_IO_URING_REGISTER, kill}}}
}

// kill, as a rule's Errno, kills the process.
const kill syscall.Errno = 0

func denyUring(errno syscall.Errno) Policy {
	return Deny(
		Rule{unix.SYS_IO_URING_SETUP, errno},
		Rule{unix.SYS_IO_URING_ENTER, errno},
		Rule{unix.SYS_IO_URING_REGISTER, errno},
	)
}

// encode returns the policy as one argument: number=errno pairs, separated by commas.
func (p Policy) encode() string {
	var words []string
	for _, r := range p.rules {
		words = append(words, fmt.Sprintf("%d=%d", r.Number, int(r.Errno)))
	}
	return strings.Join(words, ",")
}

func decode(text string) (rules []Rule, err error) {
	for word := range strings.SplitSeq(text, ",") {
		number, errno, _ := strings.Cut(word, "=")
		n, err := strconv.ParseUint(number, 10, 32)
		if err != nil {
			return nil, err
		}
		e, err := strconv.ParseUint(errno, 10, 16)
		if err != nil {
			return nil, err
		}
		rules = append(rules, Rule{uint32(n), syscall.Errno(e)})
	}
	return rules, nil
}
