// Package logstore is an append-only store of keys and values, as brokers and databases have below them: a file of
// records with checksums, group commit, recovery after a crash, and an index in memory. It is an example of package
// file. Tasks and goroutines may use a Store together.
//
// Append returns when its record is on the disk. Callers that come while one batch is being written form the next: one
// write and one fdatasync for all of them. A batch is written only after the one before it was synced, and each record
// says where its batch begins. So a broken record that something of a later batch follows is damage, of which Open
// tells the place; any other is the torn end of the last batch, which was not acknowledged, and Open cuts it off.
// (Damage to the very last batch can't be told from a tear.)
//
// A write or sync that fails ends the Store: all calls give that error from then on. It is not tried again, because the
// kernel may have dropped what it could not write, and would then call the next sync a success. Open writes the last
// batch once more before it believes in it.
//
//	log     records; the first has the key "ringolog" and the salt as its value, fills a block, and is checked without
//	        salt. The file is made under another name.
//	batch   records, the last of which has no key and fills up to a block of 4 KiB, as direct I/O wants it
//	record  head's CRC 4 · CRC of the rest 4 · key's length 4 · value's length 4 · distance to its
//	        batch's first byte 4 · key · value · zeros to 8
//
// Numbers are little endian. Each CRC-32C is of the salt and the record's offset too, so that no bytes that once were a
// record elsewhere, or that a user stored, can pass for one.
//
// Behind the log's end there are zeros, of a batch's greatest length, if it is written past the page cache: to replace
// them changes neither the file's size nor what blocks it has, so that a sync has only the batch to write, and no
// journal. Each time they are used up the next batch is written with more of them. What Open finds of them it cuts off.
package logstore
