package uring

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"ringo/internal/posix"
)

// failed is a report as an old kernel in a container would give it.
func failed() *Report {
	r := &Report{System: "linux 5.10.0 amd64", Seccomp: true}
	r.Checks = []Offer{
		offered(CheckNop, "5.1", nil),
		offered(CheckRecvMultishot, "6.0", posix.EINVAL),
		offered(CheckMsgRing, "5.18", posix.EPERM),
	}
	return r
}

func TestRequire(t *testing.T) {
	r := failed()
	if err := r.Require(CheckNop); err != nil {
		t.Error(err)
	}
	err := r.Require(CheckNop, CheckRecvMultishot, CheckMsgRing)
	var f *FeatureError
	if !errors.As(err, &f) || f.Name != CheckRecvMultishot || f.Since != "6.0" {
		t.Errorf("want a FeatureError for %s, got %v", CheckRecvMultishot, err)
	}
	if !errors.Is(err, errors.ErrUnsupported) || !errors.Is(err, posix.EPERM) || errors.Is(err, posix.EINVAL) {
		t.Errorf("want unsupported and EPERM, and no EINVAL, in: %v", err)
	}
	refusal := setupError("io_uring_setup(8 entries)", posix.EPERM)
	r.refuse(refusal)
	r.refuse(errors.New("a later one"))
	if err := r.Require(CheckNop); err != refusal || r.Refusal.Err() != refusal {
		t.Errorf("refused: want %v, got %v", refusal, err)
	}
}

func TestReportOfRefusal(t *testing.T) {
	r := failed()
	r.refuse(&SetupError{Step: "io_uring_setup(8 entries)", Hint: "kernel.io_uring_disabled is 2", Err: posix.EPERM})
	text := r.String()
	for _, want := range []string{
		"refused: io_uring_setup(8 entries): operation not permitted (kernel.io_uring_disabled is 2)\n",
		"no multishot_recv uring: the kernel has no multishot_recv (Linux 6.0)\n", "a filter is active\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	out, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var back map[string]any
	if err := json.Unmarshal(out, &back); err != nil {
		t.Fatal(err)
	}
	refusal, _ := back["refusal"].(map[string]any)
	if back["usable"] != false || refusal["hint"] != "kernel.io_uring_disabled is 2" ||
		refusal["error"] != "operation not permitted" {
		t.Errorf("JSON: %s", out)
	}
}

func TestErrors(t *testing.T) {
	err := error(&SetupError{Step: "step", Err: posix.ENOMEM})
	if !errors.Is(err, posix.ENOMEM) || err.Error() != "uring: step: cannot allocate memory" {
		t.Errorf("got %q", err)
	}
	err = &SetupError{Step: "step", Hint: "why", Err: errors.ErrUnsupported}
	if !errors.Is(err, errors.ErrUnsupported) || err.Error() != "uring: step: unsupported operation (why)" {
		t.Errorf("got %q", err)
	}
	err = &FeatureError{Name: "EXT_ARG", Since: "5.11"}
	if !errors.Is(err, errors.ErrUnsupported) || err.Error() != "uring: the kernel has no EXT_ARG (Linux 5.11)" {
		t.Errorf("got %q", err)
	}
}

func TestNames(t *testing.T) {
	for _, c := range []struct{ want, got string }{
		{"0", SetupFlags(0).String()},
		{"SINGLE_ISSUER|DEFER_TASKRUN", (SetupSingleIssuer | SetupDeferTaskrun).String()},
		{"NO_SQARRAY|1<<31", (SetupNoSQArray | 1<<31).String()},
		{"SQ_REWIND", SetupFlags(1 << 20).String()},
		{"EXT_ARG|NO_IOWAIT", (FeatExtArg | FeatNoIOWait).String()},
		{"RECV", OpRecv.String()},
		{"PIPE", OpPipe.String()},
		{"OP_200", Op(200).String()},
	} {
		if c.got != c.want {
			t.Errorf("want %q, got %q", c.want, c.got)
		}
	}
}

func TestOpSet(t *testing.T) {
	s := OpSet{}.With(OpNop, OpRecv, OpSocket, 255)
	for o := range 256 {
		want := o == int(OpNop) || o == int(OpRecv) || o == int(OpSocket) || o == 255
		if s.Has(Op(o)) != want {
			t.Errorf("%d: want %v", o, want)
		}
	}
	if s.Without(OpRecv, 255) != (OpSet{}).With(OpSocket, OpNop) {
		t.Errorf("got %v", s.Without(OpRecv, 255).List())
	}
	if l := s.List(); len(l) != 4 || l[0] != OpNop || l[3] != 255 {
		t.Errorf("list %v", l)
	}
}
