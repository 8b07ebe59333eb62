package roots

import (
	"go/ast"
	"go/types"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/go/packages"

	"ringo/ringovet/internal/blockers"
)

// public are the packages that programs import.
func public(t *testing.T) []*types.Package {
	t.Helper()
	cmd := exec.Command("go", "list", "./...")
	cmd.Dir = "../../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	names := slices.DeleteFunc(strings.Fields(string(out)), func(p string) bool {
		return strings.Contains(p, "/internal/") || strings.HasPrefix(p, "ringo/cmd/") ||
			strings.HasPrefix(p, "ringo/examples/")
	})
	for _, p := range names {
		if !Ours(p) {
			t.Errorf("%s is a public package of the runtime, and not in ours", p)
		}
	}
	cfg := &packages.Config{Mode: packages.NeedName | packages.NeedTypes, Dir: "../../.."}
	read, err := packages.Load(cfg, names...)
	if err != nil {
		t.Fatal(err)
	}
	var all []*types.Package
	for _, p := range read {
		for _, e := range p.Errors {
			t.Fatal(e)
		}
		all = append(all, p.Types)
	}
	if len(all) < 6 {
		t.Fatalf("only %v", names)
	}
	return all
}

// A place is where a program hands a function over: a parameter by its number, or a field as -1.
type place struct {
	name string
	arg  int
}

// handed are the places of a package at which programs hand over functions.
func handed(p *types.Package) map[place]bool {
	found := map[place]bool{}
	function := func(t types.Type) bool {
		if s, ok := t.(*types.Slice); ok {
			t = s.Elem()
		}
		_, ok := t.Underlying().(*types.Signature)
		return ok || t.String() == "net/http.Handler"
	}
	params := func(f *types.Func) {
		for i := range f.Signature().Params().Len() {
			if f.Exported() && function(f.Signature().Params().At(i).Type()) {
				found[place{f.FullName(), i}] = true
			}
		}
	}
	for _, name := range p.Scope().Names() {
		obj := p.Scope().Lookup(name)
		if f, ok := obj.(*types.Func); ok {
			params(f)
		}
		typ, ok := obj.(*types.TypeName)
		if !ok || !obj.Exported() {
			continue
		}
		methods := types.NewMethodSet(types.NewPointer(typ.Type()))
		for m := range methods.Methods() {
			params(m.Obj().(*types.Func))
		}
		if s, ok := typ.Type().Underlying().(*types.Struct); ok {
			for f := range s.Fields() {
				if f.Exported() && function(f.Type()) {
					found[place{p.Path() + "." + name + "." + f.Name(), -1}] = true
				}
			}
		}
	}
	return found
}

// TestEntriesAreThoseOfTheAPI finds every parameter of a function or method, and every field, of the public packages
// that is a function, and wants Of to know it.
func TestEntriesAreThoseOfTheAPI(t *testing.T) {
	found := map[place]bool{}
	for _, p := range public(t) {
		maps.Copy(found, handed(p))
	}
	for at := range found {
		if !slices.ContainsFunc(Of(at.name), func(e Entry) bool { return e.Arg == at.arg }) {
			t.Errorf("%s: Of has no function that is parameter %d: does it run as a task?", at.name, at.arg)
		}
	}
	for _, e := range entries {
		if !found[place{e.Name, e.Arg}] {
			t.Errorf("entries have parameter %d of %s, and the API has no function there", e.Arg, e.Name)
		}
	}
}

// TestRunsAreThoseOfTheAPI wants each function that runs loops until a context ends among what a task must not call.
func TestRunsAreThoseOfTheAPI(t *testing.T) {
	runs := 0
	note := func(f *types.Func) {
		params := f.Signature().Params()
		if !f.Exported() || params.Len() < 2 || params.At(0).Type().String() != "context.Context" ||
			params.At(1).Type().String() != "*"+module+".Config" {
			return
		}
		runs++
		if _, ok := blockers.Of(f.FullName()); !ok {
			t.Errorf("%s fails in a task, and is not among the blockers", f.FullName())
		}
	}
	for _, p := range public(t) {
		for _, name := range p.Scope().Names() {
			switch obj := p.Scope().Lookup(name).(type) {
			case *types.Func:
				note(obj)
			case *types.TypeName:
				for m := range types.NewMethodSet(types.NewPointer(obj.Type())).Methods() {
					note(m.Obj().(*types.Func))
				}
			}
		}
	}
	if runs < 10 {
		t.Errorf("only %d functions run loops", runs)
	}
}

// TestHandshakesAreThoseOfTLS wants all functions that a crypto/tls.Config can have.
func TestHandshakesAreThoseOfTLS(t *testing.T) {
	read, err := packages.Load(&packages.Config{Mode: packages.NeedName | packages.NeedTypes}, "crypto/tls")
	if err != nil || len(read) != 1 {
		t.Fatal(read, err)
	}
	listed := map[string]bool{}
	for _, e := range Handshakes() {
		listed[e.Name] = true
	}
	for at := range handed(read[0].Types) {
		if strings.HasPrefix(at.name, "crypto/tls.Config.") && !listed[at.name] {
			t.Errorf("%s is not in handshakes", at.name)
		}
		delete(listed, at.name)
	}
	if len(listed) > 0 {
		t.Errorf("handshakes have what crypto/tls has not: %v", listed)
	}
}

// TestParksAreThoseOfTheAPI wants each name of the list that parks to be one of its package.
func TestParksAreThoseOfTheAPI(t *testing.T) {
	names := map[string]map[string]bool{}
	for _, p := range public(t) {
		all := map[string]bool{}
		for _, name := range p.Scope().Names() {
			obj := p.Scope().Lookup(name)
			all[name] = obj.Exported()
			if typ, ok := obj.(*types.TypeName); ok {
				for m := range types.NewMethodSet(types.NewPointer(typ.Type())).Methods() {
					all[m.Obj().Name()] = true
				}
			}
		}
		names[p.Path()] = all
	}
	for path, list := range parks {
		for name := range strings.FieldsSeq(list) {
			if !names[path][name] {
				t.Errorf("%s has no %s, which is said to park", path, name)
			}
			if !Parks(path, name) {
				t.Errorf("Parks does not know %s of %s", name, path)
			}
		}
	}
}

// What a comment says of parking: that its function does, or that it does not.
var (
	saysParks = regexp.MustCompile(`(?s)\bparks?\b`)
	saysNot   = regexp.MustCompile(`(?s)\b(not|never|neither)\s+parks?\b`)
)

// others are functions under a name that parks in their package, which don't: the list has names without types.
const others = "Listing.Read Listing.Stat Conn.WriteToUnix"

// receiver is the name of a method's type, with a dot behind it; none of a function.
func receiver(fn *ast.FuncDecl) string {
	if fn.Recv == nil {
		return ""
	}
	t := fn.Recv.List[0].Type
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	switch generic := t.(type) {
	case *ast.IndexExpr:
		t = generic.X
	case *ast.IndexListExpr:
		t = generic.X
	}
	return t.(*ast.Ident).Name + "."
}

// TestParksAreThoseOfTheComments wants each public function whose comment says that it parks among those that park, or
// among those that do so rarely; and of each that parks a comment that says so.
func TestParksAreThoseOfTheComments(t *testing.T) {
	read, err := packages.Load(&packages.Config{Mode: packages.NeedName | packages.NeedFiles | packages.NeedSyntax,
		Dir: "../../.."}, module, "ringo/sock", "ringo/sock/socktls", "ringo/file", "ringo/event", "ringo/logs",
		"ringo/debug", "ringo/metrics", "ringo/rate", "ringo/retry", "ringo/singleflight", "ringo/codec",
		"ringo/sock/sockclient", "ringo/service", "ringo/upgrade")
	if err != nil {
		t.Fatal(err)
	}
	said, met := 0, map[string]bool{}
	for _, p := range read {
		for _, f := range p.Syntax {
			for _, d := range f.Decls {
				fn, ok := d.(*ast.FuncDecl)
				if !ok || !fn.Name.IsExported() {
					continue
				}
				name := fn.Name.Name
				full := receiver(fn) + name
				public := fn.Recv == nil || ast.IsExported(full)
				if !saysParks.MatchString(saysNot.ReplaceAllString(fn.Doc.Text(), "")) {
					if public && Parks(p.PkgPath, name) && !slices.Contains(strings.Fields(others), full) {
						t.Errorf("%s of %s parks, and its comment does not say so", full, p.PkgPath)
					}
					continue
				}
				said++
				met[p.PkgPath+" "+name] = true
				if public && !Parks(p.PkgPath, name) &&
					!slices.Contains(strings.Fields(rarely[p.PkgPath]), name) {
					t.Errorf("%s of %s parks by its comment, and is not in parks, nor in rarely", full, p.PkgPath)
				}
			}
		}
	}
	if said < 100 {
		t.Errorf("only %d comments say of parking", said)
	}
	for path, list := range rarely {
		for name := range strings.FieldsSeq(list) {
			if !met[path+" "+name] {
				t.Errorf("rarely has %s of %s, of which no comment says that it parks", name, path)
			}
		}
	}
}

// TestParksAreThoseOfThePage wants the page of the docs to have what the lists have.
func TestParksAreThoseOfThePage(t *testing.T) {
	page, err := os.ReadFile("../../../docs/what-parks.md")
	if err != nil {
		t.Fatal(err)
	}
	always, seldom, ok := strings.Cut(string(page), "\nThese park in rare cases")
	if !ok {
		t.Fatal("no part about what parks rarely")
	}
	for part, lists := range map[string]map[string]string{always: parks, seldom: rarely} {
		rows := map[string][]string{}
		for _, m := range regexp.MustCompile(`(?m)^\| (`+module+`\S*) \| (.*) \|$`).FindAllStringSubmatch(part, -1) {
			rows[m[1]] = strings.Fields(strings.ReplaceAll(m[2], "`", ""))
		}
		if len(rows) != len(lists) {
			t.Errorf("rows for %d packages, want %d", len(rows), len(lists))
		}
		for path, list := range lists {
			if want := slices.Sorted(strings.FieldsSeq(list)); !slices.Equal(rows[path], want) {
				t.Errorf("%s: the page has\n%v, want\n%v", path, rows[path], want)
			}
		}
	}
}

func TestOurs(t *testing.T) {
	for path, want := range map[string]bool{
		module: true, "ringo/sock": true, "ringo/sock/socktls": true, "ringo/internal/loop": true, "ringo/file": true,
		"ringo/examples/echo": false, "ringo/cmd/ringo": false, "ringovet": false, "ringo/socket": false, "net": false,
	} {
		if got := Ours(path); got != want {
			t.Errorf("Ours(%q) = %v", path, got)
		}
	}
}
