// Package raftkv is a replicated key-value server: Raft's log and elections (https://raft.github.io/raft.pdf) on three
// or five replicas, each a program of one loop. It has no snapshots and no change of members, so a journal that has
// grown to its bound takes no more writes.
//
// All state of a replica belongs to the tasks of its loop and needs no lock, but it may have changed whenever a task
// has parked. Three rules make it safe:
//
//   - Nothing is said before what it rests on is durable: a vote, an entry or a term is answered for after the fsync of
//     the journal. A record that a crash has torn has a wrong checksum, and was never answered for.
//   - An entry is committed when a majority has it and it is of the leader's term. A replica that has not got all that
//     is committed gets no majority's votes, and so does not lead.
//   - A leader answers a read only when a majority has, after the read came, said that it still follows.
//
// No clock is compared with another: elections are timed by sleeps, and only how soon one comes depends on them.
package raftkv
