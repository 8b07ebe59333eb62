package ringo

import (
	"io"
	"os"
	"sync"
	"time"
)

// SetHardStop makes Runs give up on tasks earlier, and gives back how it was.
func SetHardStop(d time.Duration) (restore func()) {
	old := hardStop
	hardStop = d
	return func() { hardStop = old }
}

// Draining reports whether the loop knows that Run's context has ended.
func Draining(l *Loop) bool { return l.engine().Draining() }

// Waiting is how many callers stand in line.
func (m *Mutex) Waiting() int { return waiting(&m.mu, &m.waiting) }

// Waiting is how many callers stand in line.
func (m *RWMutex) Waiting() int { return waiting(&m.mu, &m.waiting) }

// Waiting is how many callers wait for the function to end.
func (o *Once) Waiting() int { return o.m.Waiting() }

// Waiting is how many callers stand in line.
func (c *Cond) Waiting() int { return waiting(&c.mu, &c.waiting) }

// Waiting is how many callers stand in line.
func (s *Semaphore) Waiting() int { return waiting(&s.mu, &s.waiting) }

// Waiting is how many callers stand in either line.
func (c *Chan[T]) Waiting() int { return waiting(&c.mu, &c.senders) + waiting(&c.mu, &c.receivers) }

func waiting[T any](mu *sync.Mutex, q *line[T]) (n int) {
	mu.Lock()
	defer mu.Unlock()
	for w := q.first; w != nil; w = w.next {
		n++
	}
	return n
}

// Waiting is how many callers stand in line.
func (g *WaitGroup) Waiting() int { return waiting(&g.mu, &g.waiting) }

// Waiting is how many callers stand in line.
func (b *Barrier) Waiting() int { return waiting(&b.mu, &b.waiting) }

// Waiting is how many callers stand in line.
func (w *Watch[T]) Waiting() int { return waiting(&w.mu, &w.waiting) }

// Waiting is how many callers stand in line.
func (b *Broadcast[T]) Waiting() int { return waiting(&b.mu, &b.waiting) }

// NewNotices is what says things to stderr, to a writer.
func NewNotices(to io.Writer) *Notices { return &Notices{notices{to: func() io.Writer { return to }}} }

// Notices is that.
type Notices struct{ n notices }

// NoticesMax bounds what they keep.
const NoticesMax = noticesMax

// Say and Await are the methods.
func (n *Notices) Say(text string)              { n.n.say(text) }
func (n *Notices) Await(patience time.Duration) { n.n.await(patience) }

// SendSignal is what comes of a signal that the program gets.
func SendSignal(c *Chan[os.Signal], s os.Signal) { sendOnce(c, s) }
