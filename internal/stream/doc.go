// Package stream is what connections of packages sock and event do with their bytes in common. In holds the bytes that
// have come, and knows how more come. It knows no callers: tasks read from it (package sock), and callbacks see it
// (package event). The owner of an In is the Sink of the armed op, passes each completion to the In, and wakes its
// callers.
package stream
