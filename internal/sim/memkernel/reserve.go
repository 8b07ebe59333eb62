package memkernel

import "slices"

// extent is a range of pages; to is not part of it.
type extent struct{ from, to int64 }

// extents are ranges in order that don't touch each other. Changes make new extents: a platter may have the old ones.
type extents []extent

// count returns how many pages they have.
func (s extents) count() (n int64) {
	for _, x := range s {
		n += x.to - x.from
	}
	return n
}

// has reports whether a page is in one of them.
func (s extents) has(at int64) bool {
	_, ok := slices.BinarySearchFunc(s, at, func(x extent, at int64) int {
		switch {
		case x.to <= at:
			return -1
		case x.from > at:
			return 1
		}
		return 0
	})
	return ok
}

// without returns the extents without a range, which may be empty.
func (s extents) without(from, to int64) extents {
	if from >= to {
		return s
	}
	var left extents
	for _, x := range s {
		if a := (extent{x.from, min(x.to, from)}); a.from < a.to {
			left = append(left, a)
		}
		if b := (extent{max(x.from, to), x.to}); b.from < b.to {
			left = append(left, b)
		}
	}
	return left
}

// with returns the extents with a range added.
func (s extents) with(from, to int64) extents {
	var before, behind extents
	for _, x := range s {
		switch {
		case x.to < from:
			before = append(before, x)
		case x.from > to:
			behind = append(behind, x)
		default:
			from, to = min(from, x.from), max(to, x.to)
		}
	}
	return append(append(before, extent{from, to}), behind...)
}

// space returns how many pages of the disk an inode has: those that were written, and those that are reserved.
func (n *inode) space() int64 { return int64(len(n.pages)) + n.reserved.count() }

// unwritten returns the part of the extents that is not written.
func (s extents) unwritten(n *inode) extents {
	var left extents
	at := n.written()
	for _, x := range s {
		i, _ := slices.BinarySearch(at, x.from)
		for ; i < len(at) && at[i] < x.to; i++ {
			if x.from < at[i] {
				left = append(left, extent{x.from, at[i]})
			}
			x.from = at[i] + 1
		}
		if x.from < x.to {
			left = append(left, x)
		}
	}
	return left
}

// allocated returns what is reserved once a range of pages is reserved, too.
func (n *inode) allocated(from, to int64) extents { return n.reserved.with(from, to).unwritten(n) }

// reserve makes all the extents that are reserved for an inode.
func (n *inode) reserve(all extents) {
	if more := all.count() - n.reserved.count(); more > 0 {
		n.h.used += more
	} else {
		n.gives(-more)
	}
	n.reserved = all
}
