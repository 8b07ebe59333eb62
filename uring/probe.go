package uring

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"ringo/internal/posix"
)

// The self-tests that Probe runs. Each runs a small program against the kernel, because neither a version nor a list of
// opcodes shows that something works here.
const (
	CheckRegister        = "register"         // io_uring_register may be called at all
	CheckNop             = "nop"              // an op submitted by io_uring_enter completes
	CheckExtArg          = "ext_arg"          // the timeout of Enter
	CheckRingFD          = "ring_fd"          // a registered ring descriptor
	CheckPollMultishot   = "multishot_poll"   // PrepPollMultishot, on an eventfd
	CheckCancelFD        = "cancel_fd"        // PrepCancelFD
	CheckAcceptMultishot = "multishot_accept" // PrepAcceptMultishot
	CheckBufRing         = "buf_ring"         // RegisterBufRing
	CheckRecvMultishot   = "multishot_recv"   // PrepRecvMultishot from a buffer ring
	CheckRecvLimit       = "recv_limit"       // LimitRecv
	CheckSilentSend      = "silent_send"      // a send with SQECQESkipSuccess and MSG_WAITALL that does not wait
	CheckMsgRing         = "msg_ring"         // PrepMsgRing, one ring to another
	CheckSyncCancel      = "sync_cancel"      // CancelAll
)

// A Report is the result of Probe. Its JSON form is stable; String is for people and bug reports.
type Report struct {
	System  string   `json:"system"`            // "linux 6.18.44 amd64"
	Usable  bool     `json:"usable"`            // setup, enter and register all work
	Refusal *Refusal `json:"refusal,omitempty"` // why it is not usable

	// DisabledSysctl is kernel.io_uring_disabled; nil if there is no such sysctl (before Linux 6.6).
	DisabledSysctl *int   `json:"io_uring_disabled,omitempty"`
	Seccomp        bool   `json:"seccomp"`                // a seccomp filter is active
	MemlockSoft    *int64 `json:"memlock_soft,omitempty"` // RLIMIT_MEMLOCK in bytes, -1: unlimited
	MemlockHard    *int64 `json:"memlock_hard,omitempty"`

	SetupFlags []Offer  `json:"setup_flags,omitempty"` // each tried on a ring of its own
	Features   Features `json:"-"`
	FeatureSet []string `json:"features,omitempty"` // Features, as names
	Ops        OpSet    `json:"-"`
	OpNames    []string `json:"ops,omitempty"`         // Ops, as names
	OpsMissing []string `json:"ops_missing,omitempty"` // opcodes that this package knows and the kernel does not
	Checks     []Offer  `json:"checks,omitempty"`      // the self-tests, by the names of the Check constants

	cfg Config // of the rings that Probe opens

	SQEntriesMax int `json:"sq_entries_max,omitempty"` // largest ring that can be made here
	CQEntriesMax int `json:"cq_entries_max,omitempty"`
}

// A Refusal says which system call failed, and the likely cause.
type Refusal struct {
	Step  string `json:"step"`
	Error string `json:"error"`
	Hint  string `json:"hint,omitempty"`

	Advice []string `json:"advice,omitempty"` // changes to the system that would help

	err error
}

// Err returns the refusal as an error, a *SetupError as a rule, or nil if the report was read from JSON.
func (r *Refusal) Err() error { return r.err }

// An Offer is a feature that the kernel may have, and whether it has it.
type Offer struct {
	Name  string `json:"name"`
	Since string `json:"since,omitempty"` // the first mainline release that has it
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"` // the error if not

	err error
}

// Probe finds out by trying what io_uring can do here: it opens rings, makes register calls, and runs small programs on
// sockets, all on a separate thread that ends with it. It takes some ten milliseconds, most of them for the largest
// possible ring. Any goroutine may call it.
//
// If the kernel, the container or the machine blocks io_uring, or the OS has none, the Report's Refusal says so. Probe
// returns an error only if it could not even try.
func Probe() (*Report, error) { return probe(&Config{}, (*Report).askAll) }

// ProbeFor is a shorter Probe for a program that has to decide whether to use io_uring: it runs only the named checks,
// and those that show whether io_uring may be used at all. The report has only their results, and the features and
// opcodes of a ring with this configuration; nil means the default one. Evaluate the report with Require.
func ProbeFor(cfg *Config, checks ...string) (*Report, error) {
	if cfg == nil {
		cfg = &Config{}
	}
	return probe(cfg, func(r *Report) { r.ask(checks) })
}

// Require returns nil if all the named checks passed. Otherwise it returns the refusal, or an error that wraps one
// error for each check that failed: a *FeatureError if the kernel lacks the feature.
func (r *Report) Require(checks ...string) error {
	if r.Refusal != nil {
		return r.Refusal.err
	}
	var failed failedChecks
	for _, name := range checks {
		if err := r.check(name); err != nil {
			failed = append(failed, err)
		}
	}
	if failed == nil {
		return nil
	}
	return failed
}

// failedChecks joins errors on one line.
type failedChecks []error

func (f failedChecks) Error() string {
	texts := make([]string, 0, len(f))
	for _, err := range f {
		texts = append(texts, err.Error())
	}
	return strings.Join(slices.Compact(texts), "; ")
}

func (f failedChecks) Unwrap() []error { return f }

func (r *Report) check(name string) error {
	for _, c := range r.Checks {
		if c.Name == name {
			return c.err
		}
	}
	return fmt.Errorf("uring: check %q was not run", name)
}

// refuse records the first refusal.
func (r *Report) refuse(err error) {
	if r.Refusal != nil {
		return
	}
	r.Refusal = &Refusal{Step: "io_uring", Error: err.Error(), err: err}
	var s *SetupError
	if errors.As(err, &s) {
		r.Refusal.Step, r.Refusal.Error, r.Refusal.Hint, r.Refusal.Advice = s.Step, s.Err.Error(), s.Hint, s.Advice
	}
}

// offered makes an Offer from the error of a try. Here, and only here, EINVAL means that the kernel does not know the
// feature.
func offered(name, since string, err error) Offer {
	o := Offer{Name: name, Since: since, OK: err == nil}
	if err == nil {
		return o
	}
	if errors.Is(err, posix.EINVAL) {
		err = &FeatureError{Name: name, Since: since}
	}
	o.Error, o.err = err.Error(), err
	return o
}

// String returns the report for people, one line per subject.
func (r *Report) String() string {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-13s %s\n", name, fmt.Sprintf(format, args...))
	}
	line("system", "%s", r.System)
	if r.Refusal != nil {
		line("io_uring", "refused: %s", r.Refusal)
	} else {
		line("io_uring", "usable")
	}
	if r.DisabledSysctl != nil {
		line("sysctl", "kernel.io_uring_disabled = %d", *r.DisabledSysctl)
	}
	if r.Seccomp {
		line("seccomp", "a filter is active")
	}
	if r.MemlockSoft != nil {
		line("memlock", "%s (hard limit %s)", kib(*r.MemlockSoft), kib(*r.MemlockHard))
	}
	if r.SQEntriesMax > 0 {
		line("largest ring", "SQ %d, CQ %d entries", r.SQEntriesMax, r.CQEntriesMax)
	}
	listOffers(line, "setup flags", r.SetupFlags)
	listOffers(line, "checks", r.Checks)
	if len(r.FeatureSet) > 0 {
		line("features", "%s", strings.Join(r.FeatureSet, " "))
	}
	if len(r.OpNames) > 0 {
		line("ops", "%s", strings.Join(r.OpNames, " "))
	}
	if len(r.OpsMissing) > 0 {
		line("  missing", "%s", strings.Join(r.OpsMissing, " "))
	}
	return b.String()
}

// String returns the refusal in one line.
func (r *Refusal) String() string {
	s := r.Step + ": " + r.Error
	if r.Hint != "" {
		s += " (" + r.Hint + ")"
	}
	return s
}

func listOffers(line func(name, format string, args ...any), title string, offers []Offer) {
	var have []string
	for _, o := range offers {
		if o.OK {
			have = append(have, o.Name)
		}
	}
	if len(offers) > 0 {
		line(title, "%s", strings.Join(have, " "))
	}
	for _, o := range offers {
		if !o.OK {
			line("  no "+o.Name, "%s", o.Error)
		}
	}
}

func kib(n int64) string {
	if n < 0 {
		return "unlimited"
	}
	return fmt.Sprintf("%d KiB", n>>10)
}
