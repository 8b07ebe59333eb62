package reach

import (
	"go/token"
	"go/types"
	"slices"

	"golang.org/x/tools/go/ssa"

	"ringo/ringovet/internal/blockers"
	"ringo/ringovet/internal/flow"
	"ringo/ringovet/internal/roots"
)

// An edge is what a function does at one place: it calls a function with a body, does something that stops the loop, or
// parks.
type edge struct {
	instr ssa.Instruction
	pos   token.Pos
	via   []string // functions between, such as those without a body
	to    *ssa.Function
	block *blockers.Blocker
	rest  []string // path from the called function of another package to block
	park  string   // the function of Ringo that parks
	later bool     // another task does so, not the caller's

	given  bool          // a parameter may park, for some caller: see scanner.given
	within *ssa.Function // the parameter's method, if it has a body
}

// info is what is known about a function for any caller.
type info struct {
	edges []edge
	uses  []Use
	outer []outerUse
}

// An outerUse is a Use of a parameter of a function around this one.
type outerUse struct {
	param  *ssa.Parameter
	method string
	at     ssa.Instruction // the call
	via    []string
}

// A scanner looks at one function.
type scanner struct {
	w *World
	f *ssa.Function
	*info
	instr ssa.Instruction
	via   []string
	depth int
	alone bool // the function is started as a task, not called by the one around it
}

// scan looks at a function, once. A recursive call of scan returns what was found so far.
func (w *World) scan(f *ssa.Function) *info {
	if known := w.infos[f]; known != nil {
		return known
	}
	s := &scanner{w: w, f: f, info: &info{}}
	w.infos[f] = s.info
	for _, b := range f.Blocks {
		for _, s.instr = range b.Instrs {
			if !w.silences.Covers(s.instr.Pos()) {
				s.look()
			}
		}
	}
	return s.info
}

// started returns the edges of a function that is started as a task. No call is known that gives parameters of
// functions around it, so they may be what any caller of those passes.
func (w *World) started(f *ssa.Function) []edge {
	s := &scanner{w: w, f: f, info: &info{}, alone: true}
	known := w.scan(f)
	for _, u := range known.outer {
		s.instr, s.via = u.at, u.via
		s.parameter(u)
	}
	return append(slices.Clone(known.edges), s.edges...)
}

func (s *scanner) look() {
	switch i := s.instr.(type) {
	case *ssa.Send:
		s.block(blockers.Send)
	case *ssa.Select:
		if i.Blocking {
			s.block(blockers.Select)
		}
	case *ssa.UnOp:
		if i.Op == token.ARROW {
			s.block(blockers.Receive)
		}
	case *ssa.Call:
		s.call(&i.Call)
	case *ssa.Defer:
		s.call(&i.Call)
	}
}

func (s *scanner) add(e edge) {
	e.instr, e.pos = s.instr, s.instr.Pos()
	if call, ok := s.instr.(ssa.CallInstruction); ok && !e.pos.IsValid() {
		e.pos = call.Common().Pos()
		if body := bodyIn(call.Common()); body != nil {
			e.pos = body.Pos()
		}
	}
	e.via = slices.Clone(s.via)
	s.edges = append(s.edges, e)
}

func (s *scanner) block(b blockers.Blocker) { s.add(edge{block: &b}) }

// parameter notes a call of a parameter of the function, or of a function around it. Callers of that function know what
// the parameter is. If the function runs on its own, the parameter may be what any caller passes.
func (s *scanner) parameter(u outerUse) {
	switch {
	case u.param.Parent() == s.f:
		use := Use{slices.Index(s.f.Params, u.param), u.method}
		if !slices.Contains(s.uses, use) {
			s.uses = append(s.uses, use)
		}
	case flow.Around(u.param.Parent(), s.f) && !s.alone:
		same := func(o outerUse) bool { return o.param == u.param && o.method == u.method }
		if !slices.ContainsFunc(s.outer, same) {
			s.outer = append(s.outer, u)
		}
	default:
		s.called(s.w.g.AllRoots(u.param), u.method, nil)
	}
}

// bodyIn returns the body of the range loop over a function that a call is; nil if it is none.
func bodyIn(common *ssa.CallCommon) *ssa.Function {
	if len(common.Args) == 1 {
		if f := flow.FuncOf(common.Args[0]); f != nil && isBody(f) {
			return f
		}
	}
	return nil
}

// call looks at the functions that a call may call. The body of a range loop over a function counts as called by the
// function that has the loop.
func (s *scanner) call(common *ssa.CallCommon) {
	if f := bodyIn(common); f != nil {
		s.follow(f, nil)
	}
	if b, ok := common.Value.(*ssa.Builtin); ok {
		if b.Name() == "print" || b.Name() == "println" {
			s.block(blockers.Print)
		}
		return
	}
	if f := common.StaticCallee(); f != nil {
		if f.Blocks != nil || !s.unmet(common.Args) {
			s.target(f, objectOf(f), common.Args)
		}
		return
	}
	method := ""
	if common.IsInvoke() {
		method = common.Method.Name()
	}
	if !s.value(common.Value, method, common.Args) {
		s.arguments(common.Args, common.Signature(), false) // it is not known what is called: its arguments may be
	}
}

// unmet reports whether, in code of others, a receiver comes from a type switch in which no value is known to have its
// type. Copies of io.Copy look for files, and most programs never pass one there.
func (s *scanner) unmet(args []ssa.Value) bool {
	if len(args) == 0 || s.w.mine(s.f) {
		return false
	}
	v := args[0]
	if e, ok := v.(*ssa.Extract); ok {
		v = e.Tuple
	}
	a, ok := v.(*ssa.TypeAssert)
	return ok && !slices.ContainsFunc(s.w.g.AllRoots(a.X), func(r ssa.Value) bool {
		box, ok := r.(*ssa.MakeInterface)
		return ok && types.Identical(box.X.Type(), a.AssertedType)
	})
}

// origins returns what a value may be. Parameters of the scanned function are left as they are.
func (s *scanner) origins(v ssa.Value) []ssa.Value {
	if v.Parent() == nil || v.Parent() == s.f {
		return s.w.g.Roots(v)
	}
	return s.w.g.AllRoots(v)
}

// value looks at a call of a function value, or of a method of an interface. It reports whether it is known what is
// called.
func (s *scanner) value(v ssa.Value, method string, args []ssa.Value) (known bool) {
	if of := bodyOf(unwrapped(v)); of != nil && method == "Read" {
		return s.body(v, of)
	}
	return s.called(s.origins(v), method, args) || s.behind(v, method)
}

func (s *scanner) called(origins []ssa.Value, method string, args []ssa.Value) (known bool) {
	for _, r := range origins {
		switch r := r.(type) {
		case *ssa.Parameter:
			s.parameter(outerUse{r, method, s.instr, slices.Clone(s.via)})
			s.given(r, method)
			known = true
		case *ssa.MakeInterface:
			known = true
			if method == "" {
				s.function(r, args)
			} else if f := handlerFunc(r); f != nil && method == serving {
				s.value(f, "", args)
			} else if f, obj := s.w.g.Method(r.X.Type(), s.pkg(), method); f != nil {
				s.target(f, obj, append([]ssa.Value{r.X}, args...))
			}
		case *ssa.Call:
			if inner := wrappedHandler(r); inner != nil && method == serving {
				known = s.value(inner, method, args) || known
			} else if park := s.returned(r, method); park != "" {
				s.add(edge{park: park})
				known = true
			} else if f := r.Call.StaticCallee(); f != nil && objectOf(f) != nil {
				if b, ok := blockers.Stand(objectOf(f).FullName()); ok && method != "Close" && !blockers.Quiet(method) {
					b.Name = method + " of " + b.Name
					s.block(b)
					known = true
				}
			}
		default:
			known = s.function(r, args) || known
		}
	}
	return known
}

func (s *scanner) function(v ssa.Value, args []ssa.Value) bool {
	f := flow.FuncOf(v)
	if c, ok := v.(*ssa.MakeClosure); ok && types.IsInterface(c.Bindings[0].Type()) && isInterfaceMethod(objectOf(f)) {
		return s.value(c.Bindings[0], f.Object().Name(), args) // a method value through an interface
	}
	if f != nil {
		s.target(f, objectOf(f), args)
	}
	return f != nil
}

// pkg returns the package in which unexported methods are looked up.
func (s *scanner) pkg() *types.Package { return packageOf(s.f) }

// depthMax bounds the nesting of functions without a body that call each other's arguments.
const depthMax = 8

// target looks at a call of a function with its arguments; the first is the receiver of a method.
func (s *scanner) target(f *ssa.Function, obj *types.Func, args []ssa.Value) {
	if s.depth >= depthMax {
		return
	}
	s.depth++
	defer func() { s.depth-- }()
	if obj == nil || obj.Pkg() == nil || isInterfaceMethod(obj) {
		s.follow(f, args)
		return
	}
	name, path := obj.FullName(), obj.Pkg().Path()
	if s.client(name, short(obj), args) {
		return
	}
	if b, ok := blockers.Of(name); ok {
		b.Name = short(obj)
		if !b.Log || !s.w.logs(packageOf(s.f)) {
			s.block(b)
		}
		return
	}
	if s.w.silences.Covers(f.Pos()) {
		return
	}
	entries := roots.Of(name)
	for _, e := range entries {
		if e.Kind != roots.Caller && e.Kind != roots.Alike {
			continue
		}
		before := len(s.edges)
		if i := e.Arg + len(args) - obj.Signature().Params().Len(); i < len(args) {
			s.within(short(obj), func() { s.value(args[i], "", nil) })
		}
		for i := range s.edges[before:] {
			s.edges[before+i].later = e.Kind == roots.Alike
		}
	}
	s.command(name, short(obj), args)
	switch {
	case roots.Ours(path):
		if roots.Parks(path, obj.Name()) {
			s.add(edge{park: short(obj)})
		}
		if len(entries) == 0 && !copier(obj) {
			s.within(short(obj), func() { s.arguments(args, obj.Signature(), true) })
		}
	case f.Blocks != nil:
		s.follow(f, args)
	default:
		s.foreign(f, obj, args)
	}
}

// follow looks at a call of a function with a body, and at what that calls of its arguments.
func (s *scanner) follow(f *ssa.Function, args []ssa.Value) {
	if f.Blocks == nil {
		return
	}
	s.add(edge{to: f})
	s.within(nameOf(f), func() {
		s.applied(s.w.scan(f).uses, args)
		for _, u := range slices.Clone(s.w.scan(f).outer) {
			s.parameter(u)
		}
	})
}

// applied looks at the uses that a function makes of its arguments.
func (s *scanner) applied(uses []Use, args []ssa.Value) {
	for _, u := range slices.Clone(uses) {
		if u.Param < len(args) {
			s.value(args[u.Param], u.Method, nil)
		}
	}
}

func (s *scanner) within(name string, do func()) {
	s.via = append(s.via, name)
	do()
	s.via = s.via[:len(s.via)-1]
}

// foreign looks at a call of a function without a body. It is one of another package, of which there may be a Fact, or
// one of the standard library, which is taken to call its arguments.
func (s *scanner) foreign(f *ssa.Function, obj *types.Func, args []ssa.Value) {
	name := obj.FullName()
	if fact := s.w.fact(f, obj); fact != nil {
		for _, r := range fact.Blocks {
			if r.Blocker.Log && s.w.logs(packageOf(s.f)) {
				continue
			}
			s.add(edge{block: &r.Blocker, rest: r.Path})
		}
		if fact.Parks {
			s.add(edge{park: short(obj)})
		}
		s.within(short(obj), func() { s.applied(fact.Uses, args) })
		return
	}
	if park := s.copies(name, args); park != "" {
		s.within(short(obj), func() { s.add(edge{park: park}) })
		return
	}
	if blockers.Elsewhere(name, obj.Pkg().Path()) {
		s.controlled(name, args)
		return
	}
	s.within(short(obj), func() {
		before := len(s.edges)
		s.arguments(args, obj.Signature(), !makes(obj) || blockers.ReadsOn(name))
		if name == "(*sync.Once).Do" && slices.ContainsFunc(s.edges[before:], s.w.edgeParks) {
			s.block(blockers.Once)
		}
		if obj.Signature().Recv() != nil && len(args) > 0 && !blockers.Quiet(obj.Name()) {
			s.wrapped(args[0])
		}
	})
}

// makes reports whether a function returns something that may keep the arguments, such as a bufio.Reader.
func makes(obj *types.Func) bool {
	results := obj.Signature().Results()
	for i := range results.Len() {
		t := results.At(i).Type()
		if _, ok := t.Underlying().(*types.Pointer); ok || types.IsInterface(t) && t.String() != "error" {
			return true
		}
	}
	return false
}

// copier reports whether a method of a connection copies files by itself, so that the files' methods are not called.
func copier(obj *types.Func) bool {
	return obj.Pkg().Path() == "ringo/sock" && (obj.Name() == "ReadFrom" || obj.Name() == "WriteTo")
}

// copies returns the method by which a call of io.Copy copies to or from one of Ringo's connections, which handles
// files itself; "" if it does not.
func (s *scanner) copies(name string, args []ssa.Value) string {
	if name != "io.Copy" && name != "io.CopyN" && name != "io.CopyBuffer" {
		return ""
	}
	for i, a := range args[:2] {
		for _, r := range s.origins(a) {
			if box, ok := r.(*ssa.MakeInterface); ok && box.X.Type().String() == "*ringo/sock.Conn" {
				return []string{"(*sock.Conn).ReadFrom", "(*sock.Conn).WriteTo"}[i]
			}
		}
	}
	return ""
}

// arguments looks at what a function without a body calls of its arguments: functions and, if methods says that it uses
// them before it returns, methods of interfaces.
func (s *scanner) arguments(args []ssa.Value, sig *types.Signature, methods bool) {
	params := sig.Params()
	shift := len(args) - params.Len()
	for i := range params.Len() {
		if i+shift < 0 || i+shift >= len(args) {
			return
		}
		arg, t := args[i+shift], params.At(i).Type()
		if _, ok := t.Underlying().(*types.Signature); ok {
			s.value(arg, "", nil)
		} else if methods {
			s.methods(arg, t)
			s.wrapped(arg)
		}
	}
}

// methods looks at calls of all methods of an interface, but for context.Context and error, whose methods don't wait.
func (s *scanner) methods(arg ssa.Value, t types.Type) {
	iface, ok := t.Underlying().(*types.Interface)
	if _, generic := t.(*types.TypeParam); !ok || generic || t.String() == "context.Context" || t.String() == "error" {
		return
	}
	for m := range iface.Methods() {
		s.value(arg, m.Name(), nil)
	}
}

// wrapped looks at calls of what a value of the standard library was made around, such as the Read of the file in
// bufio.NewReader(f).
func (s *scanner) wrapped(v ssa.Value) {
	if _, ok := v.Type().Underlying().(*types.Pointer); s.depth >= depthMax || !ok && !types.IsInterface(v.Type()) {
		return
	}
	s.depth++
	defer func() { s.depth-- }()
	for _, r := range s.origins(v) {
		call, ok := r.(*ssa.Call)
		if !ok || call.Call.StaticCallee() == nil {
			continue
		}
		obj := objectOf(call.Call.StaticCallee())
		if obj == nil || obj.Pkg() == nil {
			continue
		}
		if path := obj.Pkg().Path(); roots.Ours(path) || blockers.Elsewhere(obj.FullName(), path) {
			continue
		}
		params := obj.Signature().Params()
		if obj.Signature().Recv() != nil {
			s.wrapped(call.Call.Args[0]) // such as slog.Logger.With
		}
		for i := range params.Len() {
			if j := i + len(call.Call.Args) - params.Len(); j >= 0 && j < len(call.Call.Args) {
				s.methods(call.Call.Args[j], params.At(i).Type())
				if !types.IsInterface(params.At(i).Type()) {
					s.wrapped(call.Call.Args[j])
				}
			}
		}
	}
}
