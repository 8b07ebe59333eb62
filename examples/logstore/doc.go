// Package logstore is an append-only store of keys and values, as brokers and databases have at their base: a file of
// records with checksums, group commit, recovery after a crash, and an index in memory. It is an example of package
// file. Tasks and goroutines may share a Store.
//
// Append returns when its record is on the disk. Callers that come while one batch is being written form the next: one
// write and one fdatasync for all of them. A batch is written only after the one before it was synced, and each record
// says where its batch begins. So a broken record with a record of a later batch after it is damage, and Open returns
// its place. Any other broken record is the torn end of the last batch, which was not acknowledged, and Open cuts it
// off. (Damage to the very last batch can't be told from a tear.)
//
// If a write or sync fails, the Store ends: all calls return that error from then on. It does not try again, because
// the kernel may have dropped the pages that it could not write, and would then report success for the next sync. For
// the same reason Open writes the last batch once more before it relies on it.
//
//	log     records; the first has the key "ringolog" and the salt as its value, fills a block, and its checksum is
//	        without salt. The file is made under another name and renamed.
//	batch   records, the last of which has no key and fills the batch up to a block of 4 KiB, as direct I/O requires
//	record  head's CRC 4 · CRC of the rest 4 · key's length 4 · value's length 4 · distance to its
//	        batch's first byte 4 · key · value · zeros to a multiple of 8
//
// Numbers are little endian. Each CRC-32C also covers the salt and the record's offset, so that bytes that were a
// record elsewhere, or that a user has stored, are not taken for a record.
//
// If the log is written past the page cache, there are zeros after its end, as many as the longest batch has.
// Replacing them changes neither the file's size nor its blocks, so that a sync writes only the batch and no journal.
// When they are used up, the next batch is written with more of them. Open cuts off those that it finds.
package logstore
