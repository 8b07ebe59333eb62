package reach

import (
	"go/token"
	"slices"
	"strings"

	"golang.org/x/tools/go/ssa"

	"ringo/ringovet/internal/blockers"
	"ringo/ringovet/internal/flow"
)

// A buffer is a []byte in a field or in a package's variable.
type buffer struct {
	cell any       // flow.Field or *ssa.Global
	in   ssa.Value // the object with the field
	name string
}

// shared finds buffers that tasks share, and that one of them passes to a call that parks while the others may write to
// them. Of the roots in from only those count that run many times at once, such as a connection's handler.
func (w *World) shared(from []root, tell func(*step, token.Pos, []string, blockers.Blocker, bool)) {
	var all []*step
	many := map[*ssa.Function]bool{}
	add := func(s *step) {
		if !many[s.fn] && s.fn.Blocks != nil && !w.silences.Covers(s.fn.Pos()) {
			many[s.fn] = true
			all = append(all, s)
		}
	}
	for _, r := range from {
		if r.many {
			add(&step{fn: r.fn, pos: r.pos, api: r.api, by: r.by})
		}
	}
	for i := 0; i < len(all); i++ {
		for _, e := range w.scan(all[i].fn).edges {
			if e.to != nil && !e.later {
				add(&step{fn: e.to, from: all[i], via: e.via, pos: e.pos})
			}
		}
	}
	var written map[any]bool
	for _, s := range all {
		if s.guarded() {
			continue
		}
		for _, e := range w.scan(s.fn).edges {
			call, ok := e.instr.(ssa.CallInstruction)
			if e.park == "" || e.given || len(e.via) > 0 || !ok {
				continue
			}
			for _, arg := range call.Common().Args {
				b, ok := bufferOf(arg)
				if !ok || !isBytes(arg) || !w.isShared(b, many) {
					continue
				}
				if written == nil {
					written = w.written()
				}
				if written[b.cell] {
					tell(s, e.pos, []string{e.park}, blockers.SharedBuffer(b.name), false)
				}
			}
		}
	}
}

// guarded reports whether a function on the path takes a lock.
func (s *step) guarded() bool {
	for ; s != nil; s = s.from {
		for _, b := range s.fn.Blocks {
			for _, instr := range b.Instrs {
				if call, ok := instr.(ssa.CallInstruction); ok && locks(callee(call.Common())) {
					return true
				}
			}
		}
	}
	return false
}

func locks(name string) bool {
	switch name {
	case "(*ringo.Mutex).Lock", "(*ringo.Mutex).LockContext", "(*ringo.Mutex).TryLock", "(*ringo.RWMutex).Lock",
		"(*ringo.RWMutex).LockContext", "(*ringo.RWMutex).TryLock", "(*ringo.Semaphore).Acquire",
		"(*ringo.Semaphore).TryAcquire", "(*ringo.Semaphore).AcquireContext", "(*sync.Mutex).Lock",
		"(*sync.RWMutex).Lock":
		return true
	}
	return false
}

// bufferOf returns the buffer that a value is a part of.
func bufferOf(v ssa.Value) (buffer, bool) { return bufferIn(v, map[ssa.Value]bool{}) }

func bufferIn(v ssa.Value, seen map[ssa.Value]bool) (none buffer, ok bool) {
	if seen[v] {
		return none, false
	}
	seen[v] = true
	switch x := v.(type) {
	case *ssa.Slice:
		return bufferIn(x.X, seen)
	case *ssa.ChangeType:
		return bufferIn(x.X, seen)
	case *ssa.UnOp:
		if x.Op == token.MUL {
			return bufferIn(x.X, seen)
		}
	case *ssa.FieldAddr: // of a slice or an array
		return buffer{flow.FieldOf(x.X.Type(), x.Field), x.X, text(x)}, true
	case *ssa.Global:
		return buffer{x, nil, x.Name()}, true
	case *ssa.Phi:
		for _, e := range x.Edges {
			if b, ok := bufferIn(e, seen); ok {
				return b, true
			}
		}
	case *ssa.Call:
		if builtin(x) == "append" || strings.HasPrefix(called(x), "Append") {
			if i := slices.IndexFunc(x.Call.Args, isBytes); i >= 0 {
				return bufferIn(x.Call.Args[i], seen)
			}
		}
	}
	return none, false
}

func isBytes(v ssa.Value) bool { return v.Type().Underlying().String() == "[]byte" }

func builtin(call ssa.CallInstruction) string {
	if b, ok := call.Common().Value.(*ssa.Builtin); ok {
		return b.Name()
	}
	return ""
}

// called returns the name of a called function or method, without package or receiver.
func called(call ssa.CallInstruction) string {
	common := call.Common()
	if common.IsInvoke() {
		return common.Method.Name()
	}
	if f := common.StaticCallee(); f != nil {
		return f.Name()
	}
	return ""
}

// isShared reports whether the tasks share a buffer: the object that has it was made once, by the program and not in a
// function that many tasks run; or it is the receiver of a ServeHTTP, of which there is one. If it may have been made
// in several places, all have to be such.
func (w *World) isShared(b buffer, many map[*ssa.Function]bool) bool {
	if b.in == nil {
		return true
	}
	if p, ok := b.in.(*ssa.Parameter); ok {
		if f := p.Parent(); many[f] && f.Name() == serving && p == f.Params[0] {
			return true
		}
	}
	made := w.g.AllRoots(b.in)
	return len(made) > 0 && !slices.ContainsFunc(made, func(r ssa.Value) bool {
		switch r := r.(type) {
		case *ssa.Global:
			return false
		case *ssa.Alloc:
			return many[r.Parent()] || ours(r.Parent()) || repeats(r.Block())
		}
		return true
	})
}

// repeats reports whether a block is in a loop.
func repeats(b *ssa.BasicBlock) bool {
	seen := map[*ssa.BasicBlock]bool{}
	queue := slices.Clone(b.Succs)
	for i := 0; i < len(queue); i++ {
		if queue[i] == b {
			return true
		}
		for _, next := range queue[i].Succs {
			if !seen[next] {
				seen[next] = true
				queue = append(queue, next)
			}
		}
	}
	return false
}

// written returns the buffers whose memory the program writes to. An append writes behind the contents, so it counts
// only if the slice was cut.
func (w *World) written() map[any]bool {
	all := map[any]bool{}
	note := func(v ssa.Value) {
		if b, ok := bufferOf(v); ok {
			all[b.cell] = true
		}
	}
	for _, f := range w.g.Funcs {
		for _, block := range f.Blocks {
			for _, instr := range block.Instrs {
				switch i := instr.(type) {
				case *ssa.Store:
					if at, ok := i.Addr.(*ssa.IndexAddr); ok {
						note(at.X)
					}
				case ssa.CallInstruction:
					args := i.Common().Args
					switch name := called(i); {
					case builtin(i) == "copy":
						note(args[0])
					case builtin(i) == "append", strings.HasPrefix(name, "Append"):
						for _, arg := range args {
							if cut, ok := arg.(*ssa.Slice); ok && cut.High != nil {
								note(arg)
							}
						}
					case strings.HasPrefix(name, "Read"), strings.HasPrefix(name, "Put"):
						for _, arg := range args {
							note(arg)
						}
					}
				}
			}
		}
	}
	return all
}
