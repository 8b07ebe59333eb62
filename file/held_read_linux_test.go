//go:build linux

package file_test

import (
	"bytes"
	"path/filepath"
	"testing"

	"ringo"
	"ringo/internal/test/patience"
)

// heldRead is a read of a failingMount's file that waits for its answer.
type heldRead struct {
	d      *fuseDevice
	unique uint64
	size   int
}

// straight begins the names of files of which the kernel keeps nothing: an answer goes into
// the memory of the one who reads.
const straight = "straight"

// heldMax is how many reads may wait.
const heldMax = 1024

// answer gives the reader bytes, all the same. An error says that nobody waits for it.
func (r heldRead) answer(b byte) error {
	return r.d.reply(answerTo(r.unique, bytes.Repeat([]byte{b}, r.size), 0))
}

// next is the next read that waits.
func (m *failingMount) next(t *testing.T, l *ringo.Loop) heldRead {
	t.Helper()
	r, _ := m.nextUnless(t, l, func() bool { return false })
	return r
}

// nextUnless is next for a reader that may give up before its read comes here: over says so.
func (m *failingMount) nextUnless(t *testing.T, l *ringo.Loop, over func() bool) (r heldRead, ok bool) {
	t.Helper()
	patience.UntilBy(t, "a read that comes to the mount", func() { pause(l) }, func() bool {
		gone := over() // asked first: what has come is taken all the same
		select {
		case r = <-m.held:
			ok = true
		default:
		}
		return ok || gone
	})
	return r, ok
}

// answerAll answers with b whatever waits, and what comes, until done says that nobody will.
func (m *failingMount) answerAll(t *testing.T, l *ringo.Loop, b byte, done func() bool) {
	t.Helper()
	patience.UntilBy(t, "an end of reads that are answered", func() { pause(l) }, func() bool {
		for !done() {
			select {
			case r := <-m.held:
				r.answer(b)
				continue
			default:
			}
			return false
		}
		return true
	})
}

// aWhile is some pauses, in which what must not happen could.
func aWhile(l *ringo.Loop) {
	for range 20 {
		pause(l)
	}
}

// slow are a mount's files by what is behind them.
func (m *failingMount) slow() map[string]string {
	return map[string]string{"by the page cache": filepath.Join(m.dir, "cached"),
		"straight": filepath.Join(m.dir, straight)}
}
