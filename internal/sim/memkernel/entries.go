package memkernel

import (
	"cmp"
	"iter"
	"maps"
	"slices"
)

// entry is a name in a directory.
type entry struct {
	name   string
	cookie int64
	*inode
}

// entries are the names in a directory, in the order in which they were made, which is the order of their cookies.
type entries struct {
	list []entry        // entries without an inode were removed
	at   map[string]int // the index in list of each name
}

// holesMost is how many removed entries a list keeps at least in excess of the others, so that a removal costs little.
const holesMost = 16

func (e *entries) len() int { return len(e.at) }

// find returns the inode with a name; nil if there is none.
func (e *entries) find(name string) *inode {
	if i, ok := e.at[name]; ok {
		return e.list[i].inode
	}
	return nil
}

// add adds a name that does not exist, with the greatest cookie.
func (e *entries) add(x entry) {
	if e.at == nil {
		e.at = map[string]int{}
	}
	e.at[x.name] = len(e.list)
	e.list = append(e.list, x)
}

// remove removes a name, and returns its inode; nil if there is none.
func (e *entries) remove(name string) *inode {
	i, ok := e.at[name]
	if !ok {
		return nil
	}
	x := e.list[i].inode
	delete(e.at, name)
	e.list[i] = entry{cookie: e.list[i].cookie}
	if len(e.list) > 2*len(e.at)+holesMost {
		e.list = slices.Collect(e.all())
		for i, x := range e.list {
			e.at[x.name] = i
		}
	}
	return x
}

// all returns the entries that exist.
func (e *entries) all() iter.Seq[entry] { return e.behind(-1) }

// behind returns the entries with greater cookies.
func (e *entries) behind(cookie int64) iter.Seq[entry] {
	inOrder := func(x entry, c int64) int { return cmp.Compare(x.cookie, c) }
	first, _ := slices.BinarySearchFunc(e.list, cookie+1, inOrder)
	return func(yield func(entry) bool) {
		for _, x := range e.list[first:] {
			if x.inode != nil && !yield(x) {
				return
			}
		}
	}
}

func (e *entries) clone() entries { return entries{slices.Clone(e.list), maps.Clone(e.at)} }
