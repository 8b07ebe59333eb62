package stacks

import "strings"

// pcKind says what an address on a stack shows about why the goroutine waits.
type pcKind uint8

const (
	programPC  pcKind = iota // the program has called the next inner function
	runtimePC                // the runtime has called it
	collectsPC               // the runtime has called it for the garbage collector
	switchesPC               // the runtime has called it to switch to another coroutine
)

// kindsMax bounds the addresses that are remembered. At the bound all are forgotten.
const kindsMax = 1024

// Kinds caches the kinds of addresses: finding one out allocates. Only one goroutine at a time uses it.
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
