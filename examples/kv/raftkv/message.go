package raftkv

import (
	"time"

	"ringo"
	"ringo/sock"
)

// Kind is what a Message asks for.
type Kind string

const (
	Vote   Kind = "vote"   // from a candidate
	Append Kind = "append" // from a leader; without entries it is a heartbeat
	Get    Kind = "get"    // from clients, as the rest
	Put    Kind = "put"
	Swap   Kind = "swap" // sets Value if Old is there
)

// Entry is a write in the log. One without a Kind begins a leader's term and changes nothing.
type Entry struct {
	Term  uint64 `json:",omitempty"`
	Kind  Kind   `json:",omitempty"`
	Key   string `json:",omitempty"`
	Value string `json:",omitempty"`
	Old   string `json:",omitempty"`
}

// size is what the parts of an entry have together, and a little for what is around them.
func (e *Entry) size() int { return len(e.Key) + len(e.Value) + len(e.Old) + 64 }

// The bounds of an entry and of what one message carries: 6 bytes of JSON for one of a string still fit into a frame.
const (
	entryMax = 64 << 10
	batchMax = 64 << 10
)

// Message is a question, of a client or of a replica.
type Message struct {
	Entry // what a client wants; of replicas only Kind and Term

	From     string  `json:",omitempty"`
	Last     uint64  `json:",omitempty"` // index and term of the candidate's last entry, or of that before Entries
	LastTerm uint64  `json:",omitempty"`
	Commit   uint64  `json:",omitempty"`
	Entries  []Entry `json:",omitempty"`
}

// Status is how a client's question ended.
type Status string

const (
	Done      Status = "done"
	NotLeader Status = "not leader" // nothing was done; Leader says who may know more
	Unknown   Status = "unknown"    // it may have been done, or may still be
	Refused   Status = "refused"    // it is too large, or the journal is full: nothing was done
)

// Reply is an answer.
type Reply struct {
	Status Status `json:",omitempty"`
	Value  string `json:",omitempty"` // of a Get; a key that was never put has ""
	Leader string `json:",omitempty"`

	Term  uint64 `json:",omitempty"`
	OK    bool   `json:",omitempty"` // the vote is given, the entries are kept, or Swap has swapped
	Match uint64 `json:",omitempty"` // as far the log is the leader's; without OK it is that at most
}

// link is a connection for one question at a time, made when there is one.
type link struct {
	addr string
	c    *sock.Conn
	sent bool // the last question may have arrived
}

// ask parks until the answer is here or d has passed.
func (k *link) ask(l *ringo.Loop, d time.Duration, m *Message) (rep Reply, err error) {
	frame := appendFrame(nil, m) // before it parks: the entries are the log's own
	k.sent = false
	err = l.WithTimeout(d, func() error {
		if k.c == nil {
			if k.c, err = sock.Dial(l, "tcp", k.addr); err != nil {
				k.c = nil
				return err
			}
		}
		k.sent = true
		if _, err := k.c.Write(frame); err != nil {
			return err
		}
		_, err := readFrame(k.c, &rep)
		return err
	})
	if err != nil {
		k.close() // an answer that comes late is for no later question
	}
	return rep, err
}

func (k *link) close() {
	if k.c != nil {
		k.c.Close()
		k.c = nil
	}
}
