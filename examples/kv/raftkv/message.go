package raftkv

// Bounds.
const (
	entryMax   = 32 << 10 // bytes of an entry
	batchMax   = 64       // entries of a message
	frameMax   = 4 << 20  // bytes of a frame, which base64 of that many entries has room in
	journalMax = 1 << 30  // bytes of the journal; a leader with more takes no writes
	connsMax   = 1000     // connections of a replica; more are closed
)

// Kind is what a Message asks for.
type Kind string

const (
	Vote   Kind = "vote"   // from a candidate
	Append Kind = "append" // from a leader; without entries it is a heartbeat
	Get    Kind = "get"    // from clients, as the rest
	Put    Kind = "put"    // sets Value
	Swap   Kind = "swap"   // sets Value if Old is there
)

// Entry is what a client asks, and a write in the log. One without a Kind begins a leader's term and changes nothing.
type Entry struct {
	Term            uint64 `json:",omitempty"`
	Kind            Kind   `json:",omitempty"`
	Key, Value, Old []byte `json:",omitempty"`

	ok bool // it was committed, and has set Value
}

func (e *Entry) size() int { return len(e.Key) + len(e.Value) + len(e.Old) }

// Message is a question, of a client or of a replica.
type Message struct {
	Entry // what a client wants; of replicas only Kind and Term

	From           string  `json:",omitempty"`
	Last, LastTerm uint64  `json:",omitempty"` // the candidate's last entry, or the one before Entries
	Commit         uint64  `json:",omitempty"` // as far the leader's log is committed
	Entries        []Entry `json:",omitempty"`

	round uint64 // of a leader's questions
}

// Reply is an answer. Where a replica does not know whether a write was done it ends the connection in place of it.
type Reply struct {
	Done   bool   `json:",omitempty"` // what a client has asked
	Why    string `json:",omitempty"` // nothing was done
	Leader string `json:",omitempty"` // the replica that may do it
	Value  []byte `json:",omitempty"` // of a Get; a key that was never put has none
	OK     bool   `json:",omitempty"` // Swap has swapped; the vote is given, or the entries are kept
	Term   uint64 `json:",omitempty"`
	Match  uint64 `json:",omitempty"` // as far the log is the leader's; without OK it is that at most
}
