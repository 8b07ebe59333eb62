// Package buf holds what programs meet of a loop's buffers: leases, by which they hold one for a while, with the bytes
// that came in it, and memory that is aligned for direct I/O.
//
// How many buffers a loop has, and of what size, ringo.Config.Buffers and BufferSize say.
package buf
