// Package code identifies the function that a task runs, for observers: its name and its place. A task keeps one word
// for that, the address of the code; names are looked up only when someone asks.
package code
