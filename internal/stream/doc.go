// Package stream is what a connection does with its bytes, whoever they are for. In is what has come, and how more
// comes. It knows no caller: tasks read from it (package sock), and callbacks are shown it (package event). Its owner
// is the sink of the op that is armed, hands each completion on, and tells whoever waits.
package stream
