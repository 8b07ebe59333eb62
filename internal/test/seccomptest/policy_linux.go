//go:build linux

package seccomptest

import (
	"fmt"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// A Rule makes one system call fail without being run. Number is this
// architecture's, a unix.SYS constant.
type Rule struct {
	Number uint32
	Errno  syscall.Errno
}

// A Policy is a set of rules; what no rule names is allowed. Calls by the ABI of
// another architecture kill the process: a filter that can't tell what they are
// must not let them pass.
type Policy struct{ rules []Rule }

// Deny returns the policy of the given rules. It panics if there are none or more
// than a short filter holds, or if an errno is not one.
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

// DenyUring refuses all of io_uring as container runtimes' default profiles do.
func DenyUring() Policy { return denyUring(syscall.EPERM) }

// DenyUringENOSYS refuses all of io_uring as a kernel that was built without it.
func DenyUringENOSYS() Policy { return denyUring(syscall.ENOSYS) }

// DenyEnter lets a ring be made and refuses its use, as a profile does that knows
// the first of the three calls only: a program that takes the setup's success for
// an answer finds out too late.
func DenyEnter() Policy { return Deny(Rule{unix.SYS_IO_URING_ENTER, syscall.EPERM}) }

// DenyRegister lets a ring be made and used, without registered buffers, files,
// ring descriptors or the probe of its opcodes.
func DenyRegister() Policy { return Deny(Rule{unix.SYS_IO_URING_REGISTER, syscall.EPERM}) }

// KillUring ends the process at the first call of io_uring, as a strict profile
// does. Nothing can be caught there.
func KillUring() Policy {
	return Policy{rules: []Rule{{unix.SYS_IO_URING_SETUP, kill}, {unix.SYS_IO_URING_ENTER, kill},
		{unix.SYS_IO_URING_REGISTER, kill}}}
}

// kill in a rule's Errno ends the process.
const kill syscall.Errno = 0

func denyUring(errno syscall.Errno) Policy {
	return Deny(
		Rule{unix.SYS_IO_URING_SETUP, errno},
		Rule{unix.SYS_IO_URING_ENTER, errno},
		Rule{unix.SYS_IO_URING_REGISTER, errno},
	)
}

// encode writes the policy as one argument: number=errno, with commas between.
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
