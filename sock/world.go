package sock

import (
	"errors"
	"fmt"

	"ringo/internal/loop"
)

// errWorld is the error of what would take a descriptor into a simulated world, or out of it.
var errWorld = fmt.Errorf("%w: what is open in a simulated world is of no use outside, nor the other way round",
	errors.ErrUnsupported)

// noWayOut is errWorld for a handle of a loop in a simulated world. G.
func noWayOut(l *loop.Loop) error {
	if l.Staged() {
		return errWorld
	}
	return nil
}
