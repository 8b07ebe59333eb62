//go:build linux

package uring

import (
	"cmp"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"reflect"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// closedThing is what belongs to a ring, and is called once that is closed.
type closedThing struct {
	name string
	v    any
}

// closedRings are rings of all kinds and what belongs to them, with entries that nobody has submitted and completions
// that nobody has taken, all closed. refused says why the kernel has not given some.
func closedRings(t *testing.T) (all []closedThing, refused map[string]error) {
	t.Helper()
	kinds := append([]geometry{
		{"entries of 128", 8, Config{With: SetupSQE128}},
		{"completions of 32", 8, Config{With: SetupCQE32}},
		{"entries of both sizes", 8, Config{With: SetupSQEMixed}},
		{"completions of both sizes", 8, Config{With: SetupCQEMixed}},
		{"from the SQ's beginning", 8, Config{With: SetupSQRewind | SetupNoSQArray}},
		{"in memory of ours", 8, Config{Memory: mapped(t, 64<<10)}},
		{"not enabled", 8, Config{With: SetupRDisabled}},
	}, geometries...)
	refused = map[string]error{"ZCRX": errors.New("no ring for it")}
	for _, g := range kinds {
		r, err := Open(g.entries, &g.cfg)
		if err != nil {
			t.Logf("%s: %v", g.name, err)
			continue
		}
		add := func(v any) { all = append(all, closedThing{fmt.Sprintf("%s: %T", g.name, v), v}) }
		add(r)
		disabled := r.Flags()&SetupRDisabled != 0
		if !disabled {
			r.SQE().PrepNop()
			r.Submit()
		}
		if g, err := r.RegisterRegion(RegionConfig{Size: os.Getpagesize(), Waits: disabled}); err == nil {
			add(g)
		} else {
			refused["Region"] = err
		}
		for i, c := range []BufRingConfig{{Buffers: 4, Size: 64}, {Buffers: 4, Size: 64, Bundles: true},
			{Buffers: 4, Size: 64, Incremental: true}, {Entries: 4}, {Entries: 4, Mapped: true}} {
			for open := range 2 {
				c.Group = uint16(2*i + open)
				b, err := r.OpenBufRing(c)
				if err != nil {
					refused["BufRing"], refused["BufParts"] = err, err
					continue
				}
				add(b)
				if c.Buffers > 0 {
					parts := b.Parts(CQE{Res: 10, Flags: CQEBuffer})
					add(&parts)
				}
				if open == 1 { // until the test's end
					t.Cleanup(func() { b.Close() })
				} else {
					defer b.Close()
				}
			}
		}
		if area := mapped(t, 4*os.Getpagesize()); r.Flags()&SetupCQE32 != 0 {
			z, err := r.RegisterZCRX(ZCRXConfig{Entries: 4, Area: area, Flags: ZCRXNoCard})
			if refused["ZCRX"] = err; err == nil {
				add(z)
			}
		}
		r.SQE()
		r.SQE()
		defer r.Close()
	}
	return all, refused
}

// TestClosed: no method of a ring that is closed, and none of what belongs to it, touches memory that is gone. All are
// called, with arguments of all sorts, so that a new one can't be forgotten.
func TestClosed(t *testing.T) {
	need(t)
	lockThread(t)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	all, refused := closedRings(t)
	seen, called := map[string]bool{}, 0
	for _, thing := range all {
		v := reflect.ValueOf(thing.v)
		seen[v.Type().Elem().Name()] = true
		for i := range v.NumMethod() {
			m := v.Type().Method(i)
			for variant := range variants {
				called++
				callClosed(t, fmt.Sprintf("%s: %s, variant %d", thing.name, m.Name, variant), v.Method(i),
					arguments(v.Method(i).Type(), variant, all))
			}
		}
	}
	for _, name := range ringTypes(t) {
		switch err := refused[name]; {
		case seen[name]:
		case err != nil:
			t.Logf("no %s: %v", name, err)
		default:
			t.Errorf("%s belongs to a ring, and the test makes none", name)
		}
	}
	t.Logf("%d things, %d calls", len(all), called)
}

// TestCloseOfNoRing: a Ring that Open has not made has nothing to close, descriptor 0 least of all.
func TestCloseOfNoRing(t *testing.T) {
	if _, err := unix.FcntlInt(0, unix.F_GETFD, 0); err != nil {
		t.Skip("descriptor 0 is not open here: ", err)
	}
	if err := new(Ring).Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if _, err := unix.FcntlInt(0, unix.F_GETFD, 0); err != nil {
		t.Errorf("descriptor 0 behind Close: %v", err)
	}
}

// TestClosedMeanwhile: a function that is called for each entry, or each completion, may close the ring.
func TestClosedMeanwhile(t *testing.T) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	for name, f := range map[string]func(r *Ring) int{
		"EachPending": func(r *Ring) (n int) {
			r.EachPending(func(*SQE) { n++; r.Close() })
			return n
		},
		"CQEs": func(r *Ring) (n int) {
			for range r.CQEs() {
				n++
				r.Close()
			}
			return n
		},
		"CQEs, left": func(r *Ring) (n int) {
			for range r.CQEs() {
				n++
				r.Close()
				break
			}
			return n
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := open(t, 8, nil)
			for range 3 {
				r.SQE().PrepNop()
			}
			for r.CQReady() < 3 {
				enter(t, r, 3)
			}
			for range 3 {
				r.SQE().PrepNop()
			}
			if n := f(r); n != 1 {
				t.Errorf("%d calls, want 1", n)
			}
			if n, space := r.SQPending(), r.SQSpace(); n != 0 || space != 0 || r.SQE() != nil {
				t.Errorf("a closed ring has %d entries pending and room for %d, want neither", n, space)
			}
		})
	}
}

// callClosed calls a method. It may panic with words of ours, and not by a fault or by what Go finds wrong.
func callClosed(t *testing.T, what string, method reflect.Value, args []reflect.Value) {
	t.Helper()
	defer func() {
		switch p := recover().(type) {
		case nil, string:
		case runtime.Error:
			t.Errorf("%s: %v\n%s", what, p, debug.Stack())
		default:
			t.Errorf("%s: panic(%v)", what, p)
		}
	}()
	for _, out := range method.Call(args) {
		touch(out)
	}
}

// touch uses what a method has returned: memory is read, and iterators are run.
func touch(v reflect.Value) {
	switch v.Kind() {
	case reflect.Slice, reflect.Struct:
		_ = fmt.Sprint(v)
	case reflect.Pointer:
		if !v.IsNil() {
			_ = fmt.Sprint(v.Elem())
		}
	case reflect.Func:
		if !v.IsNil() {
			v.Call([]reflect.Value{consumer(v.Type().In(0))})
		}
	}
}

// consumer is a function that uses what it is given.
func consumer(t reflect.Type) reflect.Value {
	return reflect.MakeFunc(t, func(args []reflect.Value) (results []reflect.Value) {
		for _, a := range args {
			touch(a)
		}
		for i := range t.NumOut() {
			results = append(results, reflect.New(t.Out(i)).Elem())
		}
		if len(results) == 1 && results[0].Kind() == reflect.Bool {
			results[0].SetBool(true) // an iterator goes on
		}
		return results
	})
}

// variants is how many sorts of arguments there are: zeros, ones, and large numbers.
const variants = 3

func arguments(method reflect.Type, variant int, all []closedThing) (args []reflect.Value) {
	n := method.NumIn()
	if method.IsVariadic() {
		n--
	}
	for i := range n {
		args = append(args, argument(method.In(i), variant, all))
	}
	return args
}

func argument(t reflect.Type, variant int, all []closedThing) reflect.Value {
	v := reflect.New(t).Elem()
	switch t.Kind() {
	case reflect.Func:
		return consumer(t)
	case reflect.Bool:
		v.SetBool(variant > 0)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt([variants]int64{0, 1, 100}[variant])
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint([variants]uint64{0, 1, 100}[variant])
	case reflect.Slice:
		v = reflect.MakeSlice(t, []int{0, 1, 8}[variant], 8)
		for i := range v.Len() {
			v.Index(i).Set(argument(t.Elem(), 0, all))
		}
	case reflect.Struct:
		for i := range t.NumField() {
			if t.Field(i).IsExported() && variant > 0 {
				v.Field(i).Set(argument(t.Field(i).Type, variant, all))
			}
		}
	case reflect.Pointer:
		for _, thing := range all { // a ring is another closed one
			if reflect.TypeOf(thing.v) == t {
				return reflect.ValueOf(thing.v)
			}
		}
		v = reflect.New(t.Elem())
	case reflect.UnsafePointer:
		v.SetPointer(unsafe.Pointer(new([4096]byte)))
	}
	return v
}

// ringTypes are the exported types that know a ring, or something that does.
func ringTypes(t *testing.T) (names []string) {
	t.Helper()
	pkg := source(t)
	if pkg == nil {
		return nil
	}
	knows := map[string][]string{}
	ast.Inspect(pkg, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok {
			return true
		}
		if s, ok := spec.Type.(*ast.StructType); ok {
			for _, f := range s.Fields.List {
				if p, ok := f.Type.(*ast.StarExpr); ok && len(f.Names) > 0 && !f.Names[0].IsExported() {
					if id, ok := p.X.(*ast.Ident); ok {
						knows[spec.Name.Name] = append(knows[spec.Name.Name], id.Name)
					}
				}
			}
		}
		return false
	})
	found := []string{"Ring"}
	for i := 0; i < len(found); i++ {
		for name, of := range knows {
			if slices.Contains(of, found[i]) && ast.IsExported(name) && !slices.Contains(found, name) {
				found = append(found, name)
			}
		}
	}
	return found
}

// source is the package's, without its tests; nil where there is none, as in a guest of .ci/kernels.
func source(t *testing.T) *ast.Package {
	t.Helper()
	files, err := parser.ParseDir(token.NewFileSet(), ".", func(f fs.FileInfo) bool {
		return !strings.HasSuffix(f.Name(), "_test.go")
	}, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	if files["uring"] == nil {
		t.Log("no source is here that would tell of what the test doesn't know")
	}
	return files["uring"]
}

// TestCloseIsDocumented: what a ring has handed out of its mapped memory is wild once it is closed, which no method can
// help. So each that hands some out says what becomes of it, and so do the types.
func TestCloseIsDocumented(t *testing.T) {
	pkg := source(t)
	if pkg == nil {
		t.Skip("no source")
	}
	owners, told := append(ringTypes(t), "SQE", "SQE128"), 0
	want := func(name string, doc *ast.CommentGroup) {
		if told++; !strings.Contains(doc.Text(), "Close") {
			t.Errorf("%s hands out mapped memory, and does not say what Close makes of it", name)
		}
	}
	ast.Inspect(pkg, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GenDecl:
			for _, s := range n.Specs {
				if s, ok := s.(*ast.TypeSpec); ok && (s.Name.Name == "SQE" || s.Name.Name == "SQE128") {
					want(s.Name.Name, n.Doc)
				}
			}
		case *ast.FuncDecl:
			owner := cmp.Or(strings.TrimSuffix(receiver(n), "."), "Ring")
			if n.Recv != nil && n.Name.IsExported() && slices.Contains(owners, owner) && handsOut(n.Type) {
				want(owner+"."+n.Name.Name, n.Doc)
			}
			return false
		}
		return true
	})
	if told < 9 {
		t.Errorf("%d types and methods were found, want SQE, SQE128 and seven methods at least", told)
	}
}

// handsOut reports whether a function returns an entry or bytes, or calls another with an entry.
func handsOut(f *ast.FuncType) (found bool) {
	look := func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.StarExpr:
			id, ok := n.X.(*ast.Ident)
			_, array := n.X.(*ast.ArrayType)
			found = found || array || ok && (id.Name == "SQE" || id.Name == "SQE128")
		case *ast.ArrayType:
			id, ok := n.Elt.(*ast.Ident)
			found = found || ok && id.Name == "byte"
		}
		return true
	}
	if f.Results != nil {
		ast.Inspect(f.Results, look)
	}
	for _, p := range f.Params.List {
		if fn, ok := p.Type.(*ast.FuncType); ok {
			ast.Inspect(fn, look)
		}
	}
	return found
}
