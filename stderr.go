package ringo

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// notices writes Ringo's messages to stderr. The reader of stderr may be slow or hang, and no loop and no watcher may
// wait for it, nor the end of a Run for longer than noticesPatience. So say only keeps a text; a goroutine, which lives
// while there are texts, writes them.
type notices struct {
	to func() io.Writer

	mu      sync.Mutex
	texts   []string
	size    int           // bytes of the texts that are not yet written
	dropped int           // number of texts dropped since the last one that was kept
	idle    chan struct{} // closed when everything is written; nil if nothing is to be written
}

const (
	// noticesMax bounds the bytes that wait to be written. At the bound texts are dropped, and their number is added to
	// the next text that is kept. A single text may be longer.
	noticesMax = 256 << 10
	// noticesPatience is how long the end of a Run waits until everything is written.
	noticesPatience = time.Second
)

var onStderr = notices{to: func() io.Writer { return os.Stderr }}

// say makes the goroutine write a text. It does not wait.
func (n *notices) say(text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.size > 0 && n.size+len(text) > noticesMax {
		n.dropped++
		return
	}
	n.keep(text)
	if n.idle == nil {
		n.idle = make(chan struct{})
		go n.write()
	}
}

// keep adds a text to those that the goroutine writes. The caller holds the lock.
func (n *notices) keep(text string) {
	if n.dropped > 0 {
		text = fmt.Sprintf("ringo: %d reports were dropped here: stderr was too slow\n", n.dropped) + text
		n.dropped = 0
	}
	n.texts = append(n.texts, text)
	n.size += len(text)
}

// write writes texts until none is left.
func (n *notices) write() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for {
		if len(n.texts) == 0 && n.dropped > 0 {
			n.keep("")
		}
		if len(n.texts) == 0 {
			close(n.idle)
			n.idle, n.texts = nil, nil
			return
		}
		text := n.texts[0]
		n.texts = n.texts[1:]
		n.mu.Unlock()
		io.WriteString(n.to(), text) // an error can't be reported anywhere
		n.mu.Lock()
		n.size -= len(text)
	}
}

// await waits until everything is written, but no longer than patience.
func (n *notices) await(patience time.Duration) {
	n.mu.Lock()
	idle := n.idle
	n.mu.Unlock()
	if idle == nil {
		return
	}
	over := time.NewTimer(patience)
	defer over.Stop()
	select {
	case <-idle:
	case <-over.C:
	}
}
