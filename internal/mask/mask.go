package mask

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"ringo/internal/abi"
)

// Variable is the environment's name for what to mask.
const Variable = "RINGO_MASK"

// Mask is a set of things to do without. It does not change once made; a nil Mask
// masks nothing.
type Mask struct {
	spec  string
	names []string

	gone      bool // there is no io_uring at all
	setup     uint32
	features  uint32
	enter     uint32
	registers [64]bool
	ops       [256]bool
	sqe       uint8
	rules     []rule
	// unknown: what the table does not know is newer than the release too.
	unknown bool
}

// rule is a use of an entry that is refused, or with strip not noticed.
type rule struct {
	uses  func(e *abi.Io_uring_sqe) bool
	strip func(e *abi.Io_uring_sqe)
}

// Env is the mask that RINGO_MASK asks for, nil if it is not set. It is read once.
var Env = sync.OnceValues(func() (*Mask, error) { return Parse(os.Getenv(Variable)) })

// Parse reads a mask: names with commas between them. A name is "kernel=5.10" for
// all that came after Linux 5.10, "op:accept" for an opcode, or that of a feature as
// `ringo probe` shows it. An empty one is nil.
func Parse(spec string) (*Mask, error) {
	m := &Mask{spec: spec}
	for name := range strings.SplitSeq(spec, ",") {
		if name = strings.ToLower(strings.TrimSpace(name)); name == "" {
			continue
		}
		if err := m.add(name); err != nil {
			return nil, err
		}
	}
	if m.names == nil {
		return nil, nil
	}
	slices.Sort(m.names)
	m.names = slices.Compact(m.names)
	return m, nil
}

func (m *Mask) add(name string) error {
	if kernel, ok := strings.CutPrefix(name, "kernel="); ok {
		r, err := parseRelease(kernel)
		if err != nil {
			return fmt.Errorf("%s: %q: want kernel= and a release such as 5.10: %w", Variable, name, err)
		}
		m.release(r)
		return nil
	}
	if op, ok := strings.CutPrefix(name, "op:"); ok {
		for code := range ops {
			if ops[code].name == op {
				m.op(code)
				return nil
			}
		}
		return fmt.Errorf("%s: %q: no such op: want one of %s, as in op:accept", Variable, name,
			strings.Join(opNames(), " "))
	}
	for i := range things {
		if things[i].name == name {
			m.thing(&things[i], 0)
			return nil
		}
	}
	return fmt.Errorf("%s: %q: want kernel=RELEASE, op:NAME, or one of %s", Variable, name, strings.Join(Known(), " "))
}

// release masks what came after r.
func (m *Mask) release(r release) {
	m.unknown = true
	m.names = append(m.names, "kernel="+r.String())
	for i := range things {
		if things[i].since > r {
			m.thing(&things[i], r)
		}
	}
	for code := range ops {
		if ops[code].since > r {
			m.op(code)
		}
	}
}

// thing masks one thing, as release r would lack it; 0 is a release of today.
func (m *Mask) thing(t *thing, r release) {
	m.names = append(m.names, t.name)
	m.gone = m.gone || t.name == "io_uring"
	m.setup |= t.setup
	m.features |= t.feature
	m.enter |= t.enter
	m.sqe |= t.sqe
	for _, call := range t.register {
		m.registers[call] = true
	}
	if t.uses == nil {
		return
	}
	ru := rule{uses: t.uses}
	if r != 0 && r < t.refusing {
		ru.strip = t.strip
	}
	m.rules = append(m.rules, ru)
}

func (m *Mask) op(code int) {
	m.names = append(m.names, "op:"+ops[code].name)
	m.ops[code] = true
}

// String is what was asked for.
func (m *Mask) String() string {
	if m == nil {
		return ""
	}
	return m.spec
}

// Names are all things that are masked, the releases among them.
func (m *Mask) Names() []string {
	if m == nil {
		return nil
	}
	return m.names
}

// Known lists the names of single things, opcodes apart.
func Known() []string {
	names := make([]string, 0, len(things))
	for i := range things {
		names = append(names, things[i].name)
	}
	slices.Sort(names)
	return names
}

// opNames lists the names of opcodes.
func opNames() []string {
	names := make([]string, 0, len(ops))
	for code := range ops {
		names = append(names, ops[code].name)
	}
	slices.Sort(names)
	return names
}

// OpName is the name of an opcode behind "op:", empty if the table lacks it.
func OpName(code uint8) string {
	if int(code) < len(ops) {
		return ops[code].name
	}
	return ""
}

// release is a kernel's, 5.10 as 5<<8 | 10.
type release uint16

func v(major, minor release) release { return major<<8 | minor }

func (r release) String() string { return fmt.Sprintf("%d.%d", r>>8, r&0xff) }

func parseRelease(s string) (release, error) {
	major, minor, ok := strings.Cut(s, ".")
	if !ok {
		return 0, fmt.Errorf("%q has no minor number", s)
	}
	a, err := strconv.ParseUint(major, 10, 8)
	if err != nil {
		return 0, err
	}
	b, err := strconv.ParseUint(minor, 10, 8)
	if err != nil {
		return 0, err
	}
	return v(release(a), release(b)), nil
}
