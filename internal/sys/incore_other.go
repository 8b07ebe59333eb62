//go:build !linux || portable

package sys

// Incore is not supported here.
type Incore struct{}

func NewIncore(fd int32, off int64) (*Incore, int32) { return nil, enosys }
func (m *Incore) Close()                             {}
func (m *Incore) Covers(off int64) bool              { return false }
func (m *Incore) Pages(off int64) uint64             { return 0 }
func (m *Incore) Prefix(off int64, n int) int        { return 0 }
