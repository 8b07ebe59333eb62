// Package logstore is an append-only store of keys and values, as brokers and databases have below them: records with
// checksums in files that only grow, group commit, recovery after a crash, and an index in memory. It is an example of
// package file; tasks and goroutines may call a Store together.
//
// Append returns when its record is on the disk. Callers that come while one batch is being written form the next: one
// write and one fdatasync for all of them. A batch is written only after the one before it was synced, and each record
// says where its batch begins. So a broken record that something of a later batch follows is damage, of which Open
// tells the place, and any other is the torn end of the last batch, which nobody was told of: Open cuts it off. (Damage
// to the very last batch can't be told from a tear.)
//
// A write or sync that fails ends the Store: all calls give that error from then on. It is not tried again, because the
// kernel may have dropped what it could not write, and would then call the next sync a success. Open writes the last
// batch once more before it believes in it.
//
//	segment   a header, then records; named by the offset of its first byte in the log, made under another name
//	header    a record with the key "ringolog" and the salt as its value, checked with a salt of 0
//	record    CRC 4 · key's length 4 · value's length 4 · distance to its batch's first byte 4 · key · value · zeros to 8
//
// Numbers are little endian. The CRC of a record is CRC-32C over all of it, the salt and its offset in the log, so that
// no bytes that once were a record elsewhere, or that a user stored, can pass for one.
package logstore
