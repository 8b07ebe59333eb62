// Package store logs as the program has it.
package store

import "log"

// Get tells of itself.
func Get(key string) { log.Print(key) }
