// Package buf provides leases, by which a program holds a loop's buffer with the bytes received in it, and memory that
// is aligned for direct I/O.
//
// ringo.Config.Buffers and BufferSize set the number and size of a loop's buffers.
package buf
