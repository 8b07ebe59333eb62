package file

import (
	"errors"

	"ringo/internal/hosted"
	"ringo/internal/sys"
)

// Facts that tests can have taken for granted, see facts.
const (
	Cold   = uint32(cold)
	IsFUSE = uint32(isFUSE)
)

// Exclusive is an exclusive.
type Exclusive struct{ x exclusive }

func NewExclusive() *Exclusive      { return &Exclusive{newExclusive()} }
func (e *Exclusive) Lock() error    { return e.x.lock() }
func (e *Exclusive) Unlock()        { e.x.unlock() }
func (e *Exclusive) IsWanted() bool { return e.x.state.Load() == wanted }
func (e *Exclusive) IsFree() bool   { return e.x.state.Load() == free }

// Know has known taken for granted of all files that are opened on dir's mount from now on, and their goroutines'
// transfers go by h, if it is not nil. undo takes it back.
func Know(dir string, known uint32, h *hosted.Rings) (undo func(), err error) {
	f, err := Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	m := f.mount
	if again, err := Open(dir); err != nil {
		return nil, err
	} else if again.Close(); again.mount != m {
		return nil, errors.New("mounts have no numbers of their own here")
	}
	before, rings := m.known.Load(), m.rings.Load()
	m.known.Or(known)
	if h != nil {
		m.rings.Store(h)
	}
	return func() {
		m.known.Store(before)
		m.rings.Store(rings)
	}, nil
}

// ForceWalks has names in a Root walked, and gives whether they were.
func ForceWalks(on bool) bool {
	walksInWorlds = on
	return walks.Swap(on)
}

// Openat2 is why there is no openat2(2) that confines; nil if there is.
func Openat2() error {
	n, err := openAt(noFD, ".", sys.OPath|sys.ODirectory, 0, confined)
	if err == nil {
		closeNumber(n)
	}
	return err
}

// RefusesRange is whether a copy goes on in another way after this error.
func RefusesRange(err error) bool { return refusesRange(err) }
