// Package code says which function a task runs, for those who look at it from outside: its name and its place. What
// is kept for that is the address of its code, one word, and the names are looked up by whoever asks.
package code
