package memkernel

import "ringo/internal/sys"

// lock is a lock of an open file, on the bytes from..to.
type lock struct {
	owner    *openFile
	from, to int64
	write    bool
}

// Lock sets or removes a lock of the open file.
func (h *Host) Lock(fd int32, kind int16, off, n int64) int32 {
	f, res := h.fileAt(fd)
	switch {
	case res < 0:
		return res
	case off < 0 || n < 0:
		return -sys.EINVAL
	case kind == sys.FWrlck && f.o.flags&sys.OAccmode == 0, kind == sys.FRdlck && f.o.flags&sys.OAccmode == sys.OWronly:
		return -sys.EBADF
	}
	to := off + n
	if n == 0 {
		to = 1<<63 - 1
	}
	if kind != sys.FUnlck {
		for _, l := range f.locks {
			if l.owner != f.o && l.from < to && off < l.to && (l.write || kind == sys.FWrlck) {
				return -sys.EAGAIN
			}
		}
	}
	var kept []lock
	for _, l := range f.locks {
		if l.owner != f.o || l.to <= off || to <= l.from {
			kept = append(kept, l)
			continue
		}
		if l.from < off {
			kept = append(kept, lock{l.owner, l.from, off, l.write})
		}
		if to < l.to {
			kept = append(kept, lock{l.owner, to, l.to, l.write})
		}
	}
	if kind != sys.FUnlck {
		kept = append(kept, lock{f.o, off, to, kind == sys.FWrlck})
	}
	f.locks = kept
	return 0
}
