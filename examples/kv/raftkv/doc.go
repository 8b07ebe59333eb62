// Package raftkv is a replicated key-value server on go.etcd.io/raft, the Raft of etcd and CockroachDB: its RawNode is
// a state machine without goroutines or clocks of its own, which suits a loop. Messages travel by package sock, log and
// snapshots are kept by package file, and each replica is a program of one loop.
//
//	clients ─▶ serve ─▶ proposals, reads ─▶ RawNode ─┬─▶ messages ─▶ a queue and a task for each peer
//	peers ───▶ serve ─▶ Step ───────────────────▲    ├─▶ entries, votes ─▶ stores: one write and fsync for all
//	                    Tick ───────────────────┘    └─▶ what is committed ─▶ store
//
// All state belongs to the tasks of the loop and needs no lock, but it may have changed whenever a task has parked.
// These rules make it safe:
//
//   - Nothing is said before what it rests on is durable. raft hands over answers together with the entries and votes
//     that they rest on (AsyncStorageWrites), and task stores sends them when the fsync has returned.
//   - The log is the one root of what is on the disk: its first record names the snapshot that it begins with, and a
//     new log takes the place of the old one by a rename, when all that it names is durable.
//   - A record has a checksum, and is written when the one before is durable. So a crash tears the last record alone,
//     on which nothing rests yet: it is cut off. A broken record with a whole one behind it is no work of a crash, and
//     the replica refuses to start, with ErrCorrupt. Whether the last one was torn or spoiled can't be told: it counts
//     as torn.
//   - A read waits until a majority has confirmed, after it came, that the leader still leads (ReadOnlySafe), and until
//     what was committed by then is in the replica's own store. So any replica answers reads.
//
// A replica's number in raft is a hash of its address. An address whose disk is lost must not come back: remove it, and
// add a replica of another address, which starts with Join on an empty directory.
package raftkv
