// Package buf provides leases, with which a program holds a loop's buffer and the bytes received in it, and memory that
// is aligned for direct I/O.
//
// ringo.Config.Buffers and BufferSize set the number and size of a loop's buffers.
package buf
