package memkernel

import (
	"ringo/internal/sys"
)

// full returns the error of taking so many more pages, 0 if there is room for them. Pages that were freed since the
// last commit are not available before the next one: a crash could bring back the file that had them, beside the file
// that has them then. So the disk commits, as file systems with a journal do, before it reuses such pages.
func (h *Host) full(pages int64) int32 {
	if pages == 0 {
		return 0
	}
	if h.Room != nil {
		h.Room()
	}
	if e := h.lacksRoom(h.used + pages); e != 0 {
		return e
	}
	if h.freed > 0 && h.lacksRoom(h.used+h.freed+pages) != 0 {
		h.commit()
	}
	return 0
}

// lacksRoom returns the error of having so many pages in total.
func (h *Host) lacksRoom(pages int64) int32 {
	switch {
	case h.Capacity > 0 && pages > h.Capacity/pageSize:
		return sys.ENOSPC
	case h.Quota > 0 && pages > h.Quota/pageSize:
		return int32(sys.EDQUOT)
	}
	return 0
}

// gives records that an inode has freed pages.
func (n *inode) gives(pages int64) {
	h := n.h
	h.used -= pages
	h.freed += pages
	if !n.cut && pages > 0 {
		n.cut = true
		h.cuts = append(h.cuts, n)
	}
}

// commit writes all changes of names, and that files have freed pages.
func (h *Host) commit() {
	for i := range h.pending {
		h.pending[i].write()
	}
	h.pending = nil
	for _, n := range h.cuts {
		n.commit()
	}
	h.forgetFreed()
}

func (h *Host) forgetFreed() {
	for _, n := range h.cuts {
		n.cut = false
	}
	h.freed, h.cuts = 0, nil
}
