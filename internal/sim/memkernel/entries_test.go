package memkernel

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"ringo/internal/sim/world"
)

// Entries are what a list is, through adds, removals, and clones.
func TestEntries(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	var e entries
	var model []entry
	for cookie := int64(1); cookie < 20000; cookie++ {
		name := fmt.Sprint(r.IntN(1 + int(cookie)%300))
		i := slices.IndexFunc(model, func(x entry) bool { return x.name == name })
		switch {
		case i < 0:
			x := entry{name, cookie, &inode{}}
			e.add(x)
			model = append(model, x)
		case e.find(name) != model[i].inode || e.remove(name) != model[i].inode:
			t.Fatalf("%s is another at %d", name, cookie)
		default:
			model = slices.Delete(model, i, i+1)
		}
		if e.find(name) == nil != (i >= 0) || e.len() != len(model) || len(e.list) > 2*len(model)+holesMost {
			t.Fatalf("at %d: %d entries in %d places, for %d", cookie, e.len(), len(e.list), len(model))
		}
		if cookie%64 != 0 {
			continue
		}
		if c := e.clone(); !slices.Equal(slices.Collect(c.all()), model) {
			t.Fatalf("at %d they are %v, and were to be %v", cookie, c, model)
		}
		from := r.Int64N(cookie + 2)
		rest := slices.DeleteFunc(slices.Clone(model), func(x entry) bool { return x.cookie <= from })
		if got := slices.Collect(e.behind(from)); !slices.Equal(got, rest) {
			t.Fatalf("behind %d are %v, and were to be %v", from, got, rest)
		}
	}
}

// Names that come and go leave no places behind, neither in the directory nor on the disk.
func TestNamesComeAndGo(t *testing.T) {
	h := NewNetwork(world.New(1)).Host("h")
	for i := range 100_000 {
		name := fmt.Sprint("/data/", i)
		if res := h.make(-100, []byte(name+"\x00"), false, func() *inode { return h.newInode(0o100600) }); res != 0 {
			t.Fatal(name, res)
		}
		if i%16 == 0 {
			h.syncNames(h.root.find("data"))
		}
		if i%100 != 0 {
			h.renameat(-100, []byte(name+"\x00"), -100, []byte("/data/last\x00"), 0)
		}
	}
	d := h.root.find("data")
	if n := d.entries.len(); n != 1001 || len(d.entries.list) > 3*n || len(d.platter.names.list) > 3*n {
		t.Errorf("%d entries in %d places, and %d on the disk", n, len(d.entries.list), len(d.platter.names.list))
	}
}
