package stacks

import "strings"

// pcKind is what an address on a stack says of what the goroutine waits for.
type pcKind uint8

const (
	programPC  pcKind = iota // it has called what is further in
	runtimePC                // the runtime has
	collectsPC               // for the collector
	switchesPC               // to switch to another coroutine
)

// kindsMax bounds the addresses that are remembered. At the bound all are forgotten.
const kindsMax = 1024

// Kinds remembers what addresses mean: to find it out allocates. One goroutine at a time uses it.
type Kinds struct{ known map[uintptr]pcKind }

func (m *Kinds) of(pc uintptr) pcKind {
	k, ok := m.known[pc]
	if ok {
		return k
	}
	if m.known == nil {
		m.known = map[uintptr]pcKind{}
	}
	if len(m.known) >= kindsMax {
		clear(m.known)
	}
	k = runtimePC
	for _, f := range (&Stack{PCs: []uintptr{pc}}).All() {
		switch {
		case PackageOf(f.Name) != "runtime":
			k = programPC
		case strings.HasPrefix(f.Name, "runtime.gc"), strings.HasPrefix(f.Name, "runtime.stopTheWorld"):
			k = collectsPC
		case f.Name == "runtime.coroswitch", f.Name == "runtime.coroswitch_m":
			k = switchesPC
		}
		if k != runtimePC {
			break
		}
	}
	m.known[pc] = k
	return k
}

// Switched reports whether a stack ends in a switch to another coroutine.
func (m *Kinds) Switched(s *Stack) bool { return len(s.PCs) > 0 && m.of(s.PCs[0]) == switchesPC }

// Collects reports whether a goroutine waits for the garbage collector, or works for it.
func (m *Kinds) Collects(s *Stack) bool {
	for _, pc := range s.PCs {
		switch m.of(pc) {
		case programPC:
			return false
		case collectsPC:
			return true
		}
	}
	return false
}
