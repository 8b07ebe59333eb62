// Package relay moves bytes from one source to one sink until the source ends: connections of Ringo and of
// package net, in any combination.
//
// It begins with memory, which is the cheapest way for little: one receive, one send. When one full buffer
// follows the other it goes over to splices (Mode), which copy nothing and cost more calls; and back when they
// bring little.
//
//	memory ──full buffers in a row──▶ splices
//	   ▲                                │
//	   └──little, several times─────────┘ and then it takes more full ones
//
// Who waits, and how, is the ends' matter: a source and a sink wait as their caller has to. A task that
// relays from a connection of its loop has a loop of its own (package sock), since it takes the buffers in which
// the bytes came; it shares the Mode, the sinks and the pipes.
package relay
