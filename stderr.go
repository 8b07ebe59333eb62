package ringo

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// notices is how what Ringo has to say gets to stderr. Its reader may be slow or hang, and no loop, no watcher and no
// end of a Run may wait for it: so say only keeps a text, and a goroutine writes, that lives while there are some.
type notices struct {
	to func() io.Writer

	mu      sync.Mutex
	texts   []string
	size    int           // bytes in them
	dropped int           // texts, since the last that was kept
	idle    chan struct{} // closed when all is written; nil: it is
}

const (
	// noticesMax bounds the bytes that wait. What comes at the bound is dropped, and how many were is said with the
	// next text. A text alone may be longer.
	noticesMax = 256 << 10
	// noticesPatience is how long the end of a Run waits until all is written.
	noticesPatience = time.Second
)

var onStderr = notices{to: func() io.Writer { return os.Stderr }}

// say has a text written. It does not wait.
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

// keep is for who has the lock.
func (n *notices) keep(text string) {
	if n.dropped > 0 {
		text = fmt.Sprintf("ringo: %d reports were dropped here: stderr was too slow\n", n.dropped) + text
		n.dropped = 0
	}
	n.texts = append(n.texts, text)
	n.size += len(text)
}

// write writes until nothing is left.
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
		io.WriteString(n.to(), text) // there is nobody to tell of an error
		n.mu.Lock()
		n.size -= len(text)
	}
}

// await waits until all is written, for so long at most.
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
