//go:build linux

package file_test

import (
	"bytes"
	"path/filepath"
	"testing"
	"time"

	"ringo"
	"ringo/internal/patience"
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
	for end := time.Now().Add(patience.Max / 3); time.Now().Before(end); pause(l) {
		select {
		case r := <-m.held:
			return r
		default:
		}
	}
	t.Fatal("no read has come to the mount")
	return heldRead{}
}

// answerAll answers with b whatever waits, and what comes, until done says that nobody will.
func (m *failingMount) answerAll(t *testing.T, l *ringo.Loop, b byte, done func() bool) {
	t.Helper()
	for end := time.Now().Add(patience.Max / 3); !done(); {
		select {
		case r := <-m.held:
			r.answer(b)
			continue
		default:
		}
		if pause(l); time.Now().After(end) {
			t.Fatal("answers that nobody takes")
		}
	}
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
