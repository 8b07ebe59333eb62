// Package raftkv is a replicated key-value server on go.etcd.io/raft, the Raft of etcd and CockroachDB. raft's RawNode
// is a state machine without goroutines or clocks of its own, which suits a loop. Package sock carries the messages,
// package file keeps log and snapshots, and each replica is a program of one loop.
//
//	clients ─▶ serve ─▶ proposals, reads ─▶ RawNode ─┬─▶ messages ─▶ a queue and a task for each peer
//	peers ───▶ serve ─▶ Step ───────────────────▲    ├─▶ entries, votes ─▶ stores: one write and fsync for all
//	                    Tick ───────────────────┘    └─▶ what is committed ─▶ store
//
// All state belongs to the tasks of the loop and needs no lock, but it may have changed whenever a task has parked.
// These rules make it safe:
//
//   - An answer is sent only when everything it depends on is durable. raft returns answers together with the entries
//     and votes that they depend on (AsyncStorageWrites), and task stores sends them when the fsync has returned.
//   - The log is the root of everything on the disk: its first record names the snapshot that the log begins with. A
//     new log replaces the old one by a rename, once all that it names is durable.
//   - A record has a checksum, and is written when the one before it is durable. So a crash can tear only the last
//     record, on which nothing depends yet: it is cut off. A broken record with a whole one after it does not come
//     from a crash, and the replica refuses to start, with ErrCorrupt. If the last record is broken, a tear can't be
//     told from damage: it counts as torn.
//   - A read waits until a majority has confirmed, after the read came, that the leader still leads (ReadOnlySafe),
//     and until the replica's own store has all that was committed by then. So any replica answers reads.
//
// A replica's number in raft is a hash of its address. An address whose disk is lost must not come back, since the
// replica would have forgotten its votes: remove it, and add a replica with another address, which starts with Join on
// an empty directory.
package raftkv
