package ringo_test

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"

	"ringo"
	"ringo/internal/driver"
	"ringo/internal/hist"
	"ringo/internal/loop"
)

// filler gives the plain values below v values of their own, by which they can be
// told again.
func filler(v reflect.Value, n *int) {
	*n++
	if h, ok := v.Addr().Interface().(*hist.Histogram); ok {
		h.Add(int64(*n))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			filler(v.Field(i), n)
		}
	case reflect.Array:
		for i := range v.Len() {
			filler(v.Index(i), n)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		filler(v.Index(0), n)
	case reflect.Map:
		key, elem := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		filler(key, n)
		filler(elem, n)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, elem)
	case reflect.String:
		v.SetString(fmt.Sprint("word ", *n))
	case reflect.Bool:
		v.SetBool(true)
	default:
		v.Set(reflect.ValueOf(*n).Convert(v.Type()))
	}
}

// leaves gives the plain values below v by their paths.
func leaves(v reflect.Value, path string, all map[string]string) map[string]string {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			leaves(v.Field(i), path+"."+v.Type().Field(i).Name, all)
		}
	case reflect.Array, reflect.Slice:
		for i := range v.Len() {
			leaves(v.Index(i), fmt.Sprintf("%s[%d]", path, i), all)
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			leaves(v.MapIndex(key), fmt.Sprintf("%s[%v]", path, key), all)
		}
	default:
		all[path] = fmt.Sprint(v)
	}
	return all
}

// What the engine counts and knows is what users see: a field that is added below
// and forgotten above fails here. kept are those that are the engine's business.
func TestPublicStructsAreWhole(t *testing.T) {
	var n int
	var stats loop.Stats
	filler(reflect.ValueOf(&stats).Elem(), &n)
	whole(t, stats, ringo.StatsOf(stats))

	var info driver.Info
	filler(reflect.ValueOf(&info).Elem(), &n)
	kept := info
	kept.Edges = false          // for who reads
	kept.Stats = driver.Stats{} // Loop.Stats has them, and newer ones
	public := ringo.InfoOf(info, 7)
	if public.Run != 7 {
		t.Errorf("Info.Run is %d, want 7", public.Run)
	}
	public.Run = 0 // it is not of the driver
	whole(t, kept, public)
}

func whole(t *testing.T, below, above any) {
	t.Helper()
	want, got := leaves(reflect.ValueOf(below), "", map[string]string{}),
		leaves(reflect.ValueOf(above), "", map[string]string{})
	for _, path := range slices.Sorted(maps.Keys(want)) {
		if zero := want[path] == "0" || want[path] == "false"; !zero && got[path] != want[path] {
			t.Errorf("%T%s is %s, and %T%s %q: it must be copied, in info.go", below, path, want[path],
				above, path, got[path])
		}
	}
	for path := range got {
		if _, ok := want[path]; !ok && path != ".Run" {
			t.Errorf("%T%s comes from nowhere", above, path)
		}
	}
}

// What users can reach of the engine through a public type is its methods.
func TestPublicTypesShowNoFields(t *testing.T) {
	for _, typ := range []reflect.Type{reflect.TypeFor[ringo.Loop](), reflect.TypeFor[ringo.Task](),
		reflect.TypeFor[ringo.Timer](), reflect.TypeFor[ringo.Group]()} {
		for i := range typ.NumField() {
			if f := typ.Field(i); f.IsExported() {
				t.Errorf("%v.%s can be named by everybody", typ, f.Name)
			}
		}
	}
}
