package raftkv

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"ringo"
)

// store is the result of all committed entries. It is in memory; snapshots of it are in files.
type store struct {
	data    map[string][]byte // values are replaced, never changed in place
	members map[uint64]string // their addresses, by their numbers
	conf    *raftpb.ConfState // which of them vote
	applied uint64            // index of the last entry applied
}

// clone returns a snapshot of the store: it copies the maps, but not keys and values.
func (s *store) clone() *store {
	return &store{data: maps.Clone(s.data), members: maps.Clone(s.members),
		conf: proto.Clone(s.conf).(*raftpb.ConfState), applied: s.applied}
}

// write carries out an entry, and reports whether that has set the value.
func (s *store) write(e *Entry) bool {
	ok := e.Kind == Put || e.Kind == Swap && string(s.data[string(e.Key)]) == string(e.Old)
	if ok {
		s.data[string(e.Key)] = e.Value
	}
	return ok
}

// pair and state are the frames of a snapshot's file: a state, all pairs, and the state again with End set.
type pair struct{ Key, Value []byte }

type state struct {
	Members map[uint64]string
	Pairs   int
	End     bool
}

// keep writes a snapshot and makes it durable. It parks.
func (d *disk) keep(s *store, term uint64) (*raftpb.Snapshot, error) {
	meta := &raftpb.SnapshotMetadata{Index: new(s.applied), Term: new(term), ConfState: s.conf}
	err := d.receive("snap.new", s.applied, func(f io.Writer) error {
		st := state{Members: s.members, Pairs: len(s.data)}
		w := bufio.NewWriterSize(f, chunkMax)
		w.Write(appendJSON(nil, frameState, st))
		for _, key := range slices.Sorted(maps.Keys(s.data)) {
			w.Write(appendJSON(nil, framePair, pair{[]byte(key), s.data[key]}))
			letOthers()
		}
		st.End = true
		w.Write(appendJSON(nil, frameState, st))
		return w.Flush() // returns the first error of the writes above
	})
	return &raftpb.Snapshot{Metadata: meta}, err
}

// letOthers lets other tasks run during long work: a leader that sends nothing for too long loses its place.
func letOthers() {
	if l, _ := ringo.Current(); l != nil && l.NeedYield() {
		l.Yield()
	}
}

// load reads a snapshot. It parks.
func (d *disk) load(snap *raftpb.Snapshot) (*store, error) {
	meta := snap.GetMetadata()
	s := &store{data: map[string][]byte{}, conf: meta.GetConfState(), applied: meta.GetIndex()}
	name := snapshotName(s.applied)
	f, err := d.dir.Open(name)
	if err != nil {
		return nil, fmt.Errorf("raftkv: the snapshot that the log begins with: %w", err)
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, chunkMax)
	var st state
	for !st.End {
		kind, body, err := readFrame(r)
		switch {
		case err == nil && kind == frameState:
			err = json.Unmarshal(body, &st)
		case err == nil:
			var p pair
			err = json.Unmarshal(body, &p)
			s.data[string(p.Key)] = p.Value
			letOthers()
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = ErrCorrupt
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	if s.members = st.Members; st.Pairs != len(s.data) {
		return nil, fmt.Errorf("%s: %w: %d pairs, want %d", name, ErrCorrupt, len(s.data), st.Pairs)
	}
	return s, nil
}
