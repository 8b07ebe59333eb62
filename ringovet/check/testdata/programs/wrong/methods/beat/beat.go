// Package beat parks by the clock.
package beat

import (
	"time"

	"ringo"
)

// A Beat is of a loop.
type Beat struct{ L *ringo.Loop }

// Tick parks.
func (b *Beat) Tick() {
	b.L.Sleep(time.Second) // want whole `Loop\).Sleep parks in a callback.*Loop\).Every at .*\(\*beat.Beat\).Tick`
}

// L is a loop.
var L *ringo.Loop

// Tock parks.
func Tock() {
	L.Sleep(time.Second) // want whole `Loop\).Sleep parks in a callback.*Loop\).Every at .*beat.Tock`
}
