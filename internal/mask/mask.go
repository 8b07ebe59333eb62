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

// Variable is the environment variable with the mask.
const Variable = "RINGO_MASK"

// Mask is a set of features to do without. It never changes. A nil Mask masks nothing.
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
	// unknown masks also the flags, opcodes and calls that the tables lack: they are newer than the release.
	unknown bool
}

// rule finds entries that use a feature. They are refused or, if strip is set, strip removes the use from the entry.
type rule struct {
	uses  func(e *abi.Io_uring_sqe) bool
	strip func(e *abi.Io_uring_sqe)
}

// Env returns the mask in RINGO_MASK, nil if that is not set. It reads the variable once.
var Env = sync.OnceValues(func() (*Mask, error) { return Parse(os.Getenv(Variable)) })

// Parse reads a mask: names with commas between them. A name is "kernel=5.10" for all that came after Linux 5.10,
// "op:accept" for an opcode, or the name of a feature as `ringo probe` shows it. Of an empty text it returns nil.
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

// release masks all that came after r.
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

// thing masks one thing in the way in which release r lacks it. 0 stands for a present release that refuses it.
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

// String returns the text that was given to Parse.
func (m *Mask) String() string {
	if m == nil {
		return ""
	}
	return m.spec
}

// Names returns the names of all that is masked, and of the releases, in the form that Parse reads.
func (m *Mask) Names() []string {
	if m == nil {
		return nil
	}
	return slices.Clip(m.names) // loops append to it at the same time
}

// Known lists the names of all features that can be masked, without opcodes.
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

// OpName returns the name of an opcode, which follows "op:" in a mask; "" if the table lacks the opcode.
func OpName(code uint8) string {
	if int(code) < len(ops) {
		return ops[code].name
	}
	return ""
}

// release is a release of Linux: 5.10 is 5<<8 | 10.
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
