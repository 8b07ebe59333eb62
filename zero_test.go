package ringo_test

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"ringo"
	"ringo/internal/test/patience"
)

// handles are the exported types that have methods.
var handles = map[string]reflect.Type{
	"Loop":         reflect.TypeFor[ringo.Loop](),
	"Task":         reflect.TypeFor[ringo.Task](),
	"Timer":        reflect.TypeFor[ringo.Timer](),
	"Ticker":       reflect.TypeFor[ringo.Ticker](),
	"Group":        reflect.TypeFor[ringo.Group](),
	"Mutex":        reflect.TypeFor[ringo.Mutex](),
	"RWMutex":      reflect.TypeFor[ringo.RWMutex](),
	"Once":         reflect.TypeFor[ringo.Once](),
	"Cond":         reflect.TypeFor[ringo.Cond](),
	"Semaphore":    reflect.TypeFor[ringo.Semaphore](),
	"WaitGroup":    reflect.TypeFor[ringo.WaitGroup](),
	"Class":        reflect.TypeFor[ringo.Class](),
	"Chan":         reflect.TypeFor[ringo.Chan[int]](),
	"Barrier":      reflect.TypeFor[ringo.Barrier](),
	"Watch":        reflect.TypeFor[ringo.Watch[int]](),
	"Broadcast":    reflect.TypeFor[ringo.Broadcast[int]](),
	"Subscription": reflect.TypeFor[ringo.Subscription[int]](),
	"Sharded":      reflect.TypeFor[ringo.Sharded[int]](),
	"Shard":        reflect.TypeFor[ringo.Shard[int]](),
	"Batch":        reflect.TypeFor[ringo.Batch[int]](),
	"PanicError":   reflect.TypeFor[ringo.PanicError](),
	"SetupError":   reflect.TypeFor[ringo.SetupError](),
}

// exportedMethods are those of the package by type, as its source has them.
func exportedMethods(t *testing.T) map[string][]string {
	methods := map[string][]string{}
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(gotoken.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Recv == nil || !f.Name.IsExported() {
				continue
			}
			p, ok := f.Recv.List[0].Type.(*ast.StarExpr)
			if !ok {
				continue // a value's, of which no pointer to it can be nil
			}
			recv := p.X
			if p, ok := recv.(*ast.IndexExpr); ok {
				recv = p.X
			}
			if id := recv.(*ast.Ident); id.IsExported() {
				methods[id.Name] = append(methods[id.Name], f.Name.Name)
			}
		}
	}
	return methods
}

// Every method of a zero value, and of nil, gives what it can, or an error, or panics in words of the package's; none
// waits for ever or dereferences nil. Called from a goroutine and from a task, with nil functions and with others.
func TestZeroValues(t *testing.T) {
	methods := exportedMethods(t)
	for name := range methods {
		if handles[name] == nil {
			t.Errorf("handles has no %s", name)
		}
	}
	check := func(where string) {
		for name, typ := range handles {
			for kind, value := range map[string]func() reflect.Value{
				"zero": func() reflect.Value { return reflect.New(typ) },
				"nil":  func() reflect.Value { return reflect.Zero(reflect.PointerTo(typ)) },
			} {
				for _, method := range methods[name] {
					if c, ok := value().Interface().(*ringo.Chan[int]); ok && c != nil &&
						(strings.HasPrefix(method, "Send") || strings.HasPrefix(method, "Recv")) {
						continue // they wait for each other, see TestSelectOfZeroChans
					}
					if w, ok := value().Interface().(*ringo.Watch[int]); ok && w != nil && method == "Next" {
						continue // it waits for the first value
					}
					for _, given := range []bool{false, true} {
						if got := outcome(value().MethodByName(method), given); !said(got) {
							t.Errorf("%s: %s %s.%s (functions %v): %v", where, kind, name, method, given, got)
						}
					}
				}
			}
		}
	}
	patience.Within("the methods of zero values, from a goroutine", func() { check("goroutine") })
	cfg := anyDriver(t)
	patience.Within("the methods of zero values, from a task", func() {
		if err := ringo.Run(context.Background(), &cfg, func(*ringo.Loop) error {
			check("task")
			return nil
		}); err != nil {
			t.Error(err)
		}
	})
}

// said reports whether what a method panicked with, if it did, is a word of the package's.
func said(v any) bool {
	return v == nil || strings.HasPrefix(fmt.Sprint(v), "ringo: ")
}

// outcome calls a method with zero arguments, or with functions that do nothing, and gives what it panicked with.
func outcome(m reflect.Value, functions bool) (panicked any) {
	defer func() { panicked = recover() }()
	var in []reflect.Value
	for i := range m.Type().NumIn() {
		arg := reflect.Zero(m.Type().In(i))
		if functions && arg.Kind() == reflect.Func {
			arg = reflect.MakeFunc(arg.Type(), func([]reflect.Value) (out []reflect.Value) {
				for i := range arg.Type().NumOut() {
					out = append(out, reflect.Zero(arg.Type().Out(i)))
				}
				return out
			})
		}
		in = append(in, arg)
	}
	m.Call(in)
	return nil
}

// What no loop has made answers as what belongs to a loop that has ended.
func TestZeroValuesHaveEnded(t *testing.T) {
	for _, l := range []*ringo.Loop{nil, new(ringo.Loop)} {
		calls := map[string]error{
			"Post":    l.Post(func() {}),
			"Call":    l.Call(func() error { return nil }),
			"Go.Wait": l.Go(func() { t.Error("a function ran on a loop that does not run") }).Wait(),
		}
		for name, err := range calls {
			if !errors.Is(err, ringo.ErrEnded) {
				t.Errorf("Loop.%s of %v loop: %v, want %v", name,
					map[bool]string{true: "a nil", false: "the zero"}[l == nil], err, ringo.ErrEnded)
			}
		}
		for name, call := range taskOnly(l, new(ringo.Timer), new(ringo.Ticker), ringo.NewGroup(l)) {
			equal(t, name, call(), any("ringo: "+name+" after the loop has ended"))
		}
		if got := l.Loops(); len(got) != 0 {
			t.Errorf("Loops: %v, want none", got)
		}
	}
	for _, task := range []*ringo.Task{nil, new(ringo.Task)} {
		task.Cancel()
		if err := task.Wait(); err != ringo.ErrEnded {
			t.Errorf("Wait of %p: %v, want %v", task, err, ringo.ErrEnded)
		}
	}
}

// Two zero Chans are two channels also to a Select, which takes the locks of both.
func TestSelectOfZeroChans(t *testing.T) {
	var a, b ringo.Chan[int]
	const n = 2000
	var wg sync.WaitGroup
	for _, c := range []*ringo.Chan[int]{&a, &b} {
		wg.Go(func() {
			for i := range n {
				if err := c.Send(i); err != nil {
					t.Error(err)
				}
			}
		})
	}
	var got [2][]int
	patience.Within("all that was sent", func() {
		for range 2 * n {
			var v int
			i, err := ringo.Select(ringo.RecvInto(&a, &v), ringo.RecvInto(&b, &v))
			if err != nil {
				t.Error(err)
				return
			}
			got[i] = append(got[i], v)
		}
		wg.Wait()
	})
	for i := range got {
		if !slices.IsSorted(got[i]) || len(got[i]) != n {
			t.Errorf("channel %d: %d values, sorted %v; want %d in order", i, len(got[i]), slices.IsSorted(got[i]), n)
		}
	}
}
