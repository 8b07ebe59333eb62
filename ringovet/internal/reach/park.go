package reach

import (
	"go/token"
	"slices"
	"strings"

	"golang.org/x/tools/go/ssa"

	"ringo/ringovet/internal/blockers"
	"ringo/ringovet/internal/roots"
)

// parking is the way to where a task parks in a function, nil if it does not.
type parking struct{ path []string }

// parks returns the way from a function to where it parks, nil if it does not.
func (w *World) parks(f *ssa.Function) []string {
	if known, ok := w.parking[f]; ok {
		return known.path
	}
	p := &parking{}
	w.parking[f] = p // while it is looked at: a recursive call adds no way to park
	for _, e := range w.scan(f).edges {
		if way := w.way(e); way != nil {
			p.path = way
			break
		}
	}
	return p.path
}

// way returns the way from an edge to where it parks, nil if it does not.
func (w *World) way(e edge) []string {
	if e.later || e.given {
		return nil
	}
	if e.park != "" {
		return append(slices.Clone(e.via), e.park)
	}
	if e.to != nil {
		if rest := w.parks(e.to); rest != nil {
			way := slices.Clone(e.via)
			if named(e.to) {
				way = append(way, nameOf(e.to))
			}
			return append(way, rest...)
		}
	}
	return nil
}

// heldWay is way for an edge of a function that holds a lock: there edges by scanner.given count, too.
func (w *World) heldWay(e edge) []string {
	if e.given && !e.later {
		e.given, e.to = false, e.within
	}
	return w.way(e)
}

func (w *World) edgeParks(e edge) bool { return w.way(e) != nil }

// A hold is a call that parks while a lock of package sync is held.
type hold struct {
	pos     token.Pos
	path    []string
	blocker blockers.Blocker
}

// locked finds the calls in a function that park between a Lock and its Unlock.
func (w *World) locked(f *ssa.Function) (found []hold) {
	byInstr := map[ssa.Instruction][]edge{}
	for _, e := range w.scan(f).edges {
		byInstr[e.instr] = append(byInstr[e.instr], e)
	}
	// The locks that may be held when each block begins, by their text.
	begin := make([]map[string]bool, len(f.Blocks))
	begin[0] = map[string]bool{}
	told := map[ssa.Instruction]bool{}
	queue := []*ssa.BasicBlock{f.Blocks[0]}
	for len(queue) > 0 {
		b := queue[0]
		queue = queue[1:]
		held := map[string]bool{}
		for l := range begin[b.Index] {
			held[l] = true
		}
		for _, instr := range b.Instrs {
			call, ok := instr.(*ssa.Call)
			if !ok {
				continue
			}
			lock, locks, is := lockOf(call)
			switch {
			case is && locks:
				held[lock] = true
			case is:
				delete(held, lock)
			case len(held) > 0 && !told[instr]:
				for _, e := range byInstr[instr] {
					if way := w.heldWay(e); way != nil && !told[instr] {
						told[instr] = true
						found = append(found, holdOf(e.pos, way, held))
					}
				}
			}
		}
		for _, next := range b.Succs {
			if begin[next.Index] == nil {
				begin[next.Index] = map[string]bool{}
				queue = append(queue, next)
			}
			grown := false
			for l := range held {
				if !begin[next.Index][l] {
					begin[next.Index][l], grown = true, true
				}
			}
			if grown && !slices.Contains(queue, next) {
				queue = append(queue, next)
			}
		}
	}
	return found
}

func holdOf(pos token.Pos, way []string, held map[string]bool) hold {
	var names []string
	for l := range held {
		names = append(names, strings.TrimSuffix(l, " (read)"))
	}
	slices.Sort(names)
	b := blockers.Locked
	b.Name = way[len(way)-1] + " with " + strings.Join(names, " and ") + " locked"
	b.Why = "parks, and the loop stops for good if another of its tasks locks that"
	return hold{pos, way, b}
}

// lockOf reports whether a call locks or unlocks a lock of package sync, which one, and whether it locks.
func lockOf(call *ssa.Call) (lock string, locks, is bool) {
	f := call.Call.StaticCallee()
	if f == nil || len(call.Call.Args) == 0 {
		return "", false, false
	}
	name := f.String()
	lock = text(call.Call.Args[0])
	switch name {
	case "(*sync.Mutex).Lock", "(*sync.RWMutex).Lock":
		return lock, true, true
	case "(*sync.RWMutex).RLock":
		return lock + " (read)", true, true
	case "(*sync.Mutex).Unlock", "(*sync.RWMutex).Unlock":
		return lock, false, true
	case "(*sync.RWMutex).RUnlock":
		return lock + " (read)", false, true
	}
	return "", false, false
}

// text returns an address as in source code: s.mu.
func text(v ssa.Value) string {
	switch v := v.(type) {
	case *ssa.FieldAddr:
		return text(v.X) + "." + fieldName(v)
	case *ssa.UnOp:
		return text(v.X)
	case *ssa.Alloc:
		return v.Comment
	case *ssa.IndexAddr:
		return text(v.X) + "[...]"
	}
	return v.Name()
}

// sharedTLS finds the places where a function starts a task with a crypto/tls.Conn that it, or another task that it
// starts, uses as well.
func (w *World) sharedTLS(f *ssa.Function) (found []token.Pos) {
	users := map[ssa.Value][]token.Pos{} // by variable: where tasks that use it are started
	w.eachStart(f, func(v ssa.Value, _ string, call ssa.CallInstruction, _ roots.Entry) {
		for _, r := range w.g.Roots(v) {
			if c, ok := r.(*ssa.MakeClosure); ok {
				for i, b := range c.Bindings {
					if isTLS(b) && usedIn(c.Fn.(*ssa.Function).FreeVars[i]) {
						users[b] = append(users[b], call.Pos())
					}
				}
			}
		}
	})
	for v, at := range users {
		if len(at) > 1 || usedIn(v) {
			found = append(found, at[len(at)-1])
		}
	}
	slices.Sort(found)
	return found
}

func isTLS(v ssa.Value) bool {
	return strings.TrimLeft(v.Type().String(), "*") == "crypto/tls.Conn" && !roots.Ours(v.Type().String())
}

// usedIn reports whether a function reads or writes the tls.Conn in a variable itself.
func usedIn(v ssa.Value) bool {
	refs := []ssa.Instruction{}
	if r := v.Referrers(); r != nil {
		refs = *r
	}
	for i := 0; i < len(refs); i++ {
		switch r := refs[i].(type) {
		case *ssa.UnOp:
			refs = append(refs, *r.Referrers()...)
		case *ssa.MakeInterface:
			refs = append(refs, *r.Referrers()...)
		case *ssa.Call:
			f := r.Call.StaticCallee()
			if f == nil || f.Name() != "Close" && f.Name() != "CloseWrite" && !blockers.Quiet(f.Name()) {
				return true
			}
		}
	}
	return false
}
