package mask

import (
	"slices"
	"strings"
	"testing"

	"ringo/internal/abi"
)

func TestParse(t *testing.T) {
	for spec, want := range map[string]string{
		"":                          "",
		" , ":                       "",
		"ext_arg":                   "ext_arg",
		"EXT_ARG, buf_ring,ext_arg": "buf_ring ext_arg",
		"op:accept":                 "op:accept",
		"kernel=99.0":               "kernel=99.0",
		"kernel=6.12": "clone_buffers cqe_mixed hybrid_iopoll kernel=6.12 mem_region no_iowait " +
			"op:epoll_wait op:nop128 op:pipe op:readv_fixed op:recv_zc op:uring_cmd128 op:writev_fixed query " +
			"recv_limit resize_rings rw_attr send_msg_ring",
		"multishot_recv,kernel=255.0": "kernel=255.0 multishot_recv",
	} {
		m, err := Parse(spec)
		if err != nil {
			t.Errorf("%q: %v", spec, err)
			continue
		}
		want = strings.Replace(want, "clone_buffers ", "", 1) // 6.12 has it
		if got := strings.Join(m.Names(), " "); got != want {
			t.Errorf("%q masks %q, want %q", spec, got, want)
		}
		if (m == nil) != (want == "") {
			t.Errorf("%q is nil: %t", spec, m == nil)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for spec, says := range map[string][]string{
		"extarg":         {"RINGO_MASK", `"extarg"`, "ext_arg", "kernel="},
		"op:fly":         {"RINGO_MASK", `"op:fly"`, "op:accept", " accept ", " send_zc "},
		"kernel=5":       {"RINGO_MASK", "5.10", "minor"},
		"kernel=x.1":     {"RINGO_MASK", `"kernel=x.1"`},
		"kernel=5.10.2":  {"RINGO_MASK", `"kernel=5.10.2"`},
		"kernel=5.-1":    {"RINGO_MASK"},
		"ext_arg,kernel": {"RINGO_MASK", `"kernel"`},
	} {
		m, err := Parse(spec)
		if err == nil {
			t.Errorf("%q is accepted: %v", spec, m.Names())
			continue
		}
		for _, text := range says {
			if !strings.Contains(err.Error(), text) {
				t.Errorf("%q: %v does not say %s", spec, err, text)
			}
		}
	}
}

// A name is for one thing, and a release masks what is newer and nothing else.
func TestTable(t *testing.T) {
	names := map[string]bool{}
	for i := range things {
		th := &things[i]
		if th.name == "" || names[th.name] || strings.ContainsAny(th.name, ",:= ") {
			t.Errorf("bad or repeated name %q", th.name)
		}
		names[th.name] = true
		if (th.strip == nil) != (th.refusing == 0) {
			t.Errorf("%s: strips and refuses at once, or neither", th.name)
		}
	}
	for code := range ops {
		if ops[code].name == "" || ops[code].since < v(5, 1) {
			t.Errorf("opcode %d has no name or release", code)
		}
	}
	var before []string
	for _, r := range []string{"7.0", "6.12", "6.6", "6.1", "5.15", "5.10", "5.6", "5.4", "5.0"} {
		m, err := Parse("kernel=" + r)
		if err != nil {
			t.Fatal(err)
		}
		now := slices.DeleteFunc(slices.Clone(m.Names()), func(n string) bool {
			return strings.HasPrefix(n, "kernel=")
		})
		for _, n := range before {
			if !slices.Contains(now, n) {
				t.Errorf("%s is masked on a newer kernel and not on %s", n, r)
			}
		}
		before = now
	}
	if want := len(things) + len(ops) - 5; len(before) != want { // all but the five of no age
		t.Errorf("before the first kernel %d things are missing, want %d", len(before), want)
	}
}

// Entries that an older kernel refuses, ignores in part, or takes.
func TestJudge(t *testing.T) {
	recvMultishot := abi.Io_uring_sqe{Opcode: abi.IORING_OP_RECV, Ioprio: abi.IORING_RECV_MULTISHOT}
	silent := abi.Io_uring_sqe{Opcode: abi.IORING_OP_SEND, Flags: abi.IOSQE_CQE_SKIP_SUCCESS}
	plainRecv := abi.Io_uring_sqe{Opcode: abi.IORING_OP_RECV}
	for _, c := range []struct {
		spec string
		in   abi.Io_uring_sqe
		out  abi.Io_uring_sqe
	}{
		{"kernel=6.0", recvMultishot, recvMultishot},
		{"kernel=5.19", recvMultishot, refused(recvMultishot)},
		{"kernel=5.10", recvMultishot, plainRecv}, // which did not look
		{"multishot_recv", recvMultishot, refused(recvMultishot)},
		{"op:recv", plainRecv, refused(plainRecv)},
		{"op:accept", plainRecv, plainRecv},
		{"kernel=5.10", abi.Io_uring_sqe{Opcode: 0xf0}, refused(abi.Io_uring_sqe{Opcode: 0xf0})},
		{"ext_arg", abi.Io_uring_sqe{Opcode: 0xf0}, abi.Io_uring_sqe{Opcode: 0xf0}},
		{"kernel=5.12", abi.Io_uring_sqe{Opcode: abi.IORING_OP_POLL_ADD, Len: 1},
			refused(abi.Io_uring_sqe{Opcode: abi.IORING_OP_POLL_ADD, Len: 1})},
		{"kernel=5.12", abi.Io_uring_sqe{Opcode: abi.IORING_OP_POLL_ADD},
			abi.Io_uring_sqe{Opcode: abi.IORING_OP_POLL_ADD}},
		{"kernel=5.18", abi.Io_uring_sqe{Opcode: abi.IORING_OP_ACCEPT, Ioprio: 1},
			refused(abi.Io_uring_sqe{Opcode: abi.IORING_OP_ACCEPT, Ioprio: 1})},
		{"silent_send", silent, refused(silent)},
		{"kernel=6.0", silent, refused(silent)},
		{"kernel=6.1", silent, silent},
		{"silent_send", abi.Io_uring_sqe{Opcode: abi.IORING_OP_SEND}, abi.Io_uring_sqe{Opcode: abi.IORING_OP_SEND}},
		{"kernel=5.16", abi.Io_uring_sqe{Flags: abi.IOSQE_CQE_SKIP_SUCCESS},
			refused(abi.Io_uring_sqe{Flags: abi.IOSQE_CQE_SKIP_SUCCESS})},
	} {
		m, err := Parse(c.spec)
		if err != nil {
			t.Fatal(err)
		}
		e := c.in
		m.judge(&e)
		if e != c.out {
			t.Errorf("%s makes %+v of %+v, want %+v", c.spec, e, c.in, c.out)
		}
	}
}

func refused(e abi.Io_uring_sqe) abi.Io_uring_sqe {
	e.Opcode = noOp
	return e
}

// Loops that open their drivers at once each add to the names.
func TestNamesAreNotShared(t *testing.T) {
	for n := 1; n <= len(Known()); n++ {
		m, err := Parse(strings.Join(Known()[:n], ","))
		if err != nil {
			t.Fatal(err)
		}
		if one, other := append(m.Names(), "one"), append(m.Names(), "other"); slices.Equal(one, other) {
			t.Fatalf("what is added to %d names changes what another has added", n)
		}
	}
}
