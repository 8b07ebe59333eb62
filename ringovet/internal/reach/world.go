package reach

import (
	"cmp"
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/ssa"

	"ringo/ringovet/internal/blockers"
	"ringo/ringovet/internal/flow"
	"ringo/ringovet/internal/roots"
)

// A World has packages with their source, and what is known about all others.
type World struct {
	g        *flow.Graph
	silences *Silences
	facts    Facts                     // nil if the packages are the whole program
	report   func(*types.Package) bool // packages whose findings are reported
	infos    map[*ssa.Function]*info
	parking  map[*ssa.Function]*parking
	loggers  []*types.Package // have set the default of log or log/slog to one that never waits
}

// A Finding is something in a task that stops the loop.
type Finding struct {
	Pos     token.Pos // the last call on the path that is in the user's own packages
	Blocker blockers.Blocker
	Path    []Frame            // from the function that runs as a task to the blocker
	Also    []blockers.Blocker // other blockers behind the same call of code of others, the worst first
}

// add adds another blocker behind the same call. The worst becomes f.Blocker, the others go to Also, each once.
func (f *Finding) add(other Finding) {
	if other.Blocker.Rank() < f.Blocker.Rank() {
		other.Also = f.Also
		*f, other = other, *f
	}
	same := func(b blockers.Blocker) bool { return b.Name == other.Blocker.Name }
	if same(f.Blocker) || slices.ContainsFunc(f.Also, same) {
		return
	}
	f.Also = append(f.Also, other.Blocker)
	slices.SortStableFunc(f.Also, func(a, b blockers.Blocker) int { return a.Rank() - b.Rank() })
}

// A Frame is a step on a path.
type Frame struct {
	Name string
	Pos  token.Pos // where the function is started or called
}

// A root is a function that runs as a task.
type root struct {
	fn    *ssa.Function
	api   string        // the function of Ringo that starts it
	pos   token.Pos     // where it is started
	by    *ssa.Function // the function that starts it
	calls bool          // it is a callback
	many  bool          // it runs many times at once
}

// New makes a World of packages with their source. Findings are those in packages for which report returns true.
func New(fset *token.FileSet, sources []flow.Source, facts Facts, report func(*types.Package) bool) *World {
	var files []*ast.File
	for _, s := range sources {
		files = append(files, s.Files...)
	}
	w := &World{
		g:        flow.Build(fset, sources),
		silences: SilencesOf(fset, files),
		facts:    facts,
		report:   report,
		infos:    map[*ssa.Function]*info{},
		parking:  map[*ssa.Function]*parking{},
	}
	w.findLoggers()
	return w
}

// Bare returns the positions of directives without a reason.
func (w *World) Bare() []token.Pos { return w.silences.Bare }

// Findings returns what tasks of these packages reach that stops a loop: the worst first, then by position.
func (w *World) Findings() []Finding {
	found := w.walk(w.roots())
	slices.SortStableFunc(found, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Blocker.Rank(), b.Blocker.Rank()), cmp.Compare(a.Pos, b.Pos))
	})
	return found
}

// roots returns the functions that these packages run as tasks.
func (w *World) roots() (all []root) {
	for _, f := range w.g.Funcs {
		if ours(f) {
			continue
		}
		w.eachStart(f, func(v ssa.Value, api string, call ssa.CallInstruction, e roots.Entry) {
			for _, started := range w.handedOver(v) {
				many := e.Many() || repeats(call.Block())
				all = append(all, root{started, api, call.Pos(), f, e.Kind == roots.Callback, many})
			}
		})
		if handles(f) {
			all = append(all, root{f, "event.Handler." + f.Name(), f.Pos(), f, true, false})
		}
	}
	stored := func(e roots.Entry, in func(f *ssa.Function) bool) {
		for _, v := range w.g.Stored(flow.Field{Struct: e.Struct(), Name: e.Field()}) {
			for _, r := range w.g.AllRoots(v) {
				if f := flow.FuncOf(r); f != nil && in(f) {
					all = append(all, root{f, strings.TrimPrefix(e.Name, "ringo/"), f.Pos(), f, false, e.Many()})
				}
			}
		}
	}
	for _, e := range roots.Fields() {
		stored(e, func(*ssa.Function) bool { return true })
	}
	secured := w.secured()
	for _, e := range roots.Handshakes() {
		stored(e, func(f *ssa.Function) bool { return secured[packageOf(f)] })
	}
	return all
}

// handles reports whether a function is a method that makes a type of the program a handler of package event.
func handles(f *ssa.Function) bool {
	recv := f.Signature.Recv()
	if recv == nil || f.Pkg == nil {
		return false
	}
	for _, p := range f.Pkg.Pkg.Imports() {
		if p.Path() != "ringo/event" {
			continue
		}
		for _, name := range roots.Handlers {
			obj := p.Scope().Lookup(name)
			if obj == nil {
				continue
			}
			handler := obj.Type().Underlying().(*types.Interface)
			if m, _, _ := types.LookupFieldOrMethod(handler, false, p, f.Name()); m != nil &&
				(types.Implements(recv.Type(), handler) || types.Implements(types.NewPointer(recv.Type()), handler)) {
				return true
			}
		}
	}
	return false
}

// secured returns the packages that do TLS on Ringo's connections, and all that they import: in these, tasks do the
// handshakes.
func (w *World) secured() map[*types.Package]bool {
	all := map[*types.Package]bool{}
	var add func(p *types.Package)
	add = func(p *types.Package) {
		if p == nil || all[p] {
			return
		}
		all[p] = true
		for _, imported := range p.Imports() {
			add(imported)
		}
	}
	for _, f := range w.g.Funcs {
		if w.secures(f) {
			add(packageOf(f))
		}
	}
	return all
}

// secures reports whether a function does TLS on one of Ringo's connections.
func (w *World) secures(f *ssa.Function) bool {
	if ours(f) {
		return false
	}
	for _, b := range f.Blocks {
		for _, instr := range b.Instrs {
			call, ok := instr.(ssa.CallInstruction)
			if !ok {
				continue
			}
			callee := call.Common().StaticCallee()
			if callee == nil {
				continue
			}
			obj := objectOf(callee)
			if obj == nil || obj.Pkg() == nil {
				continue
			}
			switch {
			case obj.Pkg().Path() == "ringo/sock/socktls":
				return true
			case obj.FullName() == "crypto/tls.Server", obj.FullName() == "crypto/tls.Client":
				conn, ok := call.Common().Args[0].(*ssa.MakeInterface)
				if ok && conn.X.Type().String() == "*ringo/sock.Conn" {
					return true
				}
			}
		}
	}
	return false
}

// eachStart visits the arguments that a function's calls start as tasks.
func (w *World) eachStart(f *ssa.Function, visit func(v ssa.Value, api string, call ssa.CallInstruction,
	e roots.Entry)) {
	for _, b := range f.Blocks {
		for _, instr := range b.Instrs {
			call, ok := instr.(ssa.CallInstruction)
			if !ok || w.silences.Covers(call.Pos()) {
				continue
			}
			common := call.Common()
			for _, callee := range w.g.Callees(common) {
				obj := objectOf(callee)
				if obj == nil {
					continue
				}
				args := arguments(common, callee.Signature)
				shift := len(args) - obj.Signature().Params().Len() // 1 with a receiver, also of a method expression
				for _, e := range roots.Of(obj.FullName()) {
					if e.Starts() && e.Arg+shift < len(args) {
						visit(args[e.Arg+shift], short(obj), call, e)
					}
				}
				if fact := w.fact(callee, obj); fact != nil {
					for _, i := range fact.Starts {
						visit(args[i], short(obj), call, roots.Entry{Kind: roots.Task})
					}
				}
			}
		}
	}
}

// starts returns the indices of the parameters that a function starts as tasks.
func (w *World) starts(f *ssa.Function) (params []int) {
	w.eachStart(f, func(v ssa.Value, _ string, _ ssa.CallInstruction, _ roots.Entry) {
		for _, r := range w.g.Roots(v) {
			if box, ok := r.(*ssa.MakeInterface); ok && handlerFunc(box) != nil {
				r = box.X
				if conv, ok := r.(*ssa.ChangeType); ok {
					r = conv.X
				}
			}
			if p, ok := r.(*ssa.Parameter); ok {
				params = append(params, slices.Index(f.Params, p))
			}
		}
	})
	return params
}

// fact returns the Fact of a function of another package; nil if its body is here, or nothing is known.
func (w *World) fact(f *ssa.Function, obj *types.Func) *Fact {
	if w.facts == nil || f.Blocks != nil {
		return nil
	}
	return w.facts.Of(obj)
}

// A step is a function on a path, and how the path gets there.
type step struct {
	fn   *ssa.Function
	from *step
	via  []string
	pos  token.Pos     // of the call of fn
	api  string        // of a root: the function of Ringo that starts it
	by   *ssa.Function // of a root: the function that starts it
	call bool          // it is a callback
}

// running is a function, run as a callback or not.
type running struct {
	fn   *ssa.Function
	call bool
}

// walk finds what the roots reach that stops a loop, by the shortest paths.
func (w *World) walk(from []root) (found []Finding) {
	seen := map[running]bool{}
	var queue []*step
	add := func(s *step) {
		if as := (running{s.fn, s.call}); !seen[as] || s.fn.Blocks == nil { // of which each start is told
			seen[as] = true
			queue = append(queue, s)
		}
	}
	for _, r := range from {
		if !w.silences.Covers(r.fn.Pos()) && (r.fn.Blocks != nil || r.pos.IsValid()) {
			add(&step{fn: r.fn, pos: r.pos, api: r.api, by: r.by, call: r.calls})
		}
	}
	told := map[string]int{} // indices in found
	tell := func(s *step, pos token.Pos, path []string, b blockers.Blocker, others bool) {
		f := Finding{Blocker: b, Path: s.frames()}
		for _, name := range path {
			f.Path = append(f.Path, Frame{name, pos})
		}
		if !strings.HasPrefix(b.Name, f.Path[len(f.Path)-1].Name) {
			f.Path = append(f.Path, Frame{b.Name, pos})
		}
		f.Pos = w.place(s, pos)
		if !f.Pos.IsValid() && s.root().api != "" {
			return
		}
		key := w.g.Prog.Fset.Position(f.Pos).String()
		others = others || !w.mine(s.fn)
		if !others {
			key += b.Name
		}
		if i, ok := told[key]; !ok {
			told[key] = len(found)
			found = append(found, f)
		} else if others {
			found[i].add(f)
		}
	}
	for len(queue) > 0 {
		s := queue[0]
		queue = queue[1:]
		if s.fn.Blocks == nil {
			w.bodiless(s, tell)
			continue
		}
		edges := w.scan(s.fn).edges
		if s.from == nil {
			edges = w.started(s.fn)
		}
		for _, e := range edges {
			switch {
			case e.block != nil:
				tell(s, e.pos, append(slices.Clone(e.via), e.rest...), *e.block, e.rest != nil)
			case e.to != nil:
				add(&step{fn: e.to, from: s, via: e.via, pos: e.pos, call: s.call && same(s.fn, e.to)})
			}
		}
		if s.call {
			for _, e := range edges {
				if e.to != nil && same(s.fn, e.to) {
					continue // it is looked at as a callback itself
				}
				if way := w.way(e); way != nil {
					tell(s, e.pos, way, blockers.ParkedCallback(way[len(way)-1]), false)
				}
			}
		}
		for _, l := range w.locked(s.fn) {
			tell(s, l.pos, l.path, l.blocker, false)
		}
		for _, t := range w.sharedTLS(s.fn) {
			tell(s, t, nil, blockers.TLS, false)
		}
	}
	w.shared(from, tell)
	return found
}

// bodiless reports findings of a root whose body is not here.
func (w *World) bodiless(s *step, tell func(*step, token.Pos, []string, blockers.Blocker, bool)) {
	obj := objectOf(s.fn)
	if obj == nil {
		return
	}
	fact := w.fact(s.fn, obj)
	if b, ok := blockers.Of(obj.FullName()); ok {
		b.Name = short(obj)
		tell(s, token.NoPos, nil, b, false)
	} else if b, ok := blockers.Stand(obj.FullName()); ok {
		b.Name = serving + " of " + b.Name
		tell(s, token.NoPos, nil, b, false)
	} else if fact != nil {
		for _, r := range fact.Blocks {
			tell(s, token.NoPos, r.Path[1:], r.Blocker, true) // the path begins with the function itself
		}
	}
	if s.call && (fact != nil && fact.Parks || obj.Pkg() != nil && roots.Parks(obj.Pkg().Path(), obj.Name())) {
		tell(s, token.NoPos, nil, blockers.ParkedCallback(short(obj)), false)
	}
}

// place returns the last position on a path that is in a package whose findings are reported; this may be where the
// root is started.
func (w *World) place(s *step, pos token.Pos) token.Pos {
	for ; s != nil; s = s.from {
		if pos.IsValid() && w.mine(s.fn) {
			return pos
		}
		if pos = s.pos; s.from == nil && s.by != nil && w.tells(s.by) {
			return pos
		}
	}
	return token.NoPos
}

// mine reports whether a function is in a package whose findings are reported. Wrappers that the compiler makes are
// not.
func (w *World) mine(f *ssa.Function) bool {
	return !wraps(f) && w.tells(f)
}

// tells reports whether findings in a function's package are reported.
func (w *World) tells(f *ssa.Function) bool {
	p := packageOf(f)
	return p != nil && w.report(p)
}

// wraps reports whether the compiler has made a function to call another one: a method value or expression, or a
// promoted method.
func wraps(f *ssa.Function) bool {
	return f.Synthetic != "" && f.Origin() == nil && f.Blocks != nil && !isBody(f)
}

// isBody reports whether a function is the body of a range loop over a function.
func isBody(f *ssa.Function) bool {
	_, is := f.Syntax().(*ast.RangeStmt)
	return is
}

// same reports whether f and a function that it calls are one in the source: f is a wrapper of the compiler, or called
// is the body of one of f's loops.
func same(f, called *ssa.Function) bool { return wraps(f) || isBody(called) }

// named reports whether a function has a name in the source, so that a path shows it.
func named(f *ssa.Function) bool { return !wraps(f) && !isBody(f) }

func (s *step) root() *step {
	for s.from != nil {
		s = s.from
	}
	return s
}

func (s *step) frames() (path []Frame) {
	if s.from != nil {
		path = s.from.frames()
	} else if s.api != "" {
		path = []Frame{{s.api, s.pos}}
	}
	for _, name := range s.via {
		path = append(path, Frame{name, s.pos})
	}
	if named(s.fn) {
		path = append(path, Frame{nameOf(s.fn), s.pos})
	}
	return path
}
