// Package relay moves bytes from one source to one sink until the source ends: between connections of Ringo and of
// package net, in any combination.
//
// It starts with memory, which is cheapest for little: one receive, one send. When many full buffers follow one
// another it goes over to splices (Mode), which copy nothing but cost more calls, and back when they bring little.
//
//	memory ──full buffers in a row──▶ splices
//	   ▲                                │
//	   └──little, several times─────────┘ and then it takes more full ones
//
// A source and a sink wait as their caller has to. A task that relays from a connection of its own loop runs another
// copy loop (package sock), because it takes the buffers in which the bytes came; it shares the Mode, the sinks and
// the pipes.
package relay
